/** What every congestion controller must do for QUIC, too. The same for KCP: `kcp-ts/test/congestion.test.ts`. */
import test from "ava";
import { type CongestionFactory, cubic, deliveryRate } from "kcp-ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { Side } from "./side.ts";

const CONTROLLERS: readonly (readonly [string, CongestionFactory])[] = [
  ["delivery rate", deliveryRate()],
  ["cubic", cubic()],
];

function flow(congestion: CongestionFactory, seed: number, source: number) {
  const a = new Side("source", source, 2000 + source, { seed, congestion, rttMs: 20 });
  const b = new Side("destination", 2000 + source, source, { seed: seed + 1, congestion, rttMs: 20 });
  return { a, b };
}

for (const [name, congestion] of CONTROLLERS) {
  test(`${name}: a path is filled within its queue`, (t) => {
    const { a, b } = flow(congestion, 1, 1);
    b.plan = () => ({ send: 10_000_000, end: "after-peer" });
    const world = new World();
    const link = { delayMs: 10, bytesPerMs: 5_000, queueBytes: 150_000, overheadBytes: 60 };
    world.connect(a, b, link, link, 1);
    const client = a.connect(5000, { end: "after-sending" }, 0);
    world.run(20_000, () => client.closeReason !== undefined);
    t.is(client.received, 10_000_000);
    // 2.1 s with headers, and the start.
    t.true(world.now < 2_900, `${world.now} ms`);
  });

  test(`${name}: a path that loses a twentieth delivers everything`, (t) => {
    const { a, b } = flow(congestion, 3, 1);
    b.plan = () => ({ send: 1_000_000, end: "after-peer" });
    const world = new World();
    const link = { delayMs: 10, loss: 0.05, bytesPerMs: 5_000, queueBytes: 150_000 };
    world.connect(a, b, link, link, 1);
    const client = a.connect(5000, { end: "after-sending" }, 0);
    world.run(60_000, () => client.closeReason !== undefined);
    t.is(client.received, 1_000_000);
  });

  test(`${name}: two connections share a path, none gets less than half of its fair share`, (t) => {
    const world = new World();
    const options = { delayMs: 10, bytesPerMs: 5_000, queueBytes: 150_000 };
    const down = world.link(options, 5);
    const up = world.link(options, 6);
    const flows = [1, 2].map((id) => {
      const { a, b } = flow(congestion, 10 * id, id);
      b.plan = () => ({ send: 1_000_000_000, end: "never" });
      world.connect(a, b, up, down, id);
      return a;
    });
    const clients = flows.map((side, i) => side.connect(5000 + i, { end: "never" }, 0));
    world.run(8_000);
    for (const { received } of clients) {
      t.true(received > (8_000 * 5_000) / 4, `${clients.map((client) => client.received)}`);
    }
  });
}

test("delivery rate: a path that loses a fifth is still filled", (t) => {
  const { a, b } = flow(deliveryRate(), 7, 1);
  b.plan = () => ({ send: 8_000_000, end: "after-peer" });
  const world = new World();
  const link = { delayMs: 10, loss: 0.2, bytesPerMs: 5_000, queueBytes: 150_000 };
  world.connect(a, b, link, link, 1);
  const client = a.connect(5000, { end: "after-sending" }, 0);
  world.run(30_000, () => client.closeReason !== undefined);
  t.is(client.received, 8_000_000);
  // 8 MB / (5 MB/s x 0.8) = 2 s.
  t.true(world.now < 3_000, `${world.now} ms`);
});
