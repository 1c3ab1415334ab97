import {
  type AckSample,
  type CongestionContext,
  type CongestionController,
  type CongestionFactory,
  Limit,
} from "./congestion.ts";

/** In flight before anything was measured, and at least. */
const INITIAL_DATAGRAMS = 32;
const MIN_DATAGRAMS = 4;
/** The first flight is spread over this much. */
const INITIAL_SPREAD_MS = 10;

/** RFC 9438, 4.1: growth in datagrams per cubic second, and what is left of the window after a loss. */
const C = 0.4;
const BETA = 0.7;
/** What Reno with this reduction would gain per round trip, in datagrams (RFC 9438, 4.3). */
const RENO_GAIN = (3 * (1 - BETA)) / (1 + BETA);
/** The window does not grow by more than this in a round trip while it follows the cubic (RFC 9438, 4.4). */
const MAX_TARGET_GROWTH = 1.5;
/** Paced a little faster than the window needs, so that the pace is not what limits it. */
const PACING_GAIN = 1.25;
const STARTUP_PACING_GAIN = 2;

/** Loss means congestion: the window falls at each loss and comes back along a cubic (RFC 9438). */
export function cubic(): CongestionFactory {
  return (context) => new CubicController(context);
}

/**
 * CUBIC, for those who share a path with its like. On paths that lose packets without being full it is slow by design; that is
 * what the delivery-rate controller is for.
 *
 * ```
 *   window        ╭──── W_max ────╮                  ╭──
 *        ╱ slow  ╱   (plateau)     ╲ loss: × β     ╱
 *      ╱  start ╱                    ╰───────────╯
 * ```
 */
class CubicController implements CongestionController {
  windowBytes: number;
  bytesPerMs: number;
  readonly quiet = false;
  readonly #datagramBytes: number;
  /** Slow start ends here. */
  #thresholdBytes = Infinity;
  /** Window before the last loss. */
  #maxBytes = 0;
  /** When the window began to grow again; NaN = with the next acknowledgement. */
  #epochAtMs = Number.NaN;
  /** When the cubic reaches `#maxBytes` again, seconds after the epoch. */
  #plateauAfter = 0;
  /** What Reno would have by now. */
  #renoBytes = 0;
  /** Losses of what was sent before this count of delivered bytes belong to the last reduction. */
  #recoveryEndBytes = 0;

  constructor({ datagramBytes }: CongestionContext) {
    this.#datagramBytes = datagramBytes;
    this.windowBytes = INITIAL_DATAGRAMS * datagramBytes;
    this.bytesPerMs = this.windowBytes / INITIAL_SPREAD_MS;
  }

  handleAcks(sample: AckSample): void {
    if (sample.lostBytes > 0 && sample.deliveredBytes >= this.#recoveryEndBytes) this.#reduce(sample);
    else if (sample.ackedBytes > 0 && sample.limit === Limit.path) this.#grow(sample);
    const rttMs = sample.smoothedRttMs;
    if (rttMs <= 0) return;
    const gain = this.windowBytes < this.#thresholdBytes ? STARTUP_PACING_GAIN : PACING_GAIN;
    this.bytesPerMs = (gain * this.windowBytes) / rttMs;
  }

  handleTimeout(count: number): void {
    if (count < 2) return;
    this.#thresholdBytes = Math.max(this.windowBytes * BETA, this.#minBytes);
    this.#maxBytes = this.windowBytes;
    this.windowBytes = this.#minBytes;
    this.#epochAtMs = Number.NaN;
  }

  get #minBytes(): number {
    return MIN_DATAGRAMS * this.#datagramBytes;
  }

  #reduce({ deliveredBytes, inflightBytes }: AckSample): void {
    this.#recoveryEndBytes = deliveredBytes + inflightBytes;
    // Fast convergence: a flow that lost before it had its old window back makes room (RFC 9438, 4.7).
    const gaveWay = this.windowBytes < this.#maxBytes;
    this.#maxBytes = gaveWay ? (this.windowBytes * (1 + BETA)) / 2 : this.windowBytes;
    this.windowBytes = Math.max(this.windowBytes * BETA, this.#minBytes);
    this.#thresholdBytes = this.windowBytes;
    this.#epochAtMs = Number.NaN;
  }

  #grow({ nowMs, ackedBytes, smoothedRttMs }: AckSample): void {
    if (this.windowBytes < this.#thresholdBytes) {
      this.windowBytes += ackedBytes;
      return;
    }
    if (Number.isNaN(this.#epochAtMs)) {
      this.#epochAtMs = nowMs;
      const missing = Math.max(0, this.#maxBytes - this.windowBytes) / this.#datagramBytes;
      this.#plateauAfter = Math.cbrt(missing / C);
      this.#maxBytes = Math.max(this.#maxBytes, this.windowBytes);
      this.#renoBytes = this.windowBytes;
    }
    const share = ackedBytes / this.windowBytes;
    this.#renoBytes += RENO_GAIN * share * this.#datagramBytes;
    // Where the cubic will be a round trip from now.
    const seconds = (nowMs - this.#epochAtMs + smoothedRttMs) / 1000 - this.#plateauAfter;
    const target = this.#maxBytes + C * seconds ** 3 * this.#datagramBytes;
    const capped = Math.min(target, this.windowBytes * MAX_TARGET_GROWTH);
    if (capped > this.windowBytes) this.windowBytes += (capped - this.windowBytes) * Math.min(1, share);
    this.windowBytes = Math.max(this.windowBytes, this.#renoBytes);
  }
}
