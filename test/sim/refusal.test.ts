/** Connections that come to nothing: the client learns it at once, and both tables say why. */
import { PacketType } from "../../router-daemon/src/wire/peer-header.ts";
import { pattern } from "./random.ts";
import { ip } from "./router.ts";
import { collect, NAS, open, PORT, twoRouters, WAN_A, WAN_B } from "./scene.ts";
import { ScriptedNode } from "./scripted-node.ts";
import { story } from "./story.ts";
import { isPacket } from "./wire-tap.ts";

const TARGET = `${NAS}:${PORT}`;

story("a port where nothing listens: the client is refused within a round trip", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const startedAt = world.now;
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.wasReset, "the refusal");
  t.true(world.now - startedAt < 40);
  t.false(near.isOpen);
  for (const router of [a, b]) t.like(router.row(TARGET), { state: "Closed", reason: "destination_refused" });
});

story(
  "a machine that is not there: the client is refused when the destination's kernel says so",
  {},
  (t, world) => {
    const { a, b, phone } = twoRouters(world);
    const near = phone.connect(ip("192.168.2.77"), PORT);
    world.until(() => near.wasReset, "the refusal", 5000);
    for (const router of [a, b]) {
      t.like(router.row("192.168.2.77:80"), { state: "Closed", reason: "destination_unreachable" });
    }
  },
);

story("the destination runs out of sockets: the client is refused, and recovers", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  collect(nas, PORT);
  b.host.faults.always.add("tcpConnect");
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.wasReset, "the refusal");
  t.is(a.row(TARGET).reason, "destination_unreachable");
  b.host.faults.always.clear();
  open(world, phone, nas).near.reset();
});

for (const address of ["192.168.2.0", "192.168.2.255"]) {
  story(`the address ${address} of an exported subnet is no host: refused`, {}, (t, world) => {
    const { a, b, phone } = twoRouters(world);
    const near = phone.connect(ip(address), PORT);
    world.until(() => near.wasReset, "the refusal");
    for (const router of [a, b]) {
      t.like(router.row(`${address}:80`), { state: "Closed", reason: "destination_not_exported" });
    }
  });
}

story("an export that was just taken back: refused, then no longer routed", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  collect(nas, PORT);
  b.reconfigure({ proxy_networks: [] });
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.wasReset, "the refusal");
  t.is(a.row(TARGET).reason, "destination_not_exported");
  world.until(() => a.kernel.tunRoutes.length === 0, "the route to go", 10_000);
  const late = phone.connect(nas.address, PORT);
  world.run(500);
  t.false(late.isOpen);
  t.is(a.rows(TARGET).length, 1);
  late.reset();
});

story("whatever a dishonest peer asks for, only what is exported is dialled", {}, (t, world) => {
  const { b } = twoRouters(world);
  const stranger = new ScriptedNode(world, "stranger", {
    wan: "203.0.113.7",
    ipv4: "10.126.126.7/24",
    peers: [WAN_A, WAN_B],
  });
  world.until(() => b.reaches(stranger), "the stranger");
  world.run(1000);
  const connects = () => b.host.counters().tcpConnects;
  const ask = (address: string, port: number) => {
    const connection = stranger.source.connect(
      b.peerId,
      {
        source: { ip: ip("10.126.126.7"), port: 5000 + world.random.below(50_000) },
        destination: { ip: ip(address), port },
      },
      world.now,
    );
    stranger.wakeSoon();
    world.until(() => connection?.state === "closed" || connection?.state === "open", "an answer");
    const { closeReason } = connection!;
    connection?.release(world.now);
    return closeReason;
  };
  for (const address of [
    "192.168.9.9",
    "192.168.2.0",
    "192.168.2.255",
    "192.168.1.10",
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "169.254.1.1",
    "10.126.126.1",
    "10.126.126.255",
    WAN_B,
    "8.8.8.8",
  ]) {
    t.is(ask(address, PORT), "denied", address);
    t.like(b.row(`${address}:80`), { state: "Closed", reason: "destination_not_exported" });
  }
  t.is(ask(NAS, 0), "denied");
  t.is(connects(), 0);
  // What is exported, and its own address, are dialled.
  t.is(ask(NAS, PORT), "target_refused");
  t.is(ask("10.126.126.2", PORT), "target_refused");
  t.is(connects(), 2);
});

story(
  "disable_kcp_input: peers use plain TCP, and KCP that comes all the same is dropped",
  {},
  (t, world) => {
    const { a, b, phone, nas } = twoRouters(world, { b: { config: { disable_kcp_input: true } } });
    const streams = collect(nas, PORT);
    const near = phone.connect(nas.address, PORT);
    near.write(pattern(20_000, 1));
    near.end();
    world.until(() => streams[0]?.hasEnded === true, "the bytes");
    streams[0]!.end();
    world.until(() => near.hasEnded, "the end");
    t.like(a.row(TARGET), { transport: "tcp", reason: "peer_kcp_input_disabled" });
    const stranger = new ScriptedNode(world, "stranger", {
      wan: "203.0.113.7",
      ipv4: "10.126.126.7/24",
      peers: [WAN_B],
    });
    world.until(() => b.reaches(stranger), "the stranger");
    const target = { source: { ip: 1, port: 1 }, destination: { ip: ip(NAS), port: PORT } };
    const connection = stranger.source.connect(b.peerId, target, world.now);
    stranger.wakeSoon();
    world.until(() => connection?.state === "closed", "the end of the attempt");
    t.is(connection?.closeReason, "no_answer");
    t.true(b.counter("droppedKcpInputDisabled") > 0);
    t.is(b.rows(TARGET).length, 0);
  },
);

story(
  "a service that resets before its acceptance was heard of is asked once, and the peer is not blamed",
  {},
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    const streams = collect(nas, PORT, (stream) => world.clock.after(50, () => stream.reset()));
    const lostUntil = world.now + 150;
    world.network.filter = (datagram) =>
      !isPacket(datagram, PacketType.kcpDestination) || world.now > lostUntil;
    const near = phone.connect(nas.address, PORT);
    world.until(() => near.wasReset, "the reset", 3000);
    t.is(streams.length, 1);
    t.like(a.row(TARGET), { transport: "kcp", state: "Closed", reason: "service_reset" });
    collect(nas, PORT);
    const next = phone.connect(nas.address, PORT);
    world.until(() => next.isOpen, "the next connection");
    t.is(a.row(TARGET).transport, "kcp");
    next.reset();
  },
);
