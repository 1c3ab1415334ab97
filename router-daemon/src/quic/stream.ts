/** What the proxy sees of a stream: KCP's surface, on a `StreamCore` as long as there is one. */
import { decodeSyn, NO_REASON, reasonCode, reasonOf } from "../kcp/conn-data.ts";
import type { DueHeap } from "../kcp/due-heap.ts";
import {
  type CloseReason,
  type KcpConnectionState,
  type KcpConnectionStats,
  type KcpTarget,
  Ready,
  type RefusalReason,
  type SocketAddress,
} from "../kcp/types.ts";
import type { Connection } from "./connection.ts";
import { Item } from "./sent-packets.ts";
import type { StreamCore, StreamEvents } from "./stream-core.ts";
import { MAX_TARGET_BYTES, TARGET_LENGTH_BYTES } from "./stream-target.ts";
import type { QuicEndpointCounters, QuicLimits, QuicRole, QuicStream } from "./types.ts";

/** What streams need of their endpoint. */
export interface StreamOwner<Owner> {
  readonly role: QuicRole;
  readonly limits: QuicLimits;
  readonly counters: QuicEndpointCounters;
  readonly due: DueHeap<Stream<Owner>>;
  /** The time of the input or command being handled. */
  readonly now: number;
  markReady(stream: Stream<Owner>): void;
  noteStarved(stream: Stream<Owner>): void;
  /** The glue has let go of a closed stream. */
  remove(stream: Stream<Owner>): void;
}

const UNSPECIFIED: SocketAddress = { ip: 0, port: 0 };

export class Stream<Owner> implements QuicStream<Owner>, StreamEvents {
  readonly transport = "quic";
  owner: Owner | undefined = undefined;
  readonly peerId: number;
  readonly createdAt: number;
  source: SocketAddress = UNSPECIFIED;
  destination: SocketAddress = UNSPECIFIED;
  state: KcpConnectionState;
  closeReason: CloseReason | undefined = undefined;
  peerFinished = false;
  locallyFinished = false;
  isReleased = false;

  // ── for the endpoint ──────────────────────────────────────────────────────────────────────────────────────────────
  connection: Connection<Owner> | undefined = undefined;
  /** Something was heard from the peer while this stream was opening. */
  hasSign = false;
  isReady = false;
  nextReady: Stream<Owner> | undefined = undefined;
  isStarved = false;
  dueAt = Infinity;
  heapIndex = -1;
  /** Place in the endpoint's list, -1 = not in it. */
  listIndex = -1;

  readonly #host: StreamOwner<Owner>;
  #core: StreamCore | undefined = undefined;
  #ready = 0;
  #bytesReceived = 0;
  /** Of the stream's bytes those that are the target, not the client's. */
  #targetBytes = 0;
  /** The destination has told the glue of the stream. */
  #isOffered = false;
  /** The peer reads no more. */
  #isStopped = false;
  #stats: KcpConnectionStats = {
    srttMs: 0,
    retransmittedShare: undefined,
    bytesSent: 0,
    bytesReceived: 0,
    heldSlots: 0,
  };

  constructor(host: StreamOwner<Owner>, peerId: number, target: KcpTarget | undefined, now: number) {
    this.#host = host;
    this.peerId = peerId;
    this.createdAt = now;
    this.state = host.role === "source" ? "opening" : "offered";
    if (target === undefined) return;
    this.source = target.source;
    this.destination = target.destination;
  }

  get id(): number {
    return this.#core?.id ?? -1;
  }

  get isExtended(): boolean {
    return this.connection?.isExtended ?? false;
  }

  takeReady(): number {
    const bits = this.#ready;
    this.#ready = 0;
    return bits;
  }

  // ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get #isWritable(): boolean {
    return this.state === "open" && !this.locallyFinished && !this.#isStopped;
  }

  get writableBytes(): number {
    if (!this.#isWritable) return 0;
    const bytes = this.#core!.send.writableBytes;
    // Whoever asks in vain wants to hear when that changes.
    if (bytes === 0) this.#host.noteStarved(this);
    return bytes;
  }

  reserve(words: Int32Array, at: number, maxPairs: number): number {
    if (!this.#isWritable) return 0;
    const pairs = this.#core!.send.reserve(words, at, maxPairs);
    if (pairs === 0) this.#host.noteStarved(this);
    return pairs;
  }

  commit(bytes: number): void {
    if (!this.#isWritable) return;
    this.#core!.send.commit(bytes);
    if (bytes > 0) this.connection!.requestOutput(this.#core!);
  }

  write(bytes: Uint8Array): number {
    if (!this.#isWritable) return 0;
    return this.#noteWritten(this.#core!.send.write(bytes), bytes.length);
  }

  writeFrom(offset: number, length: number): number {
    if (!this.#isWritable) return 0;
    return this.#noteWritten(this.#core!.send.writeFrom(offset, length), length);
  }

  #noteWritten(taken: number, wanted: number): number {
    if (taken < wanted) this.#host.noteStarved(this);
    if (taken > 0) this.connection!.requestOutput(this.#core!);
    return taken;
  }

  get unacknowledgedBytes(): number {
    return this.#core === undefined ? 0 : this.#core.send.unacknowledgedBytes;
  }

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

  get readableBytes(): number {
    if (this.#core === undefined || !this.#hasBytes) return 0;
    return this.#core.receive.readableBytes;
  }

  /** What comes in is the client's or the service's, and no longer the target. */
  get #hasBytes(): boolean {
    return this.#isOffered || this.#host.role === "source";
  }

  view(words: Int32Array, at: number, maxPairs: number): number {
    return this.readableBytes === 0 ? 0 : this.#core!.receive.view(words, at, maxPairs);
  }

  consume(bytes: number): void {
    if (bytes === 0 || this.#core === undefined) return;
    this.#core.receive.consume(bytes);
    this.#core.noteRead(bytes, this.#host.now);
  }

  takeSlots(words: Int32Array, at: number, max: number): number {
    if (this.readableBytes === 0) return 0;
    const core = this.#core!;
    const before = core.receive.readOffset;
    const taken = core.receive.takeRun(words, at, max);
    core.noteRead(core.receive.readOffset - before, this.#host.now);
    return taken;
  }

  read(into: Uint8Array): number {
    if (this.readableBytes === 0) return 0;
    const core = this.#core!;
    const total = Math.min(into.length, core.receive.readableBytes);
    this.#copyOut(core, into, total);
    core.noteRead(total, this.#host.now);
    return total;
  }

  #copyOut(core: StreamCore, into: Uint8Array, total: number): void {
    for (let at = 0; at < total; ) {
      core.receive.view(PAIR, 0, 1);
      const length = Math.min(PAIR[1]!, total - at);
      into.set(this.connection!.pool.bytes.subarray(PAIR[0]!, PAIR[0]! + length), at);
      core.receive.consume(length);
      at += length;
    }
  }

  get stats(): KcpConnectionStats {
    const core = this.#core;
    if (core === undefined) return this.#stats;
    const isSource = this.#host.role === "source";
    return {
      srttMs: this.connection!.srttMs,
      retransmittedShare: this.connection!.retransmittedShare,
      bytesSent: core.send.endOffset - (isSource ? this.#targetBytes : 0),
      bytesReceived: this.#bytesReceived,
      heldSlots: core.send.slots + core.receive.slots,
    };
  }

  // ── life, by the glue ─────────────────────────────────────────────────────────────────────────────────────────────

  accept(now: number): void {
    if (this.state !== "offered" || !this.#isOffered) return;
    this.state = "open";
    this.#host.due.remove(this);
    this.#host.counters.established++;
    // An empty STREAM frame tells a source of our kind that the target was reached; a stock one skips it.
    if (this.connection!.isExtended) this.#core!.owe(Item.hello);
    this.signal(Ready.established | Ready.writable | (this.readableBytes > 0 ? Ready.readable : 0));
    if (this.peerFinished) this.signal(Ready.peerFinished);
    if (this.locallyFinished) this.#core!.shutDown();
    else if (this.#isStopped) this.#checkStopped(now);
  }

  refuse(now: number, reason: RefusalReason): void {
    this.abort(now, reason);
  }

  shutdown(now: number): void {
    if (this.state === "closed" || this.locallyFinished) return;
    this.locallyFinished = true;
    if (this.state === "opening") {
      this.abort(now, "refused");
      return;
    }
    if (this.state !== "open") return;
    this.#host.due.set(this, now + this.#host.limits.drainStallMs);
    this.#core!.shutDown();
  }

  abort(now: number, reason?: RefusalReason): void {
    if (this.state === "closed") return;
    const code = reason === undefined || !this.isExtended ? NO_REASON : reasonCode(reason);
    this.#abandonCore(code, now);
    this.close("aborted");
  }

  release(now: number): void {
    if (this.isReleased) return;
    this.abort(now);
    this.isReleased = true;
    this.owner = undefined;
    this.#dropCore(now);
    this.#host.remove(this);
  }

  // ── life, by the endpoint ─────────────────────────────────────────────────────────────────────────────────────────

  /** Source: goes onto a connection, which is told the target first. Destination: was opened by the peer. */
  attach(connection: Connection<Owner>, core: StreamCore, target: Uint8Array | undefined): void {
    this.connection = connection;
    this.#core = core;
    core.events = this;
    if (target === undefined) return;
    this.#targetBytes = target.length;
    core.send.write(target);
    connection.requestOutput(core);
  }

  /** Source: the connection does not answer; the stream waits for another one. */
  detach(now: number): void {
    this.#abandonCore(NO_REASON, now);
    this.connection = undefined;
  }

  #abandonCore(code: number, now: number): void {
    this.#keepStats();
    this.#core?.abort(code, now);
    this.#core = undefined;
  }

  #keepStats(): void {
    if (this.#core !== undefined) this.#stats = { ...this.stats, heldSlots: 0 };
  }

  #dropCore(now: number): void {
    this.#keepStats();
    const core = this.#core;
    if (core === undefined) return;
    core.events = undefined;
    core.discard(now);
    this.#core = undefined;
  }

  /** Over, for this reason. What has been received stays readable until `release`. */
  close(reason: CloseReason): void {
    if (this.state === "closed") return;
    this.#keepStats();
    this.state = "closed";
    this.closeReason = reason;
    this.#host.due.remove(this);
    this.#host.counters.closed++;
    this.signal(Ready.closed);
  }

  /** The connection is gone. */
  connectionClosed(reason: CloseReason): void {
    this.close(
      this.peerFinished && this.unacknowledgedBytes === 0 && this.locallyFinished ? "finished" : reason,
    );
    this.#core?.disconnect();
  }

  /** Its time is over. */
  handleTimeout(now: number): void {
    if (this.state === "opening") {
      this.#abandonCore(NO_REASON, now);
      this.close(this.hasSign ? "undecided" : "no_answer");
    } else if (this.state === "offered") {
      this.#abandonCore(this.isExtended ? reasonCode("target_timeout") : NO_REASON, now);
      this.close("undecided");
    } else if (this.locallyFinished && this.unacknowledgedBytes > 0) {
      this.#abandonCore(NO_REASON, now);
      this.close("undelivered");
    }
  }

  /** The pool has slots again. */
  signalWritable(): void {
    if (this.#isWritable) this.signal(Ready.writable);
  }

  signal(bits: number): void {
    this.#ready |= bits;
    this.#host.markReady(this);
  }

  // ── news of the core ──────────────────────────────────────────────────────────────────────────────────────────────

  delivered(): void {
    this.hasSign = true;
    // A stock destination does not say that the target was reached: it has the stream, that must do.
    if (!this.isExtended) this.#establish();
  }

  acknowledged(now: number): void {
    if (this.#isWritable) this.signal(Ready.writable);
    else if (this.locallyFinished) this.#host.due.set(this, now + this.#host.limits.drainStallMs);
  }

  received(bytes: number, now: number): void {
    if (this.#host.role === "destination" && !this.#isOffered) {
      this.#readTarget(now);
      if (this.#isOffered) this.#noteReadable(this.#core!.receive.readableBytes);
      return;
    }
    this.#establish();
    this.#noteReadable(bytes);
  }

  #noteReadable(bytes: number): void {
    if (bytes === 0) return;
    this.#bytesReceived += bytes;
    this.signal(Ready.readable);
  }

  /** Source: the far side has the stream. */
  #establish(): void {
    if (this.state !== "opening") return;
    this.state = "open";
    this.#host.due.remove(this);
    this.#host.counters.established++;
    this.signal(Ready.established | Ready.writable);
  }

  /** The stream begins with its target: two bytes of length, and connection data (proxies.md 6.12). */
  #readTarget(now: number): void {
    const core = this.#core!;
    const { receive } = core;
    if (this.#targetBytes === 0) {
      if (receive.readableBytes < TARGET_LENGTH_BYTES) return;
      this.#copyOut(core, TARGET, TARGET_LENGTH_BYTES);
      core.noteRead(TARGET_LENGTH_BYTES, now);
      this.#targetBytes = (TARGET[0]! << 8) | TARGET[1]!;
    }
    const length = this.#targetBytes;
    if (length > 0 && length <= MAX_TARGET_BYTES && receive.readableBytes < length) return;
    const fits = length > 0 && length <= MAX_TARGET_BYTES;
    if (fits) {
      this.#copyOut(core, TARGET, length);
      core.noteRead(length, now);
    }
    const target = fits ? decodeSyn(TARGET, 0, length)?.target : undefined;
    if (target === undefined) {
      this.#host.counters.droppedConnectionData++;
      this.#abandonCore(this.isExtended ? reasonCode("denied") : NO_REASON, now);
      this.close("denied");
      this.release(now);
      return;
    }
    this.source = target.source;
    this.destination = target.destination;
    this.#isOffered = true;
    this.signal(Ready.incoming);
  }

  ended(now: number): void {
    if (this.peerFinished || this.state === "closed") return;
    if (this.#host.role === "destination" && !this.#isOffered) {
      // It ended before it said what it wants.
      this.#host.counters.droppedConnectionData++;
      this.#abandonCore(NO_REASON, now);
      this.close("denied");
      this.release(now);
      return;
    }
    this.peerFinished = true;
    this.signal(Ready.peerFinished);
    this.#checkStopped(now);
  }

  peerStopped(code: number, now: number): void {
    this.#isStopped = true;
    this.#stopCode = code;
    if (this.#takeBackEstablished()) {
      this.#closeWith(reasonOf(code, this.isExtended ? "refused" : "target_refused"), now);
    } else this.#checkStopped(now);
  }

  peerReset(code: number, now: number): void {
    const isOpening = this.#takeBackEstablished();
    this.#closeWith(reasonOf(code, isOpening && !this.isExtended ? "target_refused" : "reset"), now);
  }

  /**
   * Source: a refusal often comes in one packet with what makes the stream established. As long as nobody has heard of that, it is
   * taken back. True when the stream is opening after all.
   */
  #takeBackEstablished(): boolean {
    if (this.state === "opening") return true;
    if (this.#host.role !== "source" || this.#bytesReceived > 0) return false;
    if ((this.#ready & Ready.established) === 0) return false;
    this.#ready &= ~(Ready.established | Ready.writable);
    this.#host.counters.established--;
    this.state = "opening";
    return true;
  }

  finished(): void {
    this.close("finished");
  }

  /**
   * The peer reads no more, and has said all it had to say. Stock sources end so when their client's direction ends (proxies.md
   * 6.12); a stock destination that could not reach the target does so without a byte.
   */
  #checkStopped(now: number): void {
    if (!this.#isStopped || !this.peerFinished || this.state === "closed") return;
    if (this.state === "offered") return;
    const said = this.#bytesReceived > 0 || this.#host.role === "destination";
    if (said && this.#stopCode === NO_REASON) this.close("finished");
    else this.#closeWith(reasonOf(this.#stopCode, "far_end_reset"), now);
  }
  #stopCode = 0;

  #closeWith(reason: CloseReason, now: number): void {
    this.#abandonCore(NO_REASON, now);
    this.close(reason);
  }
}

const PAIR = new Int32Array(2);
const TARGET = new Uint8Array(MAX_TARGET_BYTES);
