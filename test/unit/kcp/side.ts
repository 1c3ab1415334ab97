import { FixedSlotPool } from "kcp-ts";
import type { End } from "../../../router-daemon/kcp-ts/test/world.ts";
import {
  type CloseReason,
  type KcpConnection,
  KcpEndpoint,
  type KcpLimits,
  type KcpRole,
  Ready,
  type RefusalReason,
} from "../../../router-daemon/src/kcp/index.ts";
import { KCP_HEADER_BYTES, readConv, readFlags } from "../../../router-daemon/src/kcp/packet.ts";

/** Where a received packet's connection header lies in its slot: behind the peer header, as in the daemon. */
export const RECEIVE_AT = 18;

/** Byte `i` of a stream, different for each `salt`. */
export function streamByte(salt: number, i: number): number {
  return (salt * 17 + i * 31 + (i >>> 8) * 7 + (i >>> 16)) & 0xff;
}

const BUFFER = new Uint8Array(65536);

/** What the application at one end of a connection does. */
export interface Plan {
  /** Bytes to send. */
  send?: number;
  /** When to shut down our direction: after the last byte, after the peer's end, never. */
  end?: "after-sending" | "after-peer" | "never";
  /** Abort after so many received bytes. */
  abortAfter?: number;
  /** Bytes read per millisecond; default: all at once. */
  readBytesPerMs?: number;
  /** Starts sending only after so many received bytes (request, answer). */
  sendAfter?: number;
  /** Destination: decides so much later, or refuses. */
  decideAfterMs?: number;
  refuse?: RefusalReason;
}

/** The application at one end. */
export class Talker {
  readonly connection: KcpConnection<Talker>;
  readonly plan: Plan;
  readonly saltOut: number;
  readonly saltIn: number;
  sent = 0;
  received = 0;
  bits = 0;
  /** All `Ready` bits ever seen, in the order of first appearance. */
  readonly news: number[] = [];
  sawEnd = false;
  establishedAt = Number.NaN;
  firstByteAt = Number.NaN;
  lastByteAt = Number.NaN;
  endedAt = Number.NaN;
  closedAt = Number.NaN;
  closeReason: CloseReason | undefined = undefined;
  mayRelease = true;
  #readAt = Number.NaN;

  constructor(connection: KcpConnection<Talker>, plan: Plan, isSource: boolean) {
    this.connection = connection;
    this.plan = plan;
    const salt = connection.source.port;
    this.saltOut = isSource ? salt : salt + 1;
    this.saltIn = isSource ? salt + 1 : salt;
  }

  handle(bits: number, now: number): void {
    this.bits |= bits;
    for (let bit = 1; bit <= Ready.closed; bit <<= 1) {
      if ((bits & bit) !== 0 && !this.news.includes(bit)) this.news.push(bit);
    }
    if ((bits & Ready.established) !== 0) this.establishedAt = now;
    this.step(now);
    if ((bits & Ready.closed) !== 0) {
      this.closedAt = now;
      this.closeReason = this.connection.closeReason;
      if (this.mayRelease && this.connection.readableBytes === 0) this.connection.release(now);
    }
  }

  /** Reads, writes, ends. Returns when it wants to be called again. */
  step(now: number): number {
    const { connection, plan } = this;
    let again = Infinity;
    let allowed = Infinity;
    if (plan.readBytesPerMs !== undefined) {
      allowed = Number.isNaN(this.#readAt) ? 0 : Math.floor((now - this.#readAt) * plan.readBytesPerMs);
      if (allowed > 0 || Number.isNaN(this.#readAt)) this.#readAt = now;
      if (connection.readableBytes > 0 && plan.readBytesPerMs > 0) again = now + 1;
    }
    const buffer = BUFFER;
    while (allowed > 0 && connection.readableBytes > 0) {
      const count = connection.read(buffer.subarray(0, Math.min(buffer.length, allowed)));
      for (let i = 0; i < count; i++) {
        if (buffer[i] !== streamByte(this.saltIn, this.received + i)) {
          throw new Error(`Byte ${this.received + i} of the stream of port ${this.saltIn} is wrong.`);
        }
      }
      if (Number.isNaN(this.firstByteAt)) this.firstByteAt = now;
      this.lastByteAt = now;
      this.received += count;
      allowed -= count;
    }
    if (connection.peerFinished && connection.readableBytes === 0 && !this.sawEnd) {
      this.sawEnd = true;
      this.endedAt = now;
    }
    if (plan.abortAfter !== undefined && this.received >= plan.abortAfter) {
      connection.abort(now, "far_end_reset");
      return Infinity;
    }
    const total = plan.send ?? 0;
    if (this.received >= (plan.sendAfter ?? 0)) {
      while (this.sent < total) {
        const piece = Math.min(total - this.sent, 4096, connection.writableBytes);
        if (piece === 0) break;
        const out = new Uint8Array(piece);
        for (let i = 0; i < piece; i++) out[i] = streamByte(this.saltOut, this.sent + i);
        const taken = connection.write(out);
        this.sent += taken;
        if (taken < piece) break;
      }
    }
    const isDone = this.sent === total;
    if (connection.state === "open" && isDone && !connection.locallyFinished) {
      if (plan.end === "after-sending" || (plan.end === "after-peer" && this.sawEnd))
        connection.shutdown(now);
    }
    if (connection.state === "closed") {
      this.closeReason = connection.closeReason;
      if (this.mayRelease && connection.readableBytes === 0) connection.release(now);
    }
    return again;
  }
}

export interface SentPacket {
  readonly at: number;
  readonly conv: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** An endpoint in the virtual world: a pool, applications, a record of what it sent. */
export class Side implements End {
  readonly pool: FixedSlotPool;
  readonly endpoint: KcpEndpoint<Talker>;
  readonly peerId: number;
  readonly otherId: number;
  readonly role: KcpRole;
  readonly talkers: Talker[] = [];
  /** What a new connection at the destination does. */
  plan: (connection: KcpConnection<Talker>) => Plan = () => ({ end: "after-peer" });
  sentPackets: SentPacket[] = [];
  isRecording = true;
  /** Packets given to the sink per poll before it says no more. */
  sinkLimit = 64;
  /** Called for each packet that leaves; false = it is lost. */
  filter: (packet: SentPacket) => boolean = () => true;
  #timers: { at: number; run: (now: number) => void }[] = [];
  /** When the side was stepped last. */
  now = 0;

  constructor(
    role: KcpRole,
    peerId: number,
    otherId: number,
    options: { slots?: number; limits?: Partial<KcpLimits>; seed?: number } = {},
  ) {
    this.role = role;
    this.peerId = peerId;
    this.otherId = otherId;
    this.pool = new FixedSlotPool(options.slots ?? 8192);
    let state = (options.seed ?? 1) >>> 0;
    this.endpoint = new KcpEndpoint<Talker>({
      role,
      localPeerId: peerId,
      pool: this.pool,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          bytes[i] = state >>> 24;
        }
      },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
  }

  connect(port: number, plan: Plan, now: number, rttMs?: number): Talker {
    const connection = this.endpoint.connect(
      this.otherId,
      { source: { ip: 0x0a7e0001, port }, destination: { ip: 0x0a7e0002, port: 80 } },
      now,
      rttMs === undefined ? {} : { rttMs },
    );
    if (connection === undefined) throw new Error("The endpoint is full.");
    const talker = new Talker(connection, plan, true);
    connection.owner = talker;
    this.talkers.push(talker);
    return talker;
  }

  /** Runs `run` at a time of the virtual clock. */
  at(atMs: number, run: (now: number) => void): void {
    this.#timers.push({ at: atMs, run });
  }

  handle(bytes: Uint8Array, now: number): void {
    this.handleFrom(this.otherId, bytes, now);
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
        if (peerId !== this.otherId) throw new Error(`A packet for peer ${peerId}.`);
        batch.push([offset, length]);
        return batch.length < this.sinkLimit;
      },
    });
    // Only now are the bytes read, as by a host that sends the batch: nothing may have been written over.
    for (const [offset, length] of batch) {
      const bytes = this.pool.bytes.slice(offset, offset + length);
      const packet: SentPacket = {
        at: now,
        conv: readConv(bytes, 0),
        flags: readFlags(bytes, 0),
        body: bytes.subarray(KCP_HEADER_BYTES),
      };
      if (this.isRecording) this.sentPackets.push(packet);
      if (this.filter(packet)) send(bytes);
    }
  }

  drainReady(now: number): number {
    let count = 0;
    for (;;) {
      const connection = this.endpoint.pollReady();
      if (connection === undefined) return count;
      count++;
      const bits = connection.takeReady();
      if ((bits & Ready.incoming) !== 0) this.#meet(connection, now);
      connection.owner?.handle(bits, now);
      this.#stepAgain(connection, now);
    }
  }

  #stepAgain(connection: KcpConnection<Talker>, now: number): void {
    const talker = connection.owner;
    if (talker === undefined) return;
    const again = talker.step(now);
    if (again !== Infinity) this.at(again, (at) => this.#stepAgain(connection, at));
  }

  #meet(connection: KcpConnection<Talker>, now: number): void {
    const plan = this.plan(connection);
    const talker = new Talker(connection, plan, false);
    connection.owner = talker;
    this.talkers.push(talker);
    const decide = (at: number): void => {
      if (plan.refuse !== undefined) connection.refuse(at, plan.refuse);
      else connection.accept(at);
    };
    if (plan.decideAfterMs === undefined) decide(now);
    else this.at(now + plan.decideAfterMs, decide);
  }

  get nextTimeout(): number {
    return Math.min(this.endpoint.nextTimeout, ...this.#timers.map((timer) => timer.at));
  }

  /** Slots that nothing explains: what is missing from the pool minus what connections hold and control slots. */
  get leakedSlots(): number {
    let held = 4;
    for (const connection of this.endpoint.connections) held += connection.stats.heldSlots;
    return this.pool.slotCount - this.pool.freeSlots - held;
  }

  flagsSent(): number[] {
    return this.sentPackets.map((packet) => packet.flags);
  }
}
