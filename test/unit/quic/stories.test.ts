import test from "ava";
import type { LinkOptions } from "../../../router-daemon/kcp-ts/test/link.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { Side, type SideOptions } from "./side.ts";

const SOURCE = 1001;
const DESTINATION = 2002;

function pair(link: LinkOptions = { delayMs: 10 }, seed = 1, options: SideOptions = {}) {
  const world = new World();
  const source = new Side("source", SOURCE, DESTINATION, { seed, ...options });
  const destination = new Side("destination", DESTINATION, SOURCE, { seed: seed + 1, ...options });
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
    const { world, source, destination } = pair(
      {
        delayMs: 10,
        jitterMs: 5,
        reorder: true,
        loss,
        duplicate: 0.02,
        bytesPerMs: 12_500,
        queueBytes: 500_000,
      },
      Math.round(loss * 100),
      { rttMs: 25 },
    );
    destination.plan = () => ({ send: 2_000_000, end: "after-peer" });
    const client = source.connect(5000, { send: 1_000_000, end: "after-sending" }, 0);
    world.run(60_000, () => client.closeReason !== undefined);
    const server = destination.talkers[0]!;
    t.is(server.received, 1_000_000, `loss ${loss}`);
    t.is(client.received, 2_000_000, `loss ${loss}`);
    t.is(client.closeReason, "finished", `loss ${loss} at ${world.now}`);
    world.run(world.now + 5_000);
    t.is(source.leakedSlots, 0);
    t.is(destination.leakedSlots, 0);
  }
});
