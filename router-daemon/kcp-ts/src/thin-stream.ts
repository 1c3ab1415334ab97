/** A stream is thin while it has no more segments than this in flight and waiting. */
const MAX_SEGMENTS = 8;
/** The second copy leaves this much later: far enough from a short burst of loss, well before any timeout. */
const DELAY_MS = 3;
/** Copies may use this much, on average and at once, so that a slow link is not filled with them. */
const BYTES_PER_MS = 64;
const MAX_CREDIT_BYTES = 16 * 1024;
/** Copies waiting. */
const QUEUE = 16;

/**
 * Second copies for thin streams (performance.md 8): where only a few segments are under way, a lost one costs a whole
 * timeout, and sending it twice costs nothing worth counting. Every KCP takes duplicates.
 */
export class ThinStream {
  static readonly maxSegments = MAX_SEGMENTS;
  /** Copies sent. */
  duplicated = 0;
  readonly #enabled: boolean;
  readonly #sns = new Int32Array(QUEUE);
  readonly #orders = new Int32Array(QUEUE);
  readonly #dueMs = new Float64Array(QUEUE);
  #head = 0;
  #count = 0;
  #creditBytes = MAX_CREDIT_BYTES;
  #creditAtMs = 0;

  constructor(enabled: boolean) {
    this.#enabled = enabled;
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

  /** A segment of a thin stream has left. */
  handleSent(sn: number, order: number, bytes: number, nowMs: number): void {
    if (!this.#enabled || this.#count === QUEUE) return;
    const grown = this.#creditBytes + (nowMs - this.#creditAtMs) * BYTES_PER_MS;
    this.#creditBytes = grown < MAX_CREDIT_BYTES ? grown : MAX_CREDIT_BYTES;
    this.#creditAtMs = nowMs;
    if (this.#creditBytes < bytes) return;
    this.#creditBytes -= bytes;
    const at = (this.#head + this.#count++) % QUEUE;
    this.#sns[at] = sn;
    this.#orders[at] = order;
    this.#dueMs[at] = nowMs + DELAY_MS;
  }

  /** The first copy has been dealt with: sent, or not needed any more. */
  next(sent: boolean): void {
    if (sent) this.duplicated++;
    this.#head = (this.#head + 1) % QUEUE;
    this.#count--;
  }

  clear(): void {
    this.#count = 0;
  }
}
