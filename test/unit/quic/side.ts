/** One node of the virtual world that speaks QUIC: an endpoint, its applications, and what it sends. */
import { type CongestionFactory, FixedSlotPool } from "kcp-ts";
import type { End } from "../../../router-daemon/kcp-ts/test/world.ts";
import { type KcpConnection, Ready } from "../../../router-daemon/src/kcp/index.ts";
import { ChecksumForm } from "../../../router-daemon/src/quic/checksum.ts";
import {
  QuicEndpoint,
  type QuicLimits,
  type QuicRole,
  type QuicStream,
} from "../../../router-daemon/src/quic/index.ts";
import { CONTROL_SLOTS } from "../../../router-daemon/src/quic/limits.ts";
import { PacketKind } from "../../../router-daemon/src/quic/packet.ts";
import { ParameterId } from "../../../router-daemon/src/quic/transport-parameters.ts";
import { writeVarint } from "../../../router-daemon/src/quic/varint.ts";
import { seededRandom } from "../../random.ts";
import { type Plan, RECEIVE_AT, Talker } from "../kcp/side.ts";
import { readDatagram, reseal } from "./packets.ts";

export interface SideOptions {
  slots?: number;
  limits?: Partial<QuicLimits>;
  seed?: number;
  congestion?: CongestionFactory;
  rttMs?: number;
  isNarrow?: boolean;
  isStock?: boolean;
}

export class Side implements End {
  readonly pool: FixedSlotPool;
  readonly endpoint: QuicEndpoint<Talker>;
  readonly role: QuicRole;
  readonly peerId: number;
  readonly otherId: number;
  readonly talkers: Talker[] = [];
  /** What a new stream at the destination does. */
  plan: (stream: QuicStream<Talker>) => Plan = () => ({ end: "after-peer" });
  /** Datagrams given to the sink per poll before it says no more. */
  sinkLimit = 64;
  /** Called for each datagram that leaves; false = it is lost. */
  filter: (bytes: Uint8Array) => boolean = () => true;
  /** Speaks and understands the checksum of 32-bit machines only. */
  readonly isNarrow: boolean;
  /** Says nothing that only nodes of our kind understand. */
  readonly isStock: boolean;
  /** The node is off: hears and says nothing. */
  isOff = false;
  sentDatagrams = 0;
  longest = 0;
  now = 0;
  #timers: { at: number; run: (now: number) => void }[] = [];

  constructor(role: QuicRole, peerId: number, otherId: number, options: SideOptions = {}) {
    const { slots = 8192, seed = 1, rttMs = 0, limits, congestion } = options;
    this.isNarrow = options.isNarrow ?? false;
    this.isStock = options.isStock ?? false;
    this.role = role;
    this.peerId = peerId;
    this.otherId = otherId;
    this.pool = new FixedSlotPool(slots);
    const random = seededRandom(seed);
    this.endpoint = new QuicEndpoint<Talker>({
      role,
      pool: this.pool,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = random() >>> 24;
      },
      rttMs: () => rttMs,
      ...(limits === undefined ? {} : { limits }),
      ...(congestion === undefined ? {} : { congestion }),
    });
  }

  connect(port: number, plan: Plan, now: number, openTimeoutMs?: number): Talker {
    const stream = this.endpoint.connect(
      this.otherId,
      { source: { ip: 0x0a7e0001, port }, destination: { ip: 0x0a7e0002, port: 80 } },
      now,
      openTimeoutMs === undefined ? {} : { openTimeoutMs },
    );
    if (stream === undefined) throw new Error("The endpoint is full.");
    return this.#talk(stream, plan, true);
  }

  #talk(stream: QuicStream<Talker>, plan: Plan, isSource: boolean): Talker {
    // A talker uses no more of a KCP connection than a stream has.
    const talker = new Talker(stream as unknown as KcpConnection<Talker>, plan, isSource);
    stream.owner = talker;
    this.talkers.push(talker);
    return talker;
  }

  /** Runs `run` at a time of the virtual clock. */
  at(atMs: number, run: (now: number) => void): void {
    this.#timers.push({ at: atMs, run });
  }

  handle(bytes: Uint8Array, now: number): void {
    if (this.isOff) return;
    if (!this.isNarrow) this.handleFrom(this.otherId, bytes, now);
    else if (readDatagram(bytes).every(({ form }) => form === ChecksumForm.narrow)) {
      this.handleFrom(this.otherId, reseal(bytes, ChecksumForm.wide), now);
    }
  }

  handleFrom(peerId: number, bytes: Uint8Array, now: number): boolean {
    const slot = this.pool.alloc();
    if (slot < 0) return false;
    const offset = slot * this.pool.slotBytes + RECEIVE_AT;
    this.pool.bytes.set(bytes, offset);
    const isTaken = this.endpoint.handlePacket(peerId, slot, offset, bytes.length, now);
    if (!isTaken) this.pool.free(slot);
    return isTaken;
  }

  step(now: number, send: (bytes: Uint8Array) => void): void {
    this.now = now;
    for (let turns = 0; ; turns++) {
      if (turns > 2000) throw new Error(`The ${this.role} is busy without end at ${now} ms.`);
      const due = this.#timers.filter((timer) => timer.at <= now);
      this.#timers = this.#timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.run(now);
      this.drainReady(now);
      this.poll(now, send);
      if (this.drainReady(now) === 0 && this.endpoint.nextTimeout > now) return;
    }
  }

  poll(now: number, send: (bytes: Uint8Array) => void): void {
    const batch: [number, number][] = [];
    this.endpoint.poll(now, {
      packet: (peerId, offset, length) => {
        if (peerId !== this.otherId) throw new Error(`A datagram for peer ${peerId}.`);
        batch.push([offset, length]);
        return batch.length < this.sinkLimit;
      },
    });
    // Only now are the bytes read, as by a host that sends the batch: nothing may have been written over.
    for (const [offset, length] of batch) {
      const bytes = this.pool.bytes.slice(offset, offset + length);
      this.sentDatagrams++;
      this.longest = Math.max(this.longest, length);
      if (!this.isOff && this.filter(bytes)) send(this.#disguise(bytes));
    }
  }

  #disguise(bytes: Uint8Array): Uint8Array {
    if (!this.isStock && !this.isNarrow) return bytes;
    return reseal(bytes, this.isNarrow ? ChecksumForm.narrow : ChecksumForm.wide, (copy, header) => {
      if (!this.isStock || header.kind === PacketKind.short) return;
      // The parameter that tells our kind becomes one that nobody knows.
      const at = findParameter(copy, header.payloadAt, header.payloadAt + header.payloadBytes);
      if (at >= 0) copy[at + 3]! ^= 1;
    });
  }

  drainReady(now: number): number {
    let count = 0;
    for (;;) {
      const stream = this.endpoint.pollReady();
      if (stream === undefined) return count;
      count++;
      const bits = stream.takeReady();
      if ((bits & Ready.incoming) !== 0) this.#meet(stream, now);
      stream.owner?.handle(bits, now);
      this.#stepAgain(stream, now);
    }
  }

  #stepAgain(stream: QuicStream<Talker>, now: number): void {
    const talker = stream.owner;
    if (talker === undefined) return;
    const again = talker.step(now);
    if (again !== Infinity) this.at(again, (at) => this.#stepAgain(stream, at));
  }

  #meet(stream: QuicStream<Talker>, now: number): void {
    const plan = this.plan(stream);
    this.#talk(stream, plan, false);
    const decide = (at: number): void => {
      if (plan.refuse !== undefined) stream.refuse(at, plan.refuse);
      else stream.accept(at);
    };
    if (plan.decideAfterMs === undefined) decide(now);
    else this.at(now + plan.decideAfterMs, decide);
  }

  get nextTimeout(): number {
    return Math.min(this.endpoint.nextTimeout, ...this.#timers.map((timer) => timer.at));
  }

  /** Slots that nothing explains: what is missing from the pool minus what streams hold and output keeps. */
  get leakedSlots(): number {
    let held = CONTROL_SLOTS;
    for (const stream of this.endpoint.connections) held += stream.stats.heldSlots;
    return this.pool.slotCount - this.pool.freeSlots - held;
  }
}

/** Where the parameter `kcpRouter` begins, -1 = nowhere. */
function findParameter(bytes: Uint8Array, from: number, end: number): number {
  const id = new Uint8Array(8);
  const length = writeVarint(id, 0, ParameterId.kcpRouter);
  for (let at = from; at + length <= end; at++) {
    if (id.subarray(0, length).every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}
