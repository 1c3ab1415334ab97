import test from "ava";
import fc from "fast-check";
import { Command, encodeSegment, FixedSlotPool, Kcp, type KcpOptions } from "../src/index.ts";
import { checkStream, streamBytes } from "./kcp-end.ts";
import { Random } from "./random.ts";

/** As many runs as fit the time. */
const limited = { numRuns: 2000, interruptAfterTimeLimit: 1200, markInterruptAsFailure: false };

/** Two ends in pools of their own, a lossy path between them, every step taken at random. */
class Play {
  readonly random: Random;
  readonly pools: FixedSlotPool[];
  readonly ends: Kcp[];
  /** On its way to end 0 and end 1. */
  readonly wires: { atMs: number; bytes: Uint8Array }[][] = [[], []];
  readonly written = [0, 0];
  readonly readBytes = [0, 0];
  /** Slots that the application took over. */
  readonly held: { slot: number; pool: FixedSlotPool }[] = [];
  now = 0;
  loss = 0.2;

  constructor(seed: number, options: Partial<KcpOptions>, slots: number) {
    this.random = new Random(seed);
    this.pools = [new FixedSlotPool(slots), new FixedSlotPool(slots)];
    this.ends = this.pools.map((pool) => new Kcp({ conv: 9, pool, startMs: 0, ...options }));
  }

  poll(i: number): void {
    const end = this.ends[i]!;
    const pool = this.pools[i]!;
    let room = this.random.chance(0.1) ? this.random.below(3) : Infinity;
    let refused = false;
    const due = end.nextTimeout;
    end.poll(this.now, {
      datagram: (offset, length) => {
        if (due > this.now + 0.01) throw new Error(`Sent at ${this.now} what was due at ${due}.`);
        refused ||= room <= 0;
        if (room-- <= 0) return false;
        if (this.random.chance(this.loss)) return true;
        const copies = this.random.chance(0.05) ? 2 : 1;
        for (let copy = 0; copy < copies; copy++) {
          const atMs = this.now + 2 + 10 * this.random.next();
          this.wires[1 - i]!.push({ atMs, bytes: pool.bytes.slice(offset, offset + length) });
        }
        return true;
      },
    });
    // Either everything that is due has been done, or somebody was in the way.
    if (!refused && pool.freeSlots > 0 && end.nextTimeout <= this.now) {
      throw new Error(`Polled at ${this.now}, and is to be polled at ${end.nextTimeout}.`);
    }
  }

  write(i: number): void {
    const end = this.ends[i]!;
    const wanted = this.random.chance(0.5) ? this.random.below(30) : this.random.below(20_000);
    if (this.random.chance(0.5)) {
      this.written[i]! += end.write(streamBytes(this.written[i]!, wanted));
      return;
    }
    const words = new Int32Array(64);
    const pairs = end.reserve(words, 0, 1 + this.random.below(32));
    let count = 0;
    for (let p = 0; p < pairs && count < wanted; p++) {
      const length = Math.min(words[2 * p + 1]!, wanted - count);
      this.pools[i]!.bytes.set(streamBytes(this.written[i]! + count, length), words[2 * p]!);
      count += length;
    }
    if (this.random.chance(0.9)) {
      end.commit(count);
      this.written[i]! += count;
    }
  }

  read(i: number): void {
    const end = this.ends[i]!;
    const pool = this.pools[i]!;
    if (this.random.chance(0.3)) {
      const taken = { slot: 0, offset: 0, length: 0 };
      if (!end.takeSlot(taken)) return;
      checkStream(pool.bytes.slice(taken.offset, taken.offset + taken.length), this.readBytes[i]!);
      this.readBytes[i]! += taken.length;
      this.held.push({ slot: taken.slot, pool });
    } else {
      const into = new Uint8Array(this.random.below(10_000));
      const count = end.read(into);
      checkStream(into.subarray(0, count), this.readBytes[i]!);
      this.readBytes[i]! += count;
    }
  }

  deliver(i: number): void {
    const pool = this.pools[i]!;
    const due = this.wires[i]!.filter((packet) => packet.atMs <= this.now);
    this.wires[i] = this.wires[i]!.filter((packet) => packet.atMs > this.now);
    for (const { bytes } of due) {
      const slot = pool.alloc();
      if (slot < 0) continue;
      const offset = slot * pool.slotBytes + 16 + this.random.below(20);
      pool.bytes.set(bytes, offset);
      if (!this.ends[i]!.handleDatagram(slot, offset, bytes.length, this.now)) pool.free(slot);
    }
  }

  release(): void {
    for (const { slot, pool } of this.held.splice(0)) pool.free(slot);
  }

  step(): void {
    const i = this.random.below(2);
    switch (this.random.below(5)) {
      case 0:
        this.write(i);
        break;
      case 1:
        this.read(i);
        break;
      case 2:
        this.now += this.random.chance(0.02) ? 500 * this.random.next() : 3 * this.random.next();
        break;
      default:
        this.deliver(i);
        this.poll(i);
    }
    if (this.random.chance(0.2)) this.release();
    for (let e = 0; e < 2; e++) {
      const owned = this.ends[e]!.stats.slots + this.held.filter((h) => h.pool === this.pools[e]).length;
      if (owned !== this.pools[e]!.slotCount - this.pools[e]!.freeSlots) {
        throw new Error(
          `End ${e} says it owns ${owned} slots of ${this.pools[e]!.slotCount - this.pools[e]!.freeSlots} taken.`,
        );
      }
    }
  }

  /** No more loss: everything written arrives. */
  finish(): boolean {
    this.loss = 0;
    const end = this.now + 120_000;
    while (this.now < end) {
      this.release();
      for (let i = 0; i < 2; i++) {
        this.deliver(i);
        this.poll(i);
        this.read(i);
        this.release();
        this.poll(i);
      }
      if (this.readBytes[0] === this.written[1] && this.readBytes[1] === this.written[0]) return true;
      this.now += 1;
    }
    return false;
  }
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 });
for (const [name, options, slots] of [
  ["plain", {}, 3000],
  ["extended", { extended: true }, 3000],
  ["extended with a pool that is too small", { extended: true }, 60],
  ["plain with a pool that is too small", {}, 60],
  ["extended around the wrap of sequence numbers", { extended: true, initialSequence: 0xffff_ff80 }, 3000],
  ["plain in tiny datagrams and windows", { mtu: 100, sendWindow: 16, receiveWindow: 128 }, 500],
] as const) {
  test(`whatever happens, ${name}: bytes arrive in order, every slot has an owner, and none is left`, (t) => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 10, max: 400 }), (seed, steps) => {
        const play = new Play(seed, { ...options, spareSlots: 8 }, slots);
        for (let i = 0; i < steps; i++) play.step();
        const done = play.finish();
        for (const end of play.ends) end.dispose();
        play.release();
        return done && play.pools.every((pool) => pool.freeSlots === pool.slotCount);
      }),
      limited,
    );
    t.pass();
  });
}

/** An end in the middle of a conversation, for input that no honest peer sends. */
function busyEnd(seed: number, extended: boolean): { kcp: Kcp; pool: FixedSlotPool; random: Random } {
  const random = new Random(seed);
  const pool = new FixedSlotPool(400);
  const kcp = new Kcp({ conv: 5, pool, extended, mtu: 700, receiveWindow: 256, startMs: 0 });
  kcp.write(new Uint8Array(50_000));
  kcp.poll(0, { datagram: () => true });
  return { kcp, pool, random };
}

function feed(kcp: Kcp, pool: FixedSlotPool, bytes: Uint8Array, now: number): void {
  const slot = pool.alloc();
  if (slot < 0) return;
  const offset = slot * pool.slotBytes + 32;
  pool.bytes.set(bytes, offset);
  if (!kcp.handleDatagram(slot, offset, bytes.length, now)) pool.free(slot);
}

test("raw garbage is counted and changes nothing that matters", (t) => {
  fc.assert(
    fc.property(
      seeds,
      fc.boolean(),
      fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 50 }),
      (seed, extended, all) => {
        const { kcp, pool } = busyEnd(seed, extended);
        for (const bytes of all) {
          if (bytes.length >= 4) bytes.set([5, 0, 0, 0]);
          feed(kcp, pool, bytes, 1);
          kcp.poll(1, { datagram: () => true });
        }
        kcp.dispose();
        return pool.freeSlots === pool.slotCount;
      },
    ),
    limited,
  );
  t.pass();
});

test("well-formed nonsense never throws, never takes more than the window, and is followed by order", (t) => {
  const near = fc.oneof(
    fc.integer({ min: -300, max: 300 }),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  );
  const segment = fc.record({
    cmd: fc.constantFrom(
      Command.push,
      Command.push,
      Command.ack,
      Command.sack,
      Command.askWindow,
      Command.tellWindow,
      0,
      200,
    ),
    frg: fc.integer({ min: 0, max: 255 }),
    wnd: fc.integer({ min: 0, max: 65535 }),
    ts: near,
    sn: near,
    una: near,
    data: fc.uint8Array({ maxLength: 40 }),
  });
  const datagram = fc.array(segment, { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(seeds, fc.boolean(), fc.array(datagram, { maxLength: 40 }), (seed, extended, datagrams) => {
      const { kcp, pool, random } = busyEnd(seed, extended);
      let now = 0;
      for (const segments of datagrams) {
        now += random.next() * 20;
        const parts = segments.map((s) => encodeSegment({ conv: 5, ...s }));
        feed(kcp, pool, Uint8Array.from(parts.flatMap((part) => [...part])), now);
        if (random.chance(0.7)) kcp.poll(now, { datagram: () => random.chance(0.9) });
        if (random.chance(0.3)) kcp.consume(random.below(kcp.readableBytes + 1));
        const { receiveQueueSegments, heldSegments, slots, inflightBytes } = kcp.stats;
        if (receiveQueueSegments + heldSegments > 256) return false;
        if (slots !== pool.slotCount - pool.freeSlots || inflightBytes < 0) return false;
      }
      kcp.dispose();
      return pool.freeSlots === pool.slotCount;
    }),
    limited,
  );
  t.pass();
});

test("a flood of valid segments without a poll between them stays within the limits", (t) => {
  for (const extended of [false, true]) {
    const { kcp, pool } = busyEnd(1, extended);
    for (let i = 0; i < 100_000; i++) {
      const sn = (i * 7919) % 256;
      feed(
        kcp,
        pool,
        encodeSegment({ conv: 5, cmd: 81, frg: 0, wnd: 1, ts: i, sn, una: 0, data: new Uint8Array(1) }),
        1,
      );
    }
    let datagrams = 0;
    for (let now = 2; now < 200; now++) {
      kcp.poll(now, { datagram: () => ++datagrams > 0 });
    }
    t.true(datagrams < 2000, `${datagrams}`);
    kcp.dispose();
    t.is(pool.freeSlots, pool.slotCount);
  }
});
