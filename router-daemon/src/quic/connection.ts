/**
 * One QUIC connection (proxies.md 6): handshake without TLS, streams, limits, life and end. What comes in is taken apart by
 * `PacketInput`, what goes out is put together by `ConnectionOutput`; the state they share is here.
 *
 * ```
 *   client   handshaking ── Handshake packet with the server's block ──▶ open ──▶ closing / draining ──▶ gone
 *   server   handshaking ── first Handshake (or 1-RTT) packet ─────────▶ open ──▶ …
 * ```
 */
import type { CongestionFactory, SlotPool, SlotQuota } from "kcp-ts";
import { FLOAT_ZERO, Stamp } from "kcp-ts/recovery";
import type { CloseReason } from "../kcp/types.ts";
import { type ChecksumForm, TAG_BYTES } from "./checksum.ts";
import { ConnectionStreams } from "./connection-streams.ts";
import { type FrameReader, QuicError, RESET_TOKEN_BYTES } from "./frames.ts";
import {
  ACK_DELAY_EXPONENT,
  ANNOUNCED_ACK_DELAY_MS,
  ATTEMPT_AFTER_MS,
  DRAIN_PROBE_TIMEOUTS,
  HANDSHAKE_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  MAX_ACK_DELAY_MS,
  MAX_CLOSE_REPEATS,
  MAX_HANDSHAKE_RECORDS,
  MAX_SENT_RECORDS,
  STOCK_DATAGRAM_BYTES,
  SUSPECT_AFTER_MS,
  UNUSED_CONNECTION_MS,
} from "./limits.ts";
import { LOCAL_CID_BYTES, PacketKind } from "./packet.ts";
import { PacketSpace } from "./packet-space.ts";
import { type PacketOwner, Recovery } from "./recovery.ts";
import { Item, Record as Sent, STREAM_ITEMS } from "./sent-packets.ts";
import type { StreamCore } from "./stream-core.ts";
import { DEFAULT_PARAMETERS, decodeParameters, encodeParameters } from "./transport-parameters.ts";
import type { QuicEndpointCounters, QuicLimits } from "./types.ts";

/** What a connection needs of its endpoint. */
export interface ConnectionHost<Owner> {
  readonly pool: SlotPool;
  readonly limits: QuicLimits;
  readonly counters: QuicEndpointCounters;
  readonly congestion: CongestionFactory;
  quotaOf(peerId: number): SlotQuota;
  /** The connection may have something to send, or its timers have changed. */
  requestPoll(connection: Connection<Owner>): void;
  /** It is open: streams can be put on it. */
  connectionOpen(connection: Connection<Owner>, now: number): void;
  /** Source: nothing is heard; its streams may want another connection. */
  connectionSuspect(connection: Connection<Owner>, now: number): void;
  /** It carries nothing any more; packets still find it until `connectionGone`. */
  connectionClosed(connection: Connection<Owner>, reason: CloseReason, now: number): void;
  connectionGone(connection: Connection<Owner>): void;
  /** Destination: the peer has opened a stream. */
  streamOpened(connection: Connection<Owner>, core: StreamCore, now: number): void;
  /** Source: the peer allows more streams. */
  streamsAllowed(connection: Connection<Owner>, now: number): void;
}

export interface ConnectionOptions<Owner> {
  readonly host: ConnectionHost<Owner>;
  readonly isClient: boolean;
  readonly peerId: number;
  readonly now: number;
  readonly form: ChecksumForm;
  /** Round-trip time as the mesh knows it, 0 = unknown. */
  readonly rttMs: number;
  readonly localCid: Uint8Array;
  /** Server: the client's source connection ID. Client: the random one of its first packets. */
  readonly remoteCid: Uint8Array;
  /** Destination connection ID of the client's first packet. */
  readonly originalCid: Uint8Array;
}

export type ConnectionState = "handshaking" | "open" | "closing" | "draining" | "gone";

/** Why the connection is closed: what its CONNECTION_CLOSE says. */
export interface Closing {
  readonly isApplication: boolean;
  readonly code: number;
  readonly reason: Uint8Array;
}

const NO_REASON_TEXT = new Uint8Array(0);

export class Connection<Owner> extends ConnectionStreams<Owner> implements PacketOwner {
  readonly createdAt: number;
  readonly localCid: Uint8Array;
  readonly originalCid: Uint8Array;
  remoteCid: Uint8Array;
  /** Client: the server's connection ID is known. */
  hasRemoteCid: boolean;
  form: ChecksumForm;
  /** A packet of the peer has shown its form. */
  isFormKnown = false;
  state: ConnectionState = "handshaking";
  closing: Closing | undefined = undefined;

  readonly initial = new PacketSpace(PacketKind.initial, MAX_HANDSHAKE_RECORDS);
  readonly handshake = new PacketSpace(PacketKind.handshake, MAX_HANDSHAKE_RECORDS);
  readonly data = new PacketSpace(PacketKind.short, MAX_SENT_RECORDS);
  readonly spaces: readonly [PacketSpace, PacketSpace, PacketSpace];
  readonly recovery: Recovery;

  /** `Item` bits of the connection that must be told. */
  pending = 0;
  /** Our own block, in the space where it belongs. */
  readonly block: Uint8Array;
  datagramBytes = STOCK_DATAGRAM_BYTES;
  keyPhase = false;
  /** Number of the packet that ended the old key phase. */
  keyPhaseFrom = -1;
  /** Answer to a PATH_CHALLENGE. */
  pathResponse: Uint8Array | undefined = undefined;
  /** RETIRE_CONNECTION_ID frames to send, as sequence numbers. */
  readonly retire: number[] = [];
  resetToken: Uint8Array | undefined;

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────
  receivedBytes = FLOAT_ZERO;
  sentBytes = FLOAT_ZERO;
  /** Something was heard of the peer at all. */
  hasHeard = false;
  lastHeardAt: number;
  lastElicitedAt: number;
  /** Since when something of ours is without an answer. */
  waitingSince = Infinity;
  isSuspect = false;
  /** More would leave but for the pace. */
  isPaced = false;
  closeRepeats = 0;
  owesClose = false;
  #drainUntil = Infinity;

  // ── places in the endpoint's structures; only it changes them ─────────────────────────────────────────────────────
  dueAt = Infinity;
  heapIndex = -1;
  isPolled = false;
  nextPolled: Connection<Owner> | undefined = undefined;

  constructor(options: ConnectionOptions<Owner>) {
    const { host, isClient, now } = options;
    super(host, isClient, options.peerId, now);
    this.createdAt = now;
    this.lastHeardAt = now;
    this.lastElicitedAt = now;
    this.form = options.form;
    this.localCid = options.localCid;
    this.remoteCid = options.remoteCid;
    this.originalCid = options.originalCid;
    this.hasRemoteCid = !isClient;
    this.spaces = [this.initial, this.handshake, this.data];
    this.recovery = new Recovery(this, this.spaces, options.rttMs, MAX_ACK_DELAY_MS);
    this.block = encodeParameters({
      ...DEFAULT_PARAMETERS,
      originalDestinationCid: isClient ? undefined : options.originalCid,
      maxIdleTimeoutMs: IDLE_TIMEOUT_MS,
      maxDatagramBytes: STOCK_DATAGRAM_BYTES,
      maxData: this.maxDataLocal,
      maxStreamDataLocal: this.streamWindow,
      maxStreamDataRemote: this.streamWindow,
      maxStreams: this.maxStreamsLocal,
      ackDelayExponent: ACK_DELAY_EXPONENT,
      maxAckDelayMs: ANNOUNCED_ACK_DELAY_MS,
      sourceCid: this.localCid,
      extendedDatagramBytes: host.limits.extendedDatagramBytes,
    });
    if (isClient) this.pending = Item.crypto;
  }

  get isExtended(): boolean {
    return this.peer.extendedDatagramBytes > 0;
  }

  get isOpen(): boolean {
    return this.state === "open";
  }

  /** Packets may come and go. */
  get isAlive(): boolean {
    return this.state === "handshaking" || this.state === "open";
  }

  get srttMs(): number {
    return this.recovery.roundTrip.isMeasured ? this.recovery.roundTrip.smoothedMs : 0;
  }

  get retransmittedShare(): number | undefined {
    return this.recovery.lostShare;
  }

  // ── what its streams need ───────────────────────────────────────────────────────────────────────────────────────────

  get chunkBytes(): number {
    return this.datagramBytes - TAG_BYTES - MAX_DATA_HEADER_BYTES - this.remoteCid.length;
  }

  get windowChunks(): number {
    return Math.floor((this.recovery.controller?.windowBytes ?? 0) / this.datagramBytes);
  }

  get smoothedRttMs(): number {
    return this.recovery.roundTrip.smoothedMs;
  }

  owe(items: number): void {
    if (!this.isAlive) return;
    this.pending |= items;
    this.host.requestPoll(this);
  }

  protected requestPoll(): void {
    this.host.requestPoll(this);
  }

  protected streamOpened(core: StreamCore): void {
    this.host.streamOpened(this, core, this.now);
  }

  // ── what the peer says ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The peer's block. Returns the error that closes the connection, or 0. */
  handleBlock(at: number, length: number, sourceCid: Uint8Array): number {
    const read = decodeParameters(this.pool.bytes, at, length, this.isClient);
    if (typeof read === "number") return read;
    if (!equal(read.sourceCid, sourceCid)) return QuicError.transportParameter;
    if (this.isClient && !equal(read.originalDestinationCid, this.originalCid))
      return QuicError.transportParameter;
    if (read.retrySourceCid) return QuicError.transportParameter;
    this.peer = read;
    this.resetToken = read.statelessResetToken;
    this.maxDataPeer = read.maxData;
    this.maxStreamsPeer = read.maxStreams;
    if (read.extendedDatagramBytes > 0) {
      this.datagramBytes = Math.min(read.extendedDatagramBytes, this.host.limits.extendedDatagramBytes);
    }
    this.recovery.peerAckDelayMs = read.maxAckDelayMs;
    if (!this.isClient) this.owe(Item.crypto);
    return 0;
  }

  /** Client: the server's block is here. Server: the client has ours. */
  open(now: number): void {
    if (this.state !== "handshaking") return;
    this.state = "open";
    const seed = new DataView(this.localCid.buffer, this.localCid.byteOffset, LOCAL_CID_BYTES).getUint32(0);
    this.recovery.start(this.host.congestion, this.datagramBytes, seed);
    this.recovery.dropSpace(this.initial);
    this.pending &= ~Item.crypto;
    if (this.isClient) {
      // The server hears 1-RTT packets only after a Handshake packet; asking for an answer repeats it when it is lost.
      this.handshake.owesPing = true;
      this.handshake.ackAtMs = now;
    } else {
      this.recovery.dropSpace(this.handshake);
      this.owe(Item.handshakeDone);
    }
    this.host.connectionOpen(this, now);
    this.host.requestPoll(this);
  }

  /** HANDSHAKE_DONE. */
  confirm(): void {
    if (!this.handshake.isDropped) this.recovery.dropSpace(this.handshake);
  }

  handleMaxStreams(limit: number, now: number): void {
    if (limit <= this.maxStreamsPeer) return;
    this.maxStreamsPeer = limit;
    this.host.streamsAllowed(this, now);
  }

  handleAck(space: PacketSpace, frames: FrameReader, now: number): number {
    if (frames.largest >= space.nextNumber) return QuicError.protocolViolation;
    const delayMs = space === this.data ? (frames.ackDelay * 2 ** this.peer.ackDelayExponent) / 1000 : 0;
    this.recovery.beginAck(delayMs, now);
    while (frames.nextRange()) this.recovery.handleRange(space, frames.rangeLow, frames.rangeHigh);
    this.waitingSince = Infinity;
    return 0;
  }

  /**
   * NEW_CONNECTION_ID. We stay on the first one, unless the peer wants it retired (RFC 9000, 19.15). Its reset token counts all the
   * same once we use it.
   */
  handleNewConnectionId(frames: FrameReader, now: number): number {
    const { value, retirePriorTo, dataAt, dataBytes } = frames;
    if (retirePriorTo <= this.#remoteCidNumber || value < retirePriorTo) return 0;
    // A longer one would make the chunks that are cut already too large for a datagram.
    if (this.retire.length >= MAX_RETIRED || dataBytes > this.remoteCid.length)
      return QuicError.connectionIdLimit;
    this.retire.push(this.#remoteCidNumber);
    this.#remoteCidNumber = value;
    const { bytes } = this.pool;
    this.remoteCid = bytes.slice(dataAt, dataAt + dataBytes);
    this.resetToken = bytes.slice(dataAt + dataBytes, dataAt + dataBytes + RESET_TOKEN_BYTES);
    this.now = now;
    this.host.requestPoll(this);
    return 0;
  }
  #remoteCidNumber = 0;

  /** A packet that could be read has come. */
  noteHeard(now: number): void {
    this.lastHeardAt = now;
    this.hasHeard = true;
    this.isSuspect = false;
    if (this.waitingSince !== Infinity) this.waitingSince = now;
  }

  // ── what became of what was sent ────────────────────────────────────────────────────────────────────────────────────

  packetAcknowledged(space: PacketSpace, record: number): void {
    const { sent } = space;
    const cell = sent.cell(record);
    const items = sent.cells[cell + Sent.items]!;
    const told = sent.told(record);
    if (told >= 0) space.received.forgetUpTo(told);
    if ((items & STREAM_ITEMS) !== 0) {
      sent.stream(record)!.handleAcknowledged(items, sent.cells[cell + Sent.chunk]!, this.now);
    }
  }

  packetLost(space: PacketSpace, record: number): boolean {
    const { sent } = space;
    const cell = sent.cell(record);
    const items = sent.cells[cell + Sent.items]!;
    const own = items & ~STREAM_ITEMS;
    if (own !== 0) this.owe(own);
    if ((items & STREAM_ITEMS) === 0) return own !== 0;
    const core = sent.stream(record)!;
    if (this.streams.get(core.id) !== core) return own !== 0;
    const again = core.handleLost(items, sent.cells[cell + Sent.chunk]!, sent.cells[cell + Stamp.order]!);
    return own !== 0 || again;
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whatever is due. */
  handleTimeout(now: number): void {
    this.now = now;
    if (!this.isAlive) {
      if (now >= this.#drainUntil) this.#leave();
      return;
    }
    this.recovery.settle(now);
    if (now >= this.#idleAt) this.#end("silent", now);
    else if (this.state === "handshaking" && now >= this.createdAt + HANDSHAKE_TIMEOUT_MS)
      this.close(false, QuicError.none, now, "no_answer");
    else if (this.isClient && this.streams.size === 0 && now >= this.#unusedAt)
      this.close(true, QuicError.none, now, "finished");
    else {
      if (now >= this.#keepAliveAt) this.data.owesPing = true;
      if (now >= this.#suspectAt) {
        this.isSuspect = true;
        this.host.connectionSuspect(this, now);
      }
    }
    this.host.requestPoll(this);
  }

  get #idleAt(): number {
    const own = this.peer.maxIdleTimeoutMs;
    const timeoutMs = own > 0 ? Math.min(own, IDLE_TIMEOUT_MS) : IDLE_TIMEOUT_MS;
    return (
      this.lastHeardAt + Math.max(timeoutMs, 3 * this.recovery.roundTrip.probeTimeoutMs(MAX_ACK_DELAY_MS))
    );
  }

  get #keepAliveAt(): number {
    if (this.state !== "open" || this.streams.size === 0 || this.data.sent.flying > 0) return Infinity;
    return Math.max(this.lastHeardAt, this.lastElicitedAt) + KEEP_ALIVE_MS;
  }

  get #unusedAt(): number {
    if (!this.isClient || this.state !== "open" || this.streams.size > 0) return Infinity;
    return this.unusedSince + UNUSED_CONNECTION_MS;
  }

  get #suspectAt(): number {
    if (!this.isClient || this.isSuspect) return Infinity;
    if (this.state === "handshaking") return this.hasHeard ? Infinity : this.createdAt + ATTEMPT_AFTER_MS;
    const { roundTrip } = this.recovery;
    return this.waitingSince + Math.max(SUSPECT_AFTER_MS, 2 * roundTrip.probeTimeoutMs(MAX_ACK_DELAY_MS));
  }

  get #handshakeAt(): number {
    return this.state === "handshaking" ? this.createdAt + HANDSHAKE_TIMEOUT_MS : Infinity;
  }

  /** When `handleTimeout` and `poll` have something to do, if nothing comes in before. */
  get nextTimeout(): number {
    if (!this.isAlive) return this.owesClose ? this.now : this.#drainUntil;
    let at = Math.min(this.recovery.nextTimeout, this.#idleAt, this.#keepAliveAt, this.#unusedAt);
    at = Math.min(at, this.#suspectAt, this.#handshakeAt);
    if (this.heldCount > 0) at = Math.min(at, this.partialAtMs);
    if (this.isPaced) at = Math.min(at, this.recovery.paceAtMs);
    for (const space of this.spaces) at = Math.min(at, space.ackAtMs);
    return at;
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ends the connection and tells the peer. */
  close(isApplication: boolean, code: number, now: number, reason: CloseReason, text = NO_REASON_TEXT): void {
    if (!this.isAlive) return;
    this.closing = { isApplication, code, reason: text };
    this.owesClose = true;
    this.#shut("closing", reason, now);
  }

  /** The peer broke a rule. */
  fail(code: number, now: number): void {
    if (!this.isAlive) return;
    this.host.counters.protocolErrors++;
    this.close(false, code, now, "reset");
  }

  /** The peer has closed the connection: it is answered once (proxies.md 6.11). */
  handleClose(now: number): void {
    if (this.state === "closing") {
      this.state = "draining";
      this.owesClose = false;
      return;
    }
    if (!this.isAlive) return;
    this.closing = { isApplication: false, code: QuicError.none, reason: NO_REASON_TEXT };
    this.owesClose = true;
    this.#shut("draining", "reset", now);
  }

  /** Something comes for a connection that we have closed: the peer may not have heard. */
  answerClosed(): void {
    if (this.state !== "closing" || ++this.closeRepeats > MAX_CLOSE_REPEATS) return;
    this.owesClose = true;
    this.host.requestPoll(this);
  }

  /** Ends it without a word. */
  #end(reason: CloseReason, now: number): void {
    this.#shut("draining", reason, now);
    this.#leave();
  }

  /** The peer is gone, or does not know the connection any more. */
  drop(reason: CloseReason, now: number): void {
    if (this.isAlive) this.#end(reason, now);
    else this.#leave();
  }

  #shut(state: "closing" | "draining", reason: CloseReason, now: number): void {
    this.state = state;
    this.host.counters.connectionsClosed++;
    const ptoMs = this.recovery.roundTrip.probeTimeoutMs(MAX_ACK_DELAY_MS);
    this.#drainUntil = now + DRAIN_PROBE_TIMEOUTS * ptoMs;
    this.pending = 0;
    const cores = this.clearStreams();
    this.host.connectionClosed(this, reason, now);
    for (const core of cores) core.disconnect();
    for (const space of this.spaces) {
      space.sent.clear();
      space.ackAtMs = Infinity;
    }
    this.host.requestPoll(this);
  }

  #leave(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.host.connectionGone(this);
  }
}

/** Connection IDs of the peer that may wait for their RETIRE_CONNECTION_ID. */
const MAX_RETIRED = 8;
/** Longest headers of a packet of stream data without the connection ID: first byte, number, frame type, id, offset. */
const MAX_DATA_HEADER_BYTES = 1 + 4 + 1 + 4 + 8;

function equal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}
