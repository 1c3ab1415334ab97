/** Sleepers at one time; more would be a fault of ours. */
export const MAX_SLEEPERS = 64;

/** Pauses on the daemon's own clock, for what takes its time step by step. One of the parts that the loop calls when due. */
export class Sleeper {
  readonly #sleeping = new Set<{ readonly until: number; readonly wake: (inTime: boolean) => void }>();
  #stopped = false;

  get nextTimeout(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of this.#sleeping) next = Math.min(next, until);
    return next;
  }

  handleTimeout(now: number): void {
    for (const sleeper of [...this.#sleeping]) {
      if (now < sleeper.until) continue;
      this.#sleeping.delete(sleeper);
      sleeper.wake(true);
    }
  }

  /** Until that time. False = woken before, or too many sleep: whoever waits for something gives up. */
  sleep(until: number): Promise<boolean> {
    if (this.#stopped || this.#sleeping.size >= MAX_SLEEPERS) return Promise.resolve(false);
    return new Promise((wake) => this.#sleeping.add({ until, wake }));
  }

  /** The daemon stops: everybody is woken, and nobody sleeps any more. */
  stop(): void {
    this.#stopped = true;
    for (const { wake } of this.#sleeping) wake(false);
    this.#sleeping.clear();
  }
}
