/**
 * What the mesh tells the daemon, for its log and its page. Events leave the node through `pollEvent`; nothing here prints.
 */
import { MAX_EVENTS } from "./limits.ts";
import type { LinkReason } from "./reason.ts";

export type MeshEvent = MeshNotice & {
  readonly level: "info" | "warning" | "error";
  /** One or two sentences for people. */
  readonly message: string;
};

export type MeshNotice =
  /** A link is up: handshake done. `url` is empty for accepted links. */
  | {
      readonly type: "link_up";
      readonly peerId: number;
      readonly remote: string;
      readonly url: string;
      readonly shared: boolean;
    }
  | {
      readonly type: "link_down";
      readonly peerId: number;
      readonly remote: string;
      readonly url: string;
      readonly reason: LinkReason;
    }
  /** An attempt failed. Told when the reason changes, not at every attempt. */
  | { readonly type: "dial_failed"; readonly url: string; readonly reason: LinkReason }
  /** Somebody who dialled us was turned away. Told once a minute per address and reason. */
  | { readonly type: "link_refused"; readonly remote: string; readonly reason: LinkReason }
  /** Wanted: `handleResolved(url, endpoints)` for this name. */
  | { readonly type: "resolve"; readonly url: string; readonly host: string; readonly port: number }
  /** A listener could not be opened. */
  | { readonly type: "listener_failed"; readonly url: string; readonly error: number }
  /** A node became reachable, or ceased to be. */
  | { readonly type: "peer_joined"; readonly peerId: number }
  | { readonly type: "peer_left"; readonly peerId: number; readonly hostname: string }
  /** Next hops, addresses or exported subnets changed: kernel routes and policies want a look. */
  | { readonly type: "routes_changed"; readonly revision: number }
  /** Another node uses our peer id: dispose this node and start one with a new id. */
  | { readonly type: "duplicate_peer_id" }
  /** A peer sends compressed packets, which cannot be read here. Told once per node. */
  | { readonly type: "compressed_packets"; readonly peerId: number };

/** Longest piece of another node's text in a message. */
const MAX_QUOTED = 64;

/** Text that another node chose, fit for a line of a log: short, and quoted with escapes unless it is a plain name. */
export function quoted(text: string): string {
  const short = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  if (/^[A-Za-z0-9_.-]+$/.test(short)) return short;
  // JSON leaves most of Unicode alone; what steers terminals and text direction is not needed in a name.
  return JSON.stringify(short).replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "?");
}

/** First in, first out, bounded: what nobody polls is dropped from the old end and counted. */
export class EventQueue {
  readonly #events: MeshEvent[] = [];
  dropped = 0;

  push(level: MeshEvent["level"], message: string, notice: MeshNotice): void {
    if (this.#events.length >= MAX_EVENTS) {
      this.#events.shift();
      this.dropped++;
    }
    this.#events.push({ ...notice, level, message });
  }

  poll(): MeshEvent | undefined {
    return this.#events.shift();
  }

  get length(): number {
    return this.#events.length;
  }
}
