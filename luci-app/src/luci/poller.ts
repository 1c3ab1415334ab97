/**
 * Polling as LuCI's own pages do it (the indicator in the header starts and stops it), and politer: nothing is asked while the tab
 * is hidden, and a router that answers slowly is asked less often.
 */

export const TICK_SECONDS = 3;
/** For each of these that an answer took, one tick is left out … */
const SLOW_MS = 500;
/** … but never more than these in a row. */
export const MAX_SKIPPED_TICKS = 9;

export class Poller {
  readonly #work: () => Promise<void>;
  readonly #tick = () => this.#run();
  readonly #seen = () => {
    if (!document.hidden) void this.now();
  };
  #skip = 0;

  /** `work` asks once and never rejects. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  start(): void {
    poll.add(this.#tick, TICK_SECONDS);
    document.addEventListener("visibilitychange", this.#seen);
  }

  stop(): void {
    poll.remove(this.#tick);
    document.removeEventListener("visibilitychange", this.#seen);
  }

  /** Asks at once: the user has changed what is shown. */
  async now(): Promise<void> {
    this.#skip = 0;
    await this.#run();
  }

  async #run(): Promise<void> {
    if (document.hidden || this.#skip-- > 0) return;
    const started = performance.now();
    await this.#work();
    this.#skip = Math.min(MAX_SKIPPED_TICKS, Math.floor((performance.now() - started) / SLOW_MS));
  }
}
