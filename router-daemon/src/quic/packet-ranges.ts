/**
 * Packet numbers that have arrived, as ranges, the highest first: what an ACK frame says (RFC 9000, 13.2.3) and what tells a
 * duplicate.
 *
 * ```
 *   highest                                  lowest        floor
 *  [high₀ … low₀]   [high₁ … low₁]   …   [highₙ … lowₙ]      │ everything up to here counts as arrived
 * ```
 */

/** Ranges kept, as many as a stock ACK has; where more are needed the lowest is given up. */
export const MAX_ACK_RANGES = 64;

export class PacketRanges {
  count = 0;
  /** Numbers up to this are not told apart any more: they count as arrived. */
  floor = -1;
  /** Pairs of (high, low). */
  readonly #pairs = new Float64Array(2 * MAX_ACK_RANGES);

  high(index: number): number {
    return this.#pairs[2 * index]!;
  }

  low(index: number): number {
    return this.#pairs[2 * index + 1]!;
  }

  /** The largest number that arrived, -1 = none. */
  get largest(): number {
    return this.count === 0 ? this.floor : this.#pairs[0]!;
  }

  /** Adds `number`. False: it has arrived before. */
  add(number: number): boolean {
    if (number <= this.floor) return false;
    const pairs = this.#pairs;
    let at = 0;
    while (at < this.count && pairs[2 * at + 1]! > number + 1) at++;
    // Everything before `at` lies above and apart; the range at `at` may hold it, touch it, or lie below.
    if (at < this.count && pairs[2 * at]! >= number) {
      if (pairs[2 * at + 1]! <= number) return false;
      pairs[2 * at + 1] = number;
      this.#joinBelow(at);
      return true;
    }
    if (at < this.count && pairs[2 * at]! === number - 1) {
      pairs[2 * at] = number;
      return true;
    }
    this.#insert(at, number);
    return true;
  }

  has(number: number): boolean {
    if (number <= this.floor) return true;
    for (let i = 0; i < this.count; i++) {
      if (this.#pairs[2 * i]! >= number) {
        if (this.#pairs[2 * i + 1]! <= number) return true;
      } else return false;
    }
    return false;
  }

  /** The peer knows about everything up to `number`: it need not be told again. */
  forgetUpTo(number: number): void {
    if (number <= this.floor) return;
    this.floor = number;
    while (this.count > 0 && this.#pairs[2 * this.count - 2]! <= number) this.count--;
    if (this.count > 0 && this.#pairs[2 * this.count - 1]! <= number)
      this.#pairs[2 * this.count - 1] = number + 1;
  }

  /** The range at `at` has grown downwards: it may touch the next one. */
  #joinBelow(at: number): void {
    const pairs = this.#pairs;
    if (at + 1 >= this.count || pairs[2 * at + 2]! + 1 < pairs[2 * at + 1]!) return;
    pairs[2 * at + 1] = pairs[2 * at + 3]!;
    pairs.copyWithin(2 * at + 2, 2 * at + 4, 2 * this.count);
    this.count--;
  }

  #insert(at: number, number: number): void {
    const pairs = this.#pairs;
    if (this.count === MAX_ACK_RANGES) {
      // Below every range that is kept: the peer will send again what it does not hear about.
      if (at === this.count) {
        this.floor = number;
        return;
      }
      this.count--;
      this.floor = pairs[2 * this.count]!;
    }
    pairs.copyWithin(2 * at + 2, 2 * at, 2 * this.count);
    pairs[2 * at] = number;
    pairs[2 * at + 1] = number;
    this.count++;
  }
}
