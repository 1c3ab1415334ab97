/**
 * The loop that moves bytes: everything that is ready goes in, everything that is due goes out, one batch each way per turn.
 *
 * One turn:
 * ```
 *  UDP ─▶ mesh ─▶ kcp endpoints            sockets ─▶ destination proxy      input
 *  TUN ─▶ tcp stack / plain path
 *         ready lists: kcp ─▶ source / destination proxy                     moving
 *  kcp endpoints ─▶ transmit batch ─▶ UDP       tcp stack ─▶ TUN             output
 * ```
 * Input comes strictly before output: what a class pushes out stays valid only until it is given something again.
 */
import { RUN_WORDS, RunEntry, RunHead, type SlotPool } from "kcp-ts";
import {
  EVENT_WORDS,
  type Host,
  type HostFailure,
  PollEvent,
  RX_WORDS,
  TIMER_HANDLE,
  TUN_READ_WORDS,
  type UdpInfo,
} from "./host/host.ts";
import { KCP_HEADER_BYTES, KcpFlag, readFlags, STATE_FLAGS } from "./kcp/packet.ts";
import type { CarriedConnection, KcpPacketSink } from "./kcp/types.ts";
import type { MeshNode } from "./mesh/node.ts";
import type { PacketConsumer } from "./mesh/types.ts";
import { RxFlag } from "./mesh/underlay.ts";
import type { DestinationProxy } from "./proxy/destination.ts";
import { BATCH_WORDS, TransmitBatch } from "./proxy/packet-batch.ts";
import type { PlainPath } from "./proxy/plain-path.ts";
import type { SourceProxy } from "./proxy/source.ts";
import { isQuicOpening } from "./quic/packet.ts";
import type { TcpStack } from "./tcp/stack.ts";
import type { FrameSink } from "./tcp/types.ts";
import { PacketType } from "./wire/peer-header.ts";

/** Datagrams taken from the kernel per call, and slots kept ready for them. */
export const RX_BATCH = 256;
/** Frames taken from the TUN per call: each may be a 64 KiB super-segment. */
export const TUN_BATCH = 4;
/** Calls per turn: a second one mostly learns, without asking the kernel, that there is no more. */
const RX_BATCHES = 2;
const TUN_BATCHES = 2;
/** Ready handles taken per call. */
export const EVENT_BATCH = 64;
/** Turns in one wake-up before the engine's other work (API, signals) gets its chance. */
export const MAX_TURNS = 16;
/** Turns of the connections of one endpoint in one turn of the loop. */
const OUTPUT_TURNS = 8;
/** Slots that are never lent to anything but reception: without them no acknowledgement could come in to free others. */
export const RX_RESERVE_SLOTS = 2 * RX_BATCH;
/**
 * With fewer free slots than this only small packets are let through: plain packets and acknowledgements go on. It is less
 * than what a KCP connection leaves alone when it keeps segments out of order, or the missing one could not come in.
 */
const LAST_SLOTS = 64;
/** A device that takes no more is written to again when the kernel says so, or after this time if it says nothing. */
const TUN_RETRY_MS = 100;
/** A datagram of more than this carries payload; when slots are scarce only smaller ones are let through. */
const CONTROL_BYTES = 256;

/** The parts of the classes that the loop drives. */
export interface Endpoint {
  handlePacket(fromPeerId: number, slot: number, offset: number, length: number, now: number): boolean;
  pollReady(): CarriedConnection<unknown> | undefined;
  poll(now: number, sink: KcpPacketSink): void;
  readonly nextTimeout: number;
}
/** An endpoint that takes packets which follow each other as one run. */
export interface KcpInput extends Endpoint {
  handleFollowers(words: Int32Array, at: number, count: number, now: number): boolean;
}
export type MeshInput = Pick<
  MeshNode,
  "handleReceived" | "noteFollowers" | "handleTimeout" | "nextTimeout" | "route"
>;
export type StackInput = Pick<TcpStack, "handleFrame" | "poll" | "nextTimeout">;

/** Anything else that wants to be called at a time. */
export interface Timed {
  handleTimeout(now: number): void;
  readonly nextTimeout: number;
}

export interface DataPathParts {
  readonly mesh: MeshInput;
  readonly stack: StackInput;
  readonly source: SourceProxy;
  readonly destination: DestinationProxy;
  readonly sourceEndpoint: KcpInput;
  readonly destinationEndpoint: KcpInput;
  readonly quicSource: Endpoint;
  readonly quicDestination: Endpoint;
  readonly plain: PlainPath;
  readonly timed: readonly Timed[];
  /** The destination role takes new connections (`disable_kcp_input` is not set). */
  readonly kcpInput: () => boolean;
  readonly quicInput: () => boolean;
}

export interface DataPathCounters {
  turns: number;
  /** KCP data dropped because slots are scarce. */
  droppedNoSlot: number;
  /** Connections that were to be opened although `disable_kcp_input` is set. */
  droppedKcpInputDisabled: number;
  droppedQuicInputDisabled: number;
  /** Packets for a peer without a way to it. */
  droppedNoRoute: number;
}

export class DataPath implements PacketConsumer, FrameSink {
  readonly #host: Host;
  readonly #pool: SlotPool;
  readonly #words: Int32Array;
  readonly #events: number;
  readonly #rxSlots: number;
  readonly #rxOut: number;
  readonly #run: number;
  readonly #tunOut: number;
  readonly #sockets = new Set<number>();
  /** Usually none or one, and written twice per packet: a set would grow and shrink each time. */
  readonly #readableSockets: number[] = [];
  readonly batch: TransmitBatch;
  readonly counters: DataPathCounters = {
    turns: 0,
    droppedNoSlot: 0,
    droppedKcpInputDisabled: 0,
    droppedQuicInputDisabled: 0,
    droppedNoRoute: 0,
  };
  #rxReady = 0;
  /** Of the slots kept ready, those that were taken in this batch: the pool will have to replace them. */
  #owed = 0;
  /** Who has got the last packet, if it was one of KCP; and the first packet of the batch that may have followers. */
  #taker: KcpInput | undefined;
  #aloneUntil = 0;
  /** When the first of the timed parts is due, as of the last turn. */
  #timedAt = Number.NEGATIVE_INFINITY;
  /** When the host's timer will fire. */
  #armedAt = Number.POSITIVE_INFINITY;
  #tun = -1;
  #tunReadable = false;
  /** The device has refused a frame: output toward it waits until it is writable, or until then. */
  #tunFullUntil = Number.NEGATIVE_INFINITY;
  #tunRefused = false;
  #parts: DataPathParts | undefined;
  readonly #sinks: {
    readonly kcpSource: RouteSink;
    readonly kcpDestination: RouteSink;
    readonly quicSource: RouteSink;
    readonly quicDestination: RouteSink;
  };

  constructor(host: Host, pool: SlotPool) {
    this.#host = host;
    this.#pool = pool;
    this.#words = host.memory.words;
    this.#events = host.memory.reserve(EVENT_BATCH * EVENT_WORDS * 4) / 4;
    this.#rxSlots = host.memory.reserve(RX_BATCH * 4) / 4;
    this.#rxOut = host.memory.reserve(RX_BATCH * RX_WORDS * 4) / 4;
    this.#run = host.memory.reserve(RX_BATCH * RUN_WORDS * 4) / 4;
    this.#tunOut = host.memory.reserve(TUN_BATCH * TUN_READ_WORDS * 4) / 4;
    const batchWord = host.memory.reserve(BATCH_WORDS * 4) / 4;
    this.batch = new TransmitBatch((list, count) => host.send(list, count), pool, this.#words, batchWord);
    this.#sinks = {
      kcpSource: new RouteSink(this, PacketType.kcpSource),
      kcpDestination: new RouteSink(this, PacketType.kcpDestination),
      quicSource: new RouteSink(this, PacketType.quicSource),
      quicDestination: new RouteSink(this, PacketType.quicDestination),
    };
  }

  /** The parts are made with this object at hand (it is the mesh's consumer and socket registry), so they come afterwards. */
  attach(parts: DataPathParts): void {
    this.#parts = parts;
  }

  /** Starts reading the device (-1 = none). */
  setTun(handle: number): void {
    this.#tun = handle;
    this.#tunReadable = handle >= 0;
    this.#tunFullUntil = Number.NEGATIVE_INFINITY;
  }

  /** Opens a UDP socket and reads it from now on: what the mesh uses as `udpOpen`. */
  udpOpen(endpointOffset: number): UdpInfo | HostFailure {
    const socket = this.#host.udpOpen(endpointOffset);
    if ("handle" in socket) {
      this.#sockets.add(socket.handle);
      this.#noteReadable(socket.handle);
    }
    return socket;
  }

  udpClose(handle: number): void {
    this.#sockets.delete(handle);
    this.#noteDrained(handle);
    this.#host.close(handle);
  }

  #noteReadable(socket: number): void {
    if (!this.#readableSockets.includes(socket)) this.#readableSockets.push(socket);
  }

  #noteDrained(socket: number): void {
    const at = this.#readableSockets.indexOf(socket);
    if (at < 0) return;
    const last = this.#readableSockets.pop()!;
    if (last !== socket) this.#readableSockets[at] = last;
  }

  /** Everything that is ready or due; called by the host's `wake` and after commands from outside. */
  run(): void {
    // Whatever becomes ready from here on is a wake-up of its own.
    let more = true;
    while (more) more = this.#readEvents(this.#host.now());
    more = true;
    for (let turn = 0; more && turn < MAX_TURNS; turn++) more = this.#turn(this.#host.now());
    // Work left over comes back through the timer, after the engine's own queue.
    if (more) this.wakeAt(this.#host.now());
    else this.#arm(this.#nextTimeout());
  }

  /** Has `run` called at this time, or before. */
  wakeAt(atMs: number): void {
    this.#armedAt = atMs;
    this.#host.setTimer(atMs);
  }

  /** Times move away with every packet: a timer that is set for earlier is left alone, and set anew once it has fired. */
  #arm(atMs: number): void {
    if (atMs < this.#armedAt) this.wakeAt(atMs);
  }

  // ── what the mesh hands over ──────────────────────────────────────────────────────────────────────────────────

  data(_fromPeerId: number, _slot: number, offset: number, length: number, now: number): boolean {
    this.#parts!.plain.handlePacket(offset, length, now);
    return false;
  }

  kcp(
    role: "source" | "destination",
    fromPeerId: number,
    slot: number,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    if (this.#isForLater(length)) return false;
    const parts = this.#parts!;
    if (role === "source") {
      this.#taker = parts.sourceEndpoint;
      return parts.sourceEndpoint.handlePacket(fromPeerId, slot, offset, length, now);
    }
    // Connections that were open when the switch was set live on; new ones are not heard.
    if (!parts.kcpInput() && this.#isOpening(offset, length)) {
      this.counters.droppedKcpInputDisabled++;
      return false;
    }
    this.#taker = parts.destinationEndpoint;
    return parts.destinationEndpoint.handlePacket(fromPeerId, slot, offset, length, now);
  }

  quic(
    role: "source" | "destination",
    fromPeerId: number,
    slot: number,
    offset: number,
    length: number,
    now: number,
  ): boolean {
    // Whole-sized handshake packets must come in, too: only what would be kept is dropped, which `QuicEndpoint` does.
    const parts = this.#parts!;
    if (role === "source") return parts.quicSource.handlePacket(fromPeerId, slot, offset, length, now);
    if (!parts.quicInput() && isQuicOpening(this.#pool.bytes, offset, length)) {
      this.counters.droppedQuicInputDisabled++;
      return false;
    }
    return parts.quicDestination.handlePacket(fromPeerId, slot, offset, length, now);
  }

  /** Slots are so scarce that a packet with payload has to be sent again. */
  #isForLater(length: number): boolean {
    if (length <= CONTROL_BYTES || this.#pool.freeSlots - this.#owed >= LAST_SLOTS) return false;
    this.counters.droppedNoSlot++;
    return true;
  }

  #isOpening(offset: number, length: number): boolean {
    if (length < KCP_HEADER_BYTES) return true;
    return (readFlags(this.#pool.bytes, offset) & STATE_FLAGS) === KcpFlag.syn;
  }

  /** The TCP stack's output. */
  frame(iov: number, pairs: number): boolean {
    if (this.#host.tunWrite(this.#tun, iov, pairs) > 0) return true;
    this.#tunRefused = true;
    return false;
  }

  // ── one turn ──────────────────────────────────────────────────────────────────────────────────────────────────

  #turn(now: number): boolean {
    const parts = this.#parts!;
    this.counters.turns++;
    let more = false;
    // Backwards: a socket that is drained leaves its place to the last one.
    for (let i = this.#readableSockets.length - 1; i >= 0; i--) {
      const socket = this.#readableSockets[i];
      if (socket !== undefined) more = this.#receive(socket, now) || more;
    }
    if (this.#tunReadable) more = this.#readTun(now) || more;
    if (this.#timedAt <= now)
      for (const timed of parts.timed) if (timed.nextTimeout <= now) timed.handleTimeout(now);
    if (parts.mesh.nextTimeout <= now) parts.mesh.handleTimeout(now);
    if (parts.destination.nextTimeout <= now) parts.destination.handleTimeout(now);
    this.#drainReady(now);
    // What goes to the client first: the acknowledgements to the peer can wait for it, not the other way round.
    if (now >= this.#tunFullUntil) this.#pollStack(now);
    this.#pollEndpoints(now);
    return this.#drainReady(now) || more;
  }

  #pollStack(now: number): void {
    const { source, stack } = this.#parts!;
    source.setNow(now);
    this.#tunRefused = false;
    stack.poll(now, this);
    this.#tunFullUntil = this.#tunRefused ? now + TUN_RETRY_MS : Number.NEGATIVE_INFINITY;
  }

  #pollEndpoints(now: number): void {
    const { sourceEndpoint, destinationEndpoint, quicSource, quicDestination } = this.#parts!;
    const sinks = this.#sinks;
    this.#pollEndpoint(sourceEndpoint, sinks.kcpSource, now);
    this.#pollEndpoint(destinationEndpoint, sinks.kcpDestination, now);
    if (quicSource.nextTimeout <= now) this.#pollEndpoint(quicSource, sinks.quicSource, now);
    if (quicDestination.nextTimeout <= now) this.#pollEndpoint(quicDestination, sinks.quicDestination, now);
  }

  /** Several bulk connections share the output in turns: as many of them as make a good batch. */
  #pollEndpoint(endpoint: Endpoint, sink: RouteSink, now: number): void {
    for (let turn = 0; turn < OUTPUT_TURNS; turn++) {
      sink.begin();
      endpoint.poll(now, sink);
      // What was pushed is only good until the endpoint is polled again.
      this.batch.flush();
      if (endpoint.nextTimeout > now) return;
    }
  }

  #readEvents(now: number): boolean {
    const count = this.#host.poll(this.#events, EVENT_BATCH);
    for (let i = 0; i < count; i++) {
      const handle = this.#words[this.#events + i * EVENT_WORDS]!;
      const events = this.#words[this.#events + i * EVENT_WORDS + 1]!;
      if (handle === TIMER_HANDLE) {
        this.#armedAt = Number.POSITIVE_INFINITY;
      } else if (handle === this.#tun) {
        if ((events & PollEvent.readable) !== 0) this.#tunReadable = true;
        if ((events & PollEvent.writable) !== 0) this.#tunFullUntil = Number.NEGATIVE_INFINITY;
      } else if (this.#sockets.has(handle)) {
        // Errors (an ICMP unreachable) are consumed by reading.
        if ((events & ~PollEvent.writable) !== 0) this.#noteReadable(handle);
      } else {
        this.#parts!.destination.handleSocket(handle, events, now);
      }
    }
    return count === EVENT_BATCH;
  }

  /** True when the socket may have more. */
  #receive(socket: number, now: number): boolean {
    for (let batches = 0; batches < RX_BATCHES; batches++) {
      if (!this.#receiveBatch(socket, now)) return false;
    }
    return true;
  }

  #receiveBatch(socket: number, now: number): boolean {
    while (this.#rxReady < RX_BATCH) {
      const slot = this.#pool.alloc();
      if (slot < 0) break;
      this.#words[this.#rxSlots + this.#rxReady++] = slot;
    }
    // Without a slot nothing can be received, and the socket would not be reported again: it stays on the list.
    if (this.#rxReady === 0) return false;
    const count = this.#host.udpReceive(socket, this.#rxSlots, this.#rxReady, this.#rxOut);
    if (count <= 0) {
      this.#noteDrained(socket);
      return false;
    }
    const mesh = this.#parts!.mesh;
    let kept = 0;
    this.#owed = 0;
    this.#aloneUntil = 0;
    for (let i = 0; i < count; i++) {
      const at = this.#rxOut + i * RX_WORDS;
      const slot = this.#words[this.#rxSlots + i]!;
      this.#taker = undefined;
      const taken = mesh.handleReceived(
        slot,
        this.#words[at]!,
        this.#words[at + 1]!,
        this.#words[at + 2]!,
        this.#words[at + 3]!,
        now,
        socket,
      );
      if (!taken) {
        this.#words[this.#rxSlots + kept++] = slot;
        continue;
      }
      this.#owed++;
      if (i + 1 < count && i >= this.#aloneUntil) i += this.#takeFollowers(i, count, now);
    }
    // Slots from the far end fill the places of those that were taken.
    while (kept < count && count < this.#rxReady) {
      this.#words[this.#rxSlots + kept++] = this.#words[this.#rxSlots + --this.#rxReady]!;
    }
    if (kept < count) this.#rxReady = kept;
    return true;
  }

  /** Packets behind `i` that continue its stream go the same way, all at once. Returns how many were taken. */
  #takeFollowers(i: number, count: number, now: number): number {
    const entry = this.#rxOut + i * RX_WORDS;
    const flags = this.#words[entry + 3]!;
    if (this.#taker === undefined || (flags & RxFlag.datagram) !== 0) return 0;
    const run = this.#run;
    const found = this.#host.udpFollowers(entry, this.#rxSlots + i, count - i, run);
    if (found <= 0) return 0;
    const isScarce = this.#pool.freeSlots - this.#owed - found < LAST_SLOTS;
    if (isScarce || !this.#taker.handleFollowers(this.#words, run, found, now)) {
      this.#aloneUntil = i + found + 1;
      return 0;
    }
    this.#owed += found;
    const headerBytes = this.#words[run + RUN_WORDS + RunEntry.offset]! - this.#words[entry + RX_WORDS]!;
    const bytes = this.#words[run + RunHead.bytes]! + found * headerBytes;
    this.#parts!.mesh.noteFollowers(this.#words[entry + 2]!, flags, found, bytes);
    return found;
  }

  /** True when the device may have more. */
  #readTun(now: number): boolean {
    const parts = this.#parts!;
    parts.source.setNow(now);
    for (let batches = 0; batches < TUN_BATCHES; batches++) {
      const count = this.#host.tunRead(this.#tun, this.#tunOut, TUN_BATCH);
      if (count <= 0) {
        this.#tunReadable = false;
        return false;
      }
      for (let i = 0; i < count; i++) {
        const offset = this.#words[this.#tunOut + i * TUN_READ_WORDS]!;
        const length = this.#words[this.#tunOut + i * TUN_READ_WORDS + 1]!;
        if (!parts.stack.handleFrame(offset, length, now)) parts.plain.handleFrame(offset, length, now);
      }
    }
    return true;
  }

  /** Hands the endpoints' news to the proxies. True when there was any: it may have made room or output elsewhere. */
  #drainReady(now: number): boolean {
    const parts = this.#parts!;
    const { source, destination } = parts;
    // Both are always drained: `||` would leave the second one out.
    const kcpSource = this.#drainOne(parts.sourceEndpoint, source, now);
    const kcpDestination = this.#drainOne(parts.destinationEndpoint, destination, now);
    const quicSource = this.#drainOne(parts.quicSource, source, now);
    const quicDestination = this.#drainOne(parts.quicDestination, destination, now);
    return kcpSource || kcpDestination || quicSource || quicDestination;
  }

  #drainOne(endpoint: Endpoint, proxy: SourceProxy | DestinationProxy, now: number): boolean {
    let any = false;
    for (let conn = endpoint.pollReady(); conn !== undefined; conn = endpoint.pollReady()) {
      proxy.handleReady(conn, now);
      any = true;
    }
    return any;
  }

  #nextTimeout(): number {
    const parts = this.#parts!;
    const { mesh, stack, sourceEndpoint, destinationEndpoint, destination, timed } = parts;
    let timedAt = Number.POSITIVE_INFINITY;
    for (const part of timed) timedAt = Math.min(timedAt, part.nextTimeout);
    this.#timedAt = timedAt;
    return Math.min(
      timedAt,
      mesh.nextTimeout,
      Math.max(stack.nextTimeout, this.#tunFullUntil),
      sourceEndpoint.nextTimeout,
      destinationEndpoint.nextTimeout,
      parts.quicSource.nextTimeout,
      parts.quicDestination.nextTimeout,
      destination.nextTimeout,
    );
  }

  /** Sends what the endpoints and the stack have to say now: last words before everything is closed. */
  flush(now: number): void {
    this.#pollEndpoints(now);
    this.#pollStack(now);
  }

  /** Gives the receive slots back: the loop ends. */
  dispose(): void {
    while (this.#rxReady > 0) this.#pool.free(this.#words[this.#rxSlots + --this.#rxReady]!);
  }

  /** The host's route for packets of a type to a peer, or -1. */
  route(peerId: number, packetType: number): number {
    return this.#parts!.mesh.route(peerId, packetType);
  }
}

/** Where one endpoint's packets go, by their type (proxies.md 1). */
class RouteSink {
  readonly #path: DataPath;
  readonly #packetType: number;
  /** The route used last: packets of one peer follow each other, and a route is good until the next input. */
  #peerId = 0;
  #route = -1;

  constructor(path: DataPath, packetType: number) {
    this.#path = path;
    this.#packetType = packetType;
  }

  /** Before each poll. */
  begin(): void {
    this.#peerId = 0;
    this.#route = -1;
  }

  packet(peerId: number, offset: number, length: number): boolean {
    if (peerId !== this.#peerId) {
      this.#peerId = peerId;
      this.#route = this.#path.route(peerId, this.#packetType);
    }
    if (this.#route < 0) this.#path.counters.droppedNoRoute++;
    else this.#path.batch.add(offset, length, this.#route, -1);
    return true;
  }
}
