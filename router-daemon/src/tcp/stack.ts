/**
 * The user-space TCP stack that ends the connections of LAN clients, whatever address they are meant for.
 *
 * A segment's life: `handleFrame` takes it apart (`segment.ts`), finds its flow by the 4-tuple (`tuple-table.ts`), the flow
 * (`flow.ts`) tests it and gives payload to the receiver (`inbound.ts`) and acknowledgements to the sender (`sender.ts`,
 * `recovery.ts`). What is to be said waits until `poll`, which asks each flow with output for its segments.
 */

import type { SlotPool } from "kcp-ts";
import { IPV4_HEADER_BYTES, IPV4_MAX_BYTES, isUnicastAddress } from "../wire/ipv4.ts";
import { TCP_HEADER_BYTES, TCP_MAX_HEADER_BYTES, TcpFlag } from "../wire/tcp.ts";
import { ReorderStore } from "./assembler.ts";
import { TcpCounters } from "./counters.ts";
import { TcpFlow } from "./flow.ts";
import type { FlowHome } from "./flow-home.ts";
import { Output } from "./flow-output.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HeldSyns } from "./held-syns.ts";
import { DEFAULT_TCP_LIMITS, type TcpLimits } from "./limits.ts";
import { addResetFor, Lingering } from "./lingering.ts";
import { Replies } from "./replies.ts";
import { Segment } from "./segment.ts";
import { TIMER_COUNT, TimerTable } from "./timer-table.ts";
import { TupleTable } from "./tuple-table.ts";
import type { Flow, FlowKey, FlowReceiver, FrameSink, TcpEvents, TcpStackOptions } from "./types.ts";

/** The sink was full: how long until it is asked again without other cause. */
const BLOCKED_RETRY_MS = 1;

const SYN_TEST = TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin;

export class TcpStack {
  readonly counters: TcpCounters = new TcpCounters();
  readonly limits: TcpLimits;
  readonly #pool: SlotPool;
  readonly #events: TcpEvents;
  readonly #segment: Segment;
  /** Of `sendResetFor`, which may be called while `#segment` is in use. */
  readonly #resetSegment: Segment;
  readonly #key: MutableKey = { clientAddress: 0, clientPort: 0, targetAddress: 0, targetPort: 0 };
  readonly #table: TupleTable;
  readonly #flows: (TcpFlow | undefined)[];
  readonly #held: HeldSyns;
  readonly #timers: TimerTable;
  readonly #lingering: Lingering;
  readonly #replies: Replies = new Replies();
  readonly #writer: FrameWriter;
  readonly #reorder: ReorderStore;
  readonly #home: FlowHome;
  /** Flows with output, first come first served: a ring in which each stands at most once. */
  readonly #ready: Int32Array;
  readonly #isReady: Uint8Array;
  #readyHead = 0;
  #readyCount = 0;
  /** Until when a full sink is left alone. */
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #now = 0;

  constructor(options: TcpStackOptions) {
    const limits = { ...DEFAULT_TCP_LIMITS, ...options.limits };
    verifyOptions(options, limits);
    const { pool, quota, words, regionOffset, random, mtu, events } = options;
    this.limits = limits;
    this.#pool = pool;
    this.#events = events;
    this.#segment = new Segment(pool.bytes);
    this.#resetSegment = new Segment(pool.bytes);
    this.#table = new TupleTable(limits.maxFlows, random());
    this.#flows = new Array<TcpFlow | undefined>(limits.maxFlows).fill(undefined);
    this.#held = new HeldSyns(limits.maxHeldSyns, limits.maxFlows, this.#flows);
    this.#timers = new TimerTable(limits.maxFlows);
    this.#lingering = new Lingering(limits.maxLingering, limits.lingerMs, random());
    this.#writer = new FrameWriter(pool.bytes, words, regionOffset);
    this.#reorder = new ReorderStore(pool, limits.maxReorderSlotsInAll, limits.maxReorderSlots);
    this.#ready = new Int32Array(limits.maxFlows);
    this.#isReady = new Uint8Array(limits.maxFlows);
    const mostPayload = IPV4_MAX_BYTES - IPV4_HEADER_BYTES - TCP_MAX_HEADER_BYTES;
    this.#home = {
      pool,
      quota,
      limits,
      timers: this.#timers,
      events,
      counters: this.counters,
      writer: this.#writer,
      replies: this.#replies,
      reorder: this.#reorder,
      mss: mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES,
      maxFrameBytes: Math.min(options.maxSegmentBytes ?? mostPayload, mostPayload),
      random,
      wantsOutput: (flow) => this.#wantsOutput(flow),
      ended: (flow, linger, now) => this.#ended(flow, linger, now),
    };
  }

  /** Live flows, held ones included. */
  get flowCount(): number {
    return this.#table.size;
  }

  get heldCount(): number {
    return this.#held.count;
  }

  get lingeringCount(): number {
    return this.#lingering.size;
  }

  /** Slots of the pool that hold out-of-order data now. */
  get reorderSlots(): number {
    return this.#reorder.usedSlots;
  }

  *flows(): Iterable<Flow> {
    for (const flow of this.#flows) if (flow !== undefined) yield flow;
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * One frame as read from the TUN: `length` bytes at arena `offset`, vnet header first, valid during the call. False = not
   * ours: it goes the plain path. Segments of unknown connections are never answered.
   */
  handleFrame(offset: number, length: number, now: number): boolean {
    this.#now = now;
    const segment = this.#segment;
    if (!segment.parse(offset, length)) {
      this.counters.framesPlain++;
      return false;
    }
    const id = this.#table.find(segment.client, segment.target, segment.ports);
    const taken =
      id >= 0 ? this.#handleKnown(id, offset, length, now) : this.#handleUnknown(offset, length, now);
    if (taken) {
      this.counters.framesIn++;
      this.counters.bytesIn += segment.payloadBytes;
    } else {
      this.counters.framesPlain++;
    }
    return taken;
  }

  #handleKnown(id: number, offset: number, length: number, now: number): boolean {
    const segment = this.#segment;
    if (!segment.checksumIsRight) {
      this.counters.badChecksums++;
      return true;
    }
    const flow = this.#flows[id]!;
    if (flow.isHeld && (segment.flags & SYN_TEST) === TcpFlag.syn) {
      this.counters.synsAbsorbed++;
      // A younger attempt of the client with the same ports: that is the one to answer.
      if (segment.sequence !== flow.syn.sequence && length <= this.#pool.slotBytes)
        this.#keep(flow, offset, length);
      return true;
    }
    flow.handle(segment, now);
    return true;
  }

  #handleUnknown(offset: number, length: number, now: number): boolean {
    const segment = this.#segment;
    const isSyn = (segment.flags & SYN_TEST) === TcpFlag.syn;
    if (!isSyn && this.#lingering.size === 0) return false;
    if (!segment.checksumIsRight) {
      this.counters.badChecksums++;
      return false;
    }
    if (this.#lingering.handle(segment, this.#replies, now)) return true;
    return isSyn && this.#handleNewSyn(offset, length, now);
  }

  #handleNewSyn(offset: number, length: number, now: number): boolean {
    const segment = this.#segment;
    const { client, target, ports } = segment;
    const portsAreReal = ports >>> 16 !== 0 && (ports & 0xffff) !== 0;
    if (
      !portsAreReal ||
      client === target ||
      !isUnicastAddress(client >>> 0) ||
      !isUnicastAddress(target >>> 0)
    )
      return false;
    if (this.#table.size === this.#table.capacity || length > this.#pool.slotBytes) {
      this.counters.synsOverLimit++;
      return false;
    }
    const key = this.#key;
    key.clientAddress = client >>> 0;
    key.clientPort = ports >>> 16;
    key.targetAddress = target >>> 0;
    key.targetPort = ports & 0xffff;
    if (this.#events.syn(key) === "plain") return false;
    if (!this.#makeRoomToHold(client, now)) {
      this.counters.synsOverLimit++;
      return false;
    }
    const id = this.#table.insert(client, target, ports);
    const flow = new TcpFlow(this.#home, id, segment);
    if (!this.#keep(flow, offset, length)) {
      this.#table.remove(id);
      this.counters.synsOverLimit++;
      return false;
    }
    this.#flows[id] = flow;
    this.#held.add(id);
    this.counters.flowsHeld++;
    this.#events.held(flow);
    return true;
  }

  /** False = no SYN of this client can be held now. */
  #makeRoomToHold(client: number, now: number): boolean {
    if (!this.#held.isFull) return true;
    const victim = this.#held.victimFor(client);
    if (victim === undefined) return false;
    this.counters.synsEvicted++;
    this.#events.evicting(victim);
    if (victim.isHeld) victim.end("evicted", -1, now);
    return !this.#held.isFull;
  }

  /** Copies the SYN into a slot of the flow. False = the pool is empty. */
  #keep(flow: TcpFlow, offset: number, length: number): boolean {
    const { slotBytes, bytes } = this.#pool;
    const slot = flow.syn.slot >= 0 ? flow.syn.slot : this.#pool.alloc();
    if (slot < 0) return false;
    bytes.copyWithin(slot * slotBytes, offset, offset + length);
    flow.syn.hold(this.#segment, slot, slotBytes, length);
    return true;
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Answers the held SYN with SYN-ACK; the client's bytes go to `receiver`. Without effect on a flow that is not held. */
  accept(flow: Flow, receiver: FlowReceiver, now: number): void {
    const mine = this.#mine(flow);
    if (mine === undefined) return;
    this.#held.remove(mine.id);
    this.counters.flowsAccepted++;
    mine.accept(receiver, now);
  }

  /** Answers the held SYN with RST: the client's connect fails at once. */
  refuse(flow: Flow, now: number): void {
    this.#mine(flow)?.refuse(now);
  }

  /** Forgets the held SYN without an answer; its frame (`synOffset`, `synLength`) is to be sent as plain IP before. */
  release(flow: Flow): void {
    this.#mine(flow)?.end("released", -1, this.#now);
  }

  #mine(flow: Flow): TcpFlow | undefined {
    const mine = this.#flows[flow.id];
    return mine === flow && mine.isHeld ? mine : undefined;
  }

  /** Answers a frame that belongs to no flow with RST, at the next `poll`. False = not TCP, or itself a RST. */
  sendResetFor(offset: number, length: number): boolean {
    const segment = this.#resetSegment;
    if (!segment.parse(offset, length) || (segment.flags & TcpFlag.rst) !== 0) return false;
    addResetFor(segment, this.#replies);
    return true;
  }

  /** Closes all flows without a word to the clients and frees every slot. */
  dispose(): void {
    for (const flow of this.#flows) flow?.end("aborted", -1, this.#now);
    this.#lingering.clear();
    this.#replies.clear();
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs due timers and sends what is waiting, in turns of one super-segment per flow. */
  poll(now: number, sink: FrameSink): void {
    this.#now = now;
    this.#runTimers(now);
    this.#blockedUntil = Number.NEGATIVE_INFINITY;
    const counters = this.counters;
    counters.repliesDropped = this.#replies.dropped;
    if (!this.#replies.poll(this.#writer, sink)) {
      this.#blockedUntil = now + BLOCKED_RETRY_MS;
      return;
    }
    while (this.#readyCount > 0) {
      const id = this.#ready[this.#readyHead]!;
      const flow = this.#flows[id];
      const done = flow === undefined ? Output.done : flow.output(now, sink);
      if (done === Output.blocked) {
        this.#blockedUntil = now + BLOCKED_RETRY_MS;
        return;
      }
      this.#readyHead = this.#readyHead + 1 === this.#ready.length ? 0 : this.#readyHead + 1;
      this.#readyCount--;
      this.#isReady[id] = 0;
      if (done === Output.more) this.#wantsOutput(flow!);
    }
  }

  #runTimers(now: number): void {
    for (let due = this.#timers.popExpired(now); due >= 0; due = this.#timers.popExpired(now)) {
      this.#flows[Math.floor(due / TIMER_COUNT)]!.handleTimer(due % TIMER_COUNT, now);
    }
    this.#lingering.expire(now);
  }

  /** When `poll` must be called without other cause: 0 = there is output waiting now, Infinity = never. */
  get nextTimeout(): number {
    const timers = Math.min(this.#timers.next, this.#lingering.nextTimeout);
    if (this.#readyCount === 0 && this.#replies.isEmpty) return timers;
    return this.#blockedUntil === Number.NEGATIVE_INFINITY ? 0 : Math.min(timers, this.#blockedUntil);
  }

  #wantsOutput(flow: TcpFlow): void {
    const id = flow.id;
    if (this.#isReady[id] !== 0) return;
    this.#isReady[id] = 1;
    let tail = this.#readyHead + this.#readyCount;
    if (tail >= this.#ready.length) tail -= this.#ready.length;
    this.#ready[tail] = id;
    this.#readyCount++;
  }

  #ended(flow: TcpFlow, linger: number, now: number): void {
    const { id, client, target, ports, parts } = flow;
    // Accepted flows have left the list; a held one ends while it is still in it.
    if (parts === null) this.#held.remove(id);
    this.#table.remove(id);
    this.#flows[id] = undefined;
    if (parts === null || linger < 0) return;
    const { sender, inbound, timestamps } = parts;
    this.#lingering.add(client, target, ports, linger, sender.next, inbound.expected, timestamps, now);
  }
}

type MutableKey = { -readonly [name in keyof FlowKey]: FlowKey[name] };

function verifyOptions(options: TcpStackOptions, limits: TcpLimits): void {
  const { mtu, regionOffset, words, pool } = options;
  if (!(mtu >= 576 && mtu <= IPV4_MAX_BYTES))
    throw new RangeError(`The MTU must be 576 to 65535, not ${mtu}.`);
  if (words.buffer !== pool.bytes.buffer || words.byteOffset !== 0 || pool.bytes.byteOffset !== 0) {
    throw new RangeError("The words and the pool must be views of the same arena, from its start.");
  }
  if (regionOffset % 64 !== 0)
    throw new RangeError(`The region must begin at a multiple of 64, not at ${regionOffset}.`);
  const { maxSendSlots, minSendBytes, maxSendBytes } = limits;
  if (minSendBytes < 8 * pool.slotBytes || maxSendBytes < minSendBytes) {
    throw new RangeError(
      `minSendBytes must be at least 8 slots and not above maxSendBytes, not ${minSendBytes}.`,
    );
  }
  if (maxSendSlots < 16 || (maxSendSlots & (maxSendSlots - 1)) !== 0) {
    throw new RangeError(`maxSendSlots must be a power of two of at least 16, not ${maxSendSlots}.`);
  }
}
