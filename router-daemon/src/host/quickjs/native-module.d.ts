/** The module that `native/quickjs` defines before it runs the bundle. */
declare module "kcp-router:native" {
  export const native: import("./native.ts").QuickJsNative;
}
