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
  /** Resting until credit has reached this; 0 = not resting. */
  #neededBytes = 0;
  readonly #burstBytes: number;

  constructor(datagramBytes: number) {
    this.#burstBytes = BURST_DATAGRAMS * datagramBytes;
    this.#creditBytes = this.#burstBytes;
  }

  /** Bytes that may leave now: a datagram may while it is above 0. */
  credit(nowMs: number, bytesPerMs: number): number {
    if (bytesPerMs === Infinity) {
      this.#neededBytes = 0;
      this.#atMs = nowMs;
      return Infinity;
    }
    const resting = this.#neededBytes !== 0;
    const limit = Math.max(this.#burstBytes, bytesPerMs * (resting ? MAX_LATENESS_MS : QUANTUM_MS));
    this.#creditBytes = Math.min(limit, this.#creditBytes + (nowMs - this.#atMs) * bytesPerMs);
    this.#atMs = nowMs;
    if (!resting) return this.#creditBytes;
    // One byte of tolerance: rounding must not make us wait for a moment that has come.
    if (this.#creditBytes + 1 < this.#neededBytes) return 0;
    this.#neededBytes = 0;
    return Math.max(this.#creditBytes, 1);
  }

  /** `bytes` have left since `credit`; `hungry` = more would have. */
  handleSent(bytes: number, bytesPerMs: number, hungry: boolean): void {
    if (bytesPerMs === Infinity) return;
    this.#creditBytes -= bytes;
    if (hungry && this.#neededBytes === 0 && this.#creditBytes <= 0)
      this.#neededBytes = bytesPerMs * QUANTUM_MS;
  }

  /** When `credit` will be positive again. */
  readyAt(bytesPerMs: number): number {
    if (bytesPerMs === Infinity) return this.#atMs;
    const missing = this.#neededBytes - this.#creditBytes;
    return missing <= 0 ? this.#atMs : this.#atMs + missing / bytesPerMs;
  }
}
