import test from "ava";
import fc from "fast-check";
import { Command, encodeSegment, FixedSlotPool, MIN_SHARE_SLOTS, SlotQuota } from "../src/index.ts";
import { Bare, exchange, pattern } from "./bare.ts";

/** Takes slots until `free` are left. */
function use(pool: FixedSlotPool, free: number): void {
  while (pool.freeSlots > free) pool.alloc();
}

/** An end that shares its pool. */
function sharing(slots: number): { shared: Bare; quota: SlotQuota } {
  const pool = new FixedSlotPool(slots);
  const quota = new SlotQuota(pool);
  return { shared: new Bare({ pool, quota, mtu: 1200 }), quota };
}

function push(sn: number): Uint8Array {
  return encodeSegment({
    conv: 7,
    cmd: Command.push,
    frg: 0,
    wnd: 99,
    ts: 0,
    sn,
    una: 0,
    data: pattern(1176),
  });
}

/** `a` writes as much as it may, `b` does not read. */
function fill(a: Bare, b: Bare, rounds: number, from = 0): void {
  for (let i = 0; i < rounds; i++) {
    a.kcp.write(new Uint8Array(200_000));
    exchange(a, b, (from + i) * 30);
  }
}

test("a direction may hold half of what is shared out, and always a little", (t) => {
  const pool = new FixedSlotPool(1000);
  const quota = new SlotQuota(pool);
  t.is(quota.share, 375);
  use(pool, 400);
  t.is(quota.share, 75);
  use(pool, 0);
  t.is(quota.share, MIN_SHARE_SLOTS);
});

test("a group has its own bound: what it holds counts, whatever is free", (t) => {
  const quota = new SlotQuota(new FixedSlotPool(1000), 400);
  t.is(quota.share, 200);
  quota.held = 300;
  t.is(quota.share, 50);
  quota.held = 500;
  t.is(quota.share, MIN_SHARE_SLOTS);
});

test("however many take all they get, a quarter of the pool stays free, but for the smallest shares", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(99), { minLength: 200, maxLength: 2000 }),
      fc.integer({ min: 1, max: 20 }),
      (order, takers) => {
        const pool = new FixedSlotPool(2000);
        const quota = new SlotQuota(pool);
        const held = new Array<number>(takers).fill(0);
        for (const number of order) {
          const taker = number % takers;
          while (held[taker]! < quota.share && pool.freeSlots > 0) {
            pool.alloc();
            held[taker]!++;
          }
        }
        t.true(pool.freeSlots >= 500 - takers * MIN_SHARE_SLOTS);
      },
    ),
    { numRuns: 50 },
  );
});

test("the quota knows what its connections hold, in every way they take and give slots", (t) => {
  const a = new Bare();
  const { shared, quota } = sharing(500);
  const words = new Int32Array(64);
  const held = () => t.is(quota.held, shared.kcp.heldSlots);
  shared.kcp.write(pattern(5000));
  held();
  shared.kcp.reserve(words, 0, 8);
  held();
  shared.kcp.commit(3000);
  held();
  a.kcp.write(pattern(30_000));
  exchange(a, shared, 0);
  held();
  t.true(quota.held > 5);
  const taken = { slot: 0, offset: 0, length: 0 };
  t.true(shared.kcp.takeSlot(taken));
  shared.pool.free(taken.slot);
  held();
  shared.kcp.consume(1000);
  shared.read();
  held();
  t.is(quota.held, 0);
  shared.kcp.write(pattern(5000));
  t.true(quota.held > 0);
  shared.kcp.dispose();
  t.is(quota.held, 0);
});

test("a writer stops at its share, and goes on when others give memory back", (t) => {
  const { shared } = sharing(1000);
  use(shared.pool, 300);
  // 50 are shared out: with 17 of them taken, a half of the rest is no more than what is held.
  t.is(shared.kcp.write(new Uint8Array(1e6)), 17 * 1176);
  t.is(shared.kcp.writableBytes, 0);
  for (let slot = 0; slot < 400; slot++) shared.pool.free(slot);
  t.true(shared.kcp.writableBytes >= 40 * 1176);
});

test("a reader that has stopped is sent no more than its share, and what was under way", (t) => {
  const a = new Bare();
  const { shared } = sharing(1000);
  use(shared.pool, 400);
  fill(a, shared, 100);
  const before = shared.kcp.heldSlots;
  t.true(before >= 50 && before <= 2 * 75, `${before} slots`);
  t.true(shared.pool.freeSlots >= 250);
  // The stream goes on where it stopped.
  t.true(shared.read().length > 0);
  fill(a, shared, 20, 100);
  t.true(shared.kcp.heldSlots >= 50);
});

test("beyond twice its share a reader keeps nothing, but the segment that makes the rest readable", (t) => {
  const { shared } = sharing(1000);
  for (let sn = 1; sn <= 100; sn++) shared.give(push(sn), 0);
  t.is(shared.kcp.stats.heldSegments, 100);
  use(shared.pool, 320);
  // Its share is 35 now.
  t.false(shared.give(push(101), 10));
  t.is(shared.kcp.stats.heldSegments, 100);
  t.true(shared.give(push(0), 10));
  t.is(shared.kcp.stats.heldSegments, 0);
  t.true(shared.kcp.readableBytes > 0);
  t.false(shared.give(push(101), 20));
  shared.read();
  t.true(shared.give(push(101), 30));
});
