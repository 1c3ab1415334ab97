/** A stock peer acknowledges once in this time (proxies.md 3.9). */
export const PLAIN_INTERVAL_MS = 10;
/** What a timeout leaves to the peer and to both hosts besides the round trip: to a stock peer, and to one of ours. */
export const PLAIN_ACK_ALLOWANCE_MS = 18;
export const ACK_ALLOWANCE_MS = 5;

/** Before anything was heard; short, because a repeat of the first flight costs one datagram (proxies.md 3.4). */
const FIRST_TIMEOUT_MS = 40;
const MAX_TIMEOUT_MS = 60_000;
/** A repeat after a repeat waits longer, but no longer than this: a link that comes back is found again soon. */
const MAX_BACKED_OFF_MS = 4_000;
const BACKOFF = 1.5;

/** Smoothed round-trip time, its variation, and the retransmission timeout (RFC 6298 with KCP's backoff). */
export class RoundTrip {
  /** 0 until measured. */
  smoothedMs = 0;
  variationMs = 0;
  latestMs = 0;
  /** Smallest since the start; `Infinity` until measured. */
  minMs = Infinity;
  /** Timeouts in a row. */
  timeouts = 0;
  #timeoutMs = FIRST_TIMEOUT_MS;
  #factor = 1;
  readonly #allowanceMs: number;

  constructor(allowanceMs: number) {
    this.#allowanceMs = allowanceMs;
  }

  /** Retransmission timeout, backed off. */
  get timeoutMs(): number {
    const backedOff = this.#timeoutMs * this.#factor;
    return backedOff > MAX_BACKED_OFF_MS ? Math.max(this.#timeoutMs, MAX_BACKED_OFF_MS) : backedOff;
  }

  handleSample(rttMs: number): void {
    this.latestMs = rttMs;
    if (rttMs < this.minMs) this.minMs = rttMs;
    if (this.smoothedMs === 0) {
      this.smoothedMs = Math.max(rttMs, 0.001);
      this.variationMs = rttMs / 2;
    } else {
      const deviation = rttMs > this.smoothedMs ? rttMs - this.smoothedMs : this.smoothedMs - rttMs;
      this.variationMs += (deviation - this.variationMs) / 4;
      this.smoothedMs += (rttMs - this.smoothedMs) / 8;
    }
    const timeoutMs = this.smoothedMs + Math.max(4 * this.variationMs, this.#allowanceMs);
    this.#timeoutMs = Math.min(timeoutMs, MAX_TIMEOUT_MS);
  }

  handleTimeout(): void {
    this.timeouts++;
    this.#factor *= BACKOFF;
  }

  /** Something was acknowledged: the path works. */
  handleProgress(): void {
    this.timeouts = 0;
    this.#factor = 1;
  }
}
