import { Random } from "./random.ts";

/** One direction of a virtual link. */
export interface LinkOptions {
  /** One-way delay. */
  delayMs: number;
  /** Added to it, evenly from 0 to this; packets keep their order unless `reorder`. */
  jitterMs?: number;
  /** Packets overtake each other by their jitter. */
  reorder?: boolean;
  /** Share lost, independently. */
  loss?: number;
  /** Loss in bursts (Gilbert-Elliott): share of packets that begin a burst, and its mean length. Everything in it is lost. */
  burst?: { start: number; length: number };
  /** Share delivered twice. */
  duplicate?: number;
  /** Bottleneck, and what waits before it at most. Lost packets have passed it. */
  bytesPerMs?: number;
  queueBytes?: number;
  /** Bytes that a datagram has on the wire besides its own. */
  overheadBytes?: number;
}

/** `target` is whom it is for, where several connections share the link. */
export type Schedule = (atMs: number, bytes: Uint8Array, target: number) => void;

/** Serialises, delays, loses, reorders and doubles; decisions depend on the seed alone. */
export class Link {
  sent = 0;
  lost = 0;
  overflowed = 0;
  readonly #options: LinkOptions;
  readonly #random: Random;
  readonly #schedule: Schedule;
  #freeAtMs = 0;
  #lastAtMs = 0;
  #inBurst = false;

  constructor(options: LinkOptions, seed: number, schedule: Schedule) {
    this.#options = options;
    this.#random = new Random(seed);
    this.#schedule = schedule;
  }

  /** For changes while it runs: `Object.assign(link.options, …)`. */
  get options(): LinkOptions {
    return this.#options;
  }

  send(bytes: Uint8Array, nowMs: number, target: number): void {
    const o = this.#options;
    const random = this.#random;
    this.sent++;
    let leavesMs = nowMs;
    if (o.bytesPerMs !== undefined) {
      const backlog = Math.max(0, this.#freeAtMs - nowMs) * o.bytesPerMs;
      const size = bytes.length + (o.overheadBytes ?? 0);
      if (backlog + size > (o.queueBytes ?? Infinity)) {
        this.overflowed++;
        return;
      }
      leavesMs = Math.max(nowMs, this.#freeAtMs) + size / o.bytesPerMs;
      this.#freeAtMs = leavesMs;
    }
    if (o.burst !== undefined) {
      this.#inBurst = this.#inBurst ? !random.chance(1 / o.burst.length) : random.chance(o.burst.start);
    }
    if (this.#inBurst || random.chance(o.loss ?? 0)) {
      this.lost++;
      return;
    }
    this.#deliver(bytes, leavesMs, target);
    if (random.chance(o.duplicate ?? 0)) this.#deliver(bytes, leavesMs, target);
  }

  #deliver(bytes: Uint8Array, leavesMs: number, target: number): void {
    const o = this.#options;
    let atMs = leavesMs + o.delayMs + (o.jitterMs ?? 0) * this.#random.next();
    if (!o.reorder) {
      atMs = Math.max(atMs, this.#lastAtMs);
      this.#lastAtMs = atMs;
    }
    this.#schedule(atMs, bytes, target);
  }
}
