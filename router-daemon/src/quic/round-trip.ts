/** Round-trip estimate and probe timeout of RFC 9002 (5, 6.2). */

/** Before anything was measured (RFC 9002, 6.2.2); also what a stock node assumes. */
export const INITIAL_RTT_MS = 333;
const GRANULARITY_MS = 1;
/** Back-off ends here: a link that comes back is found again soon. */
export const MAX_PROBE_TIMEOUT_MS = 3_000;

export class RoundTrip {
  smoothedMs: number;
  variationMs: number;
  latestMs = 0;
  /** Smallest since the start; `Infinity` until measured. */
  minMs = Infinity;
  /** How long the peer says it held back the acknowledgement that `handleSample` is about, milliseconds. */
  ackDelayMs = 0;
  /** Probe timeouts in a row. */
  probes = 0;

  /** `rttMs` as it is known from elsewhere, 0 = unknown. */
  constructor(rttMs: number) {
    this.smoothedMs = rttMs > 0 ? rttMs : INITIAL_RTT_MS;
    this.variationMs = this.smoothedMs / 2;
  }

  get isMeasured(): boolean {
    return this.minMs !== Infinity;
  }

  handleSample(rttMs: number): void {
    this.latestMs = rttMs;
    if (!this.isMeasured) {
      this.minMs = rttMs;
      this.smoothedMs = rttMs;
      this.variationMs = rttMs / 2;
      return;
    }
    if (rttMs < this.minMs) this.minMs = rttMs;
    const adjusted = rttMs - this.ackDelayMs >= this.minMs ? rttMs - this.ackDelayMs : rttMs;
    this.variationMs += (Math.abs(this.smoothedMs - adjusted) - this.variationMs) / 4;
    this.smoothedMs += (adjusted - this.smoothedMs) / 8;
  }

  /** Without back-off; `maxAckDelayMs` is 0 where acknowledgements are not held back (RFC 9002, 6.2.1). */
  probeTimeoutMs(maxAckDelayMs: number): number {
    return this.smoothedMs + Math.max(4 * this.variationMs, GRANULARITY_MS) + maxAckDelayMs;
  }

  /** When to probe, as a time after the last packet that asks for an acknowledgement. */
  backedOffMs(maxAckDelayMs: number): number {
    const once = this.probeTimeoutMs(maxAckDelayMs);
    return Math.max(once, Math.min(once * 2 ** Math.min(this.probes, 10), MAX_PROBE_TIMEOUT_MS));
  }
}
