import test from "ava";
import { RUN_WORDS, RunEntry } from "kcp-ts";
import { MAX_FRAME_PAIRS } from "../../../router-daemon/src/tcp/frame-writer.ts";
import { pattern, World } from "./world.ts";

const DATA = (segment: { payload: Uint8Array }) => segment.payload.length > 0;

test("bulk data leaves in super-segments of whole segments, FIN and PSH on the last", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(600_000));
  server.shutdown();
  world.until(() => client.finReceived);
  const sent = world.output.filter(DATA);
  t.true(sent.length < 25, `${sent.length} frames`);
  t.is(Math.max(...sent.map((one) => one.payload.length)), Math.floor((65_535 - 80) / 1448) * 1448);
  for (const segment of sent.slice(0, -1)) {
    if (segment.gsoSize !== undefined) t.is(segment.gsoSize, 1448);
    t.false(segment.flags.has("fin"));
  }
  t.is(
    sent.filter((segment) => segment.payload.length % 1448 !== 0).length,
    1,
    "only the end is no whole segment",
  );
  t.deepEqual(sent.at(-1)!.flags, new Set(["fin", "psh", "ack"]));
  t.deepEqual(Uint8Array.from(client.received), pattern(600_000));
});

test("a run of slots is taken whole while there is room for as many of the largest, else not at all", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  const { flow } = server;
  const content = pattern(3000);
  const run = (lengths: readonly number[]): Int32Array => {
    const words = new Int32Array(RUN_WORDS * lengths.length);
    let at = 0;
    lengths.forEach((length, i) => {
      const slot = world.pool.alloc();
      world.pool.bytes.set(content.subarray(at, at + length), slot * world.pool.slotBytes);
      at += length;
      words.set([slot, slot * world.pool.slotBytes, length], i * RUN_WORDS);
    });
    return words;
  };
  t.true(flow.sendSlots(run([1000, 1, 1999]), 0, 3));
  world.until(() => client.received.length === 3000);
  t.deepEqual(Uint8Array.from(client.received), content);
  const most = Math.floor(flow.sendSpace / world.pool.slotBytes);
  const words = run(new Array(most + 1).fill(1));
  t.false(flow.sendSlots(words, 0, most + 1));
  for (let i = 0; i <= most; i++) world.pool.free(words[i * RUN_WORDS + RunEntry.slot]!);
  flow.shutdown();
  const late = run([1]);
  t.false(flow.sendSlots(late, 0, 1), "shut down");
  world.pool.free(late[RunEntry.slot]!);
});

test("a device without room for super-segments gets single segments", (t) => {
  const world = new World({ stack: { maxSegmentBytes: 1448 } });
  const { client, server } = world.connected();
  server.write(pattern(50_000));
  world.until(() => client.received.length === 50_000);
  for (const segment of world.output.filter(DATA)) {
    t.is(segment.gsoSize, undefined);
    t.true(segment.payload.length <= 1448);
  }
});

test("the first flight is ten segments", (t) => {
  const world = new World({ down: { delayMs: 50 } });
  const { server } = world.connected();
  server.write(pattern(100_000));
  world.run(1);
  t.is(server.flow.deliveredBytes, 0);
  t.is(
    world.output.reduce((sum, segment) => sum + segment.payload.length, 0),
    14_480,
  );
});

test("a lost segment in the middle is sent again alone, once, without a timeout", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  let count = 0;
  world.filter = (segment, up) => up || segment.payload.length === 0 || ++count !== 5;
  const start = world.now;
  server.write(pattern(100_000));
  world.until(() => client.received.length === 100_000);
  t.is(server.flow.retransmittedBytes, 1448);
  t.true(world.now - start < 50);
  t.deepEqual(Uint8Array.from(client.received), pattern(100_000));
});

test("many losses in one flight are repaired in one go, each once", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(100_000));
  world.until(() => client.received.length === 100_000);
  const lost = new Set<number>();
  let count = 0;
  world.filter = (segment, up) => {
    if (up || segment.payload.length === 0 || lost.has(segment.sequence)) return true;
    if (++count % 6 !== 1) return true;
    lost.add(segment.sequence);
    return false;
  };
  const start = world.now;
  server.write(pattern(58_000));
  world.until(() => client.received.length === 158_000);
  t.true(lost.size >= 6);
  t.is(server.flow.retransmittedBytes, lost.size * 1448);
  t.true(world.now - start < 100, `${world.now - start} ms`);
});

test("a lost retransmission is found and repaired without waiting for the timeout", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  let first = -1;
  let losses = 0;
  world.filter = (segment, up) => {
    if (up || segment.payload.length === 0) return true;
    if (first < 0) first = segment.sequence;
    return segment.sequence !== first || ++losses > 2;
  };
  const start = world.now;
  server.write(pattern(300_000));
  world.until(() => client.received.length === 300_000);
  t.is(losses, 3);
  t.is(world.stack.counters.retransmitTimeouts, 0);
  t.true(world.now - start < 150, `${world.now - start} ms`);
});

test("a lost tail is repaired by a probe, long before the timeout", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(30_000));
  world.until(() => client.received.length === 30_000);
  world.run(100);
  let count = 0;
  world.filter = (segment, up) => up || segment.payload.length === 0 || ++count < 4 || count > 5;
  const start = world.now;
  server.write(pattern(5 * 1448));
  world.until(() => client.received.length === 30_000 + 5 * 1448);
  t.true(world.now - start < 60, `${world.now - start} ms`);
  t.is(server.flow.retransmittedBytes, 2 * 1448);
});

test("a client that holds its acknowledgement of a single segment back is not probed", (t) => {
  const world = new World();
  const { client, server } = world.connected({ delayedAckMs: 150 });
  for (let round = 1; round <= 10; round++) {
    server.write(pattern(100));
    world.run(400);
    t.is(client.received.length, 100 * round);
  }
  t.is(server.flow.retransmittedBytes, 0);
});

test("everything lost: the timeout brings it back, backed off until then", (t) => {
  const world = new World();
  const { client, server } = world.connected({ sack: false });
  let open = false;
  world.filter = (_, up) => up || open;
  server.write(pattern(20_000));
  world.run(3000);
  const tries = world.output.filter(DATA).length;
  t.true(tries >= 4 && tries <= 8, `${tries} frames in 3 s`);
  open = true;
  world.until(() => client.received.length === 20_000, 5000);
  t.deepEqual(Uint8Array.from(client.received), pattern(20_000));
});

test("without SACK three duplicate acknowledgements bring the missing segment back", (t) => {
  const world = new World();
  const { client, server } = world.connected({ sack: false, timestamps: false });
  let count = 0;
  world.filter = (segment, up) => up || segment.payload.length === 0 || ++count !== 3;
  const start = world.now;
  server.write(pattern(200_000));
  world.until(() => client.received.length === 200_000);
  t.is(server.flow.retransmittedBytes, 1460);
  t.true(world.now - start < 100);
});

test("without SACK several losses of one flight are repaired one per round trip", (t) => {
  const world = new World();
  const { client, server } = world.connected({ sack: false });
  let count = 0;
  world.filter = (segment, up) => up || segment.payload.length === 0 || ![2, 4, 5].includes(++count);
  const start = world.now;
  server.write(pattern(14_480));
  world.until(() => client.received.length === 14_480);
  t.is(server.flow.retransmittedBytes, 3 * 1448);
  t.true(world.now - start < 50, `${world.now - start} ms`);
});

test("a pause of the link makes a timeout, and the sender takes it back when it was needless", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  server.write(pattern(200_000));
  world.until(() => client.received.length === 200_000);
  world.run(50);
  // A sleeping phone: nothing is lost, everything is late.
  const waiting: (() => void)[] = [];
  let asleep = true;
  const { handle } = client;
  client.handle = (segment, now) => {
    if (asleep) waiting.push(() => handle.call(client, segment, world.now));
    else handle.call(client, segment, now);
  };
  server.write(pattern(100_000));
  world.run(300);
  asleep = false;
  for (const wake of waiting) wake();
  world.until(() => client.received.length === 300_000);
  world.run(500);
  t.deepEqual(Uint8Array.from(client.received.slice(200_000)), pattern(100_000));
  server.flow.abort(world.now);
  t.true(world.stack.counters.retransmitTimeouts >= 1);
  t.is(world.stack.counters.recoveriesUndone, 1);
  t.true(server.flow.retransmittedBytes <= 3 * 1448, `${server.flow.retransmittedBytes} bytes sent again`);
});

test("reordering in the LAN costs next to no retransmission once it is known", (t) => {
  const world = new World({ seed: 4, down: { delayMs: 4, jitterMs: 3 }, up: { delayMs: 4 } });
  const { client, server } = world.connected({ receiveBuffer: 400_000 });
  server.write(pattern(400_000));
  world.until(() => client.received.length === 400_000);
  t.true(server.flow.retransmittedBytes < 0.02 * 400_000, `${server.flow.retransmittedBytes} bytes`);
});

test("a client that forgets what it acknowledged selectively gets it again", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  let count = 0;
  world.filter = (segment, up) => {
    if (up || segment.payload.length === 0) return true;
    count++;
    // Only the SACKed middle arrives, and then the link is dead for a while.
    return count > 2 && count < 8;
  };
  server.write(pattern(14_480));
  world.run(10);
  // Memory pressure: what is out of order is dropped, as RFC 2018 8 allows.
  client.forgetOutOfOrder();
  world.run(20);
  world.filter = undefined;
  world.until(() => client.received.length === 14_480, 5000);
  t.deepEqual(Uint8Array.from(client.received), pattern(14_480));
});

test("an acknowledgement inside a super-segment frees the slots before it, and no more", (t) => {
  const world = new World();
  const { client, server } = world.connected({ delayedAckMs: 0 });
  world.filter = (_, up) => up;
  world.slotPayload = 1000;
  server.write(pattern(10_000));
  world.run(1);
  t.is(world.usedSlots, 10);
  const first = world.output.find(DATA)!.sequence;
  const acknowledge = (bytes: number) => {
    client.inject({ acknowledgement: (first + bytes) >>> 0 }, ["ack"], world.now);
    world.run(3);
  };
  acknowledge(1500);
  t.is(world.usedSlots, 9);
  t.is(server.flow.unacknowledgedBytes, 8500);
  t.is(server.flow.deliveredBytes, 1500);
  acknowledge(2000);
  t.is(world.usedSlots, 8);
  acknowledge(9999);
  t.is(world.usedSlots, 1);
  acknowledge(10_000);
  t.is(world.usedSlots, 0);
  t.is(server.flow.unacknowledgedBytes, 0);
});

test("a closed window stops sending, is probed ever more rarely, and its opening is used", (t) => {
  const world = new World();
  const { client, server } = world.connected({ receiveBuffer: 20_000 });
  client.reading = false;
  server.write(pattern(50_000));
  world.run(20_000);
  t.is(client.received.length, 0);
  const probes = world.output.slice(2).filter((segment) => segment.payload.length === 0);
  t.true(probes.length >= 4 && probes.length < 12, `${probes.length} probes in 20 s`);
  t.true(server.flow.deliveredBytes > 19_800 && server.flow.deliveredBytes <= 20_000);
  client.resumeReading(world.now);
  world.until(() => client.received.length === 50_000, 100);
});

test("a lost window update is made good by the probe", (t) => {
  const world = new World();
  const { client, server } = world.connected({ receiveBuffer: 20_000 });
  client.reading = false;
  server.write(pattern(50_000));
  world.run(1000);
  client.readSilently();
  const start = world.now;
  world.until(() => client.received.length === 50_000, 5000);
  t.true(world.now - start < 3000);
});

test("a client that keeps its window closed but answers lives; one that does not answer dies", (t) => {
  const world = new World({ stack: { limits: { userTimeoutMs: 30_000 } } });
  const { client, server } = world.connected({ receiveBuffer: 20_000 });
  client.reading = false;
  server.write(pattern(50_000));
  world.run(200_000);
  t.is(server.reason, undefined);
  client.silent = true;
  world.until(() => server.reason !== undefined, 100_000);
  t.is(server.reason, "timeout");
  t.is(world.usedSlots, 0);
});

test("data that is never acknowledged ends the flow after the user timeout", (t) => {
  const world = new World({ stack: { limits: { userTimeoutMs: 20_000 } } });
  const { client, server } = world.connected();
  client.silent = true;
  server.write(pattern(5000));
  const start = world.now;
  world.until(() => server.reason !== undefined, 200_000);
  t.is(server.reason, "timeout");
  t.true(world.now - start >= 20_000 && world.now - start < 60_000);
  t.is(world.usedSlots, 0);
  world.run(5);
  t.true(world.output.at(-1)!.flags.has("rst"));
});

test("a slow client bounds memory, and writable tells when there is room again", (t) => {
  const world = new World({
    slots: 4096,
    stack: { limits: { minSendBytes: 64 * 1024, maxSendBytes: 256 * 1024 } },
  });
  const { client, server } = world.connected({ receiveBuffer: 30_000 });
  client.reading = false;
  server.write(pattern(600_000));
  world.run(5000);
  t.true(server.flow.unacknowledgedBytes <= 64 * 1024);
  t.true(world.usedSlots <= 49);
  t.true(server.waitingBytes > 500_000);
  const before = server.writables;
  client.resumeReading(world.now);
  world.until(() => client.received.length === 600_000);
  t.true(server.writables > before);
  t.deepEqual(Uint8Array.from(client.received), pattern(600_000));
});

test("while memory is short a send queue holds its share, and its user hears of room again", (t) => {
  const world = new World({ slots: 1000, shared: true });
  const { client, server } = world.connected({ receiveBuffer: 30_000 });
  const others: number[] = [];
  while (world.pool.freeSlots > 350) others.push(world.pool.alloc());
  client.reading = false;
  server.write(pattern(300_000));
  world.run(5000);
  // 100 slots are shared out: at a third of them a half of the rest is not more.
  t.true(world.usedSlots - others.length <= 35, `${world.usedSlots - others.length} slots`);
  t.true(server.waitingBytes > 200_000);
  // Others take what was left, so that the share is less than what is queued; all of that is acknowledged at once.
  while (world.pool.freeSlots > 250) others.push(world.pool.alloc());
  client.resumeReading(world.now);
  world.until(() => client.received.length === 300_000);
  t.deepEqual(Uint8Array.from(client.received), pattern(300_000));
  for (const slot of others) world.pool.free(slot);
});

test("the bound on queued bytes grows with what can be in flight, up to its limit", (t) => {
  const world = new World({
    slots: 4096,
    down: { delayMs: 10 },
    stack: { limits: { minSendBytes: 32 * 1024, maxSendBytes: 200_000 } },
  });
  const { client, server } = world.connected({ receiveBuffer: 1_000_000 });
  t.is(server.flow.sendSpace, 32 * 1024);
  server.write(pattern(900_000));
  let most = 0;
  world.until(() => {
    most = Math.max(most, server.flow.unacknowledgedBytes);
    return client.received.length === 900_000;
  });
  t.true(most > 150_000 && most <= 200_000, `${most} bytes`);
});

test("small payloads are bounded by slots, and cut frames where their pieces are too many", (t) => {
  const world = new World({ stack: { limits: { maxSendSlots: 512 } } });
  world.slotPayload = 10;
  const { client, server } = world.connected();
  client.reading = true;
  server.write(pattern(20_000));
  t.is(world.usedSlots, 512);
  world.until(() => client.received.length === 20_000);
  const most = Math.max(...world.output.map((segment) => segment.payload.length));
  t.true(most <= 10 * (MAX_FRAME_PAIRS - 1));
  t.deepEqual(Uint8Array.from(client.received), pattern(20_000));
});

test("a full TUN queue loses nothing and is tried again", (t) => {
  const world = new World();
  const { client, server } = world.connected();
  world.sinkFull = true;
  server.write(pattern(50_000));
  client.write(pattern(3000), world.now);
  world.run(5);
  const before = world.output.length;
  t.true(world.stack.nextTimeout > world.now - 6 && world.stack.nextTimeout < world.now + 2);
  t.is(client.received.length, 0);
  world.sinkFull = false;
  world.until(() => client.received.length === 50_000 && client.allAcknowledged, 300);
  t.true(world.output.length > before);
  t.is(server.flow.retransmittedBytes, 0);
});

test("nothing of a flow is sent before its handshake is complete", (t) => {
  const world = new World();
  world.filter = (segment, up) => !up || segment.flags.has("syn");
  world.client().connect(world.now);
  world.run(3);
  const [server] = world.servers;
  server!.write(pattern(1000));
  world.run(500);
  t.true(world.output.every((segment) => segment.flags.has("syn")));
  t.is(world.usedSlots, 1);
});

test("what cannot be sent is not taken", (t) => {
  const world = new World({ accept: false });
  world.client().connect(world.now);
  world.run(3);
  const [flow] = world.held;
  const slot = world.pool.alloc();
  t.false(flow!.send(slot, slot * 1536, 10), "held");
  const server = world.accept(flow!);
  world.until(() => server.established);
  flow!.shutdown();
  t.is(flow!.sendSpace, 0);
  t.false(flow!.send(slot, slot * 1536, 10), "shut down");
  flow!.abort(world.now);
  t.false(flow!.send(slot, slot * 1536, 10), "closed");
  world.pool.free(slot);
  t.is(world.usedSlots, 0);
});

test("an empty payload is taken and its slot freed at once", (t) => {
  const world = new World();
  const { server } = world.connected();
  const slot = world.pool.alloc();
  t.true(server.flow.send(slot, slot * 1536, 0));
  t.is(world.usedSlots, 0);
});

test("sequence numbers wrap in both directions", (t) => {
  for (let seed = 1; seed <= 3; seed++) {
    const world = new World({ seed });
    const { client, server } = world.connected({ isn: 0xffff_ffff - 20_000 });
    const up = pattern(60_000, seed);
    const down = pattern(90_000, seed + 1);
    client.write(up, world.now);
    server.write(down);
    world.until(() => server.received.length === up.length && client.received.length === down.length);
    t.deepEqual(Uint8Array.from(server.received), up);
    t.deepEqual(Uint8Array.from(client.received), down);
  }
  const world = new World();
  world.nextRandom.push(0x1234, 0xffff_ffff - 30_000);
  const { client, server } = world.connected();
  t.is(world.output[0]!.sequence, 0xffff_ffff - 30_000);
  server.write(pattern(90_000));
  world.until(() => client.received.length === 90_000);
  t.deepEqual(Uint8Array.from(client.received), pattern(90_000));
  t.is(server.flow.retransmittedBytes, 0);
});
