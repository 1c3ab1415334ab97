import { Timer, type TimerTable } from "./timer-table.ts";

/** Answers to segments that may be forged, or to duplicates without data, per flow and second (RFC 5961 7). */
export const MAX_CHALLENGE_ACKS_PER_SECOND = 10;
/**
 * An acknowledgement waits for data to carry it only where answers have come faster than this: a client that holds its next
 * small write back until the acknowledgement (Nagle) must not feel it.
 */
const DELAYED_ACK_MS = 5;
/** What answers are thought to take before one was seen. */
const INITIAL_ANSWER_MS = 1000;

/** When the client's data is acknowledged: once per batch, at once where something is odd, with the answer where that is fast. */
export class AckPolicy {
  /** An acknowledgement is to be sent by the next `poll`. */
  due = false;
  /** Last.ACK.sent (RFC 7323 4.3). */
  lastSent = 0;
  readonly #timers: TimerTable;
  readonly #flow: number;
  /** When the last small data came (-1 = it was answered), and how long our answers take, smoothed. */
  #askedAt = -1;
  #answerMs = INITIAL_ANSWER_MS;
  #challengeSecond = 0;
  #challenges = 0;

  constructor(timers: TimerTable, flow: number) {
    this.#timers = timers;
    this.#flow = flow;
  }

  /** Data came. `urgent`: out of order or the like; `small`: less than a segment. False = it may wait. */
  received(urgent: boolean, small: boolean, now: number): boolean {
    if (small) this.#askedAt = now;
    const waits = this.#timers.isArmed(this.#flow, Timer.delayedAck);
    if (urgent || !small || this.due || waits || this.#answerMs > DELAYED_ACK_MS) {
      this.due = true;
    } else {
      this.#timers.arm(this.#flow, Timer.delayedAck, now + DELAYED_ACK_MS);
    }
    return this.due;
  }

  /** False = enough challenges this second: forged segments must not make us talk. */
  challenge(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second;
      this.#challenges = 0;
    }
    if (this.#challenges >= MAX_CHALLENGE_ACKS_PER_SECOND) return false;
    this.#challenges++;
    this.due = true;
    return true;
  }

  /** A segment that acknowledges everything before `expected` went out. */
  sent(expected: number): void {
    this.due = false;
    this.lastSent = expected;
    this.#timers.disarm(this.#flow, Timer.delayedAck);
  }

  /** It carried data: an answer, if something was asked. */
  answered(now: number): void {
    if (this.#askedAt < 0) return;
    this.#answerMs += (now - this.#askedAt - this.#answerMs) / 4;
    this.#askedAt = -1;
  }
}
