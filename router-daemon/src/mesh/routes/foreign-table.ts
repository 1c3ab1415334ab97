/**
 * Which other networks are hosted by nodes of ours (routes-rpc.md 3.4). A node that hosts none itself has no use for it: it
 * stores the entries and passes them on.
 */
import { encodedLength } from "../../wire/messages/encode.ts";
import {
  type ForeignNetworkRouteInfoEntry,
  type ForeignNetworkRouteInfoKey,
  RouteForeignNetworkInfosInfo,
} from "../../wire/messages/gen/messages.ts";
import {
  ANNOUNCEMENT_LIFE_MS,
  MAX_FOREIGN_ENTRIES,
  MAX_FOREIGN_ENTRY_BYTES,
  UNREACHABLE_LIFE_MS,
} from "./limits.ts";

export interface ForeignEntry {
  readonly id: string;
  readonly key: ForeignNetworkRouteInfoKey;
  readonly value: ForeignNetworkRouteInfoEntry;
  /** Encoded size. */
  readonly bytes: number;
  readonly arrivedAt: number;
}

export class ForeignTable {
  readonly #entries = new Map<string, ForeignEntry>();

  get size(): number {
    return this.#entries.size;
  }

  values(): IterableIterator<ForeignEntry> {
    return this.#entries.values();
  }

  /**
   * Stores what is newer. Its id and version when it is (now, or has been) in the table, so that the sender need not get
   * it back; undefined when it is incomplete, too large or one too many.
   */
  apply(
    info: RouteForeignNetworkInfosInfo,
    now: number,
  ): { id: string; version: number; changed: boolean } | undefined {
    const { key, value } = info;
    // An item without one of them ends the process of stock nodes: it must not get into the table.
    if (key === undefined || value === undefined || key.peerId === 0 || value.version === 0) return undefined;
    const bytes = encodedLength(RouteForeignNetworkInfosInfo, info);
    if (bytes > MAX_FOREIGN_ENTRY_BYTES) return undefined;
    const id = `${key.peerId}/${key.networkName}`;
    const held = this.#entries.get(id);
    const { version } = value;
    if (held !== undefined && version <= held.value.version) return { id, version, changed: false };
    if (held === undefined && this.#entries.size >= MAX_FOREIGN_ENTRIES) return undefined;
    this.#entries.set(id, { id, key, value, bytes, arrivedAt: now });
    return { id, version, changed: true };
  }

  /** Forgets what is too old, and everything of nodes that are gone; returns the ids. */
  sweep(now: number, isKnown: (peerId: number) => boolean): string[] {
    const gone: string[] = [];
    for (const { id, key, arrivedAt } of this.#entries.values()) {
      const life = isKnown(key.peerId) ? ANNOUNCEMENT_LIFE_MS : UNREACHABLE_LIFE_MS;
      if (now - arrivedAt > life) gone.push(id);
    }
    for (const id of gone) this.#entries.delete(id);
    return gone;
  }
}
