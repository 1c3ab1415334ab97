import test from "ava";
import { MAX_CHALLENGE_ACKS_PER_SECOND } from "../../../router-daemon/src/tcp/ack-policy.ts";
import { encodeFrame } from "./naive.ts";
import { pattern, World } from "./world.ts";

test("a RST inside the window but not at its edge is answered with a challenge only (RFC 5961 3.2)", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const before = world.output.length;
  client.inject({ sequence: (client.nextSequence + 100) >>> 0 }, ["rst"], world.now);
  world.run(2);
  t.is(server.reason, undefined);
  t.is(world.output.length, before + 1);
  t.like(world.output.at(-1), { acknowledgement: client.nextSequence });
  client.inject({}, ["rst"], world.now);
  world.run(2);
  t.is(server.reason, "clientReset");
});

test("a RST outside the window is ignored without a word", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const before = world.output.length;
  for (const distance of [-1, 10_000_000, -10_000_000]) {
    client.inject({ sequence: (client.nextSequence + distance) >>> 0 }, ["rst"], world.now);
  }
  world.run(2);
  t.is(server.reason, undefined);
  t.is(world.output.length, before);
});

test("a SYN on an open connection is answered with a challenge (RFC 5961 4.2)", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const before = world.output.length;
  client.inject({ sequence: (client.nextSequence + 3) >>> 0 }, ["syn"], world.now);
  client.inject({ sequence: 12_345 }, ["syn"], world.now);
  world.run(2);
  t.is(server.reason, undefined);
  t.true(world.output.length > before);
  t.deepEqual(world.output.at(-1)!.flags, new Set(["ack"]));
});

test("an acknowledgement of what was never sent, or of the distant past, takes its data with it (RFC 5961 5.2)", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  for (const distance of [1, 100_000, -50_000_000]) {
    const acknowledgement = (client.expectedSequence + distance) >>> 0;
    client.inject({ acknowledgement, payload: pattern(10) }, ["ack"], world.now);
  }
  world.run(2);
  t.is(server.received.length, 0);
  t.is(world.stack.counters.badAcknowledgements, 3);
});

test("challenges are limited", (t) => {
  const world = new World();
  const { client } = world.connected();
  const before = world.output.length;
  for (let count = 0; count < 200; count++) {
    client.inject({ sequence: (client.nextSequence + 100 + count) >>> 0 }, ["rst"], world.now);
    world.run(2);
  }
  t.true(world.output.length - before <= 2 * MAX_CHALLENGE_ACKS_PER_SECOND);
  t.true(world.output.length - before >= MAX_CHALLENGE_ACKS_PER_SECOND);
});

test("two ends that acknowledge out of each other's window fall silent", (t) => {
  const world = new World();
  const { client } = world.connected();
  let bounced = 0;
  world.filter = (segment, up) => {
    if (!up && segment.payload.length === 0 && bounced < 1000) {
      bounced++;
      client.inject({ sequence: (client.nextSequence - 5000) >>> 0 }, ["ack"], world.now);
    }
    return up;
  };
  client.inject({ sequence: (client.nextSequence - 5000) >>> 0 }, ["ack"], world.now);
  world.run(900);
  t.true(bounced <= 2 * MAX_CHALLENGE_ACKS_PER_SECOND, `${bounced} rounds`);
});

test("data with an old timestamp is a ghost of earlier sequence numbers (PAWS)", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.write(pattern(100), world.now);
  world.run(10);
  const before = world.output.length;
  const old = { timestamps: { value: 0xffff_0000, echo: 0 } };
  client.inject({ ...old, payload: pattern(50) }, ["ack"], world.now);
  world.run(3);
  t.is(server.received.length, 100);
  t.is(world.stack.counters.oldTimestamps, 1);
  t.is(world.output.length, before + 1, "answered with an acknowledgement");
  client.inject({ timestamps: { value: 0xffff_0000, echo: 0 } }, ["rst"], world.now);
  world.run(3);
  t.is(server.reason, "clientReset", "a RST is not judged by its timestamp");
});

test("a segment that lacks the negotiated timestamp is dropped (RFC 7323 3.2)", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.inject({ payload: pattern(50), timestamps: undefined as never }, ["ack"], world.now);
  world.run(3);
  t.is(server.received.length, 0);
});

test("timestamps that were not negotiated are ignored", (t) => {
  const world = new World();
  const { client, server } = world.connected({ timestamps: false });
  client.inject({ payload: pattern(50), timestamps: { value: 1, echo: 2 } }, ["ack"], world.now);
  client.silent = true;
  world.run(3);
  t.is(server.received.length, 50);
});

test("after weeks of silence old timestamps say nothing", (t) => {
  const world = new World({ stack: { limits: { keepAliveIdleMs: 1e12 } } });
  const { client, server } = world.connected();
  world.now += 25 * 24 * 3_600_000;
  const frame = {
    source: client.options.address,
    destination: client.options.targetAddress,
    sourcePort: client.options.port,
    destinationPort: client.options.targetPort,
    sequence: client.nextSequence,
    acknowledgement: client.expectedSequence,
    flags: new Set(["ack"]),
    window: 1000,
    // Half the number space has gone by: seen as older.
    timestamps: { value: (2 ** 31 + 1000) % 2 ** 32, echo: 0 },
    payload: pattern(10),
  };
  world.feed(encodeFrame(frame));
  t.is(server.received.length, 10);
});

test("a wrong checksum is dropped where nobody has looked at it, and trusted where somebody has", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const frame = encodeFrame({
    source: client.options.address,
    destination: client.options.targetAddress,
    sourcePort: client.options.port,
    destinationPort: client.options.targetPort,
    sequence: client.nextSequence,
    acknowledgement: client.expectedSequence,
    flags: new Set(["ack"]),
    window: 1000,
    timestamps: { value: 5000, echo: 0 },
    payload: pattern(10),
  });
  frame[frame.length - 1]! ^= 0x10;
  t.true(world.feed(frame), "ours all the same: not to be carried on");
  t.is(server.received.length, 0);
  t.is(world.stack.counters.badChecksums, 1);
  frame[0] = 2;
  t.true(world.feed(frame));
  t.is(server.received.length, 10);
});

test("fragments, other protocols and cut frames are plain", (t) => {
  const world = new World();
  const { client } = world.connected();
  const good = encodeFrame({
    source: client.options.address,
    destination: client.options.targetAddress,
    sourcePort: client.options.port,
    destinationPort: client.options.targetPort,
    sequence: client.nextSequence,
    acknowledgement: client.expectedSequence,
    flags: new Set(["ack"]),
    window: 1000,
    payload: pattern(10),
  });
  const change = (at: number, value: number) => {
    const frame = good.slice();
    frame[at] = value;
    return world.feed(frame);
  };
  t.false(change(16, 0x20), "first fragment");
  t.false(change(17, 0x03), "later fragment");
  t.false(change(19, 17), "UDP");
  t.false(change(10, 0x60), "IPv6");
  t.false(change(42, 0x40), "a TCP header too short");
  t.false(change(42, 0xf0), "a TCP header too long");
  t.false(world.feed(good.subarray(0, good.length - 1)));
  for (let length = 0; length < 50; length++) t.false(world.feed(good.subarray(0, length)));
});

test("urgent data is data like any other", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  client.inject({ payload: pattern(10) }, ["ack", "urg", "psh"], world.now);
  client.silent = true;
  world.run(3);
  t.is(server.received.length, 10);
});

test("what is misconfigured is told in a sentence", (t) => {
  const make =
    (stack: object, mtu = 1500) =>
    () =>
      new World({ mtu, stack });
  t.throws(make({}, 500), { message: "The MTU must be 576 to 65535, not 500." });
  t.throws(make({ limits: { maxSendSlots: 100 } }), { message: /power of two/ });
  t.throws(make({ limits: { minSendBytes: 1000 } }), { message: /minSendBytes/ });
});
