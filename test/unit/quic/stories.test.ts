import test from "ava";
import type { LinkOptions } from "../../../router-daemon/kcp-ts/test/link.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { Ready } from "../../../router-daemon/src/kcp/index.ts";
import {
  IDLE_TIMEOUT_MS,
  STOCK_DATAGRAM_BYTES,
  UNUSED_CONNECTION_MS,
} from "../../../router-daemon/src/quic/limits.ts";
import { readDatagram } from "./packets.ts";
import { Side, type SideOptions } from "./side.ts";

const SOURCE = 1001;
const DESTINATION = 2002;

function pair(
  link: LinkOptions = { delayMs: 10 },
  seed = 1,
  ofSource: SideOptions = {},
  ofDestination: SideOptions = ofSource,
) {
  const world = new World();
  const source = new Side("source", SOURCE, DESTINATION, { seed, ...ofSource });
  const destination = new Side("destination", DESTINATION, SOURCE, { seed: seed + 1, ...ofDestination });
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

test("megabytes cross a path that loses, reorders and doubles, every byte right", (t) => {
  for (const loss of [0.01, 0.05, 0.2]) {
    const path = { delayMs: 10, jitterMs: 5, reorder: true, loss, duplicate: 0.02, bytesPerMs: 12_500 };
    const { world, source, destination } = pair({ ...path, queueBytes: 500_000 }, Math.round(loss * 100), {
      rttMs: 25,
    });
    destination.plan = () => ({ send: 1_500_000, end: "after-peer" });
    const client = source.connect(5000, { send: 700_000, end: "after-sending" }, 0);
    world.run(60_000, () => client.closeReason !== undefined);
    t.is(destination.talkers[0]!.received, 700_000, `loss ${loss}`);
    t.is(client.received, 1_500_000, `loss ${loss}`);
    t.is(client.closeReason, "finished", `loss ${loss}`);
    world.run(world.now + 5_000);
    t.is(source.leakedSlots, 0);
    t.is(destination.leakedSlots, 0);
  }
});

// ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("the first stream takes two round trips, the next one a single one", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 100, end: "never" });
  const first = source.connect(5000, { end: "never" }, 0);
  world.run(100);
  const second = source.connect(5001, { end: "never" }, 100);
  world.run(200);
  t.is(first.establishedAt, 40);
  t.is(second.establishedAt, 120);
  t.is(source.endpoint.quicConnectionCount, 1);
});

test("whichever of the first datagrams is lost, the connection opens within two probe timeouts", (t) => {
  for (const role of ["source", "destination"] as const) {
    for (let lost = 0; lost < 4; lost++) {
      const { world, source, destination } = pair({ delayMs: 10 }, 1, { rttMs: 20 });
      let count = 0;
      const side = role === "source" ? source : destination;
      side.filter = () => count++ !== lost;
      const client = source.connect(5000, { send: 10, end: "after-sending" }, 0);
      destination.plan = () => ({ send: 10, end: "after-peer" });
      world.run(1_000, () => client.closeReason !== undefined);
      t.is(client.received, 10, `${role} ${lost}`);
      t.true(client.establishedAt < 200, `${role} ${lost}: established after ${client.establishedAt} ms`);
    }
  }
});

test("a peer that does not answer: no answer, in time; one that hears but does not decide: undecided", (t) => {
  const silent = pair();
  silent.destination.isOff = true;
  const client = silent.source.connect(5000, {}, 0, 2_500);
  silent.world.run(2_600);
  t.is(client.closeReason, "no_answer");
  const slow = pair();
  slow.destination.plan = () => ({ decideAfterMs: 60_000 });
  const waiting = slow.source.connect(5000, {}, 0, 2_500);
  slow.world.run(2_600);
  t.is(waiting.closeReason, "undecided");
});

test("a refused target is told with its reason to nodes of our kind, and as refusal to stock ones", (t) => {
  for (const isStock of [false, true]) {
    const { world, source, destination } = pair({ delayMs: 10 }, 1, { isStock });
    destination.plan = () => ({ refuse: "target_timeout" });
    const client = source.connect(5000, {}, 0);
    world.run(1_000);
    t.is(client.closeReason, isStock ? "target_refused" : "target_timeout");
    t.false(client.news.includes(Ready.established));
    t.is(source.endpoint.connectionCount, 0);
    t.is(destination.endpoint.connectionCount, 0);
  }
});

test("bytes that come before the decision are there afterwards", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, { isStock: true });
  destination.plan = () => ({ decideAfterMs: 300, end: "after-peer" });
  const client = source.connect(5000, { send: 5_000, end: "after-sending" }, 0);
  world.run(2_000);
  t.is(destination.talkers[0]!.received, 5_000);
  t.is(client.closeReason, "finished");
});

// ── peers of other kinds ──────────────────────────────────────────────────────────────────────────────────────────────

test("no datagram toward a stock peer exceeds 1200 bytes, whatever is repeated; those between ours are longer", (t) => {
  for (const isStock of [true, false]) {
    const { world, source, destination } = pair({ delayMs: 10, jitterMs: 4, reorder: true, loss: 0.1 }, 7, {
      isStock,
      rttMs: 24,
    });
    destination.plan = () => ({ send: 400_000, end: "after-peer" });
    const client = source.connect(5000, { send: 400_000, end: "after-sending" }, 0);
    world.run(30_000, () => client.closeReason !== undefined);
    t.is(client.closeReason, "finished");
    for (const side of [source, destination]) {
      t.is(side.longest <= STOCK_DATAGRAM_BYTES, isStock, `${side.longest}`);
      t.true(side.longest > STOCK_DATAGRAM_BYTES - 16);
    }
  }
});

test("a 32-bit node is served in its own form", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, { isNarrow: true }, {});
  destination.plan = () => ({ send: 20_000, end: "after-peer" });
  const client = source.connect(5000, { send: 20_000, end: "after-sending" }, 0);
  world.run(2_000);
  t.is(client.received, 20_000);
  t.is(client.closeReason, "finished");
});

test("a 32-bit node is reached by a second attempt, and at once the next time", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, {}, { isNarrow: true });
  destination.plan = () => ({ send: 20_000, end: "after-peer" });
  const client = source.connect(5000, { send: 20_000, end: "after-sending" }, 0);
  world.run(5_000);
  t.true(client.establishedAt < 1_200, `${client.establishedAt}`);
  t.is(client.received, 20_000);
  // The connection ends; the peer's form is known.
  world.run(5_000 + 2 * UNUSED_CONNECTION_MS);
  t.is(source.endpoint.quicConnectionCount, 0);
  const later = world.now;
  const next = source.connect(5001, { end: "after-sending" }, later);
  world.run(later + 1_000);
  t.true(next.establishedAt - later < 100);
});

// ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a half-closed stream goes on delivering the other way", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ send: 300_000, sendAfter: 1_000, end: "after-peer" });
  const client = source.connect(5000, { send: 1_000, end: "after-sending" }, 0);
  world.run(3_000);
  t.is(client.received, 300_000);
  t.is(client.closeReason, "finished");
});

test("an abort ends both ends at once, and tells why between nodes of our kind", (t) => {
  for (const isStock of [false, true]) {
    const { world, source, destination } = pair({ delayMs: 10 }, 1, { isStock });
    destination.plan = () => ({ send: 10_000_000, end: "never" });
    const client = source.connect(5000, { abortAfter: 100_000 }, 0);
    world.run(3_000);
    t.is(client.closeReason, "aborted");
    t.is(destination.talkers[0]!.closeReason, isStock ? "reset" : "far_end_reset");
    t.is(source.leakedSlots, 0);
    t.is(destination.leakedSlots, 0);
    t.is(source.endpoint.quicConnectionCount, 1, "the connection stays for the next stream");
  }
});

test("a writer whose peer reads no more is told, and unread bytes are freed", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ abortAfter: 1 });
  const client = source.connect(5000, { send: 10_000_000, end: "after-sending" }, 0);
  world.run(3_000);
  t.is(client.closeReason, "far_end_reset");
  t.is(source.leakedSlots, 0);
});

test("a slow reader holds back its writer, not the other streams", (t) => {
  const { world, source, destination } = pair();
  destination.plan = ({ source: { port } }) =>
    port === 5000 ? { send: 20_000_000, end: "never" } : { send: 200_000, end: "after-peer" };
  source.connect(5000, { readBytesPerMs: 0 }, 0);
  world.run(1_000);
  const held = destination.pool.slotCount - destination.pool.freeSlots;
  const client = source.connect(5001, { end: "after-sending" }, 1_000);
  world.run(3_000);
  t.is(client.received, 200_000);
  t.true(held < 2_000, `${held} slots held for a reader that does not read`);
  t.true(source.pool.freeSlots > 7_000);
});

// ── life of a connection ──────────────────────────────────────────────────────────────────────────────────────────────

test("an idle connection with a stream stays up, one without ends after a while", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ end: "after-peer" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(300_000);
  t.is(client.closeReason, undefined);
  const before = source.sentDatagrams + destination.sentDatagrams;
  world.run(360_000);
  const perMinute = source.sentDatagrams + destination.sentDatagrams - before;
  t.true(perMinute > 10 && perMinute < 60, `${perMinute} datagrams in an idle minute`);
  client.connection.shutdown(360_000);
  world.run(360_000 + 2 * UNUSED_CONNECTION_MS);
  t.is(client.closeReason, "finished");
  t.is(source.endpoint.quicConnectionCount, 0);
  t.is(destination.endpoint.quicConnectionCount, 0);
});

test("a peer that vanished ends its streams after the idle timeout, and leaves nothing", (t) => {
  const { world, source, destination } = pair();
  destination.plan = () => ({ end: "after-peer" });
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(1_000);
  destination.isOff = true;
  world.run(1_000 + IDLE_TIMEOUT_MS + 10_000);
  t.is(client.closeReason, "silent");
  t.is(source.endpoint.quicConnectionCount, 0);
  t.is(source.leakedSlots, 0);
});

test("a cached connection that is dead is replaced within three seconds", (t) => {
  const world = new World();
  const source = new Side("source", SOURCE, DESTINATION, { seed: 1, rttMs: 20 });
  const destination = new Side("destination", DESTINATION, SOURCE, { seed: 2 });
  const again = new Side("destination", DESTINATION, SOURCE, { seed: 3 });
  // The node is started anew under its old id: from then on `again` is at the other end.
  let current = destination;
  world.connect(
    source,
    {
      handle: (bytes, now) => current.handle(bytes, now),
      step: (now, send) => current.step(now, send),
      get nextTimeout() {
        return current.nextTimeout;
      },
    },
    { delayMs: 10 },
    { delayMs: 10 },
    1,
  );
  const first = source.connect(5000, { send: 10, end: "after-sending" }, 0);
  world.run(1_000);
  t.is(first.closeReason, "finished");
  current = again;
  const second = source.connect(5001, { send: 10, end: "after-sending" }, 1_000, 5_000);
  world.run(6_000);
  t.true(second.establishedAt - 1_000 < 3_000, `${second.establishedAt - 1_000} ms`);
  t.is(second.closeReason, "finished");
  t.is(source.endpoint.counters.replaced, 1);
  t.is(source.leakedSlots, 0);
});

test("a path that is gone for two seconds and comes back loses no stream", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, { rttMs: 20 });
  destination.plan = () => ({ send: 3_000_000, end: "after-peer" });
  const client = source.connect(5000, { send: 1_000_000, end: "after-sending" }, 0);
  world.run(60);
  source.isOff = true;
  destination.isOff = true;
  world.run(2_060);
  source.isOff = false;
  destination.isOff = false;
  world.run(20_000, () => client.closeReason !== undefined);
  t.is(client.received, 3_000_000);
  t.is(client.closeReason, "finished");
  t.true(world.now < 8_000, `${world.now}`);
});

test("a peer that left the network: its streams end at once, without a word to it", (t) => {
  const { world, source, destination } = pair();
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(1_000);
  const before = source.sentDatagrams;
  source.endpoint.forgetPeer(DESTINATION, 1_000);
  world.run(1_100);
  t.is(client.closeReason, "peer_gone");
  t.is(source.sentDatagrams, before);
  t.is(source.endpoint.quicConnectionCount, 0);
  t.is(destination.talkers[0]!.closeReason, undefined);
});

test("a node that stops tells its peers, whose streams end", (t) => {
  const { world, source, destination } = pair();
  const client = source.connect(5000, { end: "never" }, 0);
  world.run(1_000);
  destination.endpoint.closeConnections(1_000);
  world.run(1_100);
  t.is(client.closeReason, "reset");
  world.run(3_000);
  t.is(destination.endpoint.quicConnectionCount, 0);
  t.is(source.endpoint.quicConnectionCount, 0);
});

// ── bounds ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("more streams than the peer allows on one connection use further connections", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, { limits: { maxStreamsPerConnection: 8 } });
  destination.plan = () => ({ send: 100, end: "after-peer" });
  const clients = Array.from({ length: 40 }, (_, i) => source.connect(5000 + i, { end: "never" }, 0));
  world.run(2_500);
  t.is(clients.filter(({ received }) => received === 100).length, 40);
  t.is(source.endpoint.quicConnectionCount, 5);
  for (const client of clients) client.connection.shutdown(2_500);
  world.run(5_000);
  t.true(clients.every(({ closeReason }) => closeReason === "finished"));
});

test("streams beyond the endpoint's bound are refused as busy", (t) => {
  const { world, source, destination } = pair({ delayMs: 10 }, 1, {}, { limits: { maxStreams: 3 } });
  const clients = Array.from({ length: 5 }, (_, i) => source.connect(5000 + i, { end: "never" }, 0));
  world.run(1_000);
  t.is(destination.endpoint.connectionCount, 3);
  t.is(clients.filter(({ closeReason }) => closeReason === "busy").length, 2);
  t.is(destination.endpoint.counters.refusedBusy, 2);
});

test("what a connection says on the wire: nothing but 1-RTT after the handshake, numbers in order, exact acknowledgements", (t) => {
  const { world, source, destination } = pair({ delayMs: 10, loss: 0.05 }, 3, { rttMs: 20 });
  destination.plan = () => ({ send: 200_000, end: "after-peer" });
  const sentBy = { source: new Set<number>(), destination: new Set<number>() };
  for (const side of [source, destination]) {
    side.filter = (bytes) => {
      for (const { kind, number, frames } of readDatagram(bytes)) {
        if (kind !== "1RTT") continue;
        const own = side === source ? sentBy.source : sentBy.destination;
        const other = side === source ? sentBy.destination : sentBy.source;
        // The largest numbers of this test fit their two bytes.
        t.false(own.has(number), "a packet number is never used twice");
        own.add(number);
        for (const { name, ranges } of frames) {
          if (name !== "ack") continue;
          for (const [low, high] of ranges!) for (let n = low; n <= high; n++) t.true(other.has(n));
        }
      }
      return true;
    };
  }
  const client = source.connect(5000, { send: 50_000, end: "after-sending" }, 0);
  world.run(1_500, () => client.closeReason !== undefined);
  t.is(client.received, 200_000);
});
