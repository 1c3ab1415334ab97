/** Each call of the host that can fail fails: once each, for a while, or every so often. What was asked for comes about all the same. */
import { pattern } from "./random.ts";
import { collect, open, PORT, type Scene, same, twoRouters, WAN_A } from "./scene.ts";
import { story } from "./story.ts";
import { World } from "./world.ts";

/** One exchange with half-closes, by whatever transport. */
function exchange(world: World, { phone, nas }: Scene, salt: number): void {
  const question = pattern(20_000, salt);
  const answer = pattern(30_000, salt + 1);
  const streams = collect(nas, PORT, (stream) => {
    stream.onChange = () => {
      if (!stream.hasEnded || isAnswered) return;
      isAnswered = true;
      stream.write(answer);
      stream.end();
    };
  });
  let isAnswered = false;
  const near = phone.connect(nas.address, PORT);
  near.write(question);
  near.end();
  world.until(() => near.hasEnded || near.wasReset, "an end, or a reset", 60_000);
  // A refusal is an answer too; a connection without an end, or with other bytes, is none.
  if (near.wasReset) return;
  if (!same(near.received(), answer))
    throw new Error(`The answer is not what was sent (seed ${world.seed}).`);
  if (!same(streams[0]!.received(), question)) throw new Error("The question is not what was sent.");
}

for (const side of ["a", "b"] as const) {
  story(
    `every fallible call of ${side} fails once: nothing hangs, leaks or is damaged`,
    { seeds: 1, keepsMemory: true },
    (t, first) => {
      const scene = twoRouters(first);
      scene[side].host.faults.calls = 0;
      exchange(first, scene, 1);
      const calls = scene[side].host.faults.calls;
      first.checkAtRest();
      t.true(calls > 8);
      for (let nth = 0; nth < calls; nth++) {
        const world = new World(first.seed);
        const again = twoRouters(world);
        const { faults } = again[side].host;
        faults.calls = 0;
        faults.nth = nth;
        exchange(world, again, 1);
        exchange(world, again, 2);
        world.checkAtRest();
      }
    },
  );

  for (const [what, call] of [
    ["no datagram can be sent", "send"],
    ["no packet of the mesh can be sent", "sendOnLink"],
    ["no socket can be opened to a service", "tcpConnect"],
    ["the device takes no frame", "tunWrite"],
  ] as const) {
    story(`${what} at ${side} for two seconds: then everything goes on`, { seeds: 1 }, (t, world) => {
      const scene = twoRouters(world);
      const { near, far } = open(world, scene.phone, scene.nas);
      const [up, down] = [pattern(150_000, 1), pattern(150_000, 2)];
      near.write(up);
      far.write(down);
      world.run(25);
      const { faults } = scene[side].host;
      faults.always.add(call);
      world.run(2000);
      faults.always.delete(call);
      near.end();
      far.end();
      world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
      t.true(same(far.received(), up));
      t.true(same(near.received(), down));
      exchange(world, scene, 3);
    });
  }

  story(`a fifth of all calls fails at ${side}, again and again`, { seeds: 2 }, (t, world) => {
    const scene = twoRouters(world);
    const { near, far } = open(world, scene.phone, scene.nas);
    const { faults } = scene[side].host;
    for (const call of ["send", "sendOnLink", "sendDatagram", "tunWrite", "udpOpen"] as const) {
      faults.share.set(call, 0.2);
    }
    const [up, down] = [pattern(150_000, 1), pattern(150_000, 2)];
    near.write(up);
    far.write(down);
    near.end();
    far.end();
    world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
    t.true(same(far.received(), up));
    t.true(same(near.received(), down));
    faults.share.clear();
  });
}

story("the kernel is behind with the device: the daemon waits without spinning", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  far.write(pattern(300_000, 1));
  world.run(30);
  a.kernel.tun!.setFull(true);
  world.run(200);
  const before = a.host.wakes;
  world.run(3000);
  t.true(a.host.wakes - before < 200, `${a.host.wakes - before} turns in three seconds`);
  const stuckAt = near.receivedBytes;
  a.kernel.tun!.setFull(false);
  world.run(20);
  t.true(near.receivedBytes > stuckAt, "it goes on as soon as the device is writable");
  far.end();
  near.end();
  world.until(() => near.hasEnded && far.hasEnded, "both ends", 20_000);
  t.true(same(near.received(), pattern(300_000, 1)));
});

story(
  "a node that cannot start says why in a sentence and leaves nothing open",
  { keepsMemory: true },
  (t, world) => {
    for (const [i, call] of (["tunOpen", "tunConfigure", "udpOpen"] as const).entries()) {
      const router = world.router(`fails-${call}`, {
        wan: `203.0.113.${50 + i}`,
        ipv4: "10.126.126.9/24",
        peers: [WAN_A],
      });
      router.host.faults.always.add(call);
      const failure = router.daemon.start();
      t.regex(failure?.message ?? "", /^[A-Z].*\.$/);
      router.daemon.stop();
      t.is(router.host.openHandles, 0, call);
      t.is(router.pool.usedSlots, 0, call);
    }
  },
);

story("no socket for a new link: the node keeps trying and joins when there is one", {}, (t, world) => {
  const { a } = twoRouters(world);
  const config = { listeners: [] };
  const c = world.router("c", { wan: "203.0.113.3", ipv4: "10.126.126.3/24", peers: [WAN_A], config });
  c.host.faults.always.add("udpOpen");
  c.start();
  world.run(20_000);
  t.false(c.reaches(a));
  c.host.faults.always.clear();
  world.join(10_000);
  world.rest();
});

story("routes that the kernel refuses are told, and tried again", {}, (t, world) => {
  const { a, b } = twoRouters(world);
  a.host.faults.always.add("tunRoute");
  b.reconfigure({
    proxy_networks: [...b.config.proxy_networks, { network: 0xc0a8_0300, prefixLength: 24 }],
  });
  world.run(5000);
  t.deepEqual(a.kernel.tunRoutes, ["192.168.2.0/24"]);
  t.is(a.events("route_refused").length > 0, true);
  a.host.faults.always.clear();
  b.reconfigure({
    proxy_networks: [...b.config.proxy_networks, { network: 0xc0a8_0400, prefixLength: 24 }],
  });
  world.run(5000);
  t.deepEqual(a.kernel.tunRoutes, ["192.168.2.0/24", "192.168.3.0/24", "192.168.4.0/24"]);
});
