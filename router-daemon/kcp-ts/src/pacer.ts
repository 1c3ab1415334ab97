/** What is sent in one go at most, where a timer has to wake us for the next. */
const QUANTUM_MS = 1;
/** A timer that is late by up to this is caught up with. */
const MAX_LATENESS_MS = 4;
/** After a pause this many datagrams may leave at once, even where that is more than a quantum. */
const BURST_DATAGRAMS = 10;

/**
 * Token pacing. Credit in bytes grows with time; a datagram may leave while credit is positive. Once used up, sending
 * rests until a whole quantum has grown, so that datagrams leave in trains (one system call, one segmentation offload)
 * and not one by one.
 */
export class Pacer {
  #creditBytes: number;
  #atMs = 0;
  /** Used up: nothing leaves until a quantum has grown, at the rate there is by then (it may have fallen meanwhile). */
  #resting = false;
  readonly #burstBytes: number;

  constructor(datagramBytes: number) {
    this.#burstBytes = BURST_DATAGRAMS * datagramBytes;
    this.#creditBytes = this.#burstBytes;
  }

  /** Bytes that may leave now: a datagram may while it is above 0. */
  credit(nowMs: number, bytesPerMs: number): number {
    if (bytesPerMs === Infinity) {
      this.#resting = false;
      this.#atMs = nowMs;
      return Infinity;
    }
    const limit = Math.max(this.#burstBytes, bytesPerMs * (this.#resting ? MAX_LATENESS_MS : QUANTUM_MS));
    this.#creditBytes = Math.min(limit, this.#creditBytes + (nowMs - this.#atMs) * bytesPerMs);
    this.#atMs = nowMs;
    if (!this.#resting) return this.#creditBytes;
    // A nanosecond of tolerance: rounding must not make us wait for a moment that has come.
    const missing = bytesPerMs * QUANTUM_MS - this.#creditBytes;
    if (missing > bytesPerMs * 1e-6) return 0;
    this.#resting = false;
    return this.#creditBytes;
  }

  /** `bytes` have left since `credit`; `hungry` = more would have. */
  handleSent(bytes: number, bytesPerMs: number, hungry: boolean): void {
    if (bytesPerMs === Infinity) return;
    this.#creditBytes -= bytes;
    if (hungry && this.#creditBytes <= 0) this.#resting = true;
  }

  /** When `credit` will be positive again. */
  readyAt(bytesPerMs: number): number {
    if (bytesPerMs === Infinity) return this.#atMs;
    const missing = (this.#resting ? bytesPerMs * QUANTUM_MS : 0) - this.#creditBytes;
    return missing <= 0 ? this.#atMs : this.#atMs + missing / bytesPerMs;
  }
}
