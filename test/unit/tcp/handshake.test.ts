import test from "ava";
import { MAX_SYN_ACKS } from "../../../router-daemon/src/tcp/flow.ts";
import { encodeFrame } from "./naive.ts";
import { pattern, World } from "./world.ts";

test("a SYN is asked about, held, and answered only when accepted", (t) => {
  const asked: unknown[] = [];
  const world = new World({
    accept: false,
    verdict: (key) => {
      asked.push({ ...key });
      return "hold";
    },
  });
  const client = world.client();
  client.connect(world.now);
  world.run(10);
  t.deepEqual(asked, [
    { clientAddress: 0xc0a80102, clientPort: 40_000, targetAddress: 0x0a7e7e02, targetPort: 80 },
  ]);
  t.is(world.held.length, 1);
  t.is(world.output.length, 0);
  const flow = world.held[0]!;
  t.is(flow.state, "held");
  t.is(flow.sendSpace, 0);
  const server = world.accept(flow);
  t.is(flow.state, "synReceived");
  world.run(10);
  t.true(server.established);
  t.is(flow.state, "established");
  t.is(client.state, "open");
});

test("the SYN-ACK offers what the client offered, and our MSS by the device's MTU", (t) => {
  const world = new World({ mtu: 1380 });
  world.connected();
  const [synAck] = world.output;
  t.deepEqual(synAck!.flags, new Set(["syn", "ack"]));
  t.is(synAck!.mss, 1340);
  t.is(synAck!.windowShift, 8);
  t.true(synAck!.sackPermitted);
  t.not(synAck!.timestamps, undefined);
  t.is(synAck!.window, 65_535, "never scaled in a SYN");
});

test("a client without any option gets none but the MSS, segments of 536 bytes and windows of 16 bits", (t) => {
  const world = new World({ space: 1_000_000 });
  const { client, server } = world.connected({
    mss: undefined,
    windowShift: undefined,
    sack: false,
    timestamps: false,
    receiveBuffer: 30_000,
  });
  const [synAck] = world.output;
  t.is(synAck!.windowShift, undefined);
  t.is(synAck!.sackPermitted, undefined);
  t.is(synAck!.timestamps, undefined);
  const down = pattern(40_000);
  server.write(down);
  client.write(pattern(70_000, 3), world.now);
  world.until(() => client.received.length === 40_000 && server.received.length === 70_000);
  t.deepEqual(Uint8Array.from(client.received), down);
  for (const segment of world.output.slice(1)) {
    t.true(segment.payload.length <= 536 || segment.gsoSize === 536);
    t.is(segment.timestamps, undefined);
    t.is(segment.sack, undefined);
  }
});

test("each option may be missing alone", (t) => {
  const options = [{ windowShift: undefined }, { sack: false }, { timestamps: false }, { mss: undefined }];
  for (const missing of options) {
    const world = new World();
    const { client, server } = world.connected(missing);
    server.write(pattern(100_000));
    client.write(pattern(50_000), world.now);
    world.until(() => client.received.length === 100_000 && server.received.length === 50_000);
    const synAck = world.output[0]!;
    t.is(synAck.windowShift === undefined, "windowShift" in missing);
    t.is(synAck.sackPermitted === undefined, "sack" in missing);
    t.is(synAck.timestamps === undefined, "timestamps" in missing);
  }
});

test("ECN is not negotiated", (t) => {
  const world = new World();
  const client = world.client();
  client.inject({ sequence: 7, mss: 1460 }, ["syn", "ece", "cwr"], world.now);
  world.run(5);
  t.deepEqual(world.output[0]!.flags, new Set(["syn", "ack"]));
});

test("the client's segments are clamped to the device, and absurdly small ones to a floor", (t) => {
  const large = new World({ mtu: 1400 });
  const one = large.connected({ mss: 9000, timestamps: false });
  one.server.write(pattern(50_000));
  large.until(() => one.client.received.length === 50_000);
  t.is(Math.max(...large.output.map((segment) => segment.gsoSize ?? segment.payload.length)), 1360);
  const tiny = new World();
  const client = tiny.client({ mss: 8 });
  client.connect(tiny.now);
  tiny.until(() => tiny.servers[0]?.established === true);
  tiny.servers[0]!.write(pattern(2000));
  t.throws(() => tiny.run(50), { message: "more than a segment" });
  t.is(tiny.output.at(-1)!.gsoSize, 76);
});

test("retransmitted SYNs of a held flow are absorbed", (t) => {
  const world = new World({ accept: false });
  const client = world.client();
  client.connect(world.now);
  world.run(8000);
  t.true(client.sent.length >= 3);
  t.is(world.held.length, 1);
  t.is(world.output.length, 0);
  t.is(world.plain.length, 0);
  t.is(world.stack.counters.synsAbsorbed, client.sent.length - 1);
  world.accept(world.held[0]!);
  world.until(() => client.state === "open", 100);
});

test("a younger attempt with the same ports replaces the held SYN", (t) => {
  const world = new World({ accept: false });
  const old = world.client({ isn: 1000 });
  old.connect(world.now);
  world.run(5);
  world.clients.length = 0;
  const client = world.client({ isn: 77_777, sack: false });
  client.connect(world.now);
  world.run(5);
  t.is(world.held.length, 1);
  const server = world.accept(world.held[0]!);
  world.until(() => server.established, 1000);
  t.is(world.output[0]!.acknowledgement, 77_778);
  t.is(world.output[0]!.sackPermitted, undefined);
  t.is(client.state, "open");
});

test("a lost SYN-ACK is sent again, and the client's SYN brings it at once", (t) => {
  const world = new World();
  let lost = 2;
  world.filter = (_, up) => up || lost-- <= 0;
  const client = world.client();
  client.connect(world.now);
  const start = world.now;
  world.until(() => client.state === "open");
  t.true(world.now - start <= 3200);
  t.is(world.held.length, 1);
  t.true(world.output.filter((segment) => segment.flags.has("syn")).length >= 3);
  const sequences = new Set(world.output.filter((one) => one.flags.has("syn")).map((one) => one.sequence));
  t.is(sequences.size, 1);
});

test("a client that never completes the handshake is given up after a bounded number of SYN-ACKs", (t) => {
  const world = new World();
  const client = world.client();
  world.filter = (_, up) => up;
  client.connect(world.now);
  world.run(2);
  client.silent = true;
  world.until(() => world.servers[0]?.reason !== undefined, 120_000);
  t.is(world.servers[0]!.reason, "handshakeTimeout");
  t.is(world.output.filter((segment) => segment.flags.has("syn")).length, MAX_SYN_ACKS);
  t.is(world.stack.flowCount, 0);
  t.is(world.usedSlots, 0);
});

test("a lost third ACK is made good by the first data", (t) => {
  const world = new World();
  let acks = 0;
  world.filter = (segment, up) =>
    !(up && !segment.flags.has("syn") && segment.payload.length === 0 && acks++ === 0);
  const client = world.client();
  client.write(pattern(10), world.now);
  client.connect(world.now);
  world.until(() => world.servers[0]?.received.length === 10, 50);
  t.true(world.servers[0]!.established);
});

test("a refused SYN gets RST and leaves nothing", (t) => {
  const world = new World({ accept: false });
  const client = world.client();
  client.connect(world.now);
  world.run(5);
  world.stack.refuse(world.held[0]!, world.now);
  t.is(world.ends.get(world.held[0]!), "refused");
  world.run(5);
  t.is(client.state, "reset");
  t.is(world.stack.flowCount, 0);
  t.is(world.stack.heldCount, 0);
  t.is(world.usedSlots, 0);
  t.is(world.held[0]!.state, "closed");
});

test("a released SYN is given back byte by byte, and the next segments are plain", (t) => {
  const world = new World({ accept: false });
  const syn = encodeFrame({
    source: 0xc0a80102,
    destination: 0x0a000001,
    sourcePort: 1000,
    destinationPort: 80,
    sequence: 5,
    acknowledgement: 0,
    flags: new Set(["syn"]),
    window: 1000,
    mss: 1460,
    payload: new Uint8Array(0),
  });
  t.true(world.feed(syn));
  const [flow] = world.held;
  t.is(flow!.synLength, syn.length);
  t.deepEqual(world.pool.bytes.slice(flow!.synOffset, flow!.synOffset + flow!.synLength), syn);
  t.is(world.usedSlots, 1);
  world.stack.release(flow!);
  t.is(world.ends.get(flow!), "released");
  t.is(world.usedSlots, 0);
  t.is(world.stack.flowCount, 0);
  world.poll();
  t.is(world.output.length, 0);
  t.true(world.feed(syn), "the next SYN is asked about anew");
  t.is(world.held.length, 2);
});

test("a SYN that policy leaves alone makes no state", (t) => {
  const world = new World({ verdict: () => "plain" });
  const client = world.client();
  client.connect(world.now);
  world.run(5);
  t.is(world.plain.length, 1);
  t.is(world.held.length, 0);
  t.is(world.stack.flowCount, 0);
  t.is(world.usedSlots, 0);
  t.is(world.stack.nextTimeout, Number.POSITIVE_INFINITY);
});

test("a client that gives up while its SYN is held ends the flow", (t) => {
  const world = new World({ accept: false });
  const client = world.client();
  client.connect(world.now);
  world.run(5);
  client.inject({ sequence: client.options.isn + 1 }, ["rst"], world.now);
  client.silent = true;
  world.run(5);
  t.is(world.held[0]!.state, "closed");
  t.is(world.stack.heldCount, 0);
  t.is(world.usedSlots, 0);
  t.is(world.ends.get(world.held[0]!), "clientReset");
});

test("a RST that does not fit the held SYN is ignored", (t) => {
  const world = new World({ accept: false });
  const client = world.client();
  client.connect(world.now);
  world.run(5);
  client.inject({ sequence: client.options.isn + 5000 }, ["rst"], world.now);
  world.run(5);
  t.is(world.held[0]!.state, "held");
});

test("a flood of SYNs from one client takes no place from others: what is too much travels as plain IP", (t) => {
  const world = new World({ accept: false, stack: { limits: { maxHeldSyns: 20 } } });
  const other = world.client({ address: 0xc0a80199, port: 1 });
  other.connect(world.now);
  world.run(3);
  for (let port = 1; port <= 100; port++) {
    const flooder = world.client({ address: 0xc0a80150, port });
    flooder.connect(world.now);
    flooder.silent = true;
  }
  world.run(3);
  t.is(world.stack.heldCount, 20);
  t.is(world.usedSlots, 20);
  t.is(world.held[0]!.state, "held", "the other client's SYN is still there");
  t.is(world.stack.counters.synsEvicted, 0, "its own newcomers are the ones too many");
  t.is(world.stack.counters.synsOverLimit, 81);
  t.is(world.plain.length, 81, "they travel as plain IP");
  const third = world.client({ address: 0xc0a80177, port: 1 });
  third.connect(world.now);
  world.run(3);
  t.is(world.stack.heldCount, 20);
  t.is(world.evicted.length, 1);
  t.is(world.evicted[0]!.clientAddress, 0xc0a80150);
  t.is(world.evicted[0]!.clientPort, 1, "the oldest of the client that holds most");
  t.is(world.ends.get(world.evicted[0]!), "evicted");
  t.is(world.held.at(-1)!.clientAddress, 0xc0a80177);
  t.is(world.usedSlots, 20);
});

test("beyond the bound on flows SYNs are plain and not even asked about", (t) => {
  let asked = 0;
  const world = new World({
    stack: { limits: { maxFlows: 3 } },
    verdict: () => {
      asked++;
      return "hold";
    },
  });
  for (let port = 1; port <= 5; port++) world.client({ port }).connect(world.now);
  world.run(10);
  t.is(asked, 3);
  t.is(world.stack.flowCount, 3);
  t.is(world.plain.length, 2);
  t.is(world.stack.counters.synsOverLimit, 2);
});

test("without a free slot a SYN is plain", (t) => {
  const world = new World({ slots: 2, accept: false });
  for (let port = 1; port <= 3; port++) world.client({ port }).connect(world.now);
  world.run(3);
  t.is(world.stack.heldCount, 2);
  t.is(world.plain.length, 1);
});

test("impossible SYNs are left alone", (t) => {
  const world = new World();
  const syn = {
    source: 0xc0a80102,
    destination: 0x0a000001,
    sourcePort: 1000,
    destinationPort: 80,
    sequence: 5,
    acknowledgement: 0,
    flags: new Set(["syn"]),
    window: 1000,
    payload: new Uint8Array(0),
  };
  for (const change of [
    { source: 0x0a000001 },
    { destination: 0xffffffff },
    { destination: 0xe0000001 },
    { source: 0 },
    { source: 0x7f000001 },
    { sourcePort: 0 },
    { destinationPort: 0 },
    { flags: new Set(["syn", "fin"]) },
    { flags: new Set(["syn", "rst"]) },
    { flags: new Set(["syn", "ack"]) },
    { payload: new Uint8Array(1500) },
  ]) {
    t.false(world.feed(encodeFrame({ ...syn, ...change })), JSON.stringify(change));
  }
  const damaged = encodeFrame(syn);
  damaged[40]! ^= 1;
  t.false(world.feed(damaged));
  t.is(world.stack.counters.badChecksums, 1);
  t.is(world.held.length, 0);
});

test("an acknowledgement of something else during the handshake is answered with RST", (t) => {
  const world = new World();
  const client = world.client();
  world.filter = (_, up) => up;
  client.connect(world.now);
  world.run(3);
  const { sequence } = world.output[0]!;
  client.inject(
    {
      sequence: client.options.isn + 1,
      acknowledgement: (sequence + 9) >>> 0,
      timestamps: { value: 5000, echo: 0 },
    },
    ["ack"],
    world.now,
  );
  world.run(3);
  const reset = world.output.at(-1)!;
  t.deepEqual(reset.flags, new Set(["rst"]));
  t.is(reset.sequence, (sequence + 9) >>> 0);
  t.is(world.held[0]!.state, "synReceived");
});
