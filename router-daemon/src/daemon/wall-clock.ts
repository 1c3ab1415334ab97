/** A jump of the clock is followed when it is larger than this, in seconds; what is smaller would only make times flicker. */
const STEADY_S = 2;

/**
 * Wall-clock times of moments that are known on the monotonic clock: nothing is kept in wall-clock time, since a router
 * without a battery begins in 1970 and learns the time later. What was noted before that is shown rightly afterwards.
 */
export class WallClock {
  readonly #unixTime: () => number;
  readonly #now: () => number;
  /** Seconds since 1970 at monotonic time 0. */
  #offsetS = Number.NEGATIVE_INFINITY;

  /** `unixTime` in whole seconds since 1970, `now` in monotonic milliseconds. */
  constructor(unixTime: () => number, now: () => number) {
    this.#unixTime = unixTime;
    this.#now = now;
  }

  /** Whole seconds since 1970 of a moment on the monotonic clock, as the wall clock has it now. Never before 1970. */
  timeOf(atMs: number): number {
    const offsetS = this.#unixTime() - this.#now() / 1000;
    if (!(Math.abs(offsetS - this.#offsetS) <= STEADY_S)) this.#offsetS = offsetS;
    return Math.max(0, Math.round(this.#offsetS + atMs / 1000));
  }
}
