import { TcpFlag } from "../wire/tcp.ts";
import { AgeList } from "./age-list.ts";
import type { Replies } from "./replies.ts";
import type { Segment } from "./segment.ts";
import { isAfter } from "./sequence.ts";
import type { Timestamps } from "./timestamps.ts";
import { TupleTable } from "./tuple-table.ts";

/** How an ended connection answers what still comes. */
export const LingerKind = {
  /** Ended in order: what comes late is acknowledged (TIME-WAIT). */
  timeWait: 0,
  /** Ended by us with RST: so is the rest. */
  reset: 1,
  /** Ended by the client with RST: what was under way is swallowed. */
  silent: 2,
} as const;

/**
 * Connections remembered for a while after their end, so that late segments are not carried to the real target as strangers.
 * Bounded; the oldest makes room.
 */
export class Lingering {
  readonly #table: TupleTable;
  readonly #ages: AgeList;
  readonly #lingerMs: number;
  readonly #kind: Uint8Array;
  readonly #next: Int32Array;
  readonly #expected: Int32Array;
  readonly #hasTimestamps: Uint8Array;
  readonly #clockOffset: Int32Array;
  readonly #recent: Int32Array;
  readonly #expiresAt: Float64Array;

  constructor(capacity: number, lingerMs: number, seed: number) {
    this.#table = new TupleTable(capacity, seed);
    this.#ages = new AgeList(capacity);
    this.#lingerMs = lingerMs;
    this.#kind = new Uint8Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#expected = new Int32Array(capacity);
    this.#hasTimestamps = new Uint8Array(capacity);
    this.#clockOffset = new Int32Array(capacity);
    this.#recent = new Int32Array(capacity);
    this.#expiresAt = new Float64Array(capacity);
  }

  get size(): number {
    return this.#table.size;
  }

  /** When the next one is forgotten. */
  get nextTimeout(): number {
    const oldest = this.#ages.oldest;
    return oldest < 0 ? Number.POSITIVE_INFINITY : this.#expiresAt[oldest]!;
  }

  /** Remembers a connection that is not remembered yet: SND.NXT, RCV.NXT, and its timestamps. */
  add(
    client: number,
    target: number,
    ports: number,
    kind: number,
    next: number,
    expected: number,
    timestamps: Timestamps,
    now: number,
  ): void {
    if (this.#table.size === this.#table.capacity) this.#forget(this.#ages.oldest);
    const id = this.#table.insert(client, target, ports);
    this.#ages.add(id);
    this.#kind[id] = kind;
    this.#next[id] = next;
    this.#expected[id] = expected;
    this.#hasTimestamps[id] = timestamps.enabled ? 1 : 0;
    this.#clockOffset[id] = timestamps.clockOffset;
    this.#recent[id] = timestamps.recent;
    this.#expiresAt[id] = now + this.#lingerMs;
  }

  expire(now: number): void {
    for (let id = this.#ages.oldest; id >= 0 && this.#expiresAt[id]! <= now; id = this.#ages.oldest)
      this.#forget(id);
  }

  clear(): void {
    for (let id = this.#ages.oldest; id >= 0; id = this.#ages.oldest) this.#forget(id);
  }

  #forget(id: number): void {
    this.#ages.remove(id);
    this.#table.remove(id);
  }

  /** A segment of no live flow. True = it belonged to an ended connection and is dealt with. */
  handle(segment: Segment, replies: Replies, now: number): boolean {
    const id = this.#table.find(segment.client, segment.target, segment.ports);
    if (id < 0) return false;
    if (
      (segment.flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst)) === TcpFlag.syn &&
      this.#isNewConnection(id, segment)
    ) {
      this.#forget(id);
      return false;
    }
    if ((segment.flags & TcpFlag.rst) !== 0) {
      // A client in SYN-SENT that our acknowledgement irritated: let its next SYN through.
      if (segment.sequence === this.#expected[id]) this.#forget(id);
      return true;
    }
    if (this.#kind[id] === LingerKind.timeWait) this.#acknowledge(id, segment, replies, now);
    else if (this.#kind[id] === LingerKind.reset) addResetFor(segment, replies);
    return true;
  }

  /** RFC 6191 and RFC 9293 3.6.1: a SYN that is younger than all that was before opens the connection anew. */
  #isNewConnection(id: number, segment: Segment): boolean {
    if (this.#kind[id] !== LingerKind.timeWait || isAfter(segment.sequence, this.#expected[id]!)) return true;
    if (this.#hasTimestamps[id] === 0) return false;
    segment.parseOptions();
    return segment.options.hasTimestamps && isAfter(segment.options.timestampValue, this.#recent[id]!);
  }

  #acknowledge(id: number, segment: Segment, replies: Replies, now: number): void {
    // A pure acknowledgement wants no answer: two ends that answer each other's would never stop.
    if (segment.payloadBytes === 0 && (segment.flags & (TcpFlag.syn | TcpFlag.fin)) === 0) return;
    const { client, target, ports } = segment;
    const next = this.#next[id]!;
    const expected = this.#expected[id]!;
    if (this.#hasTimestamps[id] !== 0) {
      const clock = (Math.floor(now) + this.#clockOffset[id]!) | 0;
      replies.addWithTimestamps(client, target, ports, next, expected, TcpFlag.ack, clock, this.#recent[id]!);
    } else {
      replies.add(client, target, ports, next, expected, TcpFlag.ack);
    }
  }
}

/** Queues the RST that a segment without a connection gets (RFC 9293 3.5.2). */
export function addResetFor(segment: Segment, replies: Replies): void {
  const { client, target, ports, flags, sequence, acknowledgement } = segment;
  if ((flags & TcpFlag.ack) !== 0) {
    replies.add(client, target, ports, acknowledgement, 0, TcpFlag.rst);
  } else {
    const length =
      segment.payloadBytes + ((flags & TcpFlag.syn) !== 0 ? 1 : 0) + ((flags & TcpFlag.fin) !== 0 ? 1 : 0);
    replies.add(client, target, ports, 0, (sequence + length) | 0, TcpFlag.rst | TcpFlag.ack);
  }
}
