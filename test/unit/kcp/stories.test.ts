import test from "ava";
import type { LinkOptions } from "../../../router-daemon/kcp-ts/test/link.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { KcpFlag } from "../../../router-daemon/src/kcp/packet.ts";
import { Side } from "./side.ts";

const SOURCE = 1001;
const DESTINATION = 2002;

function pair(link: LinkOptions = { delayMs: 10 }, seed = 1) {
  const world = new World();
  const source = new Side("source", SOURCE, DESTINATION, { seed });
  const destination = new Side("destination", DESTINATION, SOURCE, { seed: seed + 1 });
  world.connect(source, destination, link, link, seed);
  return { world, source, destination };
}

test("bytes cross both ways and both directions end on their own", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 200_000, end: "after-peer" });
  const client = source.connect(5000, { send: 100_000, end: "after-sending" }, 0);
  world.run(5_000);
  const server = destination.talkers[0]!;
  t.is(server.received, 100_000);
  t.is(client.received, 200_000);
  t.true(client.sawEnd && server.sawEnd);
  t.is(client.closeReason, "finished");
  t.is(server.closeReason, "finished");
  t.is(source.endpoint.connectionCount, 0);
  t.is(destination.endpoint.connectionCount, 0);
  t.is(source.leakedSlots, 0);
  t.is(destination.leakedSlots, 0);
});

test("the client is established one round trip after its SYN, and the greeting comes with it", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 100, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(1_000);
  t.is(client.establishedAt, 20);
  t.is(client.firstByteAt, 20);
  t.deepEqual(source.flagsSent().slice(0, 2), [KcpFlag.syn, 0x0a]);
});

test("the share of repetitions is told once enough was sent to tell one", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 200_000, end: "never" });
  const client = source.connect(5000, { send: 100, end: "never" }, 0);
  world.run(5_000);
  t.is(client.connection.stats.retransmittedShare, undefined, "one segment went this way");
  t.is(
    destination.talkers[0]!.connection.stats.retransmittedShare,
    0,
    "many went that way, and none was lost",
  );
});

/** Drops the first `count` packets of a side with exactly these flags. */
function dropFirst(side: Side, flags: number, count = 1): void {
  let left = count;
  side.filter = (packet) => packet.flags !== flags || left-- <= 0;
}

test("a lost SYN is repeated after 300 ms", (t) => {
  // Told nothing, or told that nothing is known.
  for (const rttMs of [undefined, 0]) {
    const { world, source } = pair();
    dropFirst(source, KcpFlag.syn);
    const client = source.connect(5000, { end: "never" }, 0, rttMs);
    world.run(2_000);
    t.is(client.establishedAt, 320);
  }
});

test("a lost SYN is repeated sooner on a path known to be fast", (t) => {
  const { world, source } = pair();
  dropFirst(source, KcpFlag.syn);
  const client = source.connect(5000, { end: "never" }, 0, 20);
  world.run(2_000);
  t.is(client.establishedAt, 90);
});

test("a lost SYN+ACK is repaired by the repeated SYN", (t) => {
  const { world, source, destination } = pair();
  dropFirst(destination, 0x03);
  const client = source.connect(5000, { end: "never" }, 0, 20);
  world.run(2_000);
  t.true(client.establishedAt < 100);
  t.is(destination.talkers.length, 1);
});

test("a lost SYN+ACK with a greeting behind it is asked for again at once", (t) => {
  const { world, source, destination } = pair();
  dropFirst(destination, 0x03);
  destination.plan = () => ({ send: 100, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(2_000);
  t.is(client.establishedAt, 40);
  t.is(client.received, 100);
});

test("a lost third packet does not keep a server-speaks-first connection waiting", (t) => {
  const { world, source, destination } = pair();
  dropFirst(source, 0x0a);
  destination.plan = () => ({ send: 100, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(3_000);
  t.is(client.firstByteAt, 20);
  t.true(destination.talkers[0]!.establishedAt < 100);
});

test("a silent connection is established at the destination although the third packet was lost", (t) => {
  const { world, source, destination } = pair();
  dropFirst(source, 0x0a, 2);
  source.connect(5000, { end: "never" }, 0);
  world.run(3_000);
  t.true(destination.talkers[0]!.establishedAt < 700);
});

test("the source is answered only when the destination has decided", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ decideAfterMs: 5_000, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(20_000);
  t.is(client.establishedAt, 10 + 5_000 + 10);
  t.is(destination.talkers.length, 1);
  // While it waits for the decision it does not race.
  t.deepEqual(new Set(source.sentPackets.map((packet) => packet.conv)).size, 1);
});

test("a refusal reaches the client with its reason, also when the first RST is lost", (t) => {
  for (const lost of [0, 1, 2]) {
    const { world, source, destination } = pair();
    dropFirst(destination, KcpFlag.rst, lost);
    destination.plan = () => ({ decideAfterMs: 3, refuse: "target_refused" });
    const client = source.connect(5000, { end: "never" }, 0);
    world.run(3_000);
    t.is(client.closeReason, "target_refused");
    t.true(Number.isNaN(client.establishedAt));
    t.true(client.closedAt <= 23 + [0, 200, 800][lost]!);
    t.is(destination.talkers.length, 1);
  }
});

test("a destination that never decides ends as undecided at both ends", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ decideAfterMs: 1e9, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(60_000);
  t.is(destination.talkers[0]!.closeReason, "undecided");
  t.is(client.closeReason, "target_timeout");
  t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
});

test("nobody answers: the attempt ends after the open timeout", (t) => {
  const { world, source, destination } = pair();
  source.filter = () => false;
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(10_000);
  t.is(client.closeReason, "no_answer");
  t.is(client.closedAt, 3_000);
  t.is(destination.talkers.length, 0);
  t.true(new Set(source.sentPackets.map((packet) => packet.conv)).size <= 4);
});

test("a racing second attempt of the same client is not taken twice", (t) => {
  const { world, source, destination } = pair();
  // Neither answers nor signs of life come back for a while.
  let deaf = true;
  destination.filter = () => !deaf;
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(700);
  t.true(new Set(source.sentPackets.map((packet) => packet.conv)).size > 1);
  deaf = false;
  world.run(3_000);
  t.is(client.connection.state, "open");
  t.is(destination.talkers.length, 1);
  t.is(destination.endpoint.connectionCount, 1);
  t.true(destination.endpoint.counters.duplicateSyns > 0);
});

test("half-close: the client's end leaves the answer alone", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ sendAfter: 1, send: 300_000, end: "after-peer" });
  const client = source.connect(5000, { send: 1_000, end: "after-sending" }, 0);
  world.run(10_000);
  t.is(client.received, 300_000);
  t.is(client.closeReason, "finished");
});

test("half-close: the service's end leaves the client's upload alone", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 10, end: "after-sending" });
  const client = source.connect(5000, { sendAfter: 10, send: 300_000, end: "after-sending" }, 0);
  world.run(10_000);
  t.is(destination.talkers[0]!.received, 300_000);
  t.is(client.closeReason, "finished");
  t.is(destination.talkers[0]!.closeReason, "finished");
});

test("the end of a stream is seen together with its last byte", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 500, end: "after-sending" });
  const client = source.connect(5000, { end: "after-peer" }, 0);
  world.run(10_000);
  // Greeting and end came with the answer to the SYN, or right behind the third packet.
  t.true(client.endedAt <= 40);
});

test("an end that overtakes its last bytes waits for them, and no longer", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ sendAfter: 10, send: 5_000, end: "after-sending" });
  const client = source.connect(5000, { send: 10, end: "after-peer" }, 0);
  world.run(100);
  t.is(client.received, 5_000);
  const late = source.connect(5002, { send: 10, end: "after-peer" }, 100);
  // Everything that carries its bytes is lost for a while, the FIN is not.
  let lossy = true;
  destination.filter = (packet) => !lossy || packet.body.length < 100;
  destination.at(150, () => {
    lossy = false;
  });
  world.run(1_000);
  t.is(late.received, 5_000);
  t.true(late.firstByteAt >= 150);
  t.is(late.endedAt, late.lastByteAt);
});

test("a lost FIN is sent again as soon as the bytes before it are acknowledged", (t) => {
  const { world, source, destination } = pair();
  dropFirst(source, KcpFlag.fin);
  const client = source.connect(5000, { send: 1_000, end: "after-sending" }, 0);
  world.run(10_000);
  const server = destination.talkers[0]!;
  t.true(server.endedAt <= client.establishedAt + 35, `end after ${server.endedAt} ms`);
});

test("a lost FIN is repeated, and so is its lost acknowledgement", (t) => {
  for (const lost of [1, 3, 6, 9]) {
    for (const flags of [KcpFlag.fin, KcpFlag.ack]) {
      const { world, source, destination } = pair();
      dropFirst(flags === KcpFlag.fin ? source : destination, flags, lost);
      const client = source.connect(5000, { send: 1_000, end: "after-sending" }, 0);
      world.run(60_000);
      t.is(client.closeReason, "finished");
      t.is(destination.talkers[0]!.closeReason, "finished");
    }
  }
});

test("when every acknowledgement of an end is lost, the other end still learns that all is well", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ sendAfter: 100, send: 100, end: "after-peer" });
  const client = source.connect(5000, { send: 100, end: "after-sending" }, 0);
  // The client's FIN is the last that comes through, for far longer than its record stays around.
  let isDeaf = true;
  source.filter = (packet) => !isDeaf || packet.at < 40;
  source.at(8_000, () => {
    isDeaf = false;
  });
  world.run(60_000);
  t.is(client.closeReason, "finished");
  t.true(client.closedAt < 100);
  t.is(destination.talkers[0]!.closeReason, "finished");
  t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
});

test("an abort reaches the other end with its reason, also when the first RST is lost", (t) => {
  const { world, source, destination } = pair();
  dropFirst(destination, KcpFlag.rst);
  destination.plan = () => ({ abortAfter: 1_000, end: "never" });
  const client = source.connect(5000, { send: 5_000, end: "never" }, 0);
  world.run(3_000);
  t.is(client.closeReason, "far_end_reset");
  t.is(destination.talkers[0]!.closeReason, "aborted");
  t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
  t.is(source.leakedSlots + destination.leakedSlots, 0);
});

test("giving up an opening tells the destination, which drops its attempt at the target", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ decideAfterMs: 10_000, end: "never" });
  const client = source.connect(5000, { end: "never" }, 0);
  source.at(1_000, (now) => client.connection.abort(now));
  world.run(2_000);
  t.is(destination.talkers[0]!.closeReason, "reset");
});

test("an idle connection lives, a silent one is closed after a minute", (t) => {
  const { world, source, destination } = pair();
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(200_000);
  t.is(client.connection.state, "open");
  t.true(client.connection.stats.srttMs > 19 && client.connection.stats.srttMs < 25);
  source.filter = () => false;
  destination.filter = () => false;
  world.run(300_000);
  t.is(client.closeReason, "silent");
  t.is(destination.talkers[0]!.closeReason, "silent");
  t.true(client.closedAt > 255_000 && client.closedAt < 275_000);
  t.is(source.endpoint.connectionCount + destination.endpoint.connectionCount, 0);
});

test("a peer that has forgotten the connection resets it at the next PING", (t) => {
  const { world, source, destination } = pair();
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(1_000);
  destination.filter = () => false;
  destination.talkers[0]!.connection.abort(1_000);
  world.run(4_000);
  destination.filter = () => true;
  world.run(13_000);
  t.is(client.closeReason, "reset");
});
