/** Everything announced by nodes, in bounded memory: one record per node with its announcement and its connection row. */
import type { Announcement } from "./announcement.ts";
import type { ConnectionRow } from "./connection-rows.ts";
import {
  ANNOUNCEMENT_LIFE_MS,
  MAX_ANNOUNCEMENTS_BYTES,
  MAX_PEERS,
  MAX_ROWS_ENTRIES,
  UNREACHABLE_LIFE_MS,
} from "./limits.ts";
import { NO_PATH, type Path, type PeerInfo } from "./types.ts";

export class PeerRecord {
  readonly peerId: number;
  /** Undefined = known by its row only. */
  announcement: Announcement | undefined;
  row: ConnectionRow | undefined;
  /** When the announcement last changed here; of a record without one, when it came. */
  updatedAt: number;
  path: Path = NO_PATH;
  leastCost: Path = NO_PATH;
  /** Since when there is no path to it. */
  unreachableSince: number;
  /** Cache of `info`: set to undefined by whoever changes the record. */
  view: PeerInfo | undefined;

  constructor(peerId: number, now: number) {
    this.peerId = peerId;
    this.updatedAt = now;
    this.unreachableSince = now;
  }

  get isReachable(): boolean {
    return this.path.nextHop !== 0;
  }

  /** The node as others see it, or undefined while it has not announced itself. */
  get info(): PeerInfo | undefined {
    if (this.view !== undefined || this.announcement === undefined) return this.view;
    this.view = Object.freeze({
      ...this.announcement.announced,
      ...this.path,
      leastCost: this.leastCost,
      updatedAtMs: this.updatedAt,
      directPeers: Object.freeze(Array.from(this.row?.peers ?? [])),
    });
    return this.view;
  }

  /** 0 = none. */
  get infoVersion(): number {
    return this.announcement?.announced.infoVersion ?? 0;
  }

  get rowVersion(): number {
    return this.row?.version ?? 0;
  }
}

export class PeerTable {
  readonly #records = new Map<number, PeerRecord>();
  readonly #localPeerId: number;
  readonly #removed: (record: PeerRecord) => void;
  #announcementBytes = 0;
  #rowEntries = 0;

  /** `removed` is told of every record that goes. The local node's record is made here and never goes. */
  constructor(localPeerId: number, now: number, removed: (record: PeerRecord) => void) {
    this.#localPeerId = localPeerId;
    this.#removed = removed;
    const local = new PeerRecord(localPeerId, now);
    local.path = local.leastCost = { nextHop: localPeerId, pathLength: 0, pathLatencyMs: 0 };
    this.#records.set(localPeerId, local);
  }

  get size(): number {
    return this.#records.size;
  }

  get announcementBytes(): number {
    return this.#announcementBytes;
  }

  get rowEntries(): number {
    return this.#rowEntries;
  }

  get local(): PeerRecord {
    return this.#records.get(this.#localPeerId)!;
  }

  get(peerId: number): PeerRecord | undefined {
    return this.#records.get(peerId);
  }

  values(): IterableIterator<PeerRecord> {
    return this.#records.values();
  }

  /** Stores an announcement; false when there is no room for it. */
  setAnnouncement(announcement: Announcement, now: number): boolean {
    const record = this.#open(announcement.announced.peerId, now);
    if (record === undefined) return false;
    const more = announcement.raw.length - (record.announcement?.raw.length ?? 0);
    if (!this.#makeRoom(record, () => this.#announcementBytes + more <= MAX_ANNOUNCEMENTS_BYTES))
      return false;
    this.#announcementBytes += more;
    record.announcement = announcement;
    record.updatedAt = now;
    record.view = undefined;
    return true;
  }

  /** Stores a row; false when there is no room for it. */
  setRow(row: ConnectionRow, now: number): boolean {
    const record = this.#open(row.peerId, now);
    if (record === undefined) return false;
    const more = row.peers.length - (record.row?.peers.length ?? 0);
    if (!this.#makeRoom(record, () => this.#rowEntries + more <= MAX_ROWS_ENTRIES)) return false;
    this.#rowEntries += more;
    record.row = row;
    record.view = undefined;
    return true;
  }

  /** Forgets nodes that are not heard of any more (routes-rpc.md 3.10); true when there were any. */
  sweep(now: number): boolean {
    const gone = [...this.#records.values()].filter(
      (record) =>
        now - record.updatedAt > ANNOUNCEMENT_LIFE_MS ||
        // The reference goes by the age of the announcement alone, and so forgets for up to an hour a node that is
        // unreachable for the one moment of its sweep.
        (!record.isReachable &&
          now - record.unreachableSince > UNREACHABLE_LIFE_MS &&
          now - record.updatedAt > UNREACHABLE_LIFE_MS),
    );
    let any = false;
    for (const record of gone) any = this.#remove(record) || any;
    return any;
  }

  #open(peerId: number, now: number): PeerRecord | undefined {
    const held = this.#records.get(peerId);
    if (held !== undefined) return held;
    if (this.#records.size >= MAX_PEERS && !this.#evict(undefined)) return undefined;
    const record = new PeerRecord(peerId, now);
    this.#records.set(peerId, record);
    return record;
  }

  /** Evicts others until there is room for what the record is to get; else a record that has nothing goes too. */
  #makeRoom(record: PeerRecord, isThereRoom: () => boolean): boolean {
    while (!isThereRoom()) {
      if (this.#evict(record)) continue;
      if (record.announcement === undefined && record.row === undefined) this.#remove(record);
      return false;
    }
    return true;
  }

  /** Makes room: the node that has been unreachable for the longest time goes. Reachable ones stay. */
  #evict(except: PeerRecord | undefined): boolean {
    let oldest: PeerRecord | undefined;
    for (const record of this.#records.values()) {
      if (record === except || record.isReachable) continue;
      if (oldest === undefined || record.unreachableSince < oldest.unreachableSince) oldest = record;
    }
    return oldest !== undefined && this.#remove(oldest);
  }

  #remove(record: PeerRecord): boolean {
    if (record.peerId === this.#localPeerId) return false;
    this.#records.delete(record.peerId);
    this.#announcementBytes -= record.announcement?.raw.length ?? 0;
    this.#rowEntries -= record.row?.peers.length ?? 0;
    this.#removed(record);
    return true;
  }
}
