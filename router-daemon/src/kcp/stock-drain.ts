/**
 * When it is safe to send a FIN to a stock peer (proxies.md 3.7). A stock receiver throws away on FIN what its KCP queue and its
 * copier still hold, so the FIN waits:
 *
 * ```
 *  shutdown ─▶ deliver ──all acknowledged──▶ empty ──window at its largest──▶ settle ──200 ms or more──▶ FIN
 *                                            │ WASK every 20 ms: it does       what lies behind the window
 *                                            │ not tell by itself              goes to the reader
 * ```
 *
 * Once everything is acknowledged the peer's window can only grow, so an answer that was overtaken never says too much. What lies
 * behind the window (up to 160 KB) cannot be seen: the time for it follows from how fast the peer was seen to read.
 */
import {
  DRAIN_ASSUMED_BYTES_PER_MS,
  DRAIN_HELD_BYTES,
  DRAIN_PROBE_MS,
  DRAIN_PROBE_SLOW_AFTER_MS,
  DRAIN_PROBE_SLOW_MS,
  DRAIN_SETTLE_MAX_MS,
  DRAIN_SETTLE_MS,
  DRAIN_TELLING_SEGMENTS,
  STOCK_MSS,
} from "./limits.ts";

/** "probe": ask the peer for its window. "done": send the FIN. */
export type DrainStep = "wait" | "probe" | "done";

/** What is known of the delivery. */
export interface Delivery {
  readonly unacknowledgedBytes: number;
  /** The peer's window in segments, now and at its largest. */
  readonly remoteWindow: number;
  readonly largestRemoteWindow: number;
}

export class StockDrain {
  /** When `step` wants to be called even if nothing arrives; Infinity while bytes are unacknowledged. */
  nextAt = Infinity;
  /** When the window last grew, or everything had just been acknowledged. */
  lastProgressAt: number;
  readonly #sentBytes: number;
  readonly #openedAt: number;
  #phase: "deliver" | "empty" | "settle" = "deliver";
  #emptySince = 0;
  #firstWindow = 0;
  #window = 0;

  /** `sentBytes`: all that was written since `openedAt`. */
  constructor(sentBytes: number, openedAt: number, now: number) {
    this.#sentBytes = sentBytes;
    this.#openedAt = openedAt;
    this.lastProgressAt = now;
  }

  /** Looks at the peer, which last acknowledged something at `deliveredAt`. The FIN may not leave before `quietUntil`. */
  step(now: number, delivery: Delivery, deliveredAt: number, quietUntil: number): DrainStep {
    if (delivery.unacknowledgedBytes > 0) return "wait";
    const window = delivery.remoteWindow;
    if (this.#phase === "deliver") {
      this.#phase = "empty";
      this.#emptySince = deliveredAt;
      this.#firstWindow = window;
      this.#window = window;
      this.lastProgressAt = now;
      this.nextAt = now;
    } else if (window > this.#window) {
      this.#window = window;
      this.lastProgressAt = now;
    }
    if (this.#phase === "empty" && window >= wholeWindow(delivery.largestRemoteWindow)) {
      this.#phase = "settle";
      this.nextAt = this.#settledAt(now);
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

  /** When the reader should have what lies behind the window. */
  #settledAt(now: number): number {
    const heldBytes = Math.min(this.#sentBytes, DRAIN_HELD_BYTES);
    const grown = this.#window - this.#firstWindow;
    if (grown >= DRAIN_TELLING_SEGMENTS) {
      const neededMs = (heldBytes * (now - this.#emptySince)) / (grown * STOCK_MSS);
      return now + Math.min(DRAIN_SETTLE_MAX_MS, Math.max(DRAIN_SETTLE_MS, neededMs));
    }
    // The window never filled: the reader has kept up with all but what may lie behind it.
    const keptUp = (this.#sentBytes - heldBytes) / Math.max(1, this.#emptySince - this.#openedAt);
    const neededMs = heldBytes / Math.max(DRAIN_ASSUMED_BYTES_PER_MS, keptUp);
    return this.#emptySince + Math.max(DRAIN_SETTLE_MS, neededMs);
  }
}

/**
 * The window of a peer with nothing unread, from the largest it ever told: the next power of two (1024 in all known ones), because
 * 1023 may be the largest seen only for want of a moment without an unread segment.
 */
function wholeWindow(largest: number): number {
  return largest === 0 ? Infinity : 2 ** Math.ceil(Math.log2(largest));
}
