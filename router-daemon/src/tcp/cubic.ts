/** CUBIC congestion control (RFC 9438) in bytes, with its Reno-friendly region; slow start by RFC 5681 and 6928. */

/** Multiplicative decrease and aggressiveness (RFC 9438 4.6, 5.1; the latter in segments per second cubed). */
const BETA = 0.7;
const C = 0.4;
const RENO_ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** RFC 6928. */
const INITIAL_SEGMENTS = 10;
const MIN_SEGMENTS = 2;
/** More than any send queue holds: growth beyond it would be without meaning. */
const MAX_BYTES = 64 * 1024 * 1024;

export class Cubic {
  windowBytes: number;
  thresholdBytes = Number.POSITIVE_INFINITY;
  readonly #mss: number;
  /** Window before the last reduction, in bytes; the plateau of the cubic. */
  #plateau = 0;
  /** Seconds from the epoch's start to the plateau. */
  #plateauAfter = 0;
  #epochStart = -1;
  #renoWindow = 0;
  #renoPlateau = 0;
  #lastAckAt = 0;
  /** What an undo restores. */
  #savedWindow = 0;
  #savedThreshold = 0;
  #savedPlateau = 0;

  constructor(mss: number) {
    this.#mss = mss;
    this.windowBytes = INITIAL_SEGMENTS * mss;
  }

  get inSlowStart(): boolean {
    return this.windowBytes < this.thresholdBytes;
  }

  /**
   * `bytes` were delivered. `limited`: the window was what held sending back; otherwise it has proved nothing and does not
   * grow (RFC 7661).
   */
  acknowledged(bytes: number, srttMs: number, limited: boolean, now: number): void {
    const sinceLast = now - this.#lastAckAt;
    this.#lastAckAt = now;
    if (!limited) {
      // The cubic's clock stands still while the sender has nothing to send (RFC 9438 5.8).
      if (this.#epochStart >= 0) this.#epochStart = Math.min(now, this.#epochStart + sinceLast);
      return;
    }
    let rest = bytes;
    if (this.inSlowStart) {
      const room = this.thresholdBytes - this.windowBytes;
      const growth = Math.min(rest, room);
      this.windowBytes = Math.min(this.windowBytes + growth, MAX_BYTES);
      rest -= growth;
      if (rest <= 0) return;
    }
    this.#avoidCongestion(rest, srttMs, now);
  }

  #avoidCongestion(bytes: number, srttMs: number, now: number): void {
    const mss = this.#mss;
    if (this.#epochStart < 0) {
      this.#epochStart = now;
      if (this.#plateau <= this.windowBytes) {
        this.#plateau = this.windowBytes;
        this.#plateauAfter = 0;
      } else {
        this.#plateauAfter = Math.cbrt((this.#plateau - this.windowBytes) / mss / C);
      }
      this.#renoWindow = this.windowBytes;
      this.#renoPlateau = Math.max(this.#plateau, this.windowBytes);
    }
    const seconds = (now - this.#epochStart) / 1000;
    const alpha = this.#renoWindow < this.#renoPlateau ? RENO_ALPHA : 1;
    this.#renoWindow += (alpha * mss * bytes) / this.windowBytes;
    if (this.#cubicAt(seconds) < this.#renoWindow) {
      this.windowBytes = Math.min(Math.max(this.windowBytes, this.#renoWindow), MAX_BYTES);
      return;
    }
    const ahead = this.#cubicAt(seconds + srttMs / 1000);
    const target = Math.min(Math.max(ahead, this.windowBytes), 1.5 * this.windowBytes);
    this.windowBytes = Math.min(
      this.windowBytes + ((target - this.windowBytes) * Math.min(bytes, this.windowBytes)) / this.windowBytes,
      MAX_BYTES,
    );
  }

  #cubicAt(seconds: number): number {
    return this.#plateau + C * (seconds - this.#plateauAfter) ** 3 * this.#mss;
  }

  /** Loss found by acknowledgements: once per round trip. */
  lost(): void {
    this.#save();
    this.#reduce();
    this.windowBytes = this.thresholdBytes;
  }

  /** The retransmission timeout expired. */
  timedOut(): void {
    this.#save();
    this.#reduce();
    this.windowBytes = this.#mss;
  }

  #reduce(): void {
    const window = this.windowBytes;
    // Fast convergence (RFC 9438 4.7): a flow that is pushed down again makes room for others.
    this.#plateau = window < this.#plateau ? (window * (1 + BETA)) / 2 : window;
    this.thresholdBytes = Math.max(window * BETA, MIN_SEGMENTS * this.#mss);
    this.#epochStart = -1;
  }

  #save(): void {
    this.#savedWindow = this.windowBytes;
    this.#savedThreshold = this.thresholdBytes;
    this.#savedPlateau = this.#plateau;
  }

  /** The last reduction was a mistake: nothing had been lost (RFC 4015). */
  undo(): void {
    this.windowBytes = Math.max(this.windowBytes, this.#savedWindow);
    this.thresholdBytes = Math.max(this.thresholdBytes, this.#savedThreshold);
    this.#plateau = this.#savedPlateau;
    this.#epochStart = -1;
  }

  /** Sending starts again after `idleMs` of silence: the window has aged by half per timeout (RFC 2861, RFC 5681 4.1). */
  restart(idleMs: number, rtoMs: number): void {
    const initial = INITIAL_SEGMENTS * this.#mss;
    this.thresholdBytes = Math.max(this.thresholdBytes, 0.75 * this.windowBytes);
    let idle = idleMs;
    while (idle >= rtoMs && this.windowBytes > initial) {
      this.windowBytes = Math.max(initial, this.windowBytes / 2);
      idle -= rtoMs;
    }
    this.#epochStart = -1;
  }
}
