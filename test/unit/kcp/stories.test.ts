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
