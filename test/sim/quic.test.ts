/** Connections that are carried over QUIC: the same routers, another transport. */
import { pattern } from "./random.ts";
import { NAS, open, PORT, same, twoRouters } from "./scene.ts";
import { story } from "./story.ts";

const TARGET = `${NAS}:${PORT}`;
const QUIC = { enable_kcp_proxy: false, enable_quic_proxy: true } as const;
const BOTH = { enable_kcp_proxy: true, enable_quic_proxy: true } as const;
const BAD_UNDERLAY = {
  delayMs: 25,
  jitterMs: 8,
  loss: 0.05,
  reorder: 0.05,
  reorderMs: 15,
  duplicate: 0.02,
} as const;

story("both directions arrive whole over a clean path, and the rows say so", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world, { a: { config: QUIC } });
  const { near, far } = open(world, phone, nas);
  const up = pattern(120_000, 1);
  const down = pattern(150_000, 2);
  near.write(up);
  far.write(down);
  world.until(() => far.receivedBytes === up.length && near.receivedBytes === down.length, "all bytes");
  t.true(same(far.received(), up));
  t.true(same(near.received(), down));
  const row = a.row(TARGET);
  t.like(row, { role: "source", transport: "quic", reason: "quic_allowed", state: "Connected" });
  t.is(row.upBytes, up.length);
  t.is(row.downBytes, down.length);
  t.true(row.rttMs! > 19 && row.rttMs! < 40);
  t.like(b.row(TARGET), { role: "destination", transport: "quic", state: "Connected", upBytes: up.length });
  near.end();
  far.end();
  world.until(() => near.hasEnded && far.hasEnded, "both ends");
  world.run(2000);
  for (const router of [a, b]) t.like(router.row(TARGET), { state: "Closed", reason: "quic_allowed" });
});

story(
  "loss, reordering and duplication between the routers change nothing but the time",
  { underlay: BAD_UNDERLAY, seeds: 3 },
  (t, world) => {
    const { phone, nas } = twoRouters(world, { a: { config: QUIC } });
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

story("a port where nothing listens: the client is refused within three round trips", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world, { a: { config: QUIC } });
  const startedAt = world.now;
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.wasReset, "the refusal");
  t.true(world.now - startedAt < 100);
  for (const router of [a, b]) t.like(router.row(TARGET), { state: "Closed", reason: "destination_refused" });
});

story(
  "KCP wins where both are on, QUIC where the peer takes no KCP, or with proxy_priority",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { a: { config: BOTH } });
    const transport = (): string => {
      const { near } = open(world, phone, nas);
      const { transport: used, reason } = a.row(TARGET);
      near.reset();
      world.run(1_000);
      return `${used} ${reason}`;
    };
    t.is(transport(), "kcp kcp_allowed");
    a.reconfigure({ proxy_priority: "quic" });
    t.is(transport(), "quic quic_allowed");
    a.reconfigure({ proxy_priority: "kcp" });
    b.reconfigure({ disable_kcp_input: true });
    world.run(5_000);
    t.is(transport(), "quic quic_allowed");
    b.reconfigure({ disable_quic_input: true });
    world.run(5_000);
    t.is(transport(), "tcp peer_kcp_input_disabled");
  },
);

story(
  "a QUIC input that is switched off takes no new connections on a QUIC connection that is up",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { a: { config: QUIC } });
    const { near, far } = open(world, phone, nas);
    t.is(a.row(TARGET).transport, "quic");
    b.reconfigure({ disable_quic_input: true });
    world.run(5_000);
    const later = open(world, phone, nas);
    t.like(a.row(TARGET), { transport: "tcp", reason: "peer_quic_input_disabled" });
    near.write(pattern(1_000, 1));
    world.until(() => far.receivedBytes === 1_000, "the old connection goes on");
    near.reset();
    later.near.reset();
    world.run(1_000);
  },
);

for (const how of ["stop", "crash"] as const) {
  story(
    `the destination's process ends (${how}) and comes back with another id: met within 5 s, old connections are reset`,
    { seeds: 3 },
    (t, world) => {
      const { a, b, phone, nas } = twoRouters(world, { a: { config: QUIC } });
      const { near, far } = open(world, phone, nas);
      near.write(pattern(5_000, 1));
      world.until(() => far.receivedBytes === 5_000, "the bytes");
      const before = b.peerId;
      b[how]();
      world.run(500);
      b.restart();
      t.not(b.peerId, before);
      const restartedAt = world.now;
      world.join(5_000);
      const again = open(world, phone, nas);
      t.true(world.now - restartedAt < 5_000, `${world.now - restartedAt} ms`);
      again.near.write(pattern(5_000, 2));
      world.until(() => again.far.receivedBytes === 5_000, "the bytes");
      t.like(a.row(TARGET), { transport: "quic", peerId: b.peerId });
      world.until(() => near.wasReset, "the reset at the client", 20_000);
      again.near.reset();
    },
  );
}
