/** Connections that are carried over KCP from a LAN client to a service behind another router. */

import { pattern } from "./random.ts";
import { NAS, open, PORT, same, story, twoRouters } from "./story.ts";

const BAD_UNDERLAY = {
  delayMs: 25,
  jitterMs: 8,
  loss: 0.03,
  reorder: 0.05,
  reorderMs: 15,
  duplicate: 0.02,
} as const;

story("both directions arrive whole over a clean path, and the rows say so", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  const up = pattern(120_000, 1);
  const down = pattern(150_000, 2);
  near.write(up);
  far.write(down);
  world.until(() => far.receivedBytes === up.length && near.receivedBytes === down.length, "all bytes");
  t.true(same(far.received(), up));
  t.true(same(near.received(), down));
  const row = a.row(`${NAS}:${PORT}`);
  t.like(row, { role: "source", transport: "kcp", reason: "kcp_allowed", state: "Connected" });
  t.is(row.src, "192.168.1.10:40000");
  t.is(row.upBytes, up.length);
  t.is(row.downBytes, down.length);
  t.true(row.rttMs! > 19 && row.rttMs! < 40);
  t.like(b.row(`${NAS}:${PORT}`), { role: "destination", transport: "kcp", state: "Connected" });
  near.end();
  far.end();
  world.until(() => near.hasEnded && far.hasEnded, "both ends");
  world.run(2000);
  for (const router of [a, b])
    t.like(router.row(`${NAS}:${PORT}`), { state: "Closed", reason: "kcp_allowed" });
});

story(
  "loss, reordering and duplication between the routers change nothing but the time",
  { underlay: BAD_UNDERLAY, seeds: 3 },
  (t, world) => {
    const { phone, nas } = twoRouters(world);
    const up = pattern(250_000, world.seed);
    const down = pattern(250_000, world.seed + 100);
    const { near, far } = open(world, phone, nas);
    near.write(up);
    near.end();
    far.write(down);
    far.end();
    world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
    t.true(same(far.received(), up));
    t.true(same(near.received(), down));
    t.false(near.wasReset);
    t.false(far.wasReset);
  },
);
