import test from "ava";
import { MAX_REORDER_RUNS } from "../../../router-daemon/src/tcp/assembler.ts";
import { encodeFrame, type NaiveSegment } from "./naive.ts";
import { pattern, type Server, World } from "./world.ts";

/** A connection whose client is driven by hand: pieces of its stream in any order. */
function byHand(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = new World(options);
  const { client, server } = world.connected();
  const stream = pattern(400_000, 9);
  const first = client.nextSequence;
  /** Feeds bytes [from, to) of the stream, as super-segment if they are many. */
  const feed = (from: number, to: number, change: Partial<NaiveSegment> = {}) => {
    const segment: NaiveSegment = {
      source: client.options.address,
      destination: client.options.targetAddress,
      sourcePort: client.options.port,
      destinationPort: client.options.targetPort,
      sequence: (first + from) >>> 0,
      acknowledgement: client.expectedSequence,
      flags: new Set(["ack"]),
      window: 1000,
      timestamps: { value: 100_000, echo: 0 },
      payload: stream.slice(from, to),
      ...change,
    };
    if (to - from > 1448) segment.gsoSize = 1448;
    return world.feed(encodeFrame(segment, "partial"));
  };
  /** What the stack says then: its last frame, positions in the client's stream. */
  const answer = () => {
    const before = world.output.length;
    world.poll();
    if (world.output.length === before) return undefined;
    const last = world.output.at(-1)!;
    const place = (sequence: number) => (sequence - first) | 0;
    return {
      ack: place(last.acknowledgement),
      window: last.window << 8,
      sack: last.sack?.map(([left, right]) => [place(left), place(right)]),
    };
  };
  // The window of the SYN-ACK is small; what the receiver has room for is told with the first acknowledgement.
  server.flow.receiveSpaceGrew(world.now);
  world.poll();
  client.silent = true;
  return { world, client, server, stream, feed, answer };
}

function got(server: Server, stream: Uint8Array, length: number): boolean {
  return server.received.length === length && server.received.every((byte, at) => byte === stream[at]);
}

test("super-segments are taken whole, with one acknowledgement per batch", (t) => {
  const { server, stream, feed, answer, world } = byHand();
  const before = world.output.length;
  feed(0, 60_000);
  feed(60_000, 120_000);
  feed(120_000, 121_000);
  t.true(got(server, stream, 121_000), "handed over synchronously");
  t.is(answer()!.ack, 121_000);
  t.is(world.output.length, before + 1);
  t.is(world.usedSlots, 0, "nothing is kept");
});

test("a hole is told with SACK blocks, the most recent first", (t) => {
  const { feed, answer } = byHand();
  feed(1000, 2000);
  t.deepEqual(answer()!.sack, [[1000, 2000]]);
  feed(5000, 6000);
  t.deepEqual(answer()!.sack, [
    [5000, 6000],
    [1000, 2000],
  ]);
  feed(3000, 4000);
  t.deepEqual(answer()!.sack, [
    [3000, 4000],
    [5000, 6000],
    [1000, 2000],
  ]);
  feed(2000, 2500);
  const said = answer()!;
  t.is(said.ack, 0);
  t.deepEqual(said.sack, [
    [1000, 2500],
    [3000, 4000],
    [5000, 6000],
  ]);
  feed(7000, 8000);
  t.is(answer()!.sack!.length, 3, "as many as fit beside timestamps");
});

test("the echoed timestamp is that of the first segment not acknowledged before (RFC 7323 4.3)", (t) => {
  const { feed, answer, world } = byHand();
  const at = (value: number) => ({ timestamps: { value, echo: 0 } });
  const echo = () => world.output.at(-1)!.timestamps!.echo;
  feed(0, 1000, at(100_005));
  feed(1000, 2000, at(100_006));
  answer();
  t.is(echo(), 100_005);
  feed(3000, 4000, at(100_008));
  answer();
  t.is(echo(), 100_005, "what came out of order is not the cause of the acknowledgement");
  feed(2000, 3000, at(100_009));
  answer();
  t.is(echo(), 100_009);
});

test("a filled hole brings everything behind it, and the SACK blocks end", (t) => {
  const { server, stream, feed, answer, world } = byHand();
  feed(1448, 30_000);
  feed(40_000, 50_000);
  t.true(world.usedSlots > 0);
  feed(0, 1448);
  t.true(got(server, stream, 30_000));
  t.like(answer(), { ack: 30_000, sack: [[40_000, 50_000]] });
  feed(30_000, 40_000);
  t.true(got(server, stream, 50_000));
  t.is(answer()!.sack, undefined);
  t.is(world.usedSlots, 0);
});

test("reordered super-segments cost slots only while they wait", (t) => {
  const { server, stream, feed, world } = byHand();
  for (let pair = 0; pair < 3; pair++) {
    const base = pair * 80_000;
    feed(base + 40_000, base + 80_000);
    t.is(world.usedSlots, Math.ceil(40_000 / 1536));
    feed(base, base + 40_000);
    t.is(world.usedSlots, 0);
  }
  t.true(got(server, stream, 240_000));
});

test("overlapping, contained and repeated pieces yield each byte once", (t) => {
  const { server, stream, feed, world } = byHand();
  feed(2000, 5000);
  feed(3000, 4000);
  feed(1000, 3000);
  feed(500, 6000);
  feed(500, 6000);
  feed(0, 1000);
  t.true(got(server, stream, 6000));
  feed(0, 6500);
  t.true(got(server, stream, 6500));
  t.is(world.usedSlots, 0);
});

test("a duplicate is told about, once (D-SACK)", (t) => {
  const { feed, answer } = byHand();
  feed(0, 3000);
  answer();
  feed(1000, 2000);
  t.deepEqual(answer()!.sack, [[1000, 2000]]);
  feed(3000, 4000);
  t.is(answer()!.sack, undefined);
  feed(3500, 4500);
  t.like(answer(), { ack: 4500, sack: [[3500, 4000]] });
});

test("the right edge never moves back when the receiver has less room than it said", (t) => {
  const { server, feed, answer } = byHand({ space: 100_000 });
  feed(0, 10_000);
  const before = answer()!;
  server.budget = 20_000;
  feed(10_000, 20_000);
  const after = answer()!;
  t.true(after.ack + after.window >= before.ack + before.window - 255);
  t.true(server.flow.promisedBytes > 20_000, "what was promised stays promised");
});

test("a receiver that stops closes the window byte by byte, and probes are answered", (t) => {
  const { server, stream, feed, answer, world } = byHand({ space: 50_000 });
  server.budget = 0;
  let at = 0;
  while (at < 50_000) {
    feed(at, Math.min(at + 5000, 50_000));
    at += 5000;
    answer();
  }
  t.true(world.output.at(-1)!.window << 8 <= 256);
  t.is(server.received.length, 50_000, "what was promised is delivered");
  t.true(got(server, stream, 50_000));
  feed(50_000, 50_001);
  feed(51_000, 52_000);
  const said = answer()!;
  t.true(said.ack === 50_000 || said.ack === 50_001);
  t.true(said.window <= 256);
});

test("a window update is sent when it at least doubles the window, not for every byte", (t) => {
  const { server, feed, answer, world } = byHand({ space: 64_000 });
  server.budget = 0;
  feed(0, 63_000);
  answer();
  const before = world.output.length;
  let frames = 0;
  for (let room = 100; room <= 64_000; room += 100) {
    server.allow(room);
    if (answer() !== undefined) frames++;
  }
  t.true(frames >= 3 && frames <= 8, `${frames} updates`);
  t.is(world.output.length, before + frames);
  t.true(world.output.at(-1)!.window << 8 > 30_000);
});

test("after a lost window update the client's probe gets the window", (t) => {
  const world = new World({ space: 30_000 });
  const { client, server } = world.connected();
  client.write(pattern(100_000), world.now);
  server.budget = 0;
  world.run(3000);
  t.true(server.received.length <= 30_255);
  let lost = 0;
  world.filter = (_, up) => up || lost++ > 0;
  server.allow(30_000);
  world.run(1);
  t.is(lost, 1, "the update");
  world.filter = undefined;
  world.until(() => {
    if (server.space < 10_000) server.allow(30_000);
    return server.received.length === 100_000;
  }, 20_000);
});

test("what a receiver does not take is kept out of order and offered again", (t) => {
  const { server, stream, feed, answer, world } = byHand();
  server.takesAtMost = 1000;
  feed(0, 5000);
  t.is(server.received.length, 1000);
  const told = answer()!;
  t.is(told.ack, 1000);
  t.is(told.sack, undefined, "a block at the edge of the acknowledgement would be no hole");
  t.true(world.usedSlots > 0);
  server.takesAtMost = Number.POSITIVE_INFINITY;
  server.flow.receiveSpaceGrew(world.now);
  t.true(got(server, stream, 5000));
  t.is(answer()!.ack, 5000);
  t.is(world.usedSlots, 0);
});

test("the FIN is passed on only after everything before it", (t) => {
  const { server, stream, feed, answer } = byHand();
  feed(1000, 2000, { flags: new Set(["ack", "fin"]) });
  t.false(server.finished);
  t.is(answer()!.ack, 0);
  feed(0, 1000);
  t.true(got(server, stream, 2000));
  t.true(server.finished);
  t.is(answer()!.ack, 2001);
  feed(2001, 3000);
  t.true(got(server, stream, 2000), "nothing comes after the end");
});

test("a FIN below what was received already, or beyond the window, ends nothing", (t) => {
  const { server, stream, feed, answer } = byHand({ space: 50_000 });
  feed(0, 1000);
  answer();
  feed(500, 999, { flags: new Set(["ack", "fin"]) });
  feed(200_000, 200_000, { flags: new Set(["ack", "fin"]) });
  feed(1000, 2000);
  t.true(got(server, stream, 2000));
  t.false(server.finished);
  feed(2000, 2500, { flags: new Set(["ack", "fin"]) });
  t.true(got(server, stream, 2500));
  t.true(server.finished);
});

test("a FIN behind what the receiver would not take waits with it", (t) => {
  const { server, stream, feed, world } = byHand();
  server.takesAtMost = 10;
  feed(0, 500, { flags: new Set(["ack", "fin"]) });
  t.false(server.finished);
  server.takesAtMost = 1000;
  server.flow.receiveSpaceGrew(world.now);
  t.true(server.finished);
  t.true(got(server, stream, 500));
});

test("out-of-order data is bounded per flow", (t) => {
  const { feed, answer, world, server, stream } = byHand({ stack: { limits: { maxReorderSlots: 10 } } });
  for (let at = 1000; at < 200_000; at += 20_000) feed(at, at + 20_000);
  t.is(world.usedSlots, 10);
  t.true(answer()!.sack![0]![1]! <= 1000 + 10 * 1536);
  feed(0, 60_000);
  t.true(got(server, stream, 60_000));
  t.is(world.usedSlots, 0);
});

test("out-of-order data is bounded in all", (t) => {
  const world = new World({ stack: { limits: { maxReorderSlotsInAll: 12 } } });
  for (let port = 1; port <= 5; port++) {
    const { client } = world.connected({ port });
    client.inject(
      { sequence: (client.nextSequence + 1000) >>> 0, payload: pattern(1448 * 4) },
      ["ack"],
      world.now,
    );
    client.silent = true;
    world.run(3);
  }
  t.is(world.usedSlots, 12);
  t.is(world.stack.reorderSlots, 12);
});

test("holes are bounded: what would make one more is dropped", (t) => {
  const { feed, answer, world, server, stream } = byHand();
  for (let hole = 0; hole < 2 * MAX_REORDER_RUNS; hole++) feed(100 + 200 * hole, 200 + 200 * hole);
  t.is(world.usedSlots, MAX_REORDER_RUNS);
  answer();
  feed(0, 30_000);
  t.true(got(server, stream, 30_000));
  t.is(world.usedSlots, 0);
});

test("without free slots out-of-order data is dropped and the rest goes on", (t) => {
  const { feed, answer, world, server, stream } = byHand({ slots: 3 });
  feed(10_000, 30_000);
  t.is(world.usedSlots, 3);
  t.deepEqual(answer()!.sack, [[10_000, 10_000 + 3 * 1536]]);
  feed(0, 30_000);
  t.true(got(server, stream, 30_000));
  t.is(world.usedSlots, 0);
});

test("bytes beyond the window are not taken", (t) => {
  const { feed, answer, server } = byHand({ space: 20_000 });
  feed(0, 60_000);
  t.true(server.received.length >= 20_000 && server.received.length <= 20_255);
  t.is(answer()!.ack, server.received.length);
  feed(100_000, 101_000);
  t.is(answer()!.sack, undefined);
});

test("small questions that are answered fast save the acknowledgement of their own", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  let frames = 0;
  for (let round = 1; round <= 40; round++) {
    const before = world.output.length;
    client.write([1, 2, 3], world.now);
    world.until(() => server.received.length === 3 * round);
    world.poll();
    world.run(0.3);
    server.write([4, 5]);
    world.until(() => client.received.length === 2 * round);
    if (round > 30) frames += world.output.length - before;
  }
  t.is(frames, 10, "one frame per round");
});

test("small data without a fast answer is acknowledged at once", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  for (let round = 1; round <= 10; round++) {
    client.write([1, 2, 3], world.now);
    const sent = world.now;
    world.until(() => client.allAcknowledged);
    t.true(world.now - sent <= 2);
    world.run(20);
    server.write([1]);
    world.run(20);
  }
});

test("a client that waits for each acknowledgement (Nagle) waits at most a few milliseconds", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  for (let round = 1; round <= 30; round++) {
    client.write([1], world.now);
    world.run(1.2);
    server.write([2]);
    world.run(10);
  }
  // Now the answer comes only after a second small write, which the client sends after the acknowledgement.
  client.write([1], world.now);
  const sent = world.now;
  world.until(() => client.allAcknowledged);
  t.true(world.now - sent < 8, `${world.now - sent} ms`);
});

test("one byte at a time arrives, in order, whatever the order it is sent in", (t) => {
  const { feed, server, stream, world } = byHand();
  for (let at = 60; at >= 0; at -= 2) feed(at, at + 1);
  for (let at = 61; at >= 1; at -= 2) feed(at, at + 1);
  t.true(got(server, stream, 62));
  t.is(world.usedSlots, 0);
});
