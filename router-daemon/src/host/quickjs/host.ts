import { attachCore, CoreHost, type CoreHostOptions } from "../core-host.ts";
import { WITHOUT_ENV } from "../features.ts";
import type { Host, HostFailure } from "../host.ts";
import type { QuickJsNative } from "./native.ts";

/** What the host needs of the executable. */
export type HostNative = Pick<QuickJsNative, "create" | "makeArena" | "environment">;

/**
 * The host on QuickJS: the core is part of the executable.
 * Errors: a HostFailure whose sentence names the remedy; wrong sizes throw a RangeError.
 */
export function createQuickJsHost(native: HostNative, options: CoreHostOptions): Host | HostFailure {
  const attached = attachCore(native, options, native.environment(WITHOUT_ENV) ?? "", (bytes) =>
    native.makeArena(bytes),
  );
  return "error" in attached ? attached : new CoreHost(attached);
}
