/** Stories between ours and a stock node. */
import test from "ava";
import type { LinkOptions } from "../../../router-daemon/kcp-ts/test/link.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { KcpFlag } from "../../../router-daemon/src/kcp/packet.ts";
import { Side } from "./side.ts";
import { StockNode } from "./stock-model.ts";

const SOURCE = 1001;
const DESTINATION = 2002;
const VERSIONS = ["264", "814"] as const;
type Version = (typeof VERSIONS)[number];

/** Our source, a stock destination. */
function toStock(version: Version, link: LinkOptions = { delayMs: 10 }, seed = 1) {
  const world = new World();
  const source = new Side("source", SOURCE, DESTINATION, { seed });
  const stock = new StockNode("destination", DESTINATION, SOURCE, version);
  world.connect(source, stock, link, link, seed);
  return { world, source, stock };
}

/** A stock source, our destination. */
function fromStock(version: Version, link: LinkOptions = { delayMs: 10 }, seed = 1) {
  const world = new World();
  const stock = new StockNode("source", SOURCE, DESTINATION, version);
  const destination = new Side("destination", DESTINATION, SOURCE, { seed });
  world.connect(stock, destination, link, link, seed);
  return { world, stock, destination };
}

/** Drops the first `count` packets of ours with exactly these flags. */
function dropFirst(side: Side, flags: number, count = 1): void {
  let left = count;
  side.filter = (packet) => packet.flags !== flags || left-- <= 0;
}

/** Drops the first `count` packets of the stock node with exactly these flags. */
function dropStock(node: StockNode, flags: number, count = 1): void {
  let left = count;
  node.filter = (sent) => sent !== flags || left-- <= 0;
}

for (const version of VERSIONS) {
  test(`${version} destination: client speaks first, and is answered without waiting for a timeout`, (t) => {
    const { world, source, stock } = toStock(version);
    stock.plan = () => ({ send: 100, sendAfter: 10, end: "never" });
    const client = source.connect(5000, { send: 10, end: "never" }, 0);
    world.run(3_000);
    t.is(client.received, 100);
    // The first copy was thrown away there, the second one came in time.
    t.true(stock.thrownAway > 0);
    t.true(client.firstByteAt <= 52, `first byte after ${client.firstByteAt} ms`);
  });

  test(`${version} destination: a large first flight waits until it is not thrown away`, (t) => {
    const { world, source, stock } = toStock(version);
    stock.plan = () => ({ send: 100, sendAfter: 30_000, end: "never" });
    const client = source.connect(5000, { send: 30_000, end: "never" }, 0);
    world.run(3_000);
    t.is(client.received, 100);
    t.is(stock.thrownAway, 0);
    t.true(client.firstByteAt <= 82, `first byte after ${client.firstByteAt} ms`);
  });

  test(`${version} destination: server speaks first although the third packet is lost`, (t) => {
    const { world, source, stock } = toStock(version);
    dropFirst(source, 0x0a);
    stock.plan = () => ({ send: 100, end: "never" });
    const client = source.connect(5000, { end: "never" }, 0);
    world.run(3_000);
    t.is(client.received, 100);
    t.true(client.firstByteAt < 270);
  });

  test(`${version} destination: a lost SYN+ACK costs a second conv, and the first one is reset`, (t) => {
    const { world, source, stock } = toStock(version);
    dropStock(stock, 0x03);
    stock.plan = () => ({ send: 10, end: "never" });
    const client = source.connect(5000, { end: "never" }, 0);
    // Before the stock node's round sweeps the closed record away.
    world.run(2_500);
    t.is(client.received, 10);
    t.true(client.establishedAt <= 630);
    t.is(stock.taken.length, 1);
    t.deepEqual([...stock.connections.values()].map((connection) => connection.state).sort(), [
      "Closed",
      "Established",
    ]);
  });

  test(`${version} destination: an upload ended by the client arrives whole, whatever the reader's pace`, (t) => {
    for (const readBytesPerMs of [undefined, 20_000, 1_000, 150]) {
      const { world, source, stock } = toStock(version);
      stock.plan = () => ({
        end: "after-peer",
        ...(readBytesPerMs === undefined ? {} : { readBytesPerMs }),
      });
      const client = source.connect(5000, { send: 2_000_000, end: "after-sending" }, 0);
      world.run(60_000);
      t.is(stock.taken[0]!.received, 2_000_000, `reader at ${readBytesPerMs}`);
      t.is(client.closeReason, "finished");
    }
  });

  test(`${version} source: a download ended by the service arrives whole, whatever the reader's pace`, (t) => {
    for (const readBytesPerMs of [undefined, 20_000, 1_000, 150]) {
      const { world, stock, destination } = fromStock(version);
      destination.plan = () => ({ send: 2_000_000, end: "after-sending" });
      const race = stock.connect(
        5000,
        { end: "never", ...(readBytesPerMs === undefined ? {} : { readBytesPerMs }) },
        0,
      );
      world.run(60_000);
      t.is(race.winner!.received, 2_000_000, `reader at ${readBytesPerMs}`);
      t.is(destination.talkers[0]!.closeReason, "finished");
    }
  });

  test(`${version} source: what comes right behind the third packet is kept`, (t) => {
    const { world, stock, destination } = fromStock(version);
    destination.plan = () => ({ sendAfter: 100, send: 100, end: "never" });
    const race = stock.connect(5000, { send: 100, end: "never" }, 0);
    world.run(2_000);
    t.is(race.winner!.received, 100);
    t.true(race.winner!.firstByteAt <= 45, `first byte after ${race.winner!.firstByteAt} ms`);
  });

  test(`${version} source: racing attempts are one connection`, (t) => {
    // A round trip of 500 ms: the source races three attempts before the first answer.
    const { world, stock, destination } = fromStock(version, { delayMs: 250 });
    const race = stock.connect(5000, { send: 100, end: "never" }, 0);
    world.run(5_000);
    t.true(race.convs.length >= 3);
    t.is(destination.talkers.length, 1);
    t.is(destination.talkers[0]!.received, 100);
  });

  test(`${version} source: a lost SYN+ACK, and a lost third packet`, (t) => {
    const lostAnswer = fromStock(version);
    dropFirst(lostAnswer.destination, 0x03);
    lostAnswer.destination.plan = () => ({ send: 10, end: "never" });
    const a = lostAnswer.stock.connect(5000, { end: "never" }, 0);
    lostAnswer.world.run(5_000);
    t.is(a.winner!.received, 10);
    t.is(lostAnswer.destination.talkers.length, 1);

    const lostThird = fromStock(version);
    dropStock(lostThird.stock, 0x0a);
    const b = lostThird.stock.connect(5000, { send: 10, end: "never" }, 0);
    lostThird.world.run(5_000);
    t.is(lostThird.destination.talkers[0]!.received, 10);
    t.is(b.winner!.state, "Established");
  });

  test(`${version} destination: its lost FIN is repaired by our PING, nothing is missing`, (t) => {
    const { world, source, stock } = toStock(version);
    dropStock(stock, KcpFlag.fin);
    stock.plan = () => ({ send: 50_000, end: "after-sending" });
    const client = source.connect(5000, { end: "after-peer" }, 0);
    world.run(30_000);
    t.is(client.received, 50_000);
    t.true(client.sawEnd);
    t.is(client.closeReason, "finished");
  });

  test(`${version} source: our lost FIN is repeated`, (t) => {
    for (const lost of [1, 3, 8]) {
      const { world, stock, destination } = fromStock(version);
      dropFirst(destination, KcpFlag.fin, lost);
      destination.plan = () => ({ send: 50_000, end: "after-sending" });
      const race = stock.connect(5000, { end: "never" }, 0);
      world.run(60_000);
      t.is(race.winner!.received, 50_000);
      t.is(race.winner!.state, "Closed");
      t.is(destination.talkers[0]!.closeReason, "finished");
      t.is(destination.endpoint.connectionCount, 0);
    }
  });

  test(`${version} source: a refused service is a reset, and the records go`, (t) => {
    const { world, stock, destination } = fromStock(version);
    destination.plan = () => ({ refuse: "target_refused" });
    const race = stock.connect(5000, { send: 10, end: "never" }, 0);
    world.run(30_000);
    t.true(race.winner!.isStreamOver);
    t.is(destination.endpoint.connectionCount, 0);
    t.is(stock.connections.size, 0);
  });

  test(`${version} destination: a refused service ends the connection`, (t) => {
    const { world, source, stock } = toStock(version);
    stock.plan = () => ({ end: "after-sending" });
    const client = source.connect(5000, { end: "after-peer" }, 0);
    world.run(30_000);
    t.true(client.sawEnd);
    t.is(client.closeReason, "finished");
    t.is(source.endpoint.connectionCount, 0);
  });

  test(`${version} destination: the client's end does not cut an answer that takes its time`, (t) => {
    const { world, source, stock } = toStock(version);
    stock.plan = () => ({ sendAfter: 1_000, thinkMs: 700, send: 500_000, end: "never" });
    const client = source.connect(5000, { send: 1_000, end: "after-sending" }, 0);
    world.run(60_000);
    t.is(client.received, 500_000);
    t.is(client.closeReason, "finished");
  });

  test(`${version}: an idle connection is kept alive in both roles`, (t) => {
    const a = toStock(version);
    const client = a.source.connect(5000, { end: "never" }, 0);
    a.world.run(200_000);
    t.is(client.connection.state, "open");
    const b = fromStock(version);
    const race = b.stock.connect(5000, { end: "never" }, 0);
    b.world.run(200_000);
    t.is(race.winner!.state, "Established");
    t.is(b.destination.talkers[0]!.connection.state, "open");
  });

  test(`${version} destination: our abort ends it there`, (t) => {
    const { world, source, stock } = toStock(version);
    stock.plan = () => ({ send: 1_000_000, end: "never" });
    const client = source.connect(5000, { abortAfter: 10_000, end: "never" }, 0);
    world.run(20_000);
    t.is(client.closeReason, "aborted");
    t.true(stock.taken[0]!.isStreamOver);
    t.is(source.endpoint.connectionCount, 0);
    t.is(source.leakedSlots, 0);
  });
}

test("264 source: after its half-close our answer is still delivered", (t) => {
  const { world, stock, destination } = fromStock("264");
  destination.plan = () => ({ sendAfter: 1_000, send: 300_000, end: "after-sending" });
  const race = stock.connect(5000, { send: 1_000, end: "after-sending", readBytesPerMs: 10 }, 0);
  world.run(90_000);
  t.is(race.winner!.received, 300_000);
  t.is(destination.talkers[0]!.closeReason, "finished");
});

test("814 source: a client that is gone does not hold the answer's memory for ever", (t) => {
  const { world, stock, destination } = fromStock("814");
  destination.plan = () => ({ send: 20_000_000, end: "after-sending" });
  stock.connect(5000, { send: 10, end: "after-sending" }, 0);
  world.run(60_000);
  const talker = destination.talkers[0]!;
  t.is(talker.closeReason, "undelivered");
  t.is(destination.leakedSlots, 0);
  t.is(destination.endpoint.connectionCount, 0);
});

test("a stock pair loses the end of downloads: the model shows what ours avoids", (t) => {
  const world = new World();
  const link = { delayMs: 1 };
  const source = new StockNode("source", SOURCE, DESTINATION, "814");
  const destination = new StockNode("destination", DESTINATION, SOURCE, "814");
  destination.plan = () => ({ send: 2_000_000, end: "after-sending" });
  world.connect(source, destination, link, link, 1);
  const race = source.connect(5000, { end: "never", readBytesPerMs: 1_000 }, 0);
  world.run(60_000);
  t.true(race.winner!.received < 2_000_000);
});
