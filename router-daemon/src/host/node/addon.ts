import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { HostFailure } from "../host.ts";
import type { NativeAddon, NativeCore } from "../native-core.ts";

/** The core as the Node-API binding gives it. */
export interface NodeCore extends NativeCore {
  /** Inside `wake`: waits a few milliseconds for what comes next. 1 = there is something, 0 = go back to the event loop. */
  stay(): number;
}
export interface NodeAddon extends NativeAddon {
  create(...args: Parameters<NativeAddon["create"]>): NodeCore | HostFailure;
}

/** Names a file that replaces the search. */
export const ADDON_ENV = "KCP_ROUTER_NATIVE";

/**
 * Where the addon may lie, best first: beside the bundle, then `out/native` of this folder and of those above it (a
 * checkout). Installed packages put it beside the bundle.
 */
export function addonCandidates(from: string, arch: string): string[] {
  const file = `kcp-router-${arch}.node`;
  const candidates = [join(from, file), join(from, "native", file)];
  for (let folder = from; ; folder = dirname(folder)) {
    candidates.push(join(folder, "out", "native", file));
    if (dirname(folder) === folder) return candidates;
  }
}

/** Loads the addon from `path`, or else from where it is found. The failure's sentence names the remedy. */
export function loadAddon(path?: string): NodeAddon | HostFailure {
  const wanted = path ?? process.env[ADDON_ENV];
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = wanted === undefined ? addonCandidates(here, process.arch) : [wanted];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) {
    return {
      error: -constants.errno.ENOENT,
      message: `The native I/O core for ${process.arch} is missing (${candidates[0]}). Build it with \`make native\`.`,
    };
  }
  const module = { exports: {} };
  try {
    // Not `require`: the path is absolute, and a bundler must not follow it.
    process.dlopen(module, found);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return {
      error: -constants.errno.ENOEXEC,
      message: `The native I/O core ${found} cannot be loaded (${why}). Build it with \`make native\` on this machine.`,
    };
  }
  return module.exports as NodeAddon;
}
