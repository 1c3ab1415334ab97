/**
 * The end of our direction of an open connection, from `shutdown` on (proxies.md 3.7, docs/protocol.md).
 *
 * Between nodes of our kind the FIN tells how many bytes precede it. So it leaves at once, and is acknowledged by the peer when it
 * and all of those bytes have arrived: the reader sees the end no later than the last byte.
 *
 * Toward a stock peer the FIN waits until nothing can be lost by it (`StockDrain`), and is repeated until the connection ends.
 */
import type { Kcp } from "kcp-ts";
import { FIN_REPEAT_MS, MAX_FIN_REPEATS } from "./limits.ts";
import { StockDrain } from "./stock-drain.ts";

export class Ending {
  /** When `step` wants to be called. */
  nextAt = Infinity;
  /** The FIN has left (or waits for `poll`). */
  isSent = false;
  /** Peers of our kind: the FIN and everything before it has arrived. */
  isAcknowledged = false;
  readonly #kcp: Kcp;
  readonly #tellsLength: boolean;
  readonly #drain: StockDrain | undefined;
  #repeats = 0;

  /** `tellsLength`: the peer is one of ours. `sentBytes`: all that was written since `openedAt`. */
  constructor(kcp: Kcp, tellsLength: boolean, sentBytes: number, openedAt: number, now: number) {
    this.#kcp = kcp;
    this.#tellsLength = tellsLength;
    this.#drain = tellsLength ? undefined : new StockDrain(sentBytes, openedAt, now);
    this.nextAt = now;
  }

  /**
   * True = send FIN now. The peer last acknowledged something at `deliveredAt`. The FIN may not leave before `quietUntil`, but
   * leaves after `stallMs` without progress.
   */
  step(now: number, deliveredAt: number, quietUntil: number, stallMs: number): boolean {
    if (!this.isSent) {
      if (!this.#mayLeave(now, deliveredAt, quietUntil, stallMs)) return false;
      this.isSent = true;
      this.#restart(now);
      return true;
    }
    if (this.isAcknowledged || now < this.nextAt) return false;
    this.#repeats++;
    this.nextAt =
      this.#repeats < MAX_FIN_REPEATS ? now + this.#firstRepeatMs() * 2 ** this.#repeats : Infinity;
    return true;
  }

  /** Everything written is acknowledged, but not the FIN: true = send it again now. */
  delivered(now: number): boolean {
    if (!this.isSent || this.isAcknowledged || !this.#tellsLength) return false;
    this.#restart(now);
    return true;
  }

  acknowledge(): void {
    if (!this.isSent) return;
    this.isAcknowledged = true;
    this.nextAt = Infinity;
  }

  /** The quick repetitions are used up: the keep-alive rounds go on with it. */
  get isExhausted(): boolean {
    return this.isSent && !this.isAcknowledged && this.nextAt === Infinity;
  }

  #mayLeave(now: number, deliveredAt: number, quietUntil: number, stallMs: number): boolean {
    const drain = this.#drain;
    if (drain === undefined) return true;
    const step = drain.step(now, this.#kcp, deliveredAt, quietUntil);
    this.nextAt = drain.nextAt;
    if (step === "probe") this.#kcp.askWindow();
    const isStuck = drain.nextAt !== Infinity && now - drain.lastProgressAt > stallMs;
    return step === "done" || isStuck;
  }

  #restart(now: number): void {
    this.#repeats = 0;
    this.nextAt = now + this.#firstRepeatMs();
  }

  /** On a path known to be fast a lost FIN between nodes of our kind is repaired sooner. */
  #firstRepeatMs(): number {
    const { srttMs } = this.#kcp.stats;
    return this.#tellsLength && srttMs > 0 ? Math.min(FIN_REPEAT_MS, 2 * srttMs + 20) : FIN_REPEAT_MS;
  }
}
