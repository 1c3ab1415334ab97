/**
 * When it is safe to send a FIN to a stock peer (proxies.md 3.7). A stock receiver throws away on FIN what its KCP queue and its
 * copier still hold, so the FIN waits:
 *
 * ```
 *  shutdown ─▶ deliver ──all acknowledged──▶ empty ──window at its largest──▶ settle ──200 ms or more──▶ FIN
 *                                            │ WASK every 20 ms: it does       the copier's last few KiB;
 *                                            │ not tell by itself              a slow reader gets longer
 * ```
 *
 * Once everything is acknowledged the peer's window can only grow, so an answer that was overtaken never says too much.
 */
import {
  DRAIN_PROBE_MS,
  DRAIN_PROBE_SLOW_AFTER_MS,
  DRAIN_PROBE_SLOW_MS,
  DRAIN_SETTLE_BYTES,
  DRAIN_SETTLE_MAX_MS,
  DRAIN_SETTLE_MS,
  STOCK_MSS,
  STOCK_WINDOW,
} from "./limits.ts";

/** "probe": ask the peer for its window. "done": send the FIN. */
export type DrainStep = "wait" | "probe" | "done";

export class StockDrain {
  /** When `step` wants to be called even if nothing arrives; Infinity while bytes are unacknowledged. */
  nextAt = Infinity;
  /** When the window last grew, or everything had just been acknowledged. */
  lastProgressAt: number;
  #phase: "deliver" | "empty" | "settle" = "deliver";
  #emptySince = 0;
  #firstWindow = 0;
  #window = 0;

  constructor(now: number) {
    this.lastProgressAt = now;
  }

  /** Looks at the peer: its window in segments now and at its largest. The FIN may not leave before `quietUntil`. */
  step(
    now: number,
    unacknowledgedBytes: number,
    window: number,
    largestWindow: number,
    quietUntil: number,
  ): DrainStep {
    if (unacknowledgedBytes > 0) return "wait";
    if (this.#phase === "deliver") {
      this.#phase = "empty";
      this.#emptySince = now;
      this.#firstWindow = window;
      this.#window = window;
      this.lastProgressAt = now;
      this.nextAt = now;
    } else if (window > this.#window) {
      this.#window = window;
      this.lastProgressAt = now;
    }
    // A window of 1023 may be the largest seen only because the first segment was never without company.
    if (this.#phase === "empty" && window >= Math.max(STOCK_WINDOW, largestWindow)) {
      this.#phase = "settle";
      this.nextAt = now + this.#settleMs(now);
    }
    if (now < this.nextAt) return "wait";
    if (this.#phase === "settle") {
      if (now >= quietUntil) return "done";
      this.nextAt = quietUntil;
      return "wait";
    }
    const isSlow = now - this.lastProgressAt >= DRAIN_PROBE_SLOW_AFTER_MS;
    this.nextAt = now + (isSlow ? DRAIN_PROBE_SLOW_MS : DRAIN_PROBE_MS);
    return "probe";
  }

  /** The time that what the copier holds takes at the rate at which the queue was just seen to empty. */
  #settleMs(now: number): number {
    const drainedBytes = (this.#window - this.#firstWindow) * STOCK_MSS;
    if (drainedBytes <= 0) return DRAIN_SETTLE_MS;
    const neededMs = (DRAIN_SETTLE_BYTES * (now - this.#emptySince)) / drainedBytes;
    return Math.min(DRAIN_SETTLE_MAX_MS, Math.max(DRAIN_SETTLE_MS, neededMs));
  }
}
