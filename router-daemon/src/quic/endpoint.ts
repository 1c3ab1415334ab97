/**
 * EasyTier's QUIC for one role (proxies.md 6), with the verbs of `KcpEndpoint`. A datagram's way:
 *
 * ```
 *  in    handlePacket ─ connection ID ─▶ ConnectionTable ─▶ PacketInput ─▶ Connection, StreamCore ─▶ Stream ─▶ pollReady (news)
 *                            └─ unknown: client's Initial ─▶ new Connection
 *  out   poll ─ timers due ─▶ Connections in turns ─▶ ConnectionOutput ─▶ sink
 * ```
 */
import { type CongestionFactory, deliveryRate, type SlotPool, SlotQuota } from "kcp-ts";
import { NO_REASON, reasonCode } from "../kcp/conn-data.ts";
import { DueHeap } from "../kcp/due-heap.ts";
import type { CloseReason, KcpConnectOptions, KcpTarget } from "../kcp/types.ts";
import { Checksum, ChecksumForm } from "./checksum.ts";
import { Connection, type ConnectionHost } from "./connection.ts";
import { ConnectionOutput } from "./connection-output.ts";
import { ConnectionTable } from "./connection-table.ts";
import { QuicError } from "./frames.ts";
import { FAIR_QUANTUM_DATAGRAMS, settleLimits } from "./limits.ts";
import { PacketKind } from "./packet.ts";
import { PacketInput } from "./packet-input.ts";
import { Peers } from "./peers.ts";
import { Stream, type StreamOwner } from "./stream.ts";
import type { StreamCore } from "./stream-core.ts";
import { encodeTarget } from "./stream-target.ts";
import { MIN_DATAGRAM_BYTES } from "./transport-parameters.ts";
import type {
  QuicEndpointCounters,
  QuicEndpointOptions,
  QuicLimits,
  QuicPacketSink,
  QuicRole,
  QuicStream,
} from "./types.ts";

/** Bytes of a client's first destination connection ID: what stock nodes choose; servers want at least 8 (proxies.md 6.2). */
const FIRST_CID_BYTES = 20;
const MIN_FIRST_CID_BYTES = 8;
/** No quantum: nobody else waits for a turn. */
const ALL_DATAGRAMS = 0x3fffffff;
/** A connection that asks for an immediate poll again waits this long. */
const MIN_STEP_MS = 0.1;

export class QuicEndpoint<Owner = unknown> implements ConnectionHost<Owner>, StreamOwner<Owner> {
  readonly role: QuicRole;
  readonly pool: SlotPool;
  readonly limits: QuicLimits;
  readonly congestion: CongestionFactory;
  readonly counters: QuicEndpointCounters = {
    opened: 0,
    established: 0,
    closed: 0,
    handshakes: 0,
    connectionsClosed: 0,
    protocolErrors: 0,
    droppedMalformed: 0,
    droppedChecksum: 0,
    droppedUnknown: 0,
    droppedDuplicate: 0,
    droppedNoRoom: 0,
    refusedBusy: 0,
    droppedConnectionData: 0,
    replaced: 0,
    statelessResets: 0,
  };
  /** Streams that wait for a decision, or for the end of their time. */
  readonly due = new DueHeap<Stream<Owner>>();
  now = 0;
  readonly quotaOf: (peerId: number) => SlotQuota;
  readonly #random: (bytes: Uint8Array) => void;
  readonly #rttMs: (peerId: number) => number;
  readonly #table: ConnectionTable<Owner>;
  readonly #peers = new Peers<Owner>();
  readonly #streams: Stream<Owner>[] = [];
  readonly #dueConnections = new DueHeap<Connection<Owner>>();
  readonly #input: PacketInput<Owner>;
  readonly #output: ConnectionOutput<Owner>;
  readonly #starved: Stream<Owner>[] = [];

  // ── intrusive lists ───────────────────────────────────────────────────────────────────────────────────────────────
  /** `pollReady` has something to say. */
  hasNews = false;
  #readyHead: Stream<Owner> | undefined = undefined;
  #readyTail: Stream<Owner> | undefined = undefined;
  /** Connections that may have output, in the order of their turns. */
  #pollHead: Connection<Owner> | undefined = undefined;
  #pollTail: Connection<Owner> | undefined = undefined;

  constructor(options: QuicEndpointOptions) {
    this.role = options.role;
    this.pool = options.pool;
    this.limits = settleLimits(options.limits, options.pool);
    this.congestion = options.congestion ?? deliveryRate();
    const everyone = new SlotQuota(options.pool);
    this.quotaOf = options.quotaOf ?? (() => everyone);
    this.#random = options.random;
    this.#rttMs = options.rttMs ?? (() => 0);
    this.#table = new ConnectionTable(options.random, this.limits.maxConnections);
    const checksum = new Checksum(options.hash);
    this.#input = new PacketInput(this.pool, this.counters, checksum);
    this.#output = new ConnectionOutput(this.pool, checksum);
  }

  /** Streams, as what KCP calls connections. */
  get connectionCount(): number {
    return this.#streams.length;
  }

  get connections(): Iterable<QuicStream<Owner>> {
    return this.#streams;
  }

  /** QUIC connections, closing ones included. */
  get quicConnectionCount(): number {
    return this.#table.count;
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Source role: opens a stream. Undefined = a bound is reached. */
  connect(
    peerId: number,
    target: KcpTarget,
    now: number,
    options: KcpConnectOptions = {},
  ): QuicStream<Owner> | undefined {
    if (this.role !== "source") throw new TypeError("Only the endpoint of the source role connects.");
    if (this.#streams.length >= this.limits.maxStreams) return undefined;
    this.now = now;
    const stream = new Stream<Owner>(this, peerId, target, now);
    this.#add(stream);
    this.due.set(stream, now + (options.openTimeoutMs ?? this.limits.openTimeoutMs));
    this.#peers.get(peerId).waiting.push(stream);
    this.#assign(peerId, now, options.rttMs);
    return stream;
  }

  /** The peer left the network: its connections close, without a word to it. */
  forgetPeer(peerId: number, now: number): void {
    this.now = now;
    const peer = this.#peers.get(peerId);
    for (const stream of peer.waiting.splice(0)) stream.close("peer_gone");
    for (const connection of [...peer.connections]) connection.drop("peer_gone", now);
    this.#peers.forget(peerId);
  }

  /** Closes every connection; what has to be told leaves with the next `poll`. */
  closeConnections(now: number): void {
    this.now = now;
    for (const connection of this.#table.all()) connection.close(true, QuicError.none, now, "aborted");
  }

  /** Gives everything back to the pool. The endpoint is not used afterwards. */
  dispose(now: number): void {
    this.now = now;
    for (const stream of [...this.#streams]) stream.release(now);
    for (const connection of this.#table.all()) connection.drop("aborted", now);
    this.#output.dispose();
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One packet of type 16 (destination role) or 17 (source role) from `fromPeerId`: a QUIC datagram at `offset` in `slot`. True = the
   * slot was taken. Never throws; what is wrong is counted.
   */
  handlePacket(fromPeerId: number, slot: number, offset: number, length: number, now: number): boolean {
    this.now = now;
    const { header } = this.#input;
    const { bytes } = this.pool;
    if (!header.read(bytes, offset, offset + length)) {
      if (!this.#isReset(fromPeerId, offset, length, now)) this.counters.droppedMalformed++;
      return false;
    }
    let connection = this.#table.find(bytes, header.dcidAt, header.dcidBytes, fromPeerId);
    if (connection === undefined && this.role === "destination" && header.kind === PacketKind.initial) {
      connection = this.#table.findOriginal(bytes, header.dcidAt, header.dcidBytes, fromPeerId);
      connection ??= this.#accept(fromPeerId, length, now);
    }
    if (connection === undefined) {
      if (!this.#isReset(fromPeerId, offset, length, now)) this.counters.droppedUnknown++;
      return false;
    }
    return this.#input.receive(connection, slot, offset, length, now);
  }

  /** A client's first packet. */
  #accept(peerId: number, length: number, now: number): Connection<Owner> | undefined {
    const { header } = this.#input;
    if (length < MIN_DATAGRAM_BYTES || header.dcidBytes < MIN_FIRST_CID_BYTES) return undefined;
    const form = this.#input.verifiesAnyForm(this.#peers.form(peerId) ?? ChecksumForm.wide);
    if (form === 0) {
      this.counters.droppedChecksum++;
      return undefined;
    }
    const { bytes } = this.pool;
    return this.#addConnection(
      peerId,
      form,
      bytes.slice(header.scidAt, header.scidAt + header.scidBytes),
      bytes.slice(header.dcidAt, header.dcidAt + header.dcidBytes),
      this.#rttMs(peerId),
      now,
    );
  }

  #addConnection(
    peerId: number,
    form: ChecksumForm,
    remoteCid: Uint8Array,
    originalCid: Uint8Array,
    rttMs: number,
    now: number,
  ): Connection<Owner> | undefined {
    const peer = this.#peers.get(peerId);
    const localCid =
      peer.connections.length < this.limits.maxConnectionsPerPeer ? this.#table.reserve() : undefined;
    if (localCid === undefined) {
      this.counters.refusedBusy++;
      return undefined;
    }
    const isClient = this.role === "source";
    const connection = new Connection<Owner>({
      host: this,
      isClient,
      peerId,
      now,
      form,
      rttMs,
      localCid,
      remoteCid,
      originalCid,
    });
    this.#table.add(connection);
    peer.connections.push(connection);
    this.counters.handshakes++;
    this.requestPoll(connection);
    return connection;
  }

  /** A stateless reset: the last 16 bytes are the token of one of the peer's connections (RFC 9000, 10.3). */
  #isReset(peerId: number, offset: number, length: number, now: number): boolean {
    const connection = this.#peers.findReset(peerId, this.pool.bytes, offset, length);
    if (connection === undefined) return false;
    this.counters.statelessResets++;
    connection.drop("reset", now);
    return true;
  }

  // ── source: streams find a connection ───────────────────────────────────────────────────────────────────────────────

  /** Puts waiting streams on a connection, or begins one. */
  #assign(peerId: number, now: number, rttMs = this.#rttMs(peerId)): void {
    const peer = this.#peers.get(peerId);
    while (peer.waiting.length > 0) {
      const connection = this.#peers.usable(peer);
      const core = connection?.openStream(now);
      if (connection === undefined || core === undefined) {
        if (this.#peers.mayAttempt(peer)) this.#attempt(peerId, rttMs, now);
        return;
      }
      const stream = peer.waiting.shift()!;
      stream.attach(connection, core, encodeTarget(stream));
    }
  }

  #attempt(peerId: number, rttMs: number, now: number): void {
    const first = new Uint8Array(FIRST_CID_BYTES);
    this.#random(first);
    this.#addConnection(peerId, this.#peers.formToTry(peerId), first, first, rttMs, now);
  }

  connectionOpen(connection: Connection<Owner>, now: number): void {
    const { peerId } = connection;
    this.#peers.rememberForm(peerId, connection.form);
    if (this.role === "destination") return;
    const peer = this.#peers.get(peerId);
    for (const other of [...peer.connections]) {
      if (other !== connection && other.state === "handshaking")
        other.close(true, QuicError.none, now, "aborted");
    }
    this.#assign(peerId, now);
  }

  streamsAllowed(connection: Connection<Owner>, now: number): void {
    this.#assign(connection.peerId, now);
  }

  connectionSuspect(connection: Connection<Owner>, now: number): void {
    const { peerId } = connection;
    if (connection.isOpen) this.#takeBack(connection, now);
    if (this.#peers.get(peerId).waiting.length > 0) this.#assign(peerId, now);
  }

  /** Streams that the peer has not taken wait for another connection. */
  #takeBack(connection: Connection<Owner>, now: number): void {
    const peer = this.#peers.get(connection.peerId);
    let count = 0;
    for (const stream of this.#streams) {
      if (stream.connection !== connection || stream.state !== "opening") continue;
      stream.detach(now);
      peer.waiting.push(stream);
      count++;
    }
    if (count > 0) this.counters.replaced++;
  }

  connectionClosed(connection: Connection<Owner>, reason: CloseReason, now: number): void {
    this.#takeBack(connection, now);
    for (const stream of [...this.#streams]) {
      if (stream.connection === connection) stream.connectionClosed(reason);
    }
    this.#peers.remove(connection);
    if (reason !== "peer_gone" && reason !== "aborted") this.#assignLater(connection.peerId);
  }

  /** Peers whose waiting streams need another connection: begun in `poll`, so that a peer that refuses at once is no endless loop. */
  readonly #unassigned = new Set<number>();

  #assignLater(peerId: number): void {
    if (this.#peers.get(peerId).waiting.length > 0) this.#unassigned.add(peerId);
  }

  connectionGone(connection: Connection<Owner>): void {
    this.#dueConnections.remove(connection);
    this.#table.remove(connection);
  }

  // ── destination: streams that peers open ────────────────────────────────────────────────────────────────────────────

  streamOpened(connection: Connection<Owner>, core: StreamCore, now: number): void {
    if (this.#streams.length >= this.limits.maxStreams) {
      this.counters.refusedBusy++;
      core.abort(connection.isExtended ? reasonCode("busy") : NO_REASON, now);
      return;
    }
    const stream = new Stream<Owner>(this, connection.peerId, undefined, now);
    this.#add(stream);
    this.due.set(stream, now + this.limits.decideTimeoutMs);
    stream.attach(connection, core, undefined);
  }

  // ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next stream with news, once; undefined = none. */
  pollReady(): QuicStream<Owner> | undefined {
    for (;;) {
      const stream = this.#readyHead;
      if (stream === undefined) {
        this.hasNews = false;
        return undefined;
      }
      this.#readyHead = stream.nextReady;
      if (this.#readyHead === undefined) this.#readyTail = undefined;
      stream.nextReady = undefined;
      stream.isReady = false;
      if (!stream.isReleased) return stream;
    }
  }

  /** Runs the timers and sends what is due, as much as the sink takes. */
  poll(now: number, sink: QuicPacketSink): void {
    this.now = now;
    for (const peerId of this.#unassigned) {
      this.#unassigned.delete(peerId);
      this.#assign(peerId, now);
    }
    for (let stream = this.due.due(now); stream !== undefined; stream = this.due.due(now)) {
      this.due.remove(stream);
      this.#expire(stream, now);
    }
    for (;;) {
      const connection = this.#dueConnections.due(now);
      if (connection === undefined) break;
      this.#dueConnections.remove(connection);
      connection.handleTimeout(now);
    }
    this.#feedStarved();
    this.#output.begin(sink, now);
    this.#pollConnections(now);
    this.#output.end();
  }

  #expire(stream: Stream<Owner>, now: number): void {
    const peer = this.#peers.get(stream.peerId);
    const at = peer.waiting.indexOf(stream);
    if (at >= 0) peer.waiting.splice(at, 1);
    stream.hasSign ||= peer.connections.some((connection) => connection.hasHeard && !connection.isSuspect);
    stream.handleTimeout(now);
  }

  /** When `poll` is needed even if nothing arrives; not later than now while output waits. */
  get nextTimeout(): number {
    if (this.#pollHead !== undefined || this.#unassigned.size > 0) return this.now;
    return Math.min(this.#dueConnections.nextAt, this.due.nextAt);
  }

  /** Each connection with output has one turn; one whose turn was cut lines up behind the others, for the next `poll`. */
  #pollConnections(now: number): void {
    const last = this.#pollTail;
    const output = this.#output;
    while (this.#pollHead !== undefined && !output.isStopped) {
      const connection = this.#pollHead;
      this.#pollHead = connection.nextPolled;
      if (this.#pollHead === undefined) this.#pollTail = undefined;
      connection.nextPolled = undefined;
      connection.isPolled = false;
      if (connection.state !== "gone") {
        output.isCut = false;
        connection.now = now;
        output.poll(connection, this.#pollHead === undefined ? ALL_DATAGRAMS : FAIR_QUANTUM_DATAGRAMS);
        if (output.isCut) this.requestPoll(connection);
        else this.#dueConnections.set(connection, Math.max(connection.nextTimeout, now + MIN_STEP_MS));
      }
      if (connection === last) break;
    }
  }

  #feedStarved(): void {
    const starved = this.#starved;
    for (let i = starved.length - 1; i >= 0; i--) {
      const stream = starved[i]!;
      if (stream.state !== "closed" && stream.writableBytes === 0) continue;
      stream.isStarved = false;
      stream.signalWritable();
      starved[i] = starved[starved.length - 1]!;
      starved.pop();
    }
  }

  // ── ConnectionHost and StreamOwner ──────────────────────────────────────────────────────────────────────────────────

  requestPoll(connection: Connection<Owner>): void {
    if (connection.isPolled || connection.state === "gone") return;
    connection.isPolled = true;
    if (this.#pollTail === undefined) this.#pollHead = connection;
    else this.#pollTail.nextPolled = connection;
    this.#pollTail = connection;
  }

  markReady(stream: Stream<Owner>): void {
    if (stream.isReady || stream.isReleased) return;
    stream.isReady = true;
    this.hasNews = true;
    if (this.#readyTail === undefined) this.#readyHead = stream;
    else this.#readyTail.nextReady = stream;
    this.#readyTail = stream;
  }

  noteStarved(stream: Stream<Owner>): void {
    if (stream.isStarved) return;
    stream.isStarved = true;
    this.#starved.push(stream);
  }

  #add(stream: Stream<Owner>): void {
    stream.listIndex = this.#streams.length;
    this.#streams.push(stream);
    this.counters.opened++;
  }

  remove(stream: Stream<Owner>): void {
    if (stream.listIndex < 0) return;
    const { waiting } = this.#peers.get(stream.peerId);
    const at = waiting.indexOf(stream);
    if (at >= 0) waiting.splice(at, 1);
    const last = this.#streams.pop()!;
    if (last !== stream) {
      this.#streams[stream.listIndex] = last;
      last.listIndex = stream.listIndex;
    }
    stream.listIndex = -1;
    this.#peers.tidy(stream.peerId);
  }
}
