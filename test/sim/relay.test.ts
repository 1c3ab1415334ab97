/** Routers that have no link to each other: packets go by way of a node that relays. */
import { pattern } from "./random.ts";
import { collect, NAS, PORT, same } from "./scene.ts";
import { ScriptedNode } from "./scripted-node.ts";
import { story } from "./story.ts";
import type { World } from "./world.ts";

const RELAY = "203.0.113.9";
const TARGET = `${NAS}:${PORT}`;

/** a and b know the relay only. */
function relayed(world: World, noRelayKcp: boolean) {
  const relay = new ScriptedNode(world, "relay", {
    wan: RELAY,
    isRelay: true,
    features: { noRelayKcp },
  });
  const a = world.router("a", {
    wan: "203.0.113.1",
    ipv4: "10.126.126.1/24",
    lans: ["192.168.1.0/24"],
    peers: [RELAY],
  });
  const b = world.router("b", {
    wan: "203.0.113.2",
    ipv4: "10.126.126.2/24",
    lans: ["192.168.2.0/24"],
    peers: [RELAY],
  });
  a.start();
  b.start();
  world.join();
  world.rest();
  return { relay, a, b, phone: a.station("192.168.1.10"), nas: b.station(NAS) };
}

story("KCP goes through a relay", { underlay: { loss: 0.01 } }, (t, world) => {
  const { relay, a, b, phone, nas } = relayed(world, false);
  const peer = a.daemon.peers().find(({ peerId }) => peerId === b.peerId);
  t.like(peer, { pathLength: 2, nextHopPeerId: relay.peerId });
  t.like(peer?.choice, { transport: "kcp", reason: "kcp_allowed" });
  const streams = collect(nas, PORT);
  const near = phone.connect(nas.address, PORT);
  near.write(pattern(150_000, 1));
  near.end();
  world.until(() => streams[0]?.hasEnded === true, "the bytes");
  t.true(same(streams[0]!.received(), pattern(150_000, 1)));
  streams[0]!.write(pattern(50_000, 2));
  streams[0]!.end();
  world.until(() => near.hasEnded, "the answer");
  t.true(same(near.received(), pattern(50_000, 2)));
  t.is(a.row(TARGET).transport, "kcp");
  t.true(relay.relayed > 140);
});

story("a relay that forbids KCP: plain TCP, with that reason", {}, (t, world) => {
  const { a, phone, nas } = relayed(world, true);
  const streams = collect(nas, PORT);
  const near = phone.connect(nas.address, PORT);
  near.write(pattern(50_000, 1));
  near.end();
  world.until(() => streams[0]?.hasEnded === true, "the bytes");
  t.true(same(streams[0]!.received(), pattern(50_000, 1)));
  t.like(a.row(TARGET), { transport: "tcp", reason: "relay_forbids_kcp" });
  streams[0]!.end();
  world.until(() => near.hasEnded, "the end");
});

story("a direct link appears: new connections take it", {}, (t, world) => {
  const { relay, a, b, phone, nas } = relayed(world, true);
  collect(nas, PORT);
  b.reconfigure({
    peers: [
      ...b.config.peers,
      { url: "udp://203.0.113.1:11010", host: "203.0.113.1", port: 11010, family: 4 },
    ],
  });
  world.until(
    () => a.daemon.peers().some((p) => p.peerId === b.peerId && p.pathLength === 1),
    "the direct link",
  );
  world.run(1000);
  const before = relay.relayed;
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.isOpen, "the connection");
  t.like(a.row(TARGET), { transport: "kcp", reason: "kcp_allowed" });
  near.write(pattern(10_000, 1));
  world.run(500);
  t.is(relay.relayed, before);
  near.reset();
});

story("a relay that swallows KCP without saying so: plain TCP after the hold time", {}, (t, world) => {
  const { relay, a, phone, nas } = relayed(world, false);
  relay.relayFilter.push((type) => type !== 11 && type !== 12);
  collect(nas, PORT);
  const near = phone.connect(nas.address, PORT);
  world.until(() => near.isOpen, "the connection", 3500);
  t.like(a.row(TARGET), { transport: "tcp", reason: "kcp_timeout" });
  near.reset();
});
