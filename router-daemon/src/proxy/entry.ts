import type { ReasonCode } from "./reason.ts";

/** States of an entry, in EasyTier's words and order (proxies.md 2.6, 9). */
export type EntryState =
  | "SynReceived"
  | "ConnectingDst"
  | "Connected"
  | "ClosingSrc"
  | "ClosingDst"
  | "Closed";
export type Transport = "tcp" | "kcp" | "quic";
export type Role = "source" | "destination";

/** Live entries the table holds at most; beyond it a connection works but is not listed. */
export const MAX_LIVE_ENTRIES = 8192;
/** Closed entries that are still shown, oldest forgotten first. */
export const MAX_CLOSED_ENTRIES = 256;
/** How often byte counters are turned into rates, milliseconds. */
export const RATE_PERIOD_MS = 1000;

/** Figures that only the carrying connection knows. */
export interface CarrierStats {
  /** Smoothed round-trip time in milliseconds, 0 = not measured yet. */
  readonly srttMs: number;
  /** Share of transmissions that repeated a segment held for lost, 0…1; undefined while too few tell. */
  readonly retransmittedShare: number | undefined;
  /** Slots of the pool that it holds now. */
  readonly heldSlots: number;
}

/** The carrying connection, as far as its row is concerned. */
export interface Carrier {
  readonly stats: CarrierStats;
}

/** What is known of a TCP connection when it is first seen. Addresses are 32-bit numbers, most significant octet first. */
export interface EntryKey {
  readonly role: Role;
  readonly sourceIp: number;
  readonly sourcePort: number;
  readonly destinationIp: number;
  readonly destinationPort: number;
  readonly peerId: number;
}

/** One row of the proxy table. The proxy writes it while bytes flow; readers take what they find. */
export class Entry {
  readonly id: number;
  readonly key: EntryKey;
  readonly startedAt: number;
  transport: Transport;
  reason: ReasonCode;
  state: EntryState = "SynReceived";
  /** From the client. */
  upBytes = 0;
  /** To the client. */
  downBytes = 0;
  /** Bytes per second over the last `RATE_PERIOD_MS`. */
  upRate = 0;
  downRate = 0;
  /** Set while a carrier exists. */
  carrier: Carrier | undefined;
  /** The carrier's figures at its end. */
  #lastStats: CarrierStats | undefined;
  endedAt: number | undefined;
  /** When a byte last moved, to within `RATE_PERIOD_MS`. */
  activeAt: number;
  /** Ends the connection; set by whoever runs it. */
  close: ((now: number, reason: "closed_by_user" | "memory_shed") => void) | undefined;
  #ratedUp = 0;
  #ratedDown = 0;

  constructor(id: number, key: EntryKey, transport: Transport, reason: ReasonCode, now: number) {
    this.id = id;
    this.key = key;
    this.transport = transport;
    this.reason = reason;
    this.startedAt = now;
    this.activeAt = now;
  }

  /** The carrier's figures: now, or as they were at its end. Undefined while there never was one. */
  get stats(): CarrierStats | undefined {
    return this.carrier?.stats ?? this.#lastStats;
  }

  /** Keeps the carrier's figures and lets go of it. */
  dropCarrier(): void {
    const stats = this.stats;
    this.#lastStats = stats && {
      srttMs: stats.srttMs,
      retransmittedShare: stats.retransmittedShare,
      heldSlots: 0,
    };
    this.carrier = undefined;
  }

  /** Turns the bytes since the last call into rates. */
  rate(elapsedMs: number, now: number): void {
    if (this.upBytes !== this.#ratedUp || this.downBytes !== this.#ratedDown) this.activeAt = now;
    this.upRate = ((this.upBytes - this.#ratedUp) * 1000) / elapsedMs;
    this.downRate = ((this.downBytes - this.#ratedDown) * 1000) / elapsedMs;
    this.#ratedUp = this.upBytes;
    this.#ratedDown = this.downBytes;
  }
}

/** The proxy table: what the CLI, the API and the page list. Both roles of a node share one. */
export class EntryTable {
  readonly #live = new Map<number, Entry>();
  readonly #closed: Entry[] = [];
  #nextId = 1;
  #ratedAt: number | undefined;
  /** Connections that found the table full. */
  unlisted = 0;

  get live(): Iterable<Entry> {
    return this.#live.values();
  }

  get liveCount(): number {
    return this.#live.size;
  }

  get closedCount(): number {
    return this.#closed.length;
  }

  /** Rates of all live entries together, bytes per second. */
  totals(): { upRate: number; downRate: number } {
    let upRate = 0;
    let downRate = 0;
    for (const entry of this.#live.values()) {
      upRate += entry.upRate;
      downRate += entry.downRate;
    }
    return { upRate, downRate };
  }

  /** A new entry. When the table is full the entry works like any other, but is not listed. */
  open(key: EntryKey, transport: Transport, reason: ReasonCode, now: number): Entry {
    const entry = new Entry(this.#nextId++, key, transport, reason, now);
    if (this.#live.size < MAX_LIVE_ENTRIES) this.#live.set(entry.id, entry);
    else this.unlisted++;
    return entry;
  }

  /** The connection is over; `reason` replaces why it was carried as it was, unless the end was an ordinary one. */
  end(entry: Entry, reason: ReasonCode, now: number): void {
    if (entry.endedAt !== undefined) return;
    entry.endedAt = now;
    entry.state = "Closed";
    if (reason !== "finished") entry.reason = reason;
    entry.upRate = 0;
    entry.downRate = 0;
    entry.dropCarrier();
    entry.close = undefined;
    if (!this.#live.delete(entry.id)) return;
    this.#closed.push(entry);
    if (this.#closed.length > MAX_CLOSED_ENTRIES) this.#closed.shift();
  }

  get(id: number): Entry | undefined {
    return this.#live.get(id);
  }

  /** Live entries first, then the closed ones that are still remembered. */
  *list(): Iterable<Entry> {
    yield* this.#live.values();
    yield* this.#closed;
  }

  handleTimeout(now: number): void {
    if (now < this.nextTimeout) return;
    const elapsed = this.#ratedAt === undefined ? RATE_PERIOD_MS : now - this.#ratedAt;
    this.#ratedAt = now;
    for (const entry of this.#live.values()) entry.rate(elapsed, now);
  }

  get nextTimeout(): number {
    if (this.#live.size === 0) {
      this.#ratedAt = undefined;
      return Number.POSITIVE_INFINITY;
    }
    return this.#ratedAt === undefined ? Number.NEGATIVE_INFINITY : this.#ratedAt + RATE_PERIOD_MS;
  }
}
