/**
 * One connection: the state machine of proxies.md 3.5 with the recommendations of 3.4, 3.7 and 3.8, for both roles.
 *
 * ```
 *            source                                    destination
 *   opening ──SYN+ACK──▶ open                offered ──ACK+DATA──▶ open            RST, timeouts ──▶ closed
 *
 *   open, our direction      none ─shutdown▶ Ending ─FIN▶ … ─told, or acknowledged (ours)▶ done
 *   open, peer's direction   running ─FIN (ours: and its last byte is here)▶ finished
 *   both done ──▶ closed
 * ```
 *
 * Methods follow a packet's way: `receive…` (input), `handleTimeout` and `keepAlive` (time), `poll` (output), then the commands.
 */
import { Kcp, type SlotPool } from "kcp-ts";
import { readU32 } from "../wire/peer-header.ts";
import { agree, type Capabilities, decodeAccept, NO_REASON, reasonCode, reasonOf } from "./conn-data.ts";
import { Control, type ControlSubject, Controls } from "./controls.ts";
import type { Due } from "./due-heap.ts";
import { Ending } from "./ending.ts";
import {
  CLOSED_LINGER_MS,
  INTERACTIVE_BYTES,
  MAX_SYN_ACKS,
  OPEN_REPEAT_MS,
  RESET_REPEATS_MS,
  STOCK_FIRST_PUSH_DELAY_MS,
  STOCK_MTU,
  STOCK_WINDOW,
  THIRD_PACKET_REPEATS_MS,
} from "./limits.ts";
import { OpeningRace } from "./opening-race.ts";
import type { PacketOutput } from "./output.ts";
import { ACK_DATA, KCP_HEADER_BYTES, KcpFlag, STATE_FLAGS, SYN_ACK } from "./packet.ts";
import { CarriedStream } from "./stream.ts";
import {
  type CloseReason,
  type KcpConnection,
  type KcpConnectionState,
  type KcpEndpointCounters,
  type KcpLimits,
  type KcpRole,
  type KcpTarget,
  Ready,
  type RefusalReason,
  type SocketAddress,
} from "./types.ts";

/** What a connection needs of its endpoint. */
export interface ConnectionHost<Owner> {
  readonly role: KcpRole;
  readonly pool: SlotPool;
  readonly limits: KcpLimits;
  readonly capabilities: Capabilities;
  readonly counters: KcpEndpointCounters;
  /** The connection has news for the glue. */
  markReady(connection: Connection<Owner>): void;
  /** The connection may have something to send, or its timers have changed. */
  requestPoll(connection: Connection<Owner>): void;
  /** A writer got less than it wanted. */
  noteStarved(connection: Connection<Owner>): void;
  /** A further conv for the connection: packets with it are handed to the connection. */
  addConv(connection: Connection<Owner>): number;
  removeConv(connection: Connection<Owner>, conv: number): void;
  /** Destination role: the connection is half-open no more. */
  leaveHalfOpen(connection: Connection<Owner>): void;
  /** Packets need not find the connection any more. */
  forget(connection: Connection<Owner>, now: number): void;
  /** Neither packets nor the glue need the connection any more. */
  remove(connection: Connection<Owner>): void;
}

export interface ConnectionOptions<Owner> {
  readonly host: ConnectionHost<Owner>;
  readonly peerId: number;
  readonly conv: number;
  readonly target: KcpTarget;
  readonly now: number;
  /** Destination role: what the source's SYN said of it; undefined = stock. */
  readonly capabilities?: Capabilities | undefined;
  /** Source role. */
  readonly openTimeoutMs?: number | undefined;
  readonly rttMs?: number | undefined;
}

const NO_CONVS: readonly number[] = [];

export class Connection<Owner> extends CarriedStream implements KcpConnection<Owner>, ControlSubject, Due {
  owner: Owner | undefined = undefined;
  readonly peerId: number;
  conv: number;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly createdAt: number;
  state: KcpConnectionState;
  closeReason: CloseReason | undefined = undefined;
  peerFinished = false;
  /** What both ends can do; undefined = the peer is a stock node, or (source role, opening) not known yet. */
  agreed: Capabilities | undefined = undefined;

  // ── places in the endpoint's structures; only it changes them ─────────────────────────────────────────────────────
  dueAt = Infinity;
  heapIndex = -1;
  /** Place in the endpoint's list, -1 = removed. */
  listIndex = -1;
  isReady = false;
  nextReady: Connection<Owner> | undefined = undefined;
  isPolled = false;
  nextPolled: Connection<Owner> | undefined = undefined;
  /** Serial number of the endpoint's `poll` in which it last had its turn. */
  polledIn = 0;
  isStarved = false;

  /** The glue has let go of it. */
  isReleased = false;
  readonly #host: ConnectionHost<Owner>;
  readonly #isSource: boolean;
  readonly #controls = new Controls();
  #ready = 0;
  #race: OpeningRace | undefined = undefined;
  #isAccepted = false;
  #isForgotten = false;
  #isEnding = false;
  #ending: Ending | undefined = undefined;
  /** Bytes (modulo 2^32) after which the peer's direction ends, -1 = not told yet. */
  #peerFinalBytes = -1;
  #pingSentAt = Number.NaN;
  #pingRttMs = 0;
  #hasHeardData = false;
  /** Repetitions so far of the packet that the state repeats: SYN+ACK, third packet, RST. */
  #repeats = 0;

  // ── timers, in milliseconds of `now` ──────────────────────────────────────────────────────────────────────────────
  /** The state's packet goes out again. */
  #repeatAt = Infinity;
  /** The state ends: opening and offered time out, closed is forgotten. */
  #expireAt = Infinity;
  /** KCP output is held back until then. */
  #holdUntil = 0;
  #lastHeardAt: number;
  /** Bytes were delivered either way: the connection is not stuck. */
  #lastProgressAt: number;
  readonly #openTimeoutMs: number;

  constructor(options: ConnectionOptions<Owner>) {
    super();
    const { host, now } = options;
    this.#host = host;
    this.#isSource = host.role === "source";
    this.peerId = options.peerId;
    this.conv = options.conv;
    this.source = options.target.source;
    this.destination = options.target.destination;
    this.createdAt = now;
    this.#lastHeardAt = now;
    this.#lastProgressAt = now;
    this.#openTimeoutMs = options.openTimeoutMs ?? host.limits.openTimeoutMs;
    if (this.#isSource) {
      this.state = "opening";
      this.#race = new OpeningRace(options.conv, now, options.rttMs);
      this.#repeatAt = this.#race.repeatAt;
      this.#expireAt = now + this.#openTimeoutMs;
      this.#controls.add(Control.syn);
      return;
    }
    this.state = "offered";
    if (options.capabilities !== undefined) {
      this.agreed = agree(host.capabilities, options.capabilities);
      this.#expireAt = now + host.limits.decideTimeoutMs;
      this.#signal(Ready.incoming);
    } else this.#answer(now);
  }

  get isExtended(): boolean {
    return this.agreed !== undefined;
  }

  get locallyFinished(): boolean {
    return this.#isEnding;
  }

  get racingConvs(): readonly number[] {
    return this.#race?.convs ?? NO_CONVS;
  }

  get ownCapabilities(): Capabilities {
    return this.#host.capabilities;
  }

  /** What an RST for this client says to attempts that come late; `NO_REASON` when it was not refused. */
  get refusalCode(): number {
    return this.state === "closed" ? this.#controls.resetCode : NO_REASON;
  }

  /** Its output is small: it goes before the bulk when output is scarce. */
  get isInteractive(): boolean {
    return this.kcp === undefined || this.kcp.unacknowledgedBytes <= INTERACTIVE_BYTES;
  }

  /** When `handleTimeout` or `poll` should be called even if nothing arrives. */
  get nextAt(): number {
    let at = Math.min(this.#repeatAt, this.#expireAt);
    if (this.#ending !== undefined && this.#ending.nextAt < at) at = this.#ending.nextAt;
    if (this.kcp !== undefined && this.state !== "closed") {
      const outputAt = Math.max(this.kcp.nextTimeout, this.#holdUntil);
      if (outputAt < at) at = outputAt;
    }
    return at;
  }

  takeReady(): number {
    const bits = this.#ready;
    this.#ready = 0;
    return bits;
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One packet for this connection: its body at `offset` in `slot`. True = the slot was taken. */
  receive(conv: number, flags: number, slot: number, offset: number, length: number, now: number): boolean {
    this.#lastHeardAt = now;
    if ((flags & KcpFlag.ping) !== 0) {
      this.#receivePing(conv, flags, offset, length, now);
      return false;
    }
    const kind = flags & STATE_FLAGS;
    if (this.state === "opening") this.#receiveOpening(conv, kind, offset, length, now);
    else if (this.state === "offered") this.#receiveOffered(kind, offset, length, now);
    else if (this.state === "closed") this.#receiveClosed(conv, kind);
    else return this.#receiveOpen(kind, slot, offset, length, now);
    // The third packet may carry the first bytes.
    if (kind !== ACK_DATA || !this.#isOpen()) return false;
    return this.#receiveOpen(kind, slot, offset, length, now);
  }

  #isOpen(): boolean {
    return this.state === "open";
  }

  /** proxies.md 3.5, rows SynSent; several convs may be in the race. */
  #receiveOpening(conv: number, kind: number, offset: number, length: number, now: number): void {
    if (kind === SYN_ACK) {
      this.#win(conv, offset, length, now);
    } else if ((kind & KcpFlag.rst) !== 0) {
      this.#lose(conv, this.#reasonIn(offset, length), now);
    } else if ((kind & KcpFlag.fin) !== 0) {
      this.#controls.addReset(conv);
      this.#lose(conv, NO_REASON, now);
    } else if (kind === ACK_DATA) {
      // Only a destination of our kind that has accepted sends data before our third packet: its SYN+ACK was lost.
      this.#host.counters.droppedData++;
      this.#race!.showSignOfLife(now);
      if (this.#race!.nudge(now)) this.#owe(Control.syn);
    }
  }

  #win(conv: number, offset: number, length: number, now: number): void {
    const theirs = decodeAccept(this.#host.pool.bytes, offset, length);
    this.agreed = theirs === undefined ? undefined : agree(this.#host.capabilities, theirs);
    for (const loser of this.#race!.convs) {
      if (loser === conv) continue;
      this.#host.removeConv(this, loser);
      this.#controls.addReset(loser);
    }
    this.#race = undefined;
    this.conv = conv;
    this.#controls.keep(Control.pong);
    this.#controls.add(Control.third);
    this.#repeats = 0;
    this.#repeatAt = now + THIRD_PACKET_REPEATS_MS[0]!;
    if (this.agreed === undefined) this.#holdUntil = now + STOCK_FIRST_PUSH_DELAY_MS;
    this.#open(now);
  }

  /** One attempt failed. Without a reason the others go on. */
  #lose(conv: number, code: number, now: number): void {
    const race = this.#race!;
    if (code !== NO_REASON) this.#close(reasonOf(code, "refused"), now);
    else if (race.convs.length === 1) this.#close("refused", now);
    else {
      race.drop(conv);
      this.#host.removeConv(this, conv);
      this.conv = race.convs[0]!;
      this.requestPoll();
    }
  }

  /** proxies.md 3.5, rows SynReceived. */
  #receiveOffered(kind: number, offset: number, length: number, now: number): void {
    const isAnswered = this.agreed === undefined || this.#isAccepted;
    if ((kind & KcpFlag.rst) !== 0) {
      this.#close("reset", now);
    } else if (kind === KcpFlag.syn) {
      this.answerAgain();
    } else if (kind === ACK_DATA) {
      if (isAnswered) this.#open(now);
      else if (length > 0) this.#host.counters.droppedData++;
    } else if ((kind & KcpFlag.fin) !== 0) {
      if (this.agreed !== undefined && this.#isAccepted) {
        // A source of our kind ends its direction only once established: its third packet was lost.
        this.#open(now);
        this.#receiveFin(offset, length, now);
      } else {
        this.#controls.addReset(this.conv);
        this.#close("reset", now);
      }
    }
  }

  #receiveOpen(kind: number, slot: number, offset: number, length: number, now: number): boolean {
    let isTaken = false;
    if ((kind & KcpFlag.data) !== 0 && length > 0) isTaken = this.#receiveData(slot, offset, length, now);
    if (kind === ACK_DATA) return isTaken;
    // proxies.md 3.5, rows Established, LocalClosed, PeerClosed.
    if ((kind & KcpFlag.rst) !== 0) {
      this.#receiveReset((kind & KcpFlag.data) === 0 ? this.#reasonIn(offset, length) : NO_REASON, now);
    } else if ((kind & KcpFlag.fin) !== 0) {
      this.#receiveFin(offset, (kind & KcpFlag.data) === 0 ? length : 0, now);
    } else if (kind === KcpFlag.ack) {
      if (this.agreed !== undefined && this.#ending !== undefined) {
        this.#ending.acknowledge();
        this.#checkFinished(now);
        this.requestPoll();
      }
    } else if (kind === SYN_ACK && this.#isSource) {
      // The destination has not seen our third packet.
      this.#owe(Control.third);
    }
    return isTaken;
  }

  #receiveData(slot: number, offset: number, length: number, now: number): boolean {
    const kcp = this.kcp!;
    if (!this.#hasHeardData) {
      this.#hasHeardData = true;
      this.#holdUntil = 0;
      // The destination answers, so it has seen the third packet.
      this.#repeatAt = Infinity;
    }
    const before = kcp.readableBytes;
    const isTaken = kcp.handleDatagram(slot, offset, length, now);
    const received = kcp.readableBytes - before;
    if (received > 0) {
      this.noteReceived(received);
      this.#lastProgressAt = now;
      this.#signal(Ready.readable);
      if (this.#peerFinalBytes >= 0) this.#checkPeerEnd(now);
    }
    if (this.noteAcknowledged()) {
      this.#lastProgressAt = now;
      if (this.isWritable) this.#signal(Ready.writable);
      else if (kcp.unacknowledgedBytes === 0 && this.#ending?.delivered(now) === true) {
        this.#owe(Control.fin);
      }
    }
    if (this.#ending !== undefined && !this.#ending.isSent) this.#stepEnding(now);
    this.requestPoll();
    return isTaken;
  }

  #receiveFin(offset: number, length: number, now: number): void {
    if (this.#halfCloses && length >= 4) {
      if (this.peerFinished) this.#owe(Control.finAck);
      else {
        this.#peerFinalBytes = readU32(this.#host.pool.bytes, offset);
        this.#checkPeerEnd(now);
      }
    } else this.#finishPeer(now);
    this.#checkFinished(now);
  }

  /** The FIN of a peer of our kind tells how many bytes precede it, and is acknowledged when they are here. */
  #checkPeerEnd(now: number): void {
    if (this.peerFinished || this.bytesReceived >>> 0 !== this.#peerFinalBytes) return;
    this.#owe(Control.finAck);
    this.#finishPeer(now);
    this.#checkFinished(now);
  }

  #finishPeer(now: number): void {
    if (this.peerFinished) return;
    this.peerFinished = true;
    this.#lastProgressAt = now;
    this.#signal(Ready.peerFinished);
  }

  #receiveReset(code: number, now: number): void {
    if (code !== NO_REASON) {
      this.#close(reasonOf(code, "reset"), now);
      return;
    }
    const isDelivered = this.unacknowledgedBytes === 0;
    // A stock peer whose FIN was lost answers our PING, or our FIN, with RST. It sends FIN only after all its bytes were
    // acknowledged, so nothing is missing (proxies.md 3.7).
    const isLostFin =
      this.agreed === undefined && (this.#ending?.isSent === true || !Number.isNaN(this.#pingSentAt));
    if (isDelivered && (this.peerFinished || isLostFin)) {
      this.#finishPeer(now);
      this.#close("finished", now);
    } else this.#close("reset", now);
  }

  /** proxies.md 3.5, rows Closed: what is still under way is absorbed. */
  #receiveClosed(conv: number, kind: number): void {
    if ((kind & (KcpFlag.rst | KcpFlag.fin)) !== 0) this.#repeatAt = Infinity;
    if (kind === KcpFlag.syn) {
      this.#controls.addReset(conv);
      this.requestPoll();
    } else if ((kind & KcpFlag.fin) !== 0 && this.closeReason === "finished" && this.#halfCloses) {
      this.#owe(Control.finAck);
    }
  }

  /** proxies.md 3.8. */
  #receivePing(conv: number, flags: number, offset: number, length: number, now: number): void {
    if ((flags & KcpFlag.pong) !== 0) {
      this.#receivePong(now);
      return;
    }
    if (this.state === "closed") this.#controls.addReset(conv);
    else this.#controls.addPong(this.#host.pool.bytes, offset, length);
    // A stock peer pings on a connection whose FIN it should have seen: perhaps it has not.
    if (this.#ending?.isSent === true && !this.#halfCloses) this.#controls.add(Control.fin);
    this.requestPoll();
  }

  #receivePong(now: number): void {
    if (this.#race !== undefined) {
      // We send no PING while opening: a destination of our kind says that it is deciding.
      const wasDeciding = this.#race.isDeciding;
      this.#race.showSignOfLife(now);
      const latest = this.createdAt + this.#openTimeoutMs + this.#host.limits.decideTimeoutMs;
      this.#expireAt = Math.min(latest, Math.max(this.#expireAt, now + this.#openTimeoutMs));
      if (!wasDeciding) this.#repeatAt = this.#race.repeatAt;
      this.requestPoll();
    }
    if (Number.isNaN(this.#pingSentAt)) return;
    this.#pingRttMs = now - this.#pingSentAt;
    this.#pingSentAt = Number.NaN;
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One of the timers behind `nextAt` may have run out. */
  handleTimeout(now: number): void {
    if (now >= this.#expireAt) this.#expire(now);
    if (now >= this.#repeatAt) this.#repeat(now);
    if (this.#ending !== undefined && now >= this.#ending.nextAt) this.#stepEnding(now);
    this.requestPoll();
  }

  #expire(now: number): void {
    this.#expireAt = Infinity;
    if (this.state === "opening") {
      for (const conv of this.#race!.convs) this.#controls.addReset(conv);
      this.#close(this.#race!.isDeciding ? "undecided" : "no_answer", now);
    } else if (this.state === "offered") {
      const isUndecided = this.agreed !== undefined && !this.#isAccepted;
      if (isUndecided) this.#controls.resetCode = reasonCode("target_timeout");
      this.#controls.addReset(this.conv);
      this.#close(isUndecided ? "undecided" : "no_answer", now);
    } else if (this.state === "closed") {
      this.#isForgotten = true;
      this.#host.forget(this, now);
      if (this.isReleased) this.#host.remove(this);
    }
  }

  #repeat(now: number): void {
    this.#repeatAt = Infinity;
    if (this.state === "opening") {
      const race = this.#race!;
      if (race.nextRound(now)) race.convs.push(this.#host.addConv(this));
      this.#repeatAt = race.repeatAt;
      this.#controls.add(Control.syn);
    } else if (this.state === "offered") {
      if (++this.#repeats < MAX_SYN_ACKS) this.#repeatAt = now + OPEN_REPEAT_MS;
      this.#controls.add(Control.synAck);
    } else if (this.state === "closed") {
      this.#controls.addReset(this.conv);
      const nextMs = RESET_REPEATS_MS[++this.#repeats];
      if (nextMs !== undefined) this.#repeatAt = now + nextMs;
    } else {
      this.#controls.add(Control.third);
      const nextMs = THIRD_PACKET_REPEATS_MS[++this.#repeats];
      if (nextMs !== undefined) this.#repeatAt = now + nextMs;
    }
  }

  /** Called about every ten seconds: silence, stalls, PING. */
  keepAlive(now: number): void {
    if (this.state !== "open") return;
    const { limits } = this.#host;
    const isStockHalfClosed = this.peerFinished && !this.#halfCloses;
    const stuckMs = now - this.#lastProgressAt;
    if (now - this.#lastHeardAt > limits.silenceMs) {
      this.#abort("silent", NO_REASON, now);
    } else if (this.unacknowledgedBytes > 0) {
      const isStuck =
        (isStockHalfClosed && stuckMs > limits.stockHalfClosedStallMs) ||
        (this.#isEnding && stuckMs > limits.drainStallMs);
      if (isStuck) this.#abort("undelivered", NO_REASON, now);
    } else if (isStockHalfClosed && !this.#isEnding && stuckMs > limits.stockHalfClosedIdleMs) {
      this.#abort("silent", NO_REASON, now);
    } else if (this.#ending?.isExhausted === true) this.#owe(Control.fin);
    // A PING would make a half-closed stock source reset the connection (proxies.md 3.7).
    if (!this.#isOpen() || isStockHalfClosed) return;
    this.#pingSentAt = now;
    this.#owe(Control.ping);
  }

  // ── output ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends what is due, at most `quantum` datagrams of data; `output.isCut` tells that there is more. */
  poll(now: number, output: PacketOutput, quantum: number): void {
    if (!this.#controls.isEmpty && !this.#controls.poll(this, output)) return;
    if (this.kcp !== undefined && this.state !== "closed" && now >= this.#holdUntil) {
      output.data(this.peerId, this.conv, this.kcp, now, quantum);
    }
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  accept(now: number): void {
    if (this.state !== "offered" || this.agreed === undefined || this.#isAccepted) return;
    this.#isAccepted = true;
    this.#startStream(now);
    this.#answer(now);
    this.#signal(Ready.writable);
  }

  refuse(now: number, reason: RefusalReason): void {
    this.abort(now, reason);
  }

  shutdown(now: number): void {
    if (this.state === "closed" || this.#isEnding) return;
    if (this.kcp === undefined) {
      this.abort(now, "refused");
      return;
    }
    this.#isEnding = true;
    this.isWritable = false;
    this.#lastProgressAt = now;
    if (this.state === "open") this.#startEnding(now);
  }

  abort(now: number, reason?: RefusalReason): void {
    if (this.state === "closed") return;
    const code = reason === undefined || this.agreed === undefined ? NO_REASON : reasonCode(reason);
    this.#abort("aborted", code, now);
    this.dispose();
  }

  release(now: number): void {
    if (this.isReleased) return;
    this.abort(now);
    this.isReleased = true;
    this.owner = undefined;
    this.dispose();
    if (this.#isForgotten) this.#host.remove(this);
  }

  /** The peer left the network: there is nobody to tell. */
  losePeer(now: number): void {
    this.#close("peer_gone", now);
  }

  /** The source has asked again: the answer may have been lost, or we are still deciding. */
  answerAgain(): void {
    if (this.state !== "offered") return;
    if (this.agreed === undefined || this.#isAccepted) this.#owe(Control.synAck);
    else {
      this.#controls.addPong(this.#host.pool.bytes, 0, 0);
      this.requestPoll();
    }
  }

  /** The pool has slots again. */
  signalWritable(): void {
    if (this.isWritable) this.#signal(Ready.writable);
  }

  // ── transitions ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Destination: the SYN is answered, and again until the third packet comes. */
  #answer(now: number): void {
    this.#repeats = 0;
    this.#repeatAt = now + OPEN_REPEAT_MS;
    this.#expireAt = now + (MAX_SYN_ACKS + 1) * OPEN_REPEAT_MS;
    this.#owe(Control.synAck);
  }

  #open(now: number): void {
    this.state = "open";
    this.#expireAt = Infinity;
    if (this.kcp === undefined) this.#startStream(now);
    this.#host.counters.established++;
    let news: number = Ready.established | Ready.writable;
    if (!this.#isSource) {
      this.#repeatAt = Infinity;
      this.#host.leaveHalfOpen(this);
      if (this.agreed === undefined) news |= Ready.incoming;
    }
    this.#signal(news);
    if (this.#isEnding) this.#startEnding(now);
    this.requestPoll();
  }

  #startStream(now: number): void {
    const { pool, limits } = this.#host;
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
      startMs: now,
    });
    this.isWritable = !this.#isEnding;
  }

  /** `shutdown` on an open connection. */
  #startEnding(now: number): void {
    // From here on the FIN says what the third packet said.
    this.#repeatAt = Infinity;
    this.#ending = new Ending(this.kcp!, this.#halfCloses, now);
    this.#stepEnding(now);
  }

  #stepEnding(now: number): void {
    const ending = this.#ending!;
    const { limits } = this.#host;
    // Toward a stock destination FIN cuts its answer short: let it speak first.
    const mayCut = this.#isSource && !this.peerFinished;
    const quietUntil = mayCut ? this.#lastProgressAt + limits.stockAnswerQuietMs : 0;
    const stallMs = this.peerFinished ? limits.stockHalfClosedStallMs : limits.drainStallMs;
    if (ending.step(now, quietUntil, stallMs)) {
      this.#owe(Control.fin);
      this.#checkFinished(now);
    }
    this.requestPoll();
  }

  /** Both directions have ended: ours is known to have arrived (peers of our kind say so), or was told at least. */
  #checkFinished(now: number): void {
    const ending = this.#ending;
    if (this.state !== "open" || !this.peerFinished || ending === undefined) return;
    if (this.#halfCloses ? ending.isAcknowledged : ending.isSent) this.#close("finished", now);
  }

  #abort(reason: CloseReason, code: number, now: number): void {
    this.#controls.resetCode = code;
    if (this.#race === undefined) this.#controls.addReset(this.conv);
    else for (const conv of this.#race.convs) this.#controls.addReset(conv);
    this.#close(reason, now);
    this.#repeats = 0;
    this.#repeatAt = now + RESET_REPEATS_MS[0]!;
  }

  #close(reason: CloseReason, now: number): void {
    if (this.state === "closed") return;
    if (this.state === "offered") this.#host.leaveHalfOpen(this);
    for (const conv of this.racingConvs) if (conv !== this.conv) this.#host.removeConv(this, conv);
    this.#race = undefined;
    this.#ending = undefined;
    this.state = "closed";
    this.closeReason = reason;
    this.isWritable = false;
    this.#repeatAt = Infinity;
    this.#expireAt = now + CLOSED_LINGER_MS;
    // The last FIN, the acknowledgement of the peer's, and resets still go out.
    this.#controls.keep(Control.fin | Control.finAck);
    if (this.readableBytes === 0) this.dispose();
    this.#host.counters.closed++;
    this.#signal(Ready.closed);
    this.requestPoll();
  }

  // ── small things ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Each direction ends on its own, and says so. */
  get #halfCloses(): boolean {
    return this.agreed?.halfClose ?? false;
  }

  /** The reason in the body of an RST of a peer of our kind. */
  #reasonIn(offset: number, length: number): number {
    return length === 1 ? this.#host.pool.bytes[offset]! : NO_REASON;
  }

  #signal(bits: number): void {
    this.#ready |= bits;
    this.#host.markReady(this);
  }

  #owe(control: number): void {
    this.#controls.add(control);
    this.requestPoll();
  }

  protected requestPoll(): void {
    this.#host.requestPoll(this);
  }

  protected noteStarved(): void {
    this.#host.noteStarved(this);
  }

  protected get pingRttMs(): number {
    return this.#pingRttMs;
  }
}
