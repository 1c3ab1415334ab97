export { KcpEndpoint } from "./endpoint.ts";
export { DEFAULT_KCP_LIMITS } from "./limits.ts";
export * from "./types.ts";
