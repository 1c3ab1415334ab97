/**
 * One bidirectional stream as the protocol sees it (RFC 9000, 2 and 3): both directions, their limits and ends, and what of it must
 * still be told. What the proxy sees is `Stream`, which a core serves as long as its connection lives.
 */
import { QuicError } from "./frames.ts";
import {
  INITIAL_STREAM_WINDOW,
  MAX_STREAM_WINDOW,
  STREAM_WINDOW_POOL_SHIFT,
  WINDOW_UPDATE_SHIFT,
} from "./limits.ts";
import { Arrival, ReceiveBuffer } from "./receive-buffer.ts";
import { SendBuffer, type SendLimits } from "./send-buffer.ts";
import { Item } from "./sent-packets.ts";

/** What a core needs of its connection. */
export interface StreamHost extends SendLimits {
  /** Smoothed round-trip time, milliseconds. */
  readonly smoothedRttMs: number;
  /** The stream has `pending` items, or bytes to send. */
  requestOutput(core: StreamCore): void;
  /** The peer's data grew by `bytes`. False: beyond the connection's limit. */
  noteReceived(bytes: number): boolean;
  /** Data of the peer was read or thrown away. */
  noteConsumed(bytes: number): void;
  /** Both directions are over. */
  streamOver(core: StreamCore): void;
}

/** What a core tells the stream that it serves. */
export interface StreamEvents {
  /** The first bytes of ours have arrived. */
  delivered(): void;
  acknowledged(now: number): void;
  /** A STREAM frame came; `bytes` more are in order than before. */
  received(bytes: number, now: number): void;
  ended(now: number): void;
  peerReset(code: number, now: number): void;
  peerStopped(code: number, now: number): void;
  /** Both directions are over, everything was delivered. */
  finished(now: number): void;
}

/** A window that is read faster than this, in round trips, is doubled. */
const GROWTH_ROUND_TRIPS = 6;

export class StreamCore {
  readonly id: number;
  readonly send: SendBuffer;
  readonly receive: ReceiveBuffer;
  /** Undefined once nobody wants to hear of it any more. */
  events: StreamEvents | undefined = undefined;
  /** `Item` bits that must be told in a packet without stream data. */
  pending = 0;
  /** Code of RESET_STREAM and STOP_SENDING. */
  errorCode = 0;
  /** Our direction ends behind the last byte written. */
  isShutDown = false;
  /** RESET_STREAM was, or is to be, sent. */
  isReset = false;
  /** How far the peer allows us to send, and how far we allow it. */
  maxSend: number;
  maxReceive: number;

  // ── places in the connection's queues; only it changes them ───────────────────────────────────────────────────────
  isQueued = false;
  nextQueued: StreamCore | undefined = undefined;
  isHeld = false;
  isPending = false;
  nextPending: StreamCore | undefined = undefined;

  readonly #host: StreamHost;
  #finArrived = false;
  #resetArrived = false;
  /** Stream offset at which the peer's direction ends, -1 = not known yet. */
  #finalSize = -1;
  #peerReset = false;
  /** The peer's data is thrown away. */
  #discards = false;
  #toldFinish = false;
  #isOver = false;
  #window: number;
  #windowToldAt = -Infinity;

  constructor(id: number, host: StreamHost, maxSend: number, window: number, now: number) {
    this.id = id;
    this.#host = host;
    this.send = new SendBuffer(host);
    this.receive = new ReceiveBuffer(host.pool, host.quota);
    this.maxSend = maxSend;
    this.maxReceive = window;
    this.#window = window;
    this.#windowToldAt = now;
  }

  /** Stream offset behind our last byte. */
  get finalSize(): number {
    return this.send.endOffset;
  }

  /** The next chunk may leave: it is a repeated one, or within the peer's limits. */
  maySend(chunk: number, connectionCredit: number): boolean {
    const { send } = this;
    if (!send.isNew(chunk)) return true;
    const length = send.length(chunk);
    return send.start(chunk) + length <= this.maxSend && length <= connectionCredit;
  }

  /** The chunk's frame carries the FIN. */
  endsWith(chunk: number): boolean {
    return this.isShutDown && chunk === this.send.end - 1;
  }

  // ── the peer's direction ────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A STREAM frame: `length` bytes at `at` in the arena, in `slot` or (-1) in a slot that has been taken. One of `Arrival`; below 0 the
   * negative error code that closes the connection.
   */
  handleData(offset: number, slot: number, at: number, length: number, fin: boolean, now: number): number {
    const end = offset + length;
    const error = this.#checkEnd(end, fin);
    if (error !== 0) return -error;
    const { receive } = this;
    if (this.#discards || this.#peerReset) {
      this.#noteHigh(end, true);
      this.#checkOver(now);
      return Arrival.done;
    }
    const before = receive.nextOffset;
    const high = receive.highOffset;
    const result = receive.insert(offset, slot, at, length, this.#host.spareSlots >>> 1);
    if (result === Arrival.noRoom) return result;
    if (receive.highOffset > high && !this.#host.noteReceived(receive.highOffset - high))
      return -QuicError.flowControl;
    if (fin) this.#finalSize = end;
    this.events?.received(receive.nextOffset - before, now);
    this.#checkFinish(now);
    return result;
  }

  /** 0, or why the connection must end: data beyond the limit, or ends that contradict each other. */
  #checkEnd(end: number, isFinal: boolean): number {
    if (end > this.maxReceive) return QuicError.flowControl;
    if (this.#finalSize < 0) return isFinal && end < this.receive.highOffset ? QuicError.finalSize : 0;
    return end > this.#finalSize || (isFinal && end !== this.#finalSize) ? QuicError.finalSize : 0;
  }

  /** RESET_STREAM; the error code that closes the connection, or 0. */
  handleReset(code: number, finalSize: number, now: number): number {
    const error = this.#checkEnd(finalSize, true);
    if (error !== 0) return error;
    this.#finalSize = finalSize;
    // What has come completely is not taken back.
    if (this.#peerReset || this.#toldFinish) return 0;
    if (!this.#noteHigh(finalSize, false)) return QuicError.flowControl;
    this.#peerReset = true;
    this.events?.peerReset(code, now);
    this.discard(now);
    this.#checkOver(now);
    return 0;
  }

  /** STOP_SENDING: what we still have to send is of no use (RFC 9000, 3.5). */
  handleStop(code: number, now: number): void {
    if (this.isReset || this.#finArrived) return;
    this.reset(code, now);
    this.events?.peerStopped(code, now);
  }

  /** The flow control of the connection learns of bytes that no buffer keeps. */
  #noteHigh(end: number, isConsumed: boolean): boolean {
    const { receive } = this;
    const grown = end - receive.highOffset;
    if (grown <= 0) return true;
    receive.highOffset = end;
    const isAllowed = this.#host.noteReceived(grown);
    if (isConsumed) this.#host.noteConsumed(grown);
    return isAllowed;
  }

  #checkFinish(now: number): void {
    if (this.#toldFinish || this.#finalSize < 0 || this.receive.nextOffset !== this.#finalSize) return;
    this.#toldFinish = true;
    this.pending &= ~(Item.maxStreamData | Item.stopSending);
    this.events?.ended(now);
    this.#checkOver(now);
  }

  /** The reader has taken `bytes`: the peer may send more when enough was read. */
  noteRead(bytes: number, now: number): void {
    this.#host.noteConsumed(bytes);
    if (this.#finalSize >= 0) return;
    const left = this.maxReceive - this.receive.readOffset;
    if (left > this.#window - (this.#window >>> WINDOW_UPDATE_SHIFT)) return;
    const { pool, quota, smoothedRttMs } = this.#host;
    // Read within a few round trips (a hole takes one or two to be filled): the window is what limits the peer.
    const poolBytes = pool.slotCount * pool.slotBytes;
    const most = Math.min(MAX_STREAM_WINDOW, poolBytes >>> STREAM_WINDOW_POOL_SHIFT);
    if (now - this.#windowToldAt < GROWTH_ROUND_TRIPS * smoothedRttMs) {
      this.#window = Math.min(2 * this.#window, Math.max(this.#window, most));
    }
    this.#windowToldAt = now;
    // While slots are scarce a stream gets less than its window, but never less than it has been promised.
    const share = Math.max(INITIAL_STREAM_WINDOW, quota.share * 1024);
    const limit = this.receive.readOffset + Math.min(this.#window, share);
    if (limit <= this.maxReceive) return;
    this.maxReceive = limit;
    this.owe(Item.maxStreamData);
  }

  /** Nothing of the peer's data is wanted any more; what comes is thrown away. */
  discard(_now: number): void {
    if (this.#discards) return;
    this.#discards = true;
    const { receive } = this;
    this.#host.noteConsumed(receive.highOffset - receive.readOffset);
    receive.dispose();
  }

  // ── our direction ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Our direction ends behind what was written. */
  shutDown(): void {
    if (this.isShutDown || this.isReset) return;
    this.isShutDown = true;
    // The last chunk carries it, unless that has left already.
    if (this.send.next === this.send.end) this.owe(Item.fin);
    else this.#host.requestOutput(this);
  }

  /** Our direction ends at once. */
  reset(code: number, now: number): void {
    if (this.isReset || this.#finArrived) return;
    this.isReset = true;
    this.errorCode = code;
    this.sentBytes = this.#sentEnd();
    this.send.dispose();
    this.pending &= ~(Item.fin | Item.hello);
    this.owe(Item.resetStream);
    this.#checkOver(now);
  }

  /** Final size of a reset direction: behind the last byte that was sent. */
  sentBytes = 0;

  #sentEnd(): number {
    const { send } = this;
    return send.next === send.end ? send.endOffset : send.start(send.next);
  }

  /** Both directions end at once, the peer is told `code`. */
  abort(code: number, now: number): void {
    this.events = undefined;
    if (!this.#toldFinish && !this.#peerReset) {
      this.errorCode = code;
      this.owe(Item.stopSending);
    }
    this.discard(now);
    this.reset(code, now);
    this.#checkOver(now);
  }

  /** Items that must be told. */
  owe(items: number): void {
    this.pending |= items;
    this.#host.requestOutput(this);
  }

  // ── what became of what was sent ────────────────────────────────────────────────────────────────────────────────────

  handleAcknowledged(items: number, chunk: number, now: number): void {
    if ((items & Item.fin) !== 0) this.#finArrived = true;
    if ((items & Item.resetStream) !== 0) this.#resetArrived = true;
    if ((items & Item.chunk) !== 0 && this.send.handleAcknowledged(chunk)) {
      if (chunk === 0) this.events?.delivered();
      this.events?.acknowledged(now);
    }
    this.#checkOver(now);
  }

  /** True when something is to be sent again. */
  handleLost(items: number, chunk: number, order: number): boolean {
    let again = items & (Item.resetStream | Item.stopSending | Item.hello);
    if (this.isReset) again &= ~Item.hello;
    if ((items & Item.resetStream) !== 0 && this.#resetArrived) again &= ~Item.resetStream;
    if (this.#toldFinish || this.#peerReset) again &= ~Item.stopSending;
    else if ((items & Item.maxStreamData) !== 0 && !this.#discards) again |= Item.maxStreamData;
    const isChunkLost = (items & Item.chunk) !== 0 && this.send.handleLost(chunk, order);
    if ((items & Item.fin) !== 0 && !isChunkLost && !this.#finArrived && !this.isReset) again |= Item.fin;
    if (again !== 0) this.owe(again);
    else if (isChunkLost) this.#host.requestOutput(this);
    return again !== 0 || isChunkLost;
  }

  #checkOver(now: number): void {
    if (this.#isOver) return;
    const isSent = this.isReset ? this.#resetArrived : this.#finArrived && this.send.una === this.send.end;
    const isReceived = this.#peerReset || this.#toldFinish || (this.#discards && this.#isAllHere);
    if (!isSent || !isReceived) return;
    this.#isOver = true;
    this.pending = 0;
    this.#host.streamOver(this);
    if (!this.isReset && !this.#peerReset) this.events?.finished(now);
  }

  get #isAllHere(): boolean {
    return this.#finalSize >= 0 && this.receive.highOffset === this.#finalSize;
  }

  /** The connection is gone. What was received stays readable. */
  disconnect(): void {
    this.#isOver = true;
    this.pending = 0;
    this.send.dispose();
  }
}
