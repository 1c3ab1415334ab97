import { FixedSlotPool, SlotQuota } from "kcp-ts";
import { TCP_REGION_BYTES } from "../../../router-daemon/src/tcp/limits.ts";
import { TcpStack } from "../../../router-daemon/src/tcp/stack.ts";
import type {
  CloseReason,
  Flow,
  FlowKey,
  FlowReceiver,
  SynVerdict,
  TcpEvents,
  TcpStackOptions,
} from "../../../router-daemon/src/tcp/types.ts";
import { ByteLog } from "../../byte-log.ts";
import { seededRandom } from "../../random.ts";
import { Client, type ClientOptions } from "./client.ts";
import { coalesce, cutSuperSegment, decodeFrame, encodeFrame, type NaiveSegment } from "./naive.ts";

/** The same seed is the same story. */
export class Random {
  readonly #bits: () => number;

  constructor(seed: number) {
    this.#bits = seededRandom(seed);
  }

  /** 0 <= x < 1. */
  next(): number {
    return this.#bits() / 2 ** 32;
  }

  int32(): number {
    return (this.next() * 2 ** 32) | 0;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }
}

/** One direction of the virtual link. */
export interface LinkOptions {
  delayMs: number;
  /** Added at random: packets overtake each other. */
  jitterMs: number;
  loss: number;
  duplication: number;
  /** Neighbours are merged into super-segments on their way to the stack, as GRO does. */
  coalescing: boolean;
}

const CLEAN: LinkOptions = { delayMs: 1, jitterMs: 0, loss: 0, duplication: 0, coalescing: false };

export interface WorldOptions {
  seed: number;
  slots: number;
  mtu: number;
  up: Partial<LinkOptions>;
  down: Partial<LinkOptions>;
  stack: Partial<Pick<TcpStackOptions, "limits" | "maxSegmentBytes">>;
  /** Send queues are bounded by their share of the pool too. */
  shared: boolean;
  /** Answer every held SYN with SYN-ACK at once. */
  accept: boolean;
  verdict: (key: FlowKey) => SynVerdict;
  /** Room of each new server. */
  space: number;
}

/** The user of the stack for one flow: collects what comes, writes what it is told. */
export class Server implements FlowReceiver {
  readonly flow: Flow;
  established = false;
  finished = false;
  reason: CloseReason | undefined;
  writables = 0;
  lacksSlots = false;
  /** Bytes that may come before `space` is 0. Infinity = the world's space always. */
  budget: number;
  /** What `receive` takes at most, whatever was promised. */
  takesAtMost = Number.POSITIVE_INFINITY;
  readonly #world: World;
  readonly #received = new ByteLog();
  readonly #written = new ByteLog();
  /** Bytes of `#written` that the stack has taken. */
  #taken = 0;
  #shutdownWaits = false;

  constructor(world: World, flow: Flow) {
    this.#world = world;
    this.flow = flow;
    this.budget = world.options.space;
  }

  get received(): Uint8Array {
    return this.#received.bytes;
  }

  get space(): number {
    return Math.min(this.budget, this.#world.options.space);
  }

  receive(offset: number, length: number): number {
    const taken = Math.min(length, this.takesAtMost);
    this.#received.push(this.#world.pool.bytes.subarray(offset, offset + taken));
    if (Number.isFinite(this.budget) && this.budget !== this.#world.options.space) {
      this.budget = Math.max(0, this.budget - taken);
    }
    return taken;
  }

  /** Stops (0) or continues to take what comes. */
  allow(bytes: number): void {
    this.budget = bytes;
    this.flow.receiveSpaceGrew(this.#world.now);
  }

  write(bytes: Uint8Array | number[]): void {
    this.#written.push(bytes);
    this.push();
  }

  shutdown(): void {
    this.#shutdownWaits = true;
    this.push();
  }

  get waitingBytes(): number {
    return this.#written.length - this.#taken;
  }

  /** Hands as much to the stack as it takes, in slots of a KCP segment's size. */
  push(): void {
    const { pool, slotPayload } = this.#world;
    while (this.waitingBytes > 0) {
      const length = Math.min(this.waitingBytes, slotPayload);
      if (this.flow.sendSpace < length) return;
      const slot = pool.alloc();
      this.lacksSlots = slot < 0;
      if (slot < 0) return;
      const offset = slot * pool.slotBytes + 100;
      pool.bytes.set(this.#written.bytes.subarray(this.#taken, this.#taken + length), offset);
      if (!this.flow.send(slot, offset, length)) {
        pool.free(slot);
        return;
      }
      this.#taken += length;
    }
    if (this.#shutdownWaits) this.flow.shutdown();
  }
}

interface Transit {
  at: number;
  order: number;
  segment: NaiveSegment;
  up: boolean;
}

/** A stack, clients, and a link between them, on a virtual clock. */
export class World {
  now = 1000;
  readonly options: WorldOptions;
  readonly random: Random;
  readonly pool: FixedSlotPool;
  readonly stack: TcpStack;
  readonly clients: Client[] = [];
  readonly servers: Server[] = [];
  readonly held: Flow[] = [];
  readonly evicted: Flow[] = [];
  /** Why each flow ended. */
  readonly ends = new Map<Flow, CloseReason>();
  /** What `handleFrame` left to the plain path. */
  readonly plain: NaiveSegment[] = [];
  /** Every frame that the stack sent, before it is cut. */
  readonly output: NaiveSegment[] = [];
  /** Payload of a slot that a server writes. */
  slotPayload = 1376;
  /** The TUN queue is full. */
  sinkFull = false;
  /** Looks at each packet on its way; false = lost. */
  filter: ((segment: NaiveSegment, up: boolean) => boolean) | undefined;
  /** What the stack is given instead of random numbers: its clock's offset and its first sequence number, per flow. */
  readonly nextRandom: number[] = [];
  readonly #frameOffset: number;
  readonly #words: Int32Array;
  #transit: Transit[] = [];
  #order = 0;
  #calm = false;
  /** Right edge of the window that each client was told. */
  readonly #edges = new Map<string, { edge: number; shift: number }>();
  readonly #up: LinkOptions;
  readonly #down: LinkOptions;

  constructor(options: Partial<WorldOptions> = {}) {
    this.options = {
      seed: 1,
      slots: 2048,
      mtu: 1500,
      up: {},
      down: {},
      stack: {},
      shared: false,
      accept: true,
      verdict: () => "hold",
      space: 256 * 1024,
      ...options,
    };
    this.#up = { ...CLEAN, ...this.options.up };
    this.#down = { ...CLEAN, ...this.options.down };
    this.random = new Random(this.options.seed);
    const slotBytes = 1536;
    const regionOffset = Math.ceil((this.options.slots * slotBytes) / 64) * 64;
    this.#frameOffset = regionOffset + TCP_REGION_BYTES;
    const arena = new ArrayBuffer(this.#frameOffset + 66_000);
    this.pool = new FixedSlotPool(this.options.slots, { arena, slotBytes });
    this.#words = new Int32Array(arena, 0, arena.byteLength >> 2);
    this.stack = new TcpStack({
      pool: this.pool,
      quota: this.options.shared ? new SlotQuota(this.pool) : undefined,
      words: this.#words,
      regionOffset,
      random: () => this.nextRandom.shift() ?? this.random.int32(),
      mtu: this.options.mtu,
      events: this.#events(),
      ...this.options.stack,
    });
  }

  #events(): TcpEvents {
    return {
      syn: (key) => this.options.verdict(key),
      held: (flow) => {
        this.held.push(flow);
        if (this.options.accept) this.accept(flow);
      },
      evicting: (flow) => this.evicted.push(flow),
      established: (flow) => {
        this.server(flow).established = true;
      },
      writable: (flow) => {
        this.server(flow).writables++;
        this.server(flow).push();
      },
      finished: (flow) => {
        this.server(flow).finished = true;
      },
      closed: (flow, reason) => {
        if (this.ends.has(flow)) throw new Error("closed twice");
        this.ends.set(flow, reason);
        const server = this.servers.find((one) => one.flow === flow);
        if (server !== undefined) server.reason = reason;
      },
    };
  }

  accept(flow: Flow): Server {
    const server = new Server(this, flow);
    this.servers.push(server);
    this.stack.accept(flow, server, this.now);
    return server;
  }

  server(flow: Flow): Server {
    const server = this.servers.find((one) => one.flow === flow);
    if (server === undefined) throw new Error("an event for a flow that was not accepted");
    return server;
  }

  client(options: Partial<ClientOptions> = {}): Client {
    const client = new Client((segment) => this.#carry(segment, true), options);
    this.clients.push(client);
    return client;
  }

  /** A client with an open connection, and its server. Nothing is lost meanwhile. */
  connected(options: Partial<ClientOptions> = {}): { client: Client; server: Server } {
    const client = this.client(options);
    const before = this.servers.length;
    this.#calm = true;
    client.connect(this.now);
    this.until(() => this.servers.length > before && this.servers.at(-1)!.established, 20_000);
    this.#calm = false;
    return { client, server: this.servers.at(-1)! };
  }

  #carry(segment: NaiveSegment, up: boolean): void {
    if (this.filter !== undefined && !this.filter(segment, up)) return;
    const link = up ? this.#up : this.#down;
    const copies = this.random.next() < link.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.next() < link.loss && !this.#calm) continue;
      const at = this.now + link.delayMs + this.random.next() * link.jitterMs;
      this.#transit.push({ at, order: this.#order++, segment, up });
    }
  }

  /** Puts bytes in front of the stack as the host does. Returns what `handleFrame` said. */
  feed(frame: Uint8Array): boolean {
    this.pool.bytes.set(frame, this.#frameOffset);
    return this.stack.handleFrame(this.#frameOffset, frame.length, this.now);
  }

  /** Moves what is due now; asks the stack for output until it has none. */
  #step(): void {
    const due: Transit[] = [];
    const later: Transit[] = [];
    for (const one of this.#transit) (one.at <= this.now ? due : later).push(one);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    this.#transit = later;
    let pending: NaiveSegment | null = null;
    for (const { segment, up } of due) {
      if (!up) {
        const target = this.clients.find(
          (client) =>
            client.options.port === segment.destinationPort && client.options.address === segment.destination,
        );
        target?.handle(segment, this.now);
        continue;
      }
      const merged: NaiveSegment | null =
        this.#up.coalescing && pending !== null ? coalesce(pending, segment) : null;
      if (pending !== null && merged === null) this.#deliver(pending);
      pending = merged ?? segment;
    }
    if (pending !== null) this.#deliver(pending);
    for (const client of this.clients) if (client.nextTimeout <= this.now) client.handleTimeout(this.now);
    // A server that found the pool empty tries again; for room in the flow it relies on `writable` alone.
    for (const server of this.servers) if (server.lacksSlots) server.push();
    this.poll();
  }

  #deliver(segment: NaiveSegment): void {
    const partial = segment.gsoSize !== undefined || this.random.next() < 0.5;
    if (!this.feed(encodeFrame(segment, partial ? "partial" : "full"))) this.plain.push(segment);
  }

  poll(): void {
    this.stack.poll(this.now, {
      frame: (iov, pairs) => {
        if (this.sinkFull) return false;
        this.#send(iov, pairs);
        return true;
      },
    });
  }

  #send(iov: number, pairs: number): void {
    const parts: number[] = [];
    let length = 0;
    for (let pair = 0; pair < pairs; pair++) length += this.#words[iov + 2 * pair + 1]!;
    const frame = new Uint8Array(length);
    let at = 0;
    for (let pair = 0; pair < pairs; pair++) {
      const offset = this.#words[iov + 2 * pair]!;
      const bytes = this.#words[iov + 2 * pair + 1]!;
      if (bytes <= 0) throw new Error("an empty piece in a frame");
      frame.set(this.pool.bytes.subarray(offset, offset + bytes), at);
      at += bytes;
      parts.push(bytes);
    }
    const segment = decodeFrame(frame);
    this.output.push(segment);
    this.#checkWindow(segment);
    for (const packet of cutSuperSegment(segment)) this.#carry(packet, false);
  }

  /** The one promise that a receiver must not take back; scaling rounds off less than its unit. */
  #checkWindow(segment: NaiveSegment): void {
    const { flags, destination, destinationPort, window, acknowledgement } = segment;
    const key = `${destination}:${destinationPort}`;
    if (flags.has("syn")) {
      this.#edges.set(key, { edge: acknowledgement + window, shift: segment.windowShift ?? 0 });
      return;
    }
    const last = this.#edges.get(key);
    if (last === undefined || flags.has("rst")) return;
    const unit = 2 ** last.shift;
    const edge = acknowledgement + window * unit;
    const growth = (edge - last.edge) | 0;
    if (growth <= -unit) throw new Error(`the window's right edge shrank by ${-growth}`);
    if (growth > 0) last.edge = edge;
  }

  get nextEvent(): number {
    let next = this.sinkFull ? Number.POSITIVE_INFINITY : this.stack.nextTimeout;
    for (const one of this.#transit) next = Math.min(next, one.at);
    for (const client of this.clients) next = Math.min(next, client.nextTimeout);
    return Math.max(next, this.now);
  }

  /** Runs until the condition holds; throws with the seed after `maxMs` of virtual time. */
  until(condition: () => boolean, maxMs = 60_000): void {
    const end = this.now + maxMs;
    while (!condition()) {
      const next = this.nextEvent;
      if (next > end) throw new Error(`Not within ${maxMs} ms (seed ${this.options.seed}): ${condition}`);
      this.now = next;
      this.#step();
    }
  }

  run(ms: number): void {
    const end = this.now + ms;
    // The first step serves what was commanded since the last one.
    this.#step();
    for (let next = this.nextEvent; next <= end; next = this.nextEvent) {
      this.now = next;
      this.#step();
    }
    this.now = end;
  }

  /** Slots that somebody holds. */
  get usedSlots(): number {
    return this.pool.slotCount - this.pool.freeSlots;
  }
}

/** Bytes that tell their place. */
export function pattern(length: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = (index * 7 + (index >> 8) * 13 + salt) & 255;
  return bytes;
}
