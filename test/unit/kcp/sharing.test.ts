/** Several connections share one way out and one pool. */
import test from "ava";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { INTERACTIVE_BYTES } from "../../../router-daemon/src/kcp/limits.ts";
import { Side } from "./side.ts";

function pair(slots = 8192) {
  const world = new World();
  const source = new Side("source", 1001, 2002, { slots });
  const destination = new Side("destination", 2002, 1001, { slots });
  source.isRecording = destination.isRecording = false;
  const link = { delayMs: 5 };
  world.connect(source, destination, link, link, 1);
  return { world, source, destination };
}

test("when the sink is narrow the small connection goes first", (t) => {
  const { world, source } = pair();
  const bulk = Array.from({ length: 5 }, (_, i) =>
    source.connect(5_000 + 2 * i, { send: 50_000_000, end: "never" }, 0),
  );
  const small = source.connect(6_000, { end: "never" }, 0);
  world.run(60);
  t.true(bulk.every((talker) => talker.connection.unacknowledgedBytes > INTERACTIVE_BYTES));
  const sendOne = (): number => {
    let conv = -1;
    source.endpoint.poll(75, {
      packet: (_peer, offset) => {
        conv = new DataView(source.pool.bytes.buffer).getUint32(offset, true);
        return false;
      },
    });
    return conv;
  };
  // Polls by hand, the sink takes one packet each: the bulk connections stand in line when the small one writes.
  t.true(bulk.some((talker) => talker.connection.conv === sendOne()));
  small.connection.write(Uint8Array.of(1, 2, 3));
  t.is(sendOne(), small.connection.conv);
});

test("bulk connections take turns at a narrow sink", (t) => {
  const { world, source } = pair();
  source.sinkLimit = 3;
  source.isRecording = true;
  for (let i = 0; i < 4; i++) source.connect(5_000 + 2 * i, { send: 50_000_000, end: "never" }, 0);
  world.run(60);
  // All four begin at the same instant, each with more than its turn's worth.
  const data = source.sentPackets.filter((packet) => packet.body.length > 1_000);
  t.true(data.filter((packet) => packet.at === data[0]!.at).length >= 24);
  t.is(new Set(data.slice(0, 12).map((packet) => packet.conv)).size, 4);
  t.is(new Set(data.slice(12, 24).map((packet) => packet.conv)).size, 4);
});

test("a writer without slots is told when the pool has some again, and nothing is lost", (t) => {
  const { world, source, destination } = pair(600);
  destination.plan = () => ({ end: "after-peer" });
  const clients = Array.from({ length: 12 }, (_, i) =>
    source.connect(5_000 + 2 * i, { send: 2_000_000, end: "after-sending" }, 0),
  );
  world.run(60_000, () => source.endpoint.connectionCount === 0);
  for (const client of clients) t.is(client.closeReason, "finished");
  for (const server of destination.talkers) t.is(server.received, 2_000_000);
  t.is(source.leakedSlots + destination.leakedSlots, 0);
});

test("a stalled reader costs a bounded number of slots and resumes", (t) => {
  const { world, source, destination } = pair(8192);
  destination.plan = () => ({ end: "after-peer", readBytesPerMs: 0 });
  const client = source.connect(5_000, { send: 8_000_000, end: "after-sending" }, 0);
  world.run(60_000);
  const server = destination.talkers[0]!;
  t.is(server.received, 0);
  t.is(client.connection.state, "open");
  t.true(server.connection.stats.heldSlots <= 4_200);
  t.true(client.connection.stats.heldSlots <= 8_000);
  delete server.plan.readBytesPerMs;
  server.step(world.now);
  world.run(90_000);
  t.is(server.received, 8_000_000);
  t.is(client.closeReason, "finished");
});

test("three thousand connections one after the other leave nothing behind", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ sendAfter: 10, send: 100, end: "after-peer" });
  let opened = 0;
  const open = (now: number): void => {
    for (let i = 0; i < 10 && opened < 3_000; i++) {
      source.connect(2 * opened++, { send: 10, end: "after-sending" }, now);
    }
    if (opened < 3_000) source.at(now + 20, open);
  };
  source.at(0, open);
  world.run(30_000, () => opened === 3_000 && source.endpoint.connectionCount === 0);
  world.run(world.now + 5_000);
  t.is(source.endpoint.counters.established, 3_000);
  t.is(destination.endpoint.counters.closed, 3_000);
  t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
  t.is(source.pool.freeSlots, source.pool.slotCount - 4);
  t.is(destination.pool.freeSlots, destination.pool.slotCount - 4);
});

test("reserving and committing nothing takes no slots", (t) => {
  const { world, source } = pair();
  const client = source.connect(5_000, { end: "never" }, 0);
  world.run(100);
  const before = source.pool.freeSlots;
  t.true(client.connection.reserve(new Int32Array(128), 0, 64) > 0);
  client.connection.commit(0);
  t.is(source.pool.freeSlots, before);
});
