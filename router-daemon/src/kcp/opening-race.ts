/**
 * The source's attempts to open one connection (proxies.md 3.4, R for the client).
 *
 * ```
 *   0        300       600       900      1200 ms            (sooner on paths known to be fast)
 *   SYN a    SYN a     SYN a,b   SYN a,b  SYN a,b,c  …       until one SYN+ACK wins
 * ```
 *
 * A lost SYN is repaired by its repetition, a lost SYN+ACK of a stock destination only by a new conv: it does not repeat itself.
 * A sign of life (a peer of our kind that is still deciding) ends the racing: it takes one attempt and remembers it.
 */
import {
  DECIDING_REPEAT_MS,
  MAX_RACING_CONVS,
  OPEN_REPEAT_MIN_MS,
  OPEN_REPEAT_MS,
  SYNS_PER_CONV,
} from "./limits.ts";

/** At most one SYN answers to early data within this time. */
const NUDGE_MS = 20;

export class OpeningRace {
  /** Convs in the race, oldest first. */
  readonly convs: number[];
  /** The peer has shown that it knows of the attempt. */
  isDeciding = false;
  /** When the next SYNs go out. */
  repeatAt: number;
  /** Repetitions so far. */
  #rounds = 0;
  #intervalMs: number;
  #lastRoundAt: number;

  constructor(conv: number, now: number, rttMs: number | undefined) {
    this.convs = [conv];
    const isKnown = rttMs !== undefined && rttMs > 0;
    this.#intervalMs = isKnown
      ? Math.min(OPEN_REPEAT_MS, Math.max(OPEN_REPEAT_MIN_MS, 2 * rttMs + 30))
      : OPEN_REPEAT_MS;
    this.#lastRoundAt = now;
    this.repeatAt = now + this.#intervalMs;
  }

  /** Starts the next round of SYNs; true = a new conv should join it. */
  nextRound(now: number): boolean {
    this.#rounds++;
    this.#lastRoundAt = now;
    if (this.isDeciding) {
      this.repeatAt = now + DECIDING_REPEAT_MS;
      return false;
    }
    this.#intervalMs = Math.min(OPEN_REPEAT_MS, this.#intervalMs * 1.5);
    this.repeatAt = now + this.#intervalMs;
    return this.#rounds % SYNS_PER_CONV === 0 && this.convs.length < MAX_RACING_CONVS;
  }

  /** The destination has accepted already, but its SYN+ACK is missing: true = ask again at once. */
  nudge(now: number): boolean {
    if (now - this.#lastRoundAt < NUDGE_MS) return false;
    this.#lastRoundAt = now;
    return true;
  }

  showSignOfLife(now: number): void {
    if (this.isDeciding) return;
    this.isDeciding = true;
    this.repeatAt = now + DECIDING_REPEAT_MS;
  }

  /** Takes a conv out of the race. */
  drop(conv: number): void {
    const at = this.convs.indexOf(conv);
    if (at >= 0) this.convs.splice(at, 1);
  }
}
