/** Readers that do not read, memory that runs out, limits that are reached: bounded, told, and over when the cause is over. */
import { LAST_WORDS_STALL_MS } from "../../router-daemon/src/proxy/last-words.ts";
import { pattern } from "./random.ts";
import { collect, NAS, open, PORT, same, twoRouters } from "./scene.ts";
import { story } from "./story.ts";
import type { Stream } from "./stream.ts";

const TARGET = `${NAS}:${PORT}`;
/** A router whose memory holds about 2 MiB of payload. */
const SMALL = { slots: 1600, cipher: "stand-in" } as const;
const MUCH = 5_000_000;
/** What both daemons, the kernel and the client may hold of one stalled connection. */
const HELD_BYTES = 4_500_000;

story(
  "a service that does not read stops the client; nothing is lost when it goes on",
  { seeds: 1 },
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { a: SMALL, b: SMALL });
    const { near, far } = open(world, phone, nas);
    const sent = pattern(MUCH, 1);
    far.pause();
    near.write(sent);
    near.end();
    world.run(20_000);
    const taken = a.row(TARGET).upBytes;
    t.true(taken < HELD_BYTES, `the client could write ${taken} bytes`);
    world.run(60_000);
    // Probes into the closed window carry a byte each.
    t.true(a.row(TARGET).upBytes - taken < 200);
    t.true(b.pool.freeSlots > 0);
    t.false(near.wasReset);
    far.resume();
    world.until(() => far.hasEnded, "the rest", 60_000);
    t.true(same(far.received(), sent));
    far.end();
    world.until(() => near.hasEnded, "the end");
  },
);

story(
  "a client that does not read stops the service; nothing is lost when it goes on",
  { seeds: 1 },
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { a: SMALL, b: SMALL });
    const { near, far } = open(world, phone, nas);
    const sent = pattern(MUCH, 1);
    near.pause();
    far.write(sent);
    far.end();
    world.run(20_000);
    const taken = b.row(TARGET).downBytes;
    t.true(taken < HELD_BYTES, `the service could write ${taken} bytes`);
    world.run(60_000);
    t.is(b.row(TARGET).downBytes, taken);
    t.true(a.pool.freeSlots > 0);
    near.resume();
    world.until(() => near.hasEnded, "the rest", 60_000);
    t.true(same(near.received(), sent));
    near.end();
    world.until(() => far.hasEnded, "the end");
  },
);

story(
  "a service resets while its client does not read: the client is reset soon",
  { seeds: 1 },
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { a: SMALL, b: SMALL });
    const { near, far } = open(world, phone, nas);
    near.pause();
    far.write(pattern(MUCH, 1));
    world.run(10_000);
    far.reset();
    world.until(() => near.wasReset, "the reset at the client", 2 * LAST_WORDS_STALL_MS + 500);
    for (const router of [a, b]) t.like(router.row(TARGET), { state: "Closed", reason: "service_reset" });
  },
);

for (const direction of ["up", "down"] as const) {
  story(`many stalled connections (${direction}) do not starve a fresh one`, { seeds: 1 }, (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, {
      a: { cipher: "stand-in" },
      b: { cipher: "stand-in" },
    });
    const streams = collect(nas, PORT, (stream) => {
      if (direction === "up") stream.pause();
      else stream.write(pattern(800_000, 1));
    });
    const stalled = Array.from({ length: 24 }, () => {
      const near = phone.connect(nas.address, PORT);
      if (direction === "down") near.pause();
      else near.write(pattern(800_000, 1));
      return near;
    });
    world.run(15_000);
    // Whoever sends leaves memory to those who receive, and to plain packets.
    t.true(a.pool.leastFree > 0 && b.pool.leastFree > 0);
    collect(nas, 81, (stream) => {
      stream.write(pattern(200_000, 2));
      stream.end();
    });
    const fresh = phone.connect(nas.address, 81);
    fresh.write(pattern(1000, 3));
    fresh.end();
    world.until(() => fresh.hasEnded, "the fresh connection", 10_000);
    t.true(same(fresh.received(), pattern(200_000, 2)));
    for (const stream of streams) stream.reset();
    world.until(() => stalled.every(({ wasReset }) => wasReset), "resets");
  });
}

/** Slots of 32 MiB and of the small router that the simulation usually has; connections that have stopped. */
const STALLED = [
  [21_845, 8],
  [21_845, 24],
  [4096, 4],
  [4096, 24],
] as const;

for (const [slots, count] of STALLED) {
  for (const side of ["client", "service"] as const) {
    story(
      `${count} connections whose ${side} has stopped, ${slots} slots: another goes on, and they resume`,
      { seeds: 1 },
      (t, world) => {
        const size = { cipher: "stand-in", slots } as const;
        const { a, b, phone, nas } = twoRouters(world, { a: size, b: size });
        const live = open(world, phone, nas, 82);
        const sent = pattern(Math.max(1_000_000, Math.ceil((1.2 * slots * 1300) / count)), 1);
        const readers: Stream[] = [];
        collect(nas, PORT, (far) => {
          if (side === "client") return play(far);
          far.pause();
          readers.push(far);
        });
        const play = (stream: Stream) => {
          stream.write(sent);
          stream.end();
        };
        for (let i = 0; i < count; i++) {
          const near = phone.connect(nas.address, PORT);
          if (side === "service") {
            play(near);
            continue;
          }
          near.pause();
          readers.push(near);
        }
        world.run(10_000);
        for (const { pool } of [a, b])
          t.true(pool.leastFree > slots >>> 3, `${pool.leastFree} slots were free`);

        const [up, down] = [pattern(2_000_000, 2), pattern(2_000_000, 3)];
        live.near.write(up);
        live.far.write(down);
        live.near.end();
        live.far.end();
        world.until(() => live.near.hasEnded && live.far.hasEnded, "both ends of the live one", 5000);
        t.true(same(live.far.received(), up) && same(live.near.received(), down));

        t.is(readers.length, count);
        // With much memory a few stand for all: the model keeps every byte as a number.
        const resumed = slots > 4096 ? readers.splice(0, 3) : readers.splice(0);
        for (const reader of readers) reader.reset();
        for (const reader of resumed) reader.resume();
        world.until(() => resumed.every(({ hasEnded }) => hasEnded), "the ends of the stalled ones", 60_000);
        t.true(resumed.every((reader) => same(reader.received(), sent)));
        for (const reader of resumed) reader.end();
      },
    );
  }
}

story(
  "little memory is left: new connections are plain and say so, until there is memory again",
  {},
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    collect(nas, PORT);
    open(world, phone, nas).near.reset();
    a.pool.withheld = Math.floor(a.pool.slotCount * 0.75);
    world.run(2000);
    const near = phone.connect(nas.address, PORT);
    world.until(() => near.isOpen, "the plain connection", 200);
    t.like(a.row(TARGET), { transport: "tcp", reason: "memory_limit" });
    t.like(a.daemon.status().memory, { level: "saving" });
    t.true(a.daemon.status().problems.some(({ code }) => code === "memory_low"));
    near.reset();
    a.pool.withheld = 0;
    const again = phone.connect(nas.address, PORT);
    world.until(() => again.isOpen, "the carried connection", 1000);
    t.like(a.row(TARGET), { transport: "kcp", reason: "kcp_allowed" });
    again.reset();
  },
);

story(
  "little memory is left at the destination: it refuses, and the source goes on with plain TCP at once",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world);
    collect(nas, PORT);
    b.pool.withheld = Math.floor(b.pool.slotCount * 0.85);
    world.run(100);
    for (let i = 0; i < 2; i++) {
      const near = phone.connect(nas.address, PORT);
      world.until(() => near.isOpen, "the plain connection", 500);
      // The peer is no failing one: the next connection asks again.
      t.like(a.row(TARGET), { transport: "tcp", reason: "kcp_refused_by_peer" });
      t.like(b.row(TARGET), { state: "Closed", reason: "memory_limit" });
      near.reset();
    }
    b.pool.withheld = 0;
    const again = phone.connect(nas.address, PORT);
    world.until(() => again.isOpen, "the carried connection", 500);
    t.is(a.row(TARGET).transport, "kcp");
    again.reset();
  },
);

story(
  "memory is used up: the connection that has stalled longest is closed and says why, others go on",
  { seeds: 1 },
  (t, world) => {
    const { a, phone, nas } = twoRouters(world, { a: { cipher: "stand-in" }, b: { cipher: "stand-in" } });
    const sent = pattern(1_000_000, 1);
    const stalled = [81, 82].map((port) => {
      const { near, far } = open(world, phone, nas, port);
      near.pause();
      far.write(sent);
      world.run(8000);
      return near;
    });
    const live = open(world, phone, nas, 83);
    // Nine tenths are used, whatever the stalled ones hold.
    a.pool.withheld = a.pool.freeSlots - Math.floor(a.pool.slotCount * 0.095);
    t.is(a.daemon.status().memory.level, "shedding");
    for (let second = 0; second < 4; second++) {
      live.far.write(pattern(10_000, second));
      world.run(1000);
    }
    t.deepEqual(
      [...stalled, live.near].map(({ wasReset }) => wasReset),
      [true, false, false],
    );
    t.like(a.row(`${NAS}:81`), { state: "Closed", reason: "memory_shed" });
    t.not(a.daemon.status().memory.level, "shedding");
    t.is(live.near.receivedBytes, 40_000);
    a.pool.withheld = 0;
    stalled[1]!.resume();
    world.until(() => stalled[1]!.receivedBytes === sent.length, "the rest of the other one");
    for (const near of [stalled[1]!, live.near]) near.reset();
  },
);

for (const side of ["a", "b"] as const) {
  story(
    `no slot at all is free at ${side} for five seconds: what was open goes on afterwards`,
    { seeds: 2 },
    (t, world) => {
      const scene = twoRouters(world);
      const { near, far } = open(world, scene.phone, scene.nas);
      const [up, down] = [pattern(200_000, 1), pattern(200_000, 2)];
      near.write(up);
      far.write(down);
      world.run(60);
      scene[side].pool.withheld = scene[side].pool.slotCount;
      world.run(5000);
      scene[side].pool.withheld = 0;
      near.end();
      far.end();
      world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
      t.true(same(far.received(), up));
      t.true(same(near.received(), down));
    },
  );
}

story("a small memory shared by many busy connections: all arrive", { seeds: 2 }, (t, world) => {
  const small = { slots: 1400, cipher: "stand-in" } as const;
  const { phone, nas } = twoRouters(world, { a: small, b: small });
  const sent = pattern(300_000, 1);
  collect(nas, PORT, (stream) => {
    stream.write(sent);
    stream.end();
  });
  const clients = Array.from({ length: 12 }, () => {
    const near = phone.connect(nas.address, PORT);
    near.write(pattern(100, 1));
    near.end();
    return near;
  });
  world.until(() => clients.every(({ hasEnded }) => hasEnded), "all ends", 120_000);
  for (const near of clients) t.true(same(near.received(), sent));
});

story(
  "max_connections is reached: further ones are plain and say so; one ends, the next is carried",
  {},
  (t, world) => {
    const { a, phone, nas } = twoRouters(world, { a: { config: { max_connections: 3 } } });
    collect(nas, PORT);
    const three = Array.from({ length: 3 }, () => phone.connect(nas.address, PORT));
    world.until(() => three.every(({ isOpen }) => isOpen), "three connections");
    const fourth = phone.connect(nas.address, PORT);
    world.until(() => fourth.isOpen, "the fourth connection");
    t.like(a.row(TARGET), { transport: "tcp", reason: "connection_limit" });
    three[0]!.reset();
    world.run(3000);
    const fifth = phone.connect(nas.address, PORT);
    world.until(() => fifth.isOpen, "the fifth connection");
    t.like(a.row(TARGET), { transport: "kcp" });
    for (const near of [...three, fourth, fifth]) near.reset();
  },
);

story("the destination is full: the source uses plain TCP and says why", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world, { b: { config: { max_connections: 2 } } });
  collect(nas, PORT);
  const two = Array.from({ length: 2 }, () => phone.connect(nas.address, PORT));
  world.until(() => two.every(({ isOpen }) => isOpen), "two connections");
  const third = phone.connect(nas.address, PORT);
  world.until(() => third.isOpen, "the third connection", 2000);
  t.like(a.row(TARGET), { transport: "tcp", reason: "kcp_refused_by_peer" });
  for (const near of [...two, third]) near.reset();
});
