/** Who is there, by which way, and the route numbers for it. */
import test from "ava";
import { SCRATCH_ROUTE } from "../../../router-daemon/src/mesh/control-io.ts";
import { MAX_ROUTES } from "../../../router-daemon/src/mesh/limits.ts";
import { RouteTable } from "../../../router-daemon/src/mesh/route-table.ts";
import { PacketFlag, PacketType } from "../../../router-daemon/src/wire/peer-header.ts";
import { RelayNode, SharedNode } from "./fake-relay.ts";
import { FakeNetwork } from "./fake-underlay.ts";
import { A, B, C, line, packetType, pair, text, urlOf } from "./node-kit.ts";
import { TestNode } from "./test-node.ts";

// ── who is there ────────────────────────────────────────────────────────────────────────────────────────────────────

test("two nodes list each other with address, name, version, flags and exports", (t) => {
  const network = new FakeNetwork(3);
  const a = new TestNode(network, { address: A });
  const exports = [{ network: (192 << 24) | (168 << 16) | (5 << 8), prefixLength: 24 }].map((prefix) => ({
    ...prefix,
    network: prefix.network >>> 0,
  }));
  const b = new TestNode(network, { address: B, peers: [urlOf(A)], local: { exports } });
  network.run(1000);
  const peer = a.node.peerSnapshots()[0];
  t.like(peer, { peerId: b.peerId, cost: "p2p", shared: false });
  t.like(peer?.info, { hostname: "node-2", version: "0.1.0-test", pathLength: 1, nextHop: b.peerId });
  t.true(peer?.info?.featureFlags.kcpInput);
  t.true((peer?.latencyMs ?? 0) >= 10);
  t.is(a.node.latencyMs(b.peerId), peer?.latencyMs ?? null);
  t.is(peer?.lossShare, 0);
  t.is(a.node.ownerOf(((10 << 24) | (144 << 16) | (1 << 8) | 2) >>> 0), b.peerId);
  t.is(a.node.ownerOf(((192 << 24) | (168 << 16) | (5 << 8) | 77) >>> 0), b.peerId);
  t.is(a.node.ownerOf(((192 << 24) | (168 << 16) | (6 << 8) | 77) >>> 0), 0);
  t.deepEqual(
    a.node.routeSnapshots().map(({ kind, prefixLength, cost }) => [kind, prefixLength, cost]),
    [
      ["node", 32, "p2p"],
      ["subnet", 24, "p2p"],
    ],
  );
  t.deepEqual(
    a.eventsOf("peer_joined").map(({ peerId }) => peerId),
    [b.peerId],
  );
  t.true(a.eventsOf("routes_changed").length > 0);
});

test("what a node says of itself changes at the others without a reconnect", (t) => {
  const { network, a, b } = pair();
  b.node.setLocalInfo({ hostname: "renamed", ipv4: 0 }, network.now);
  network.run(2000);
  t.like(a.node.peer(b.peerId), { hostname: "renamed", ipv4: 0 });
  t.is(a.eventsOf("link_down").length, 0);
});

test("a node reached through a relay is listed with its path, and packets to it cross the relay sealed", (t) => {
  const { network, relay, a, c } = line();
  t.like(a.node.peer(c.peerId), { pathLength: 2, nextHop: relay.peerId });
  t.is(a.node.peerSnapshots().find(({ peerId }) => peerId === c.peerId)?.cost, "relay(2)");
  t.deepEqual(a.direct, [relay.peerId]);
  network.log = [];
  const secret = text("the quick brown fox jumps over the lazy dog");
  t.true(a.send(c.peerId, PacketType.data, secret));
  network.run(50);
  t.deepEqual(
    c.delivered.map(({ kind, from, payload }) => [kind, from, Buffer.from(payload).toString()]),
    [["data", a.peerId, Buffer.from(secret).toString()]],
  );
  t.is(relay.delivered.length, 0);
  const hops = network.log.filter((datagram) => packetType(datagram) === PacketType.data);
  t.deepEqual(
    hops.map(({ from, bytes }) => [from, bytes[18]]),
    [
      [A, 1],
      [B, 2],
    ],
  );
  for (const { bytes } of hops) t.false(Buffer.from(bytes).includes("quick"));
});

test("when the relay goes, what is behind it goes too, and comes back with it", (t) => {
  const { network, relay, a, c } = line(4);
  t.true(a.reachable.includes(c.peerId));
  relay.crash();
  network.run(45_000);
  t.deepEqual(a.reachable, []);
  t.is(a.node.route(c.peerId, PacketType.data), -1);
  t.false(a.send(c.peerId, PacketType.data, text("x")));
  const again = new RelayNode(network, { address: B });
  network.run(15_000);
  t.true(a.reachable.includes(c.peerId));
  t.true(a.reachable.includes(again.peerId));
  t.false(a.reachable.includes(relay.peerId));
  t.true(a.eventsOf("peer_left").some(({ peerId }) => peerId === c.peerId));
});

test("a direct link takes a relayed peer's packets over, under the same route number", (t) => {
  const { network, relay, a, c } = line(5);
  const before = a.node.route(c.peerId, PacketType.kcpSource);
  t.true(before > SCRATCH_ROUTE);
  const relayLink = a.underlay.routes.get(before)?.link;
  a.node.setPeers([urlOf(B), urlOf(C)], network.now);
  network.run(2000);
  t.is(a.node.route(c.peerId, PacketType.kcpSource), before);
  t.not(a.underlay.routes.get(before)?.link, relayLink);
  const relayed = relay.relayed;
  a.send(c.peerId, PacketType.data, text("direct"));
  network.run(50);
  t.is(relay.relayed, relayed);
  t.is(c.delivered.length, 1);
  // And back to the relay when the direct link is given up.
  a.node.setPeers([urlOf(B)], network.now);
  a.send(c.peerId, PacketType.data, text("relayed"));
  network.run(50);
  t.is(relay.relayed, relayed + 1);
  t.is(c.delivered.length, 2);
});

test("through a shared node of another network members find each other; it sees neither data nor their RPC", (t) => {
  const network = new FakeNetwork(6);
  const shared = new SharedNode(network, { address: B });
  network.rewrite = (datagram) => shared.disguise(datagram);
  const a = new TestNode(network, { address: A, peers: [urlOf(B)] });
  const c = new TestNode(network, { address: C, peers: [urlOf(B)] });
  network.log = [];
  network.run(40_000);
  t.like(a.eventsOf("link_up")[0], { peerId: shared.peerId, shared: true });
  t.is(a.eventsOf("link_down").length, 0);
  const snapshot = a.node.peerSnapshots().find(({ peerId }) => peerId === shared.peerId);
  t.true(snapshot?.shared);
  t.is(snapshot?.info?.hostname, "PublicServer_shared");
  t.like(a.node.peer(c.peerId), { pathLength: 2, nextHop: shared.peerId });
  a.send(c.peerId, PacketType.data, text("for members only"));
  network.run(50);
  t.deepEqual(
    c.delivered.map(({ payload }) => Buffer.from(payload).toString()),
    ["for members only"],
  );
  // RPC to the shared node is clear text, RPC to members is not.
  for (const { bytes } of network.log.filter((datagram) => datagram.from === A)) {
    const type = bytes[16];
    if (bytes[4] !== 3 || (type !== 8 && type !== 9)) continue;
    const to = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true);
    t.is(bytes[17]! & 1, to === shared.peerId ? 0 : 1);
  }
});

// ── route numbers ───────────────────────────────────────────────────────────────────────────────────────────────────

test("a route number is the same for the same peer and type, and another for another", (t) => {
  const { a, b } = pair();
  const data = a.node.route(b.peerId, PacketType.data);
  const kcp = a.node.route(b.peerId, PacketType.kcpSource);
  t.true(data > SCRATCH_ROUTE && kcp > SCRATCH_ROUTE);
  t.not(data, kcp);
  t.is(a.node.route(b.peerId, PacketType.data), data);
  t.is(a.node.route(999, PacketType.data), -1);
  t.is(a.node.route(0, PacketType.data), -1);
  t.is(a.node.route(a.peerId, PacketType.data), -1);
});

test("when a peer vanishes its routes are given back", (t) => {
  const { network, a, b } = pair();
  a.node.route(b.peerId, PacketType.data);
  a.node.route(b.peerId, PacketType.kcpSource);
  const registered = a.underlay.routes.size;
  b.crash();
  network.run(60_000);
  t.is(a.node.counters().routes, 0);
  t.true(a.underlay.routes.size <= registered - 2);
});

test("the table of routes is bounded: the one unused longest makes room", (t) => {
  const registered = new Map<number, { link: number; peerId: number }>();
  const table = new RouteTable({
    linkTo: (peerId) => peerId % 3,
    setRoute: (route, link, peerId) => {
      registered.set(route, { link, peerId });
      return 0;
    },
    clearRoute: (route) => {
      registered.delete(route);
    },
  });
  const first = table.find(1, 1, 0);
  for (let peerId = 2; peerId < MAX_ROUTES; peerId++) table.find(peerId, 1, 0);
  t.is(table.size, MAX_ROUTES - 1);
  t.is(table.find(1, 1, 0), first, "used again, so it stays");
  t.true(table.find(5000, 1, 0) >= 0);
  t.is(table.size, MAX_ROUTES - 1);
  t.is(table.evictions, 1);
  t.is(table.find(1, 1, 0), first);
  t.false([...registered.values()].some(({ peerId }) => peerId === 2));
  t.false(registered.has(SCRATCH_ROUTE));
  table.clear();
  t.is(registered.size, 0);
  t.is(table.size, 0);
});

test("header flags make a route of their own, beside encryption", (t) => {
  const { network, a, b } = pair();
  const plain = a.node.route(b.peerId, PacketType.data);
  const marked = a.node.route(b.peerId, PacketType.data, PacketFlag.noProxy);
  t.not(plain, marked);
  t.is(a.node.route(b.peerId, PacketType.data, 0), plain);
  t.is(a.underlay.routes.get(marked)?.header[9], PacketFlag.noProxy | PacketFlag.encrypted);
  t.is(a.underlay.routes.get(plain)?.header[9], PacketFlag.encrypted);
  t.is(a.underlay.routes.get(marked)?.header[8], PacketType.data);
  network.run(1);
});

test("a route that the host refuses is no route", (t) => {
  let refuse = true;
  const table = new RouteTable({
    linkTo: () => 1,
    setRoute: () => (refuse ? -22 : 0),
    clearRoute: () => {},
  });
  t.is(table.find(7, 1, 0), -1);
  refuse = false;
  t.true(table.find(7, 1, 0) > 0);
});
