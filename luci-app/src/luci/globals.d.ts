/**
 * What LuCI puts into the scope of a module (`'require …'` directives and globals), as far as the page uses it. LuCI has no types of
 * its own; these follow its client-side API documentation.
 */

/** A class of LuCI's: made by `extend`, instantiated once per `require`. */
interface LuciClass {
  extend(properties: object): LuciClass;
}
declare const baseclass: LuciClass;
/** What fills the frame: `load`, `render`, and a footer whose handlers may be null. */
declare const view: LuciClass;

interface RpcDeclaration {
  readonly object: string;
  readonly method: string;
  readonly params?: readonly string[];
  /** Not sent together with other calls of the same frame: for slow ones. */
  readonly nobatch?: boolean;
}
declare const rpc: {
  /** Fulfilled with the data; with ubus' status number where there is none. */
  declare(declaration: RpcDeclaration): (...values: readonly unknown[]) => Promise<unknown>;
  /** A status number in words. */
  getStatusText(status: number): string;
  setBaseURL(url: string): void;
};

declare const poll: {
  add(tick: () => Promise<unknown>, seconds: number): boolean;
  remove(tick: () => Promise<unknown>): boolean;
};

declare const ui: {
  addNotification(title: string | null, content: Node, ...classes: readonly string[]): Node;
  readonly changes: {
    /** Reads the session's unsaved changes again, for the indicator in the header. */
    init(): Promise<unknown>;
    /** Save & Apply: checked (rolled back when the router cannot be reached any more), or not. */
    apply(checked: boolean): void;
    revert(): void;
  };
};

declare const L: {
  readonly env: {
    readonly sessionid: string;
    readonly resource_version?: string;
  };
  /** False for a login that may only look; null where even that is not granted. */
  hasViewPermission(): boolean | null;
  /** Where ubus is reached; found out once and remembered in the browser. */
  probeRPCBaseURL(): Promise<string>;
  /** What the directive of that name does, in the middle of the code. */
  require(name: string): Promise<unknown>;
};

/** The translation of a text, or the text itself. */
declare function _(text: string, context?: string): string;
