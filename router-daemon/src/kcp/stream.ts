/** The bytes of a connection: `Kcp`'s stream methods, counted, and safe to call in any state. */
import type { Kcp } from "kcp-ts";
import { type KcpConnectionStats, repeatedShare } from "./types.ts";

export abstract class CarriedStream {
  /** Exists from the moment bytes may flow until `release`, or until the connection ends with nothing left to read. */
  kcp: Kcp | undefined = undefined;
  /** Bytes may still be written. */
  isWritable = false;
  /** Round trip measured by keep-alives, 0 = none: shown while KCP has none of its own. */
  pingRttMs = 0;
  #bytesSent = 0;
  #bytesReceived = 0;
  /** Bytes acknowledged when `noteAcknowledged` last looked. */
  #bytesDelivered = 0;
  /** Figures of the `Kcp` object that is gone. */
  #lastSrttMs = 0;
  #lastRetransmittedShare: number | undefined;

  /** Output may have become due: the endpoint should poll this connection. */
  abstract requestPoll(): void;
  /** A writer got less than it could use because the pool had no slots. */
  protected abstract noteStarved(): void;

  get bytesSent(): number {
    return this.#bytesSent;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  // ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

  get writableBytes(): number {
    if (!this.isWritable || this.kcp === undefined) return 0;
    const bytes = this.kcp.writableBytes;
    // Whoever asks in vain wants to hear when that changes.
    if (bytes === 0) this.noteStarved();
    return bytes;
  }

  reserve(words: Int32Array, at: number, maxPairs: number): number {
    if (!this.isWritable || this.kcp === undefined) return 0;
    const pairs = this.kcp.reserve(words, at, maxPairs);
    if (pairs === 0) this.noteStarved();
    return pairs;
  }

  commit(bytes: number): void {
    if (!this.isWritable || this.kcp === undefined) return;
    // Also with 0 bytes: that gives the reserved slots back.
    this.kcp.commit(bytes);
    if (bytes === 0) return;
    this.#bytesSent += bytes;
    this.requestPoll();
  }

  write(bytes: Uint8Array): number {
    if (!this.isWritable || this.kcp === undefined) return 0;
    const taken = this.kcp.write(bytes);
    if (taken < bytes.length) this.noteStarved();
    if (taken === 0) return 0;
    this.#bytesSent += taken;
    this.requestPoll();
    return taken;
  }

  writeFrom(offset: number, length: number): number {
    if (!this.isWritable || this.kcp === undefined) return 0;
    const taken = this.kcp.writeFrom(offset, length);
    if (taken < length) this.noteStarved();
    if (taken === 0) return 0;
    this.#bytesSent += taken;
    this.requestPoll();
    return taken;
  }

  get unacknowledgedBytes(): number {
    return this.kcp === undefined ? 0 : this.kcp.unacknowledgedBytes;
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

  get readableBytes(): number {
    return this.kcp === undefined ? 0 : this.kcp.readableBytes;
  }

  view(words: Int32Array, at: number, maxPairs: number): number {
    return this.kcp === undefined ? 0 : this.kcp.view(words, at, maxPairs);
  }

  consume(bytes: number): void {
    if (bytes === 0 || this.kcp === undefined) return;
    this.kcp.consume(bytes);
    this.requestPoll();
  }

  takeSlots(words: Int32Array, at: number, max: number): number {
    if (this.kcp === undefined) return 0;
    const taken = this.kcp.takeSlots(words, at, max);
    if (taken > 0) this.requestPoll();
    return taken;
  }

  read(into: Uint8Array): number {
    if (this.kcp === undefined) return 0;
    const given = this.kcp.read(into);
    if (given > 0) this.requestPoll();
    return given;
  }

  get stats(): KcpConnectionStats {
    this.#noteFigures();
    return {
      srttMs: this.#lastSrttMs > 0 ? this.#lastSrttMs : this.pingRttMs,
      retransmittedShare: this.#lastRetransmittedShare,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      heldSlots: this.kcp === undefined ? 0 : this.kcp.heldSlots,
    };
  }

  // ── for the state machine ─────────────────────────────────────────────────────────────────────────────────────

  /** Bytes became readable. */
  noteReceived(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  /** True when the peer has acknowledged bytes since the last call. */
  noteAcknowledged(): boolean {
    const delivered = this.#bytesSent - this.unacknowledgedBytes;
    if (delivered <= this.#bytesDelivered) return false;
    this.#bytesDelivered = delivered;
    return true;
  }

  /** Frees every slot; the figures stay. */
  dispose(): void {
    if (this.kcp === undefined) return;
    this.#noteFigures();
    this.kcp.dispose();
    this.kcp = undefined;
  }

  #noteFigures(): void {
    if (this.kcp === undefined) return;
    const { srttMs, sent, retransmitted } = this.kcp.stats;
    this.#lastSrttMs = srttMs;
    this.#lastRetransmittedShare = repeatedShare(retransmitted, sent + retransmitted);
  }
}
