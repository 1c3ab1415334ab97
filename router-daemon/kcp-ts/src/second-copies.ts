import type { RttEstimate } from "./rate-sampler.ts";

/** A stream is thin while it has no more segments than this in flight and waiting. */
export const THIN_SEGMENTS = 8;
/** A copy leaves a share of a round trip later, within limits: away from a short burst of loss, before any timeout. */
const DELAY_SHARE = 0.25;
const MIN_DELAY_MS = 0.5;
const MAX_DELAY_MS = 3;
/** Copies of thin streams may use this much, on average and at once, so that a slow link is not filled with them. */
const THIN_BYTES_PER_MS = 64;
const THIN_CREDIT_BYTES = 16 * 1024;
/** A segment that was lost this often already is repeated twice. */
const STUBBORN_TRIES = 3;
/** Copies waiting: at first, and at most. */
const FIRST_QUEUE = 16;
export const MAX_QUEUED_COPIES = 256;

/**
 * Segments that are sent a second time a few milliseconds later without being known as lost; every KCP takes duplicates.
 * Two kinds are worth it:
 *
 * - thin streams (performance.md 8): where only a few segments are under way, a lost one costs a whole timeout, and
 *   sending it twice costs nothing worth counting;
 * - repairs that hold up the window: while the window is full of what came after a hole, a repair that is lost too stops
 *   the stream for another round trip.
 *
 * The queue is in order of time.
 */
export class SecondCopies {
  /** Copies sent. */
  sent = 0;
  readonly #enabled: boolean;
  #sns = new Int32Array(FIRST_QUEUE);
  #orders = new Int32Array(FIRST_QUEUE);
  /** Copies still to send of this transmission. */
  #counts = new Uint8Array(FIRST_QUEUE);
  #dueMs = new Float64Array(FIRST_QUEUE);
  #mask = FIRST_QUEUE - 1;
  #head = 0;
  #count = 0;
  #creditBytes = THIN_CREDIT_BYTES;
  #creditAtMs = 0;
  #lastDueMs = -Infinity;
  readonly #roundTrip: Pick<RttEstimate, "smoothedMs">;

  constructor(enabled: boolean, roundTrip: Pick<RttEstimate, "smoothedMs">) {
    this.#enabled = enabled;
    this.#roundTrip = roundTrip;
  }

  /** When the first copy is due. */
  get dueAtMs(): number {
    return this.#count === 0 ? Infinity : this.#dueMs[this.#head]!;
  }

  /** Segment and transmission of the first copy. */
  get sn(): number {
    return this.#sns[this.#head]!;
  }
  get order(): number {
    return this.#orders[this.#head]!;
  }

  /** A segment has left; `segments` are in flight or waiting. */
  handleSent(sn: number, order: number, bytes: number, segments: number, nowMs: number): void {
    if (!this.#enabled || segments > THIN_SEGMENTS) return;
    const grown = this.#creditBytes + (nowMs - this.#creditAtMs) * THIN_BYTES_PER_MS;
    this.#creditBytes = Math.min(grown, THIN_CREDIT_BYTES);
    this.#creditAtMs = nowMs;
    if (this.#creditBytes < bytes) return;
    this.#creditBytes -= bytes;
    this.#add(sn, order, 1, nowMs);
  }

  /** A lost segment has left for the `tries`th time, and the window is waiting for it. */
  handleRepair(sn: number, order: number, tries: number, nowMs: number): void {
    if (this.#enabled) this.#add(sn, order, tries >= STUBBORN_TRIES ? 2 : 1, nowMs);
  }

  /** The first copy has been dealt with: sent, or not needed any more. */
  next(sent: boolean, nowMs: number): void {
    const { sn, order } = this;
    const left = this.#counts[this.#head]! - 1;
    this.#head = (this.#head + 1) & this.#mask;
    this.#count--;
    if (!sent) return;
    this.sent++;
    if (left > 0) this.#add(sn, order, left, nowMs);
  }

  clear(): void {
    this.#count = 0;
  }

  #add(sn: number, order: number, count: number, nowMs: number): void {
    if (this.#count > this.#mask && !this.#grow()) return;
    const at = (this.#head + this.#count++) & this.#mask;
    this.#sns[at] = sn;
    this.#orders[at] = order;
    this.#counts[at] = count;
    const rttMs = this.#roundTrip.smoothedMs || MAX_DELAY_MS / DELAY_SHARE;
    const delayMs = Math.max(MIN_DELAY_MS, Math.min(MAX_DELAY_MS, DELAY_SHARE * rttMs));
    this.#lastDueMs = Math.max(this.#lastDueMs, nowMs + delayMs);
    this.#dueMs[at] = this.#lastDueMs;
  }

  #grow(): boolean {
    const size = (this.#mask + 1) * 2;
    if (size > MAX_QUEUED_COPIES) return false;
    const sns = new Int32Array(size);
    const orders = new Int32Array(size);
    const counts = new Uint8Array(size);
    const dueMs = new Float64Array(size);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) & this.#mask;
      sns[i] = this.#sns[from]!;
      orders[i] = this.#orders[from]!;
      counts[i] = this.#counts[from]!;
      dueMs[i] = this.#dueMs[from]!;
    }
    this.#sns = sns;
    this.#orders = orders;
    this.#counts = counts;
    this.#dueMs = dueMs;
    this.#mask = size - 1;
    this.#head = 0;
    return true;
  }
}
