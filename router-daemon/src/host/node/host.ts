import { markAsUntransferable } from "node:worker_threads";

import { type AttachedCore, attachCore, CoreHost, type CoreHostOptions } from "../core-host.ts";
import { WITHOUT_ENV } from "../features.ts";
import type { Host, HostFailure } from "../host.ts";
import { loadAddon, type NodeCore } from "./addon.ts";

export interface NodeHostOptions extends CoreHostOptions {
  /** The addon's file; else the environment's KCP_ROUTER_NATIVE, else it is searched. */
  readonly addonPath?: string;
}

/**
 * The host on Node: loads the addon, makes the arena and attaches the core to it.
 * Errors: a HostFailure whose sentence names the remedy; wrong sizes throw a RangeError.
 */
export function createNodeHost(options: NodeHostOptions): Host | HostFailure {
  const addon = loadAddon(options.addonPath);
  if ("error" in addon) return addon;
  const attached = attachCore<NodeCore>(addon, options, process.env[WITHOUT_ENV] ?? "");
  if ("error" in attached) return attached;
  // A detached arena would leave the core with memory that is no longer ours.
  markAsUntransferable(attached.memory.arena);
  return new NodeHost(attached);
}

class NodeHost extends CoreHost {
  readonly #core: NodeCore;

  constructor(attached: AttachedCore<NodeCore>) {
    super(attached);
    this.#core = attached.core;
  }

  override onReady(wake: () => unknown): void {
    if (typeof wake !== "function") throw new TypeError("onReady: argument 1 must be a function.");
    super.onReady(() => {
      while (wake() === true && this.#core.stay() === 1);
    });
  }
}
