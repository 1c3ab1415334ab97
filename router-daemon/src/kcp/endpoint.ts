/**
 * EasyTier's KCP connection layer for one role (proxies.md 3). A packet's way:
 *
 * ```
 *  in    handlePacket ─ header, ids ─▶ ConvTable ─▶ Connection.receive ─▶ Kcp ring            ─▶ pollReady (news)
 *                                         └─ unknown: SYN ─▶ new Connection   else ─▶ StrayAnswers
 *  out   poll ─ timers due, PING round, interactive first, bulk in turns ─▶ Connection.poll ─▶ PacketOutput ─▶ sink
 * ```
 */
import type { SlotPool, SlotQuota } from "kcp-ts";
import { ClosedMemory, FINISHED } from "./closed-memory.ts";
import { type Capabilities, decodeSyn, NO_REASON, reasonCode } from "./conn-data.ts";
import { Connection } from "./connection.ts";
import { ConvTable } from "./conv-table.ts";
import { DueHeap } from "./due-heap.ts";
import {
  DUPLICATE_GUARD_MS,
  FAIR_QUANTUM_DATAGRAMS,
  PING_INTERVAL_MS,
  PING_SPACING_MS,
  settleLimits,
} from "./limits.ts";
import { PacketOutput } from "./output.ts";
import {
  KCP_HEADER_BYTES,
  KcpFlag,
  readConv,
  readDestinationId,
  readFlags,
  readSourceId,
  STATE_FLAGS,
} from "./packet.ts";
import type { ConnectionHost } from "./phase.ts";
import { StrayAnswers } from "./stray-answers.ts";
import type {
  KcpConnection,
  KcpConnectOptions,
  KcpEndpointCounters,
  KcpEndpointOptions,
  KcpLimits,
  KcpPacketSink,
  KcpRole,
  KcpTarget,
} from "./types.ts";

/** Connections of one peer, for the bounds. */
interface PeerCount {
  total: number;
  halfOpen: number;
}

export class KcpEndpoint<Owner = unknown> implements ConnectionHost<Owner> {
  readonly role: KcpRole;
  readonly pool: SlotPool;
  readonly limits: KcpLimits;
  readonly capabilities: Capabilities;
  readonly quotaOf: (peerId: number) => SlotQuota | undefined;
  readonly counters: KcpEndpointCounters = {
    opened: 0,
    established: 0,
    closed: 0,
    droppedShort: 0,
    droppedForeignIds: 0,
    droppedConnectionData: 0,
    droppedData: 0,
    refusedBusy: 0,
    duplicateSyns: 0,
    resetsSuppressed: 0,
    resetsSent: 0,
  };
  readonly #localPeerId: number;
  readonly #table: ConvTable<Connection<Owner>>;
  readonly #closed: ClosedMemory;
  readonly #list: Connection<Owner>[] = [];
  readonly #peers = new Map<number, PeerCount>();
  /** Destination role: client connections that a further racing attempt must not open twice. */
  readonly #clients = new Map<string, Connection<Owner>>();
  readonly #due = new DueHeap<Connection<Owner>>();
  readonly #strays = new StrayAnswers();
  readonly #output: PacketOutput;
  /** The connection of the last packet. */
  #latest: Connection<Owner> | undefined = undefined;
  #halfOpen = 0;
  #nextConv: number;
  #now = 0;

  /** `pollReady` has something to say. */
  hasNews = false;

  // ── intrusive lists ───────────────────────────────────────────────────────────────────────────────────────────
  #readyHead: Connection<Owner> | undefined = undefined;
  #readyTail: Connection<Owner> | undefined = undefined;
  /** Connections that may have output, in the order of their turns. */
  #pollHead: Connection<Owner> | undefined = undefined;
  #pollTail: Connection<Owner> | undefined = undefined;
  readonly #starved: Connection<Owner>[] = [];

  // ── PING round ────────────────────────────────────────────────────────────────────────────────────────────────
  #pingAt = Infinity;
  #pingIndex = -1;
  #roundStartedAt = 0;

  constructor(options: KcpEndpointOptions) {
    this.role = options.role;
    this.pool = options.pool;
    this.limits = settleLimits(options.limits, options.pool);
    this.capabilities = { extendedAcks: true, mtu: this.limits.extendedMtu, halfClose: true };
    this.quotaOf = options.quotaOf ?? (() => undefined);
    this.#localPeerId = options.localPeerId >>> 0;
    const seed = new Uint8Array(8);
    options.random(seed);
    const word = (at: number): number =>
      (seed[at]! | (seed[at + 1]! << 8) | (seed[at + 2]! << 16) | (seed[at + 3]! << 24)) >>> 0;
    this.#nextConv = word(0);
    this.#table = new ConvTable(word(4));
    this.#closed = new ClosedMemory(word(4));
    this.#output = new PacketOutput(this.pool, this.role === "source", this.#localPeerId);
  }

  get connectionCount(): number {
    return this.#list.length;
  }

  get connections(): Iterable<KcpConnection<Owner>> {
    return this.#list;
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Source role: opens a connection. Undefined = a bound is reached. */
  connect(
    peerId: number,
    target: KcpTarget,
    now: number,
    options: KcpConnectOptions = {},
  ): KcpConnection<Owner> | undefined {
    if (this.role !== "source") throw new TypeError("Only the endpoint of the source role connects.");
    if (!this.#hasRoom(peerId)) return undefined;
    const conv = this.#chooseConv(peerId);
    const { openTimeoutMs, rttMs } = options;
    const connection = new Connection<Owner>({
      host: this,
      peerId,
      conv,
      target,
      now,
      openTimeoutMs,
      rttMs,
    });
    this.#add(connection, now);
    return connection;
  }

  /** The peer left the network: its connections close, without a word to it. */
  forgetPeer(peerId: number, now: number): void {
    for (const connection of this.#list) if (connection.peerId === peerId) connection.close("peer_gone", now);
  }

  /** Gives everything back to the pool. The endpoint is not used afterwards. */
  dispose(now: number): void {
    for (const connection of [...this.#list]) connection.release(now);
    this.#output.dispose();
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One packet of type 11 (destination role) or 12 (source role) from `fromPeerId`: the connection layer's header at `offset` in
   * `slot`. True = the slot was taken. Never throws; what is wrong is counted.
   */
  handlePacket(fromPeerId: number, slot: number, offset: number, length: number, now: number): boolean {
    this.#now = now;
    if (length < KCP_HEADER_BYTES) {
      this.counters.droppedShort++;
      return false;
    }
    const { bytes } = this.pool;
    const isSource = this.role === "source";
    const ours = isSource ? readSourceId(bytes, offset) : readDestinationId(bytes, offset);
    const theirs = isSource ? readDestinationId(bytes, offset) : readSourceId(bytes, offset);
    if (ours !== this.#localPeerId || theirs !== fromPeerId >>> 0) {
      this.counters.droppedForeignIds++;
      return false;
    }
    const conv = readConv(bytes, offset);
    const flags = readFlags(bytes, offset);
    const bodyAt = offset + KCP_HEADER_BYTES;
    const bodyBytes = length - KCP_HEADER_BYTES;
    const connection = this.#table.get(conv, theirs);
    this.#latest = connection;
    if (connection !== undefined) return connection.receive(conv, flags, slot, bodyAt, bodyBytes, now);
    if ((flags & KcpFlag.ping) === 0 && (flags & STATE_FLAGS) === KcpFlag.syn && !isSource) {
      this.#offer(conv, theirs, bodyAt, bodyBytes, now);
    } else if ((flags & KcpFlag.rst) === 0 && (flags & KcpFlag.pong) === 0) {
      this.#answerStray(conv, theirs, this.#closed.find(conv, theirs, now), now);
    }
    return false;
  }

  /**
   * Packets that the host found to follow the one last given to `handlePacket` (`Host.udpFollowers`), before anything else is
   * done: the run with its head at `words[at]`. False = none was taken, they are to be given to `handlePacket` one by one.
   */
  handleFollowers(words: Int32Array, at: number, count: number, now: number): boolean {
    return this.#latest?.receiveRun(words, at, count, now) ?? false;
  }

  /** A SYN with a new key. */
  #offer(conv: number, peerId: number, offset: number, length: number, now: number): void {
    const closedWith = this.#closed.find(conv, peerId, now);
    if (closedWith >= 0) {
      this.#answerStray(conv, peerId, closedWith === FINISHED ? NO_REASON : closedWith, now);
      return;
    }
    const syn = decodeSyn(this.pool.bytes, offset, length);
    if (syn?.target === undefined) {
      this.counters.droppedConnectionData++;
      this.#answerStray(
        conv,
        peerId,
        syn?.capabilities === undefined ? NO_REASON : reasonCode("denied"),
        now,
      );
      return;
    }
    const { target, capabilities } = syn;
    const key = clientKey(peerId, target);
    const first = this.#clients.get(key);
    if (first !== undefined && (first.state !== "open" || now - first.createdAt < DUPLICATE_GUARD_MS)) {
      this.counters.duplicateSyns++;
      if (first.state !== "closed") {
        first.answerAgain();
        return;
      }
      if (first.refusalCode !== NO_REASON) {
        this.#answerStray(conv, peerId, first.refusalCode, now);
        return;
      }
    }
    if (!this.#hasRoom(peerId) || !this.#hasHalfOpenRoom(peerId)) {
      this.counters.refusedBusy++;
      this.#answerStray(conv, peerId, capabilities === undefined ? NO_REASON : reasonCode("busy"), now);
      return;
    }
    const connection = new Connection<Owner>({ host: this, peerId, conv, target, now, capabilities });
    this.#clients.set(key, connection);
    this.#halfOpen++;
    this.#add(connection, now);
    this.#countOf(peerId).halfOpen++;
  }

  /** `code` = what the RST says, `FINISHED` = no RST but the last acknowledgement; negative = nothing is known. */
  #answerStray(conv: number, peerId: number, code: number, now: number): void {
    if (!this.#strays.add(peerId, conv, Math.max(NO_REASON, code), now)) this.counters.resetsSuppressed++;
  }

  // ── output ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next connection with news, once; undefined = none. */
  pollReady(): KcpConnection<Owner> | undefined {
    for (;;) {
      const connection = this.#readyHead;
      if (connection === undefined) {
        this.hasNews = false;
        return undefined;
      }
      this.#readyHead = connection.nextReady;
      if (this.#readyHead === undefined) this.#readyTail = undefined;
      connection.nextReady = undefined;
      connection.isReady = false;
      if (!connection.isReleased) return connection;
    }
  }

  /** Runs the timers and sends what is due, as much as the sink takes. */
  poll(now: number, sink: KcpPacketSink): void {
    this.#now = now;
    const output = this.#output;
    output.begin(sink);
    if (this.#strays.count > 0) this.#sendStrayAnswers();
    for (;;) {
      const connection = this.#due.due(now);
      if (connection === undefined) break;
      this.#due.remove(connection);
      connection.handleTimeout(now);
    }
    if (now >= this.#pingAt) this.#pingRound(now);
    if (this.#starved.length !== 0) this.#feedStarved();
    if (this.#pollHead !== undefined) this.#pollConnections(now);
    output.end();
  }

  #sendStrayAnswers(): void {
    this.#strays.drain((peerId, conv, code) => {
      if (code === FINISHED) return this.#output.control(peerId, conv, KcpFlag.ack, undefined, 0);
      const body = code === NO_REASON ? undefined : Uint8Array.of(code);
      if (!this.#output.control(peerId, conv, KcpFlag.rst, body, body?.length ?? 0)) return false;
      this.counters.resetsSent++;
      return true;
    });
  }

  /** When `poll` is needed even if nothing arrives; not later than now while output waits. */
  get nextTimeout(): number {
    if (this.#pollHead !== undefined || this.#strays.count > 0) return this.#now;
    return Math.min(this.#due.nextAt, this.#pingAt);
  }

  /** Connections wait for slots that others may give back at any time: `poll` is worth calling although it is not due. */
  get isStarving(): boolean {
    return this.#starved.length !== 0;
  }

  /**
   * Each connection with output has one turn (a second one would free what the first gave to the sink); small ones go first, in
   * case the sink fills up. A connection whose turn was cut lines up behind all others, for the next `poll`.
   */
  #pollConnections(now: number): void {
    if (this.#pollQueue(now, true) > 0) this.#pollQueue(now, false);
  }

  /** One walk over the queue as it is now. Returns how many were left for the second walk. */
  #pollQueue(now: number, onlyInteractive: boolean): number {
    const last = this.#pollTail;
    let left = 0;
    while (this.#pollHead !== undefined && !this.#output.isStopped) {
      const connection = this.#shiftPolled();
      if (onlyInteractive && !connection.isInteractive) {
        left++;
        this.requestPoll(connection);
      } else {
        // What an interactive one has is little: without a quantum it is not cut, and not polled in the second walk too.
        const hasNoLimit = onlyInteractive || this.#pollHead === undefined;
        this.#pollOne(connection, now, hasNoLimit ? ALL_DATAGRAMS : FAIR_QUANTUM_DATAGRAMS);
      }
      if (connection === last) break;
    }
    return left;
  }

  #pollOne(connection: Connection<Owner>, now: number, quantum: number): void {
    if (connection.listIndex < 0) return;
    const output = this.#output;
    output.isCut = false;
    connection.poll(now, output, quantum);
    if (output.isCut) this.requestPoll(connection);
    else this.#due.set(connection, Math.max(connection.nextAt, now + MIN_STEP_MS));
  }

  #shiftPolled(): Connection<Owner> {
    const connection = this.#pollHead!;
    this.#pollHead = connection.nextPolled;
    if (this.#pollHead === undefined) this.#pollTail = undefined;
    connection.nextPolled = undefined;
    connection.isPolled = false;
    return connection;
  }

  /** proxies.md 3.8: every connection about every ten seconds, a few milliseconds apart. */
  #pingRound(now: number): void {
    if (this.#pingIndex < 0) {
      this.#pingIndex = this.#list.length - 1;
      this.#roundStartedAt = now;
    }
    const spacing = Math.min(PING_SPACING_MS, PING_INTERVAL_MS / (this.#list.length + 1));
    // Downwards, so that connections which end meanwhile do not hide others. A late call catches up.
    while (this.#pingIndex >= 0 && now >= this.#pingAt) {
      this.#list[this.#pingIndex]?.keepAlive(now);
      this.#pingIndex = Math.min(this.#pingIndex, this.#list.length) - 1;
      this.#pingAt += spacing;
    }
    if (this.#pingIndex >= 0) return;
    this.#pingAt = this.#list.length === 0 ? Infinity : this.#roundStartedAt + PING_INTERVAL_MS;
  }

  #feedStarved(): void {
    const starved = this.#starved;
    for (let i = starved.length - 1; i >= 0; i--) {
      const connection = starved[i]!;
      if (connection.state !== "closed" && connection.writableBytes === 0) continue;
      connection.isStarved = false;
      connection.signalWritable();
      starved[i] = starved[starved.length - 1]!;
      starved.pop();
    }
  }

  // ── ConnectionHost ────────────────────────────────────────────────────────────────────────────────────────────

  markReady(connection: Connection<Owner>): void {
    if (connection.isReady) return;
    connection.isReady = true;
    this.hasNews = true;
    if (this.#readyTail === undefined) this.#readyHead = connection;
    else this.#readyTail.nextReady = connection;
    this.#readyTail = connection;
  }

  requestPoll(connection: Connection<Owner>): void {
    if (connection.isPolled || connection.listIndex < 0) return;
    connection.isPolled = true;
    if (this.#pollTail === undefined) this.#pollHead = connection;
    else this.#pollTail.nextPolled = connection;
    this.#pollTail = connection;
  }

  noteStarved(connection: Connection<Owner>): void {
    if (connection.isStarved) return;
    connection.isStarved = true;
    this.#starved.push(connection);
  }

  addConv(connection: Connection<Owner>): number {
    const conv = this.#chooseConv(connection.peerId);
    this.#table.set(conv, connection.peerId, connection);
    return conv;
  }

  removeConv(connection: Connection<Owner>, conv: number): void {
    this.#table.delete(conv, connection.peerId);
  }

  leaveHalfOpen(connection: Connection<Owner>): void {
    this.#halfOpen--;
    this.#countOf(connection.peerId).halfOpen--;
  }

  forget(connection: Connection<Owner>, now: number): void {
    const { conv, peerId } = connection;
    this.#table.delete(conv, peerId);
    this.#closed.add(conv, peerId, connection.hasAcknowledgedEnd ? FINISHED : connection.refusalCode, now);
    if (this.role !== "destination") return;
    const key = clientKey(peerId, connection);
    if (this.#clients.get(key) === connection) this.#clients.delete(key);
  }

  remove(connection: Connection<Owner>): void {
    if (connection.listIndex < 0) return;
    this.#due.remove(connection);
    const last = this.#list.pop()!;
    if (last !== connection) {
      this.#list[connection.listIndex] = last;
      last.listIndex = connection.listIndex;
    }
    connection.listIndex = -1;
    if (this.#list.length === 0) {
      this.#pingAt = Infinity;
      this.#pingIndex = -1;
    }
    if (--this.#countOf(connection.peerId).total === 0) this.#peers.delete(connection.peerId);
  }

  // ── small things ──────────────────────────────────────────────────────────────────────────────────────────────

  #add(connection: Connection<Owner>, now: number): void {
    this.#now = now;
    connection.listIndex = this.#list.length;
    this.#list.push(connection);
    this.#table.set(connection.conv, connection.peerId, connection);
    this.#countOf(connection.peerId).total++;
    this.counters.opened++;
    if (this.#pingAt === Infinity) this.#pingAt = now + PING_INTERVAL_MS;
    this.requestPoll(connection);
  }

  #countOf(peerId: number): PeerCount {
    let count = this.#peers.get(peerId);
    if (count === undefined) {
      count = { total: 0, halfOpen: 0 };
      this.#peers.set(peerId, count);
    }
    return count;
  }

  #hasRoom(peerId: number): boolean {
    if (this.#list.length >= this.limits.maxConnections) return false;
    return (this.#peers.get(peerId)?.total ?? 0) < this.limits.maxConnectionsPerPeer;
  }

  #hasHalfOpenRoom(peerId: number): boolean {
    if (this.#halfOpen >= this.limits.maxHalfOpen) return false;
    return (this.#peers.get(peerId)?.halfOpen ?? 0) < this.limits.maxHalfOpenPerPeer;
  }

  /** proxies.md 3.2: counts up, past those in use. */
  #chooseConv(peerId: number): number {
    do this.#nextConv = (this.#nextConv + 1) >>> 0;
    while (this.#table.get(this.#nextConv, peerId) !== undefined);
    return this.#nextConv;
  }
}

/** No quantum: nobody else waits for a turn. */
const ALL_DATAGRAMS = 0x3fffffff;
/** A connection whose KCP asks for an immediate poll again waits this long. */
const MIN_STEP_MS = 0.1;

function clientKey(peerId: number, target: KcpTarget): string {
  const { source, destination } = target;
  return `${peerId} ${source.ip}:${source.port} ${destination.ip}:${destination.port}`;
}
