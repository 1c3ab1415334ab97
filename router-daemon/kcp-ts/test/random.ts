/** Small seeded generator (xorshift32): the same run for the same seed. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = (seed ^ 0x5bd1e995) | 0 || 1;
    for (let i = 0; i < 8; i++) this.next();
  }
  /** From 0 to below 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 0x1_0000_0000;
  }
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
}
