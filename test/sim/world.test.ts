/** The simulation itself: what it promises to stories. */
import test from "ava";
import fc from "fast-check";

import { Clock } from "./clock.ts";
import { Path, type PathOptions } from "./path.ts";
import { PipeEnd } from "./pipe.ts";
import { Random } from "./random.ts";
import { open, twoRouters } from "./scene.ts";
import { WatchedPool } from "./watched-pool.ts";
import { World } from "./world.ts";

test("things happen in the order of their times, and of their making at the same time", (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (times) => {
      const clock = new Clock();
      const seen: [number, number][] = [];
      for (const [i, at] of times.entries()) clock.at(clock.now + at, () => seen.push([at, i]));
      clock.runTo(clock.now + 20);
      const expected = times
        .map((at, i): [number, number] => [at, i])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      t.deepEqual(seen, expected);
    }),
  );
});

/** Sends a packet each millisecond; what arrived, with its way's duration. */
function carry(options: Partial<PathOptions>, count: number, bytes = 1000): { number: number; ms: number }[] {
  const clock = new Clock();
  const path = new Path(clock, new Random(5), options);
  const arrived: { number: number; ms: number }[] = [];
  for (let number = 0; number < count; number++) {
    const sentAt = clock.now;
    path.send(bytes, () => arrived.push({ number, ms: clock.now - sentAt }));
    clock.runTo(clock.now + 1);
  }
  clock.runTo(clock.now + 10_000);
  return arrived;
}

test("a path delays, loses, doubles, reorders and limits as it is told", (t) => {
  t.true(carry({ delayMs: 7 }, 100).every(({ ms }, i, all) => ms === 7 && all[i]!.number === i));
  const near = (value: number, wanted: number) =>
    t.true(Math.abs(value - wanted) < wanted / 4, `${value} of ${wanted}`);
  near(carry({ loss: 0.1 }, 5000).length, 4500);
  near(5000 - carry({ loss: 0.1 }, 5000).length, 500);
  near(carry({ duplicate: 0.2 }, 5000).length - 5000, 1000);
  const jittery = carry({ jitterMs: 5 }, 2000);
  t.true(jittery.every(({ number }, i) => number === i));
  t.true(jittery.some(({ ms }) => ms > 12) && jittery.some(({ ms }) => ms < 12));
  const overtaken = carry({ reorder: 0.1, reorderMs: 10 }, 2000);
  near(overtaken.filter(({ number }, i) => i > 0 && number < overtaken[i - 1]!.number).length, 200);
  // Bursts: losses come together.
  const kept = carry({ burst: { enter: 0.01, leave: 0.2, loss: 1 } }, 20_000);
  const gaps = kept.filter(({ number }, i) => i > 0 && number !== kept[i - 1]!.number + 1).length;
  t.true(20_000 - kept.length > 2.5 * gaps);
  // 500 bytes a millisecond: every other packet of 1000 bytes, once the queue is full.
  const limited = carry({ rate: 500, queueBytes: 20_000 }, 1000);
  near(limited.length, 500);
  t.true(limited.every(({ ms }) => ms <= 10 + 40 + 2));
  t.is(carry({ isCut: true }, 10).length, 0);
});

test("a pipe holds no more than its buffers, and tells when there is room", (t) => {
  const clock = new Clock();
  const [a, b] = PipeEnd.pair(clock, 1, 1000);
  a.connect();
  b.connect();
  t.is(a.write(new Uint8Array(3000)), 1000);
  t.is(a.write(new Uint8Array(1)), 0);
  clock.runTo(clock.now + 5);
  let told = 0;
  a.onChange = () => told++;
  t.is(b.read(new Uint8Array(200)), 200);
  clock.runTo(clock.now + 5);
  t.is(told, 0);
  t.is(b.read(new Uint8Array(500)), 500);
  clock.runTo(clock.now + 5);
  t.is(told, 1);
  t.is(a.write(new Uint8Array(3000)), 700);
  a.shutdown();
  clock.runTo(clock.now + 5);
  t.true(b.finArrived);
  t.true(a.write(new Uint8Array(1)) < 0);
  // What is written to an end that is closed comes back as a reset.
  b.read(new Uint8Array(5000));
  b.close();
  clock.runTo(clock.now + 5);
  t.is(a.error, 0);
  t.true(a.finArrived);
});

test("closing with something unread is a reset", (t) => {
  const clock = new Clock();
  const [a, b] = PipeEnd.pair(clock, 1);
  a.connect();
  b.connect();
  a.write(new Uint8Array(10));
  clock.runTo(clock.now + 2);
  b.close();
  clock.runTo(clock.now + 2);
  t.true(a.error < 0);
});

test("the pool finds a slot given back twice, and one that was written to while it was free", (t) => {
  const { memory } = new World(1).router("r", { wan: "203.0.113.1", ipv4: "10.1.1.1/24", slots: 4 }).host;
  const pool = new WatchedPool(memory, true);
  const [one, two] = [pool.alloc(), pool.alloc()];
  t.is(pool.owners().length > 0, true);
  pool.free(one);
  t.throws(() => pool.free(one), { message: /twice/ });
  pool.bytes[two * pool.slotBytes + 5] = 1;
  pool.free(two);
  t.notThrows(() => pool.checkAll());
  pool.bytes[two * pool.slotBytes + 5] = 1;
  t.throws(() => pool.checkAll(), { message: /byte 5 while it was free/ });
  t.throws(() => pool.alloc(), { message: /while it was free/ });
});

test("a story that leaves a connection open is found out", (t) => {
  const world = new World(1);
  const { phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  far.pause();
  near.write(new Uint8Array(400_000));
  t.throws(() => world.checkAtRest(), { message: /^Seed 1: a holds \d+ slots|sockets of connections open/ });
});
