/** Networks that break and heal, nodes that restart, addresses that change, clocks that jump. */
import { pattern, Random } from "./random.ts";
import { peerUrl, prefixOf } from "./router.ts";
import { collect, NAS, open, PORT, same, twoRouters, WAN_A, WAN_B } from "./scene.ts";
import { story } from "./story.ts";

const TARGET = `${NAS}:${PORT}`;
/** Five unanswered pings, a dial, a handshake, a route. */
const LINK_DEAD_MS = 60_000;

story(
  "a third of all packets is lost: two nodes know each other soon after their link is up",
  { seeds: 8, underlay: { loss: 0.3, delayMs: 40 } },
  (t, world) => {
    const a = world.router("a", { wan: WAN_A, ipv4: "10.126.126.1/24" }).start();
    const b = world.router("b", { wan: WAN_B, ipv4: "10.126.126.2/24", peers: [WAN_A] }).start();
    world.until(() => [a, b].every((router) => router.events("link_up").length > 0), "the link");
    // The reference waits three seconds for each answer that is lost, which takes twice this time.
    world.join(4000);
    t.pass();
  },
);

story("a short cut of the path: the connection waits and goes on", { seeds: 3 }, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  const sent = pattern(200_000, 1);
  near.write(sent.subarray(0, 100_000));
  world.run(40);
  world.setCut(WAN_A, WAN_B, true);
  world.run(4000);
  near.write(sent.subarray(100_000));
  near.end();
  world.run(2000);
  world.setCut(WAN_A, WAN_B, false);
  world.until(() => far.hasEnded, "the rest", 20_000);
  t.true(same(far.received(), sent));
  t.is(a.row(TARGET).transport, "kcp");
  far.end();
  world.until(() => near.hasEnded, "the end");
});

story("a long cut: the peer is lost, connections end; it heals, and new ones work", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  near.write(pattern(1000, 1));
  world.run(500);
  world.setCut(WAN_A, WAN_B, true);
  world.until(() => !a.reaches(b) && !b.reaches(a), "both to notice", LINK_DEAD_MS);
  // Silence for a minute, noticed by the next round of keep-alives.
  world.run(75_000);
  t.true(near.wasReset && far.wasReset);
  t.regex(a.row(TARGET).reason, /^peer_(silent|gone)$/);
  t.is(a.daemon.status().state, "alone");
  t.deepEqual(a.kernel.tunRoutes, []);
  world.setCut(WAN_A, WAN_B, false);
  world.join(10_000);
  world.run(1000);
  t.is(a.daemon.status().state, "joined");
  t.deepEqual(a.kernel.tunRoutes, ["192.168.2.0/24"]);
  open(world, phone, nas).near.reset();
});

for (const how of ["stop", "crash"] as const) {
  story(
    `the destination's process ends (${how}) and a new one comes: old connections end, new ones work`,
    {},
    (t, world) => {
      const { a, b, phone, nas } = twoRouters(world);
      const { near, far } = open(world, phone, nas);
      near.write(pattern(5000, 1));
      world.until(() => far.receivedBytes === 5000, "the bytes");
      const before = b.peerId;
      b[how]();
      if (how === "stop") {
        world.until(() => near.wasReset, "the reset at the client", 2000);
        t.true(far.wasReset);
      }
      world.run(500);
      b.restart();
      t.not(b.peerId, before);
      world.join(10_000);
      world.rest();
      world.until(() => near.wasReset, "the reset at the client", 20_000);
      t.regex(a.row(TARGET).reason, /^(peer_gone|service_reset|peer_reset|peer_silent)$/);
      const again = open(world, phone, nas);
      again.near.write(pattern(5000, 2));
      world.until(() => again.far.receivedBytes === 5000, "the bytes");
      t.like(a.row(TARGET), { transport: "kcp", peerId: b.peerId });
      again.near.reset();
    },
  );

  story(
    `the source's process ends (${how}) and a new one comes: the service is told, new ones work`,
    {},
    (t, world) => {
      const { a, b, phone, nas } = twoRouters(world);
      const { near, far } = open(world, phone, nas);
      near.write(pattern(5000, 1));
      world.until(() => far.receivedBytes === 5000, "the bytes");
      a[how]();
      world.run(500);
      if (how === "stop") t.true(near.wasReset);
      a.restart();
      world.join(10_000);
      world.rest();
      world.until(() => far.wasReset, "the reset at the service", 20_000);
      t.is(b.row(TARGET).state, "Closed");
      if (how === "crash") {
        // The client still believes in its connection; its next word is answered with a reset.
        near.write(pattern(10, 1));
        world.until(() => near.wasReset, "the reset at the client", 5000);
      }
      open(world, phone, nas).near.reset();
    },
  );
}

story(
  "a node that dials another with its own peer id starts over with a new one, and all join",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world);
    // Drawn from the same numbers, b's twin would be b.
    const twins = [1, 2].map((number) =>
      world.router(`twin${number}`, {
        wan: `203.0.113.${10 + number}`,
        ipv4: `10.126.126.${10 + number}/24`,
        peers: number === 1 ? [WAN_A] : [WAN_A, "203.0.113.11"],
        random: new Random(world.seed + 77),
      }),
    );
    const [first, second] = twins as [(typeof twins)[0], (typeof twins)[0]];
    first.start();
    world.until(() => a.reaches(first), "the first twin");
    world.run(3000);
    second.start();
    t.is(first.peerId, second.peerId);
    // From here on they are different people.
    first.host.reseed(world.random.fork());
    second.host.reseed(world.random.fork());
    world.until(() => first.peerId !== second.peerId, "another peer id", 30_000);
    world.join(60_000);
    world.run(5000);
    world.rest();
    t.is(new Set(world.routers.map(({ peerId }) => peerId)).size, 4);
    t.is(second.events("duplicate_peer_id").length, 1);
    t.is(first.events("duplicate_peer_id").length, 0);
    t.is(b.events("duplicate_peer_id").length, 0);
    const { near, far } = open(world, phone, nas);
    near.write(pattern(5000, 2));
    world.until(() => far.receivedBytes === 5000, "the bytes");
    near.reset();
    for (const twin of twins) {
      const streams = collect(twin.kernel.local, 22);
      const client = phone.connect(twin.virtualAddress, 22);
      world.until(() => client.isOpen, `a connection to ${twin.name}`);
      t.is(streams.length, 1);
      client.reset();
    }
  },
);

for (const side of ["a", "b"] as const) {
  story(
    `the provider gives ${side} another address in the middle of a transfer: it goes on`,
    { seeds: 3 },
    (t, world) => {
      const scene = twoRouters(world);
      const { near, far } = open(world, scene.phone, scene.nas);
      const sent = pattern(300_000, 1);
      near.write(sent.subarray(0, 150_000));
      world.run(40);
      scene[side].kernel.setAddress("198.51.100.9");
      // b dials a by its address, so somebody has to tell it the new one.
      if (side === "a") scene.b.reconfigure({ peers: [peerUrl("198.51.100.9")] });
      world.run(1000);
      near.write(sent.subarray(150_000));
      near.end();
      far.end();
      world.until(() => far.hasEnded && near.hasEnded, "both ends", 50_000);
      t.true(same(far.received(), sent));
    },
  );
}

story("jumps of the wall clock are harmless, in either direction", { seeds: 1 }, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  for (const error of [3600, -86_400, 10 * 365 * 86_400, -40 * 365 * 86_400, 0]) {
    a.host.clockErrorS = error;
    b.host.clockErrorS = -error / 2;
    const before = far.receivedBytes;
    near.write(pattern(20_000, 1));
    world.until(() => far.receivedBytes === before + 20_000, "the bytes", 2000);
    world.run(65_000);
    t.true(a.reaches(b) && b.reaches(a));
  }
  t.is(a.row(TARGET).state, "Connected");
  near.reset();
});

story(
  "reloads in the middle of transfers drop no connection and do what they say",
  { seeds: 2 },
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world);
    const { near, far } = open(world, phone, nas);
    const sent = pattern(300_000, 1);
    near.write(sent);
    world.run(30);
    a.reconfigure({ enable_kcp_proxy: false, log_level: "warn" });
    world.run(100);
    collect(nas, 81);
    const plain = phone.connect(nas.address, 81);
    world.until(() => plain.isOpen, "the plain connection");
    t.like(a.row(`${NAS}:81`), { transport: "tcp", reason: "kcp_proxy_disabled" });
    a.reconfigure({ rules: [{ action: "force", destination: prefixOf("192.168.2.20/32") }] });
    const forced = phone.connect(nas.address, 81);
    world.until(() => forced.isOpen, "the forced connection");
    t.like(a.row(`${NAS}:81`), { transport: "kcp", reason: "rule_force" });
    a.reconfigure({
      enable_kcp_proxy: true,
      rules: [{ action: "bypass", ports: [{ first: 81, last: 81 }] }],
    });
    const bypassed = phone.connect(nas.address, 81);
    world.until(() => bypassed.isOpen, "the bypassed connection");
    t.like(a.row(`${NAS}:81`), { transport: "tcp", reason: "rule_bypass" });
    b.reconfigure({ disable_kcp_input: true });
    world.run(3000);
    // What runs goes on: the switch is for new connections.
    near.end();
    far.end();
    world.until(() => near.hasEnded && far.hasEnded, "both ends", 20_000);
    t.true(same(far.received(), sent));
    a.reconfigure({ rules: [] });
    const late = phone.connect(nas.address, 81);
    world.until(() => late.isOpen, "the late connection");
    t.like(a.row(`${NAS}:81`), { transport: "tcp", reason: "peer_kcp_input_disabled" });
    t.is(a.events("reloaded").length, 4);
    for (const client of [plain, forced, bypassed, late]) client.reset();
  },
);

story("a node with a host name for its peer joins as soon as the name resolves", {}, async (t, world) => {
  const { a } = twoRouters(world);
  const c = world.router("c", {
    wan: "203.0.113.3",
    ipv4: "10.126.126.3/24",
    config: {
      peers: [{ url: "udp://hub.example.org:11010", host: "hub.example.org", port: 11010, family: 0 }],
    },
  });
  c.start();
  for (let i = 0; i < 50; i++) {
    world.run(100);
    await Promise.resolve();
  }
  t.false(c.reaches(a));
  c.names.set("hub.example.org", [WAN_A]);
  for (let i = 0; i < 200 && !c.reaches(a); i++) {
    world.run(100);
    await Promise.resolve();
  }
  t.true(c.reaches(a));
  world.rest();
});
