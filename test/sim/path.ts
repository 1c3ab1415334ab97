import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** What one direction of a link does to what is sent over it. Everything is drawn from the world's seed. */
export interface PathOptions {
  /** One way. */
  delayMs: number;
  /** Added at random, in order: nothing overtakes. */
  jitterMs: number;
  /** Share lost, each by itself. */
  loss: number;
  /** Loss in bursts (Gilbert-Elliott): chance per packet to enter and to leave the bad time, and the loss while in it. */
  burst: { readonly enter: number; readonly leave: number; readonly loss: number } | undefined;
  /** Share that takes `reorderMs` more and is overtaken. */
  reorder: number;
  reorderMs: number;
  /** Share that arrives twice. */
  duplicate: number;
  /** Bytes per millisecond; Infinity = no limit. What is too much waits in a queue of `queueBytes`, beyond it is lost. */
  rate: number;
  queueBytes: number;
  /** Nothing passes. */
  isCut: boolean;
}

export const CLEAN_PATH: Readonly<PathOptions> = {
  delayMs: 10,
  jitterMs: 0,
  loss: 0,
  burst: undefined,
  reorder: 0,
  reorderMs: 3,
  duplicate: 0,
  rate: Number.POSITIVE_INFINITY,
  queueBytes: 512 * 1024,
  isCut: false,
};

/** One direction between two places. `options` may be changed at any time; what is under way stays under way. */
export class Path {
  readonly options: PathOptions;
  sent = 0;
  lost = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  #isBad = false;
  /** When the sender's queue is empty again, and when the last in-order packet arrives. */
  #freeAt = 0;
  #lastAt = 0;

  constructor(clock: Clock, random: Random, options: Partial<PathOptions> = {}) {
    this.#clock = clock;
    this.#random = random;
    this.options = { ...CLEAN_PATH, ...options };
  }

  /** Sends so many bytes; `deliver` is called at each arrival: never, once, or twice. */
  send(bytes: number, deliver: () => void): void {
    const { options } = this;
    this.sent++;
    if (options.isCut || this.#isLost()) {
      this.lost++;
      return;
    }
    const { now } = this.#clock;
    let leavesAt = now;
    if (options.rate !== Number.POSITIVE_INFINITY) {
      const startsAt = Math.max(now, this.#freeAt);
      if ((startsAt - now) * options.rate + bytes > options.queueBytes) {
        this.lost++;
        return;
      }
      leavesAt = startsAt + bytes / options.rate;
      this.#freeAt = leavesAt;
    }
    const arrivesAt = leavesAt + options.delayMs;
    if (this.#random.chance(options.reorder)) {
      this.#clock.at(arrivesAt + options.reorderMs * (0.5 + this.#random.unit()), deliver);
    } else {
      const jitter = options.jitterMs > 0 ? options.jitterMs * this.#random.unit() : 0;
      this.#lastAt = Math.max(this.#lastAt, arrivesAt + jitter);
      this.#clock.at(this.#lastAt, deliver);
    }
    if (this.#random.chance(options.duplicate)) {
      this.#clock.at(arrivesAt + this.#random.unit() * options.reorderMs, deliver);
    }
  }

  #isLost(): boolean {
    const { burst, loss } = this.options;
    if (burst !== undefined) {
      if (this.#random.chance(this.#isBad ? burst.leave : burst.enter)) this.#isBad = !this.#isBad;
      if (this.#isBad && this.#random.chance(burst.loss)) return true;
    }
    return this.#random.chance(loss);
  }
}
