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
import type { SlotPool } from "kcp-ts";
import { EVENT_WORDS, type Host, PollEvent, TIMER_HANDLE, TUN_READ_WORDS } from "./host/host.ts";
import { KCP_HEADER_BYTES, KcpFlag, readFlags, STATE_FLAGS } from "./kcp/packet.ts";
import type { CarriedConnection, KcpPacketSink } from "./kcp/types.ts";
import type { MeshNode } from "./mesh/node.ts";
import type { PacketConsumer } from "./mesh/types.ts";
import type { DestinationProxy } from "./proxy/destination.ts";
import { BATCH_WORDS, TransmitBatch } from "./proxy/packet-batch.ts";
import type { PlainPath } from "./proxy/plain-path.ts";
import type { SourceProxy } from "./proxy/source.ts";
import { isQuicOpening } from "./quic/packet.ts";
import type { TcpStack } from "./tcp/stack.ts";
import type { FrameSink } from "./tcp/types.ts";
import { type FollowersTaker, type PacketTaker, UdpInput } from "./udp-input.ts";
import { PacketType } from "./wire/peer-header.ts";

/** Frames taken from the TUN per call: each may be a 64 KiB super-segment. */
export const TUN_BATCH = 4;
/** Calls per turn: a second one mostly learns, without asking the kernel, that there is no more. */
const TUN_BATCHES = 2;
/** Ready handles taken per call. */
export const EVENT_BATCH = 64;
/** Turns in one wake-up before the engine's other work (API, signals) gets its chance. */
export const MAX_TURNS = 16;
/** Turns of the connections of one endpoint in one turn of the loop. */
const OUTPUT_TURNS = 8;
/** A device that takes no more is written to again when the kernel says so, or after this time if it says nothing. */
const TUN_RETRY_MS = 100;
/** A datagram of more than this carries payload; when slots are scarce only smaller ones are let through. */
const CONTROL_BYTES = 256;

/** The parts of the classes that the loop drives. */
export interface Endpoint {
  handlePacket(fromPeerId: number, slot: number, offset: number, length: number, now: number): boolean;
  pollReady(): CarriedConnection<unknown> | undefined;
  /** `pollReady` has something to say: a field, it is asked for in each turn. */
  readonly hasNews: boolean;
  poll(now: number, sink: KcpPacketSink): void;
  readonly nextTimeout: number;
}
export type KcpInput = Endpoint & FollowersTaker & { readonly isStarving: boolean };
export type MeshInput = PacketTaker & Pick<MeshNode, "handleTimeout" | "nextTimeout" | "route">;
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
  readonly #tunOut: number;
  /** The sockets of the mesh. */
  readonly udp: UdpInput;
  readonly batch: TransmitBatch;
  readonly counters: DataPathCounters = {
    turns: 0,
    droppedNoSlot: 0,
    droppedKcpInputDisabled: 0,
    droppedQuicInputDisabled: 0,
    droppedNoRoute: 0,
  };
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
    this.udp = new UdpInput(host, pool);
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
      this.udp.taker = parts.sourceEndpoint;
      return parts.sourceEndpoint.handlePacket(fromPeerId, slot, offset, length, now);
    }
    // Connections that were open when the switch was set live on; new ones are not heard.
    if (!parts.kcpInput() && this.#isOpening(offset, length)) {
      this.counters.droppedKcpInputDisabled++;
      return false;
    }
    this.udp.taker = parts.destinationEndpoint;
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
    if (length <= CONTROL_BYTES || !this.udp.isScarce(0)) return false;
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
    let more = this.udp.receive(parts.mesh, now);
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
    // What the plain path has added does not wait for an endpoint that has something to say.
    this.batch.flush();
    if (sourceEndpoint.nextTimeout <= now || sourceEndpoint.isStarving)
      this.#pollEndpoint(sourceEndpoint, sinks.kcpSource, now);
    if (destinationEndpoint.nextTimeout <= now || destinationEndpoint.isStarving)
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
      } else if (this.udp.has(handle)) {
        // Errors (an ICMP unreachable) are consumed by reading.
        if ((events & ~PollEvent.writable) !== 0) this.udp.noteReadable(handle);
      } else {
        this.#parts!.destination.handleSocket(handle, events, now);
      }
    }
    return count === EVENT_BATCH;
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
    let any = false;
    if (parts.sourceEndpoint.hasNews) any = this.#drainOne(parts.sourceEndpoint, parts.source, now);
    if (parts.destinationEndpoint.hasNews)
      any = this.#drainOne(parts.destinationEndpoint, parts.destination, now) || any;
    if (parts.quicSource.hasNews) any = this.#drainOne(parts.quicSource, parts.source, now) || any;
    if (parts.quicDestination.hasNews)
      any = this.#drainOne(parts.quicDestination, parts.destination, now) || any;
    return any;
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
    this.udp.dispose();
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
