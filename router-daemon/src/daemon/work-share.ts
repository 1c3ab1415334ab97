import type { Timers } from "../host/timers.ts";

/** Part of the time that answering may take while the data path is at work … */
export const BUSY_SHARE = 0.03;
/** … and while it is idle: so little that what begins to move finds its turns, and is noticed. */
export const IDLE_SHARE = 0.25;
/** Time whose share may be used in one go, by those who ask now and then. */
export const SAVED_MS = 1000;
/** Turns of the data path per second from which on it counts as being at work. */
export const BUSY_TURNS_PER_SECOND = 100;
/** How often the turns are looked at. */
export const LOOK_MS = 250;

export interface WorkShareOptions {
  readonly timers: Timers;
  /** Monotonic milliseconds. */
  now(): number;
  /** Turns of the data path since the start. */
  turns(): number;
}

/**
 * Keeps those who ask from those who carry: both live in one thread. Answers together take no more than their share of the
 * time, a small one while the data path is at work, and whoever asks for more waits.
 *
 * ```
 *   asked  │A B C            each piece of work takes t ms, and puts off the next one by t / share
 *   worked │A····B····C····  (what was not used before, up to SAVED_MS, counts)
 * ```
 * The line is first come, first served. It is as long as there are clients, which their servers bound, since each has one
 * question under way.
 */
export class WorkShare {
  readonly #options: WorkShareOptions;
  readonly #line: (() => void)[] = [];
  /** The share is used up until then; before `now` by what has been saved. */
  #usedUntil = Number.NEGATIVE_INFINITY;
  #timer = 0;
  #isWorking = false;
  #isBusy = false;
  #lookedAt: number;
  #turns: number;

  constructor(options: WorkShareOptions) {
    this.#options = options;
    this.#lookedAt = options.now();
    this.#turns = options.turns();
  }

  /** Those who wait for their turn. */
  get waiting(): number {
    return this.#line.length;
  }

  /** Does the work when it is its turn. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!this.#isWorking && this.#line.length === 0 && this.#waitMs() <= 0) return this.#do(work);
    return new Promise((resolve, reject) => {
      this.#line.push(() => void this.#do(work).then(resolve, reject));
      this.#arm();
    });
  }

  /** What is not done when the engine's loop comes round is waiting for something: from then on it costs nothing. */
  #do<Result>(work: () => Promise<Result>): Promise<Result> {
    const { timers, now } = this.#options;
    const startedAt = now();
    this.#isWorking = true;
    let isCounted = false;
    const count = (): void => {
      if (isCounted) return;
      isCounted = true;
      timers.stopTimer(timer);
      this.#count(startedAt);
    };
    const timer = timers.startTimer(count, 0);
    return work().finally(count);
  }

  #count(startedAt: number): void {
    const workMs = this.#options.now() - startedAt;
    this.#usedUntil =
      Math.max(this.#usedUntil, startedAt - SAVED_MS) + workMs / (this.#isBusy ? BUSY_SHARE : IDLE_SHARE);
    this.#isWorking = false;
    this.#arm();
  }

  /** One at a time, and the engine's loop in between: it is what the data path gets its turns from. */
  #arm(): void {
    if (this.#timer !== 0 || this.#isWorking || this.#line.length === 0) return;
    const waitMs = Math.max(0, Math.ceil(this.#waitMs()));
    this.#timer = this.#options.timers.startTimer(() => this.#next(), Math.min(waitMs, LOOK_MS));
  }

  #next(): void {
    this.#timer = 0;
    if (this.#waitMs() <= 0) this.#line.shift()?.();
    this.#arm();
  }

  #waitMs(): number {
    const now = this.#options.now();
    const elapsedMs = now - this.#lookedAt;
    if (elapsedMs >= LOOK_MS) {
      const turns = this.#options.turns();
      this.#isBusy = ((turns - this.#turns) * 1000) / elapsedMs >= BUSY_TURNS_PER_SECOND;
      this.#turns = turns;
      this.#lookedAt = now;
      // What was used while the data path was at work is not owed any more.
      if (!this.#isBusy) this.#usedUntil = Math.min(this.#usedUntil, now);
    }
    return this.#usedUntil - now;
  }
}
