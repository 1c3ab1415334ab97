/**
 * One connection: what its phases share, the commands of the glue, and the way between the phases (`phase.ts`).
 */
import { Kcp } from "kcp-ts";
import { agree, type Capabilities, NO_REASON, reasonCode } from "./conn-data.ts";
import { Control, type ControlSubject, Controls } from "./controls.ts";
import type { Due } from "./due-heap.ts";
import { INTERACTIVE_BYTES, STOCK_MTU, STOCK_WINDOW } from "./limits.ts";
import type { PacketOutput } from "./output.ts";
import { KCP_HEADER_BYTES, KcpFlag, STATE_FLAGS } from "./packet.ts";
import type { ConnectionHost, ConnectionOptions, Phase } from "./phase.ts";
import { ClosedPhase } from "./phase-closed.ts";
import { OfferedPhase } from "./phase-offered.ts";
import { OpenPhase } from "./phase-open.ts";
import { OpeningPhase } from "./phase-opening.ts";
import { CarriedStream } from "./stream.ts";
import {
  type CloseReason,
  type KcpConnection,
  type KcpConnectionState,
  Ready,
  type RefusalReason,
  type SocketAddress,
} from "./types.ts";

const NO_CONVS: readonly number[] = [];

export class Connection<Owner> extends CarriedStream implements KcpConnection<Owner>, ControlSubject, Due {
  readonly transport = "kcp";
  owner: Owner | undefined = undefined;
  readonly peerId: number;
  conv: number;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly createdAt: number;
  closeReason: CloseReason | undefined = undefined;
  peerFinished = false;
  locallyFinished = false;

  // ── for the phases ────────────────────────────────────────────────────────────────────────────────────────────
  readonly host: ConnectionHost<Owner>;
  readonly controls = new Controls();
  /** What both ends can do; undefined = the peer is a stock node, or (source role, opening) not known yet. */
  agreed: Capabilities | undefined = undefined;
  phase: Phase;
  /** The glue has let go of it. */
  isReleased = false;
  #opening: OpeningPhase<Owner> | undefined = undefined;
  #offered: OfferedPhase<Owner> | undefined = undefined;
  #open: OpenPhase<Owner> | undefined = undefined;
  #closed: ClosedPhase<Owner> | undefined = undefined;
  #ready = 0;

  // ── places in the endpoint's structures; only it changes them ─────────────────────────────────────────────────────
  dueAt = Infinity;
  heapIndex = -1;
  /** Place in the endpoint's list, -1 = not in it. */
  listIndex = -1;
  isReady = false;
  nextReady: Connection<Owner> | undefined = undefined;
  isPolled = false;
  nextPolled: Connection<Owner> | undefined = undefined;
  isStarved = false;

  constructor(options: ConnectionOptions<Owner>) {
    super();
    const { host, now, capabilities } = options;
    this.host = host;
    this.peerId = options.peerId;
    this.conv = options.conv;
    this.source = options.target.source;
    this.destination = options.target.destination;
    this.createdAt = now;
    if (host.role === "source") {
      const openTimeoutMs = options.openTimeoutMs ?? host.limits.openTimeoutMs;
      this.#opening = new OpeningPhase(this, now, openTimeoutMs, options.rttMs);
      this.phase = this.#opening;
    } else {
      if (capabilities !== undefined) this.agreed = agree(host.capabilities, capabilities);
      this.#offered = new OfferedPhase(this, now);
      this.phase = this.#offered;
    }
  }

  get state(): KcpConnectionState {
    if (this.#open !== undefined) return "open";
    if (this.#closed !== undefined) return "closed";
    return this.#opening === undefined ? "offered" : "opening";
  }

  get isExtended(): boolean {
    return this.agreed !== undefined;
  }

  /** Each direction ends on its own, and says after how many bytes. */
  get tellsItsEnd(): boolean {
    return this.agreed?.halfClose ?? false;
  }

  /** Over, with everything delivered both ways, between nodes that tell each other so. */
  get hasAcknowledgedEnd(): boolean {
    return this.closeReason === "finished" && this.tellsItsEnd;
  }

  get racingConvs(): readonly number[] {
    return this.#opening?.convs ?? NO_CONVS;
  }

  get ownCapabilities(): Capabilities {
    return this.host.capabilities;
  }

  /** What an RST for this client says to attempts that come late; `NO_REASON` when it was not refused. */
  get refusalCode(): number {
    return this.#closed === undefined ? NO_REASON : this.controls.resetCode;
  }

  /** Its output is small: it goes before the bulk when output is scarce. */
  get isInteractive(): boolean {
    return this.kcp === undefined || this.kcp.unacknowledgedBytes <= INTERACTIVE_BYTES;
  }

  /** When `handleTimeout` or `poll` should be called even if nothing arrives. */
  get nextAt(): number {
    // A destination of our kind may send before it is open.
    const outputAt = this.#offered === undefined || this.kcp === undefined ? Infinity : this.kcp.nextTimeout;
    return Math.min(this.phase.nextAt, outputAt);
  }

  takeReady(): number {
    const bits = this.#ready;
    this.#ready = 0;
    return bits;
  }

  // ── input, time, output ───────────────────────────────────────────────────────────────────────────────────────

  /** One packet for this connection: its body at `offset` in `slot`. True = the slot was taken. */
  receive(conv: number, flags: number, slot: number, offset: number, length: number, now: number): boolean {
    if ((flags & KcpFlag.ping) === 0) {
      return this.phase.receive(conv, flags & STATE_FLAGS, slot, offset, length, now);
    }
    if ((flags & KcpFlag.pong) !== 0) {
      this.phase.receivePong(now);
      return false;
    }
    // proxies.md 3.8, but a connection whose direction has ended here still answers PONG (3.7, R).
    if (this.#closed !== undefined) this.controls.addReset(conv);
    else this.controls.addPong(this.host.pool.bytes, offset, length);
    this.#open?.receivePing(now);
    this.requestPoll();
    return false;
  }

  /** Packets of segments that follow each other (`Kcp.handleRun`). False = to be given to `receive` one by one. */
  receiveRun(words: Int32Array, at: number, count: number, now: number): boolean {
    return this.#open?.receiveRun(words, at, count, now) ?? false;
  }

  /** One of the timers behind `nextAt` may have run out. */
  handleTimeout(now: number): void {
    this.phase.handleTimeout(now);
    this.requestPoll();
  }

  /** Called about every ten seconds. */
  keepAlive(now: number): void {
    this.phase.keepAlive(now);
  }

  /** Sends what is due, at most `quantum` datagrams of data; `output.isCut` tells that there is more. */
  poll(now: number, output: PacketOutput, quantum: number): void {
    if (!this.controls.isEmpty && !this.controls.poll(this, output)) return;
    if (this.kcp === undefined || this.#closed !== undefined) return;
    if (this.#open?.isHeld(now) === true) return;
    output.data(this.peerId, this.conv, this.kcp, now, quantum);
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  accept(now: number): void {
    this.#offered?.accept(now);
  }

  refuse(now: number, reason: RefusalReason): void {
    this.abort(now, reason);
  }

  shutdown(now: number): void {
    if (this.#closed !== undefined || this.locallyFinished) return;
    if (this.kcp === undefined) {
      this.abort(now, "refused");
      return;
    }
    this.locallyFinished = true;
    this.isWritable = false;
    this.#open?.shutdown(now);
  }

  abort(now: number, reason?: RefusalReason): void {
    if (this.#closed !== undefined) return;
    this.end("aborted", reason === undefined || !this.isExtended ? NO_REASON : reasonCode(reason), now);
    this.dispose();
  }

  release(now: number): void {
    if (this.isReleased) return;
    this.abort(now);
    this.isReleased = true;
    this.owner = undefined;
    this.dispose();
    if (this.#closed?.isForgotten === true) this.host.remove(this);
  }

  /** The source has asked again (`OfferedPhase.answerAgain`). */
  answerAgain(): void {
    this.#offered?.answerAgain();
  }

  /** The pool has slots again. */
  signalWritable(): void {
    if (this.isWritable) this.signal(Ready.writable);
  }

  // ── from phase to phase ───────────────────────────────────────────────────────────────────────────────────────

  /** Both ends have the connection. */
  open(now: number): void {
    const kcp = this.kcp ?? this.startStream(now);
    let news: number = Ready.established | Ready.writable;
    if (this.#offered !== undefined) {
      this.host.leaveHalfOpen(this);
      if (!this.isExtended) news |= Ready.incoming;
    }
    this.#opening = undefined;
    this.#offered = undefined;
    this.#open = new OpenPhase(this, kcp, now);
    this.phase = this.#open;
    this.host.counters.established++;
    this.signal(news);
    if (this.locallyFinished) this.#open.shutdown(now);
    this.requestPoll();
  }

  startStream(now: number): Kcp {
    const { pool, limits } = this.host;
    const { agreed } = this;
    const window = agreed === undefined ? STOCK_WINDOW : limits.extendedWindow;
    this.kcp = new Kcp({
      conv: this.conv,
      pool,
      headroom: KCP_HEADER_BYTES,
      mtu: agreed === undefined ? STOCK_MTU : agreed.mtu,
      sendWindow: window,
      receiveWindow: window,
      extended: agreed?.extendedAcks ?? false,
      quota: this.host.quotaOf(this.peerId),
      spareSlots: Math.min(limits.spareSlots, pool.slotCount >>> 3),
      startMs: now,
    });
    this.isWritable = true;
    return this.kcp;
  }

  /** Closes, and tells the peer with an RST that says `code`. */
  end(reason: CloseReason, code: number, now: number): void {
    this.controls.resetCode = code;
    if (this.#opening === undefined) this.controls.addReset(this.conv);
    else for (const conv of this.#opening.convs) this.controls.addReset(conv);
    this.close(reason, now, true);
  }

  /** Closes without a word. */
  close(reason: CloseReason, now: number, repeatsReset = false): void {
    if (this.#closed !== undefined) return;
    if (this.#offered !== undefined) this.host.leaveHalfOpen(this);
    for (const conv of this.racingConvs) if (conv !== this.conv) this.host.removeConv(this, conv);
    this.#opening = undefined;
    this.#offered = undefined;
    this.#open = undefined;
    this.#closed = new ClosedPhase(this, now, repeatsReset);
    this.phase = this.#closed;
    this.closeReason = reason;
    this.isWritable = false;
    // The last FIN, the acknowledgement of the peer's, and resets still go out.
    this.controls.keep(Control.fin | Control.finAck);
    if (this.readableBytes === 0) this.dispose();
    this.host.counters.closed++;
    this.signal(Ready.closed);
    this.requestPoll();
  }

  // ── for the phases ────────────────────────────────────────────────────────────────────────────────────────────

  /** The reason in the body of an RST of a peer of our kind. */
  reasonIn(offset: number, length: number): number {
    return length === 1 ? this.host.pool.bytes[offset]! : NO_REASON;
  }

  /** News for the glue, bits of `Ready`. */
  signal(bits: number): void {
    this.#ready |= bits;
    this.host.markReady(this);
  }

  /** A control packet for the next `poll`. */
  owe(control: number): void {
    this.controls.add(control);
    this.requestPoll();
  }

  requestPoll(): void {
    this.host.requestPoll(this);
  }

  protected noteStarved(): void {
    this.host.noteStarved(this);
  }
}
