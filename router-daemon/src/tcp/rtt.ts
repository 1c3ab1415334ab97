/** Round trip time and retransmission timeout (RFC 6298), with the shortest round trip of the last while (RFC 8985 6.2). */

/** Timeout before the first sample (RFC 6298 2.1). */
const INITIAL_RTO_MS = 1000;
/**
 * The variance term is at least this, so that a delayed acknowledgement (up to 200 ms by other systems' choice) of a
 * single segment does not look like a loss.
 */
const MIN_VARIANCE_TERM_MS = 200;
/** RFC 6298 2.5 allows an upper bound from 60 s on. */
const MAX_RTO_MS = 60_000;
/** The minimum is taken over one to two of these spans. */
const MIN_RTT_SPAN_MS = 10_000;

export class RttEstimator {
  /** 0 before the first sample. */
  srttMs = 0;
  varianceMs = 0;
  #backoff = 0;
  #minMs = Number.POSITIVE_INFINITY;
  #previousMinMs = Number.POSITIVE_INFINITY;
  #spanEndsAt = Number.NEGATIVE_INFINITY;

  sample(rttMs: number, now: number): void {
    if (this.srttMs === 0) {
      this.srttMs = Math.max(rttMs, 0.001);
      this.varianceMs = rttMs / 2;
    } else {
      this.varianceMs += (Math.abs(this.srttMs - rttMs) - this.varianceMs) / 4;
      this.srttMs += (rttMs - this.srttMs) / 8;
    }
    if (now >= this.#spanEndsAt) {
      this.#previousMinMs = this.#minMs;
      this.#minMs = rttMs;
      this.#spanEndsAt = now + MIN_RTT_SPAN_MS;
    } else if (rttMs < this.#minMs) {
      this.#minMs = rttMs;
    }
  }

  /** Infinity before the first sample. */
  get minMs(): number {
    return Math.min(this.#minMs, this.#previousMinMs);
  }

  /** Timeout with the backoff applied. */
  get rtoMs(): number {
    const base =
      this.srttMs === 0 ? INITIAL_RTO_MS : this.srttMs + Math.max(MIN_VARIANCE_TERM_MS, 4 * this.varianceMs);
    return Math.min(base * 2 ** this.#backoff, MAX_RTO_MS);
  }

  /** A timeout expired: the next is twice as long. */
  backOff(): void {
    if (this.#backoff < 16) this.#backoff++;
  }

  /** The client acknowledged something new. */
  resetBackoff(): void {
    this.#backoff = 0;
  }
}
