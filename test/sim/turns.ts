import type { Clock } from "./clock.ts";

/** From readiness to the process's turn, milliseconds: what arrives meanwhile is found together. */
const WAKE_LATENCY_MS = 0.05;
/** Turns that brought nothing in, sent nothing and asked to be called at once again, until it is called a busy loop. */
const MAX_IDLE_TURNS = 300;

/**
 * When a process has its turn: soon after one of its handles is ready, or when its timer runs out. As with epoll, a handle is
 * told once for each change.
 */
export class Turns {
  /** Turns so far. */
  count = 0;
  /** Anything that the process achieved: without it, a turn was idle. */
  work = 0;
  readonly #clock: Clock;
  /** Handles with news, in order. */
  readonly #ready = new Set<number>();
  #timerAt = Number.POSITIVE_INFINITY;
  #wake: (() => void) | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  #idle = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  setWake(wake: () => void): void {
    this.#wake = wake;
    this.#schedule();
  }

  setTimer(atMs: number): void {
    // Years away is off.
    this.#timerAt = atMs < 1e14 ? atMs : Number.POSITIVE_INFINITY;
    this.#schedule();
  }

  /** True once when the timer has run out. */
  takeTimer(): boolean {
    if (this.#timerAt > this.#clock.now) return false;
    this.#timerAt = Number.POSITIVE_INFINITY;
    return true;
  }

  mark(handle: number): void {
    this.#ready.add(handle);
    this.#schedule();
  }

  unmark(handle: number): void {
    this.#ready.delete(handle);
  }

  get ready(): ReadonlySet<number> {
    return this.#ready;
  }

  /** The process is gone. */
  stop(): void {
    this.#wake = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.#wakeAt = Number.NaN;
  }

  #schedule(): void {
    if (this.#wake === undefined) return;
    const { now } = this.#clock;
    const isDue = this.#ready.size > 0 || this.#timerAt <= now;
    const at = isDue ? now + WAKE_LATENCY_MS : this.#timerAt;
    if (at >= this.#wakeAt) return;
    this.#wakeAt = at;
    this.#clock.at(at, () => this.#turn(at));
  }

  #turn(at: number): void {
    if (this.#wakeAt !== at) return;
    this.#wakeAt = Number.POSITIVE_INFINITY;
    if (this.#ready.size > 0 || this.#timerAt <= this.#clock.now) {
      this.count++;
      const before = this.work;
      this.#wake?.();
      const isIdle = this.work === before && this.#timerAt <= this.#clock.now;
      this.#idle = isIdle ? this.#idle + 1 : 0;
      if (this.#idle > MAX_IDLE_TURNS) {
        throw new Error(`Busy loop: the daemon asks for its turn again and again at ${this.#clock.now} ms.`);
      }
    }
    this.#schedule();
  }
}
