/** Round-trip estimate and probe timeout of RFC 9002 (5, 6.2). */

import { FLOAT_ZERO } from "kcp-ts/recovery";

/** Before anything was measured (RFC 9002, 6.2.2); also what a stock node assumes. */
export const INITIAL_RTT_MS = 333;
const GRANULARITY_MS = 1;
/** Back-off ends here: a link that comes back is found again soon, and one that loses a third lets no seconds pass. */
export const MAX_PROBE_TIMEOUT_MS = 3_000;
export const MAX_DOUBLINGS = 3;
/** The same for the few datagrams of a handshake, while which a client's SYN is held. */
export const MAX_HANDSHAKE_DOUBLINGS = 1;

export class RoundTrip {
  smoothedMs: number;
  variationMs: number;
  latestMs = FLOAT_ZERO;
  /** Smallest since the start; `Infinity` until measured. */
  minMs = Infinity;
  /** How long the peer says it held back the acknowledgement that `handleSample` is about, milliseconds. */
  ackDelayMs = FLOAT_ZERO;
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

  /** When to probe, in a space of the handshake or later, as a time after the last packet that asks for an acknowledgement. */
  backedOffMs(maxAckDelayMs: number, isHandshake: boolean): number {
    const once = this.probeTimeoutMs(maxAckDelayMs);
    const doublings = Math.min(this.probes, isHandshake ? MAX_HANDSHAKE_DOUBLINGS : MAX_DOUBLINGS);
    return Math.max(once, Math.min(once * 2 ** doublings, MAX_PROBE_TIMEOUT_MS));
  }
}
