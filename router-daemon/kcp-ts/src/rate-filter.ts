/** The maximum is taken over this many buckets… */
const BUCKETS = 10;
/** …of one round trip each, but no shorter than this: a hiccup of the host must not outlast the memory. */
const MIN_BUCKET_MS = 25;

/** Largest of the recent rates: a windowed maximum over rounds. */
export class RateFilter {
  /** The maximum, 0 before the first sample. */
  max = 0;
  readonly #buckets = new Float64Array(BUCKETS);
  #current = 0;
  #sinceMs = -Infinity;

  /** `newRound` = a round trip has ended since the last sample. */
  update(rate: number, newRound: boolean, nowMs: number): void {
    const buckets = this.#buckets;
    if (newRound && nowMs - this.#sinceMs >= MIN_BUCKET_MS) {
      this.#sinceMs = nowMs;
      this.#current = (this.#current + 1) % BUCKETS;
      const expired = buckets[this.#current]!;
      buckets[this.#current] = rate;
      if (expired < this.max && rate < this.max) return;
      let max = 0;
      for (let i = 0; i < BUCKETS; i++) if (buckets[i]! > max) max = buckets[i]!;
      this.max = max;
    } else if (rate > buckets[this.#current]!) {
      buckets[this.#current] = rate;
      if (rate > this.max) this.max = rate;
    }
  }

  /** Forgets everything but `rate`. */
  reset(rate: number): void {
    this.#buckets.fill(0);
    this.#buckets[this.#current] = rate;
    this.max = rate;
  }
}
