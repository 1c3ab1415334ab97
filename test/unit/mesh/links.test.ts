/** Links between two nodes of ours, from the first SYN to the last ping. */
import test from "ava";
import { DIAL_BUDGET_MS, MAX_LINKS, MAX_LINKS_PER_PEER } from "../../../router-daemon/src/mesh/limits.ts";
import { TunnelType } from "../../../router-daemon/src/wire/udp-tunnel.ts";
import { type Datagram, FakeNetwork } from "./fake-underlay.ts";
import { A, B, handshake, isLinked, packetType, pair, syn, tunnelType, URL_A } from "./link-kit.ts";
import { TestNode } from "./test-node.ts";

// ── coming up ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("a link comes up on both sides, within two round trips and the pause after the SACK", (t) => {
  const { network, a, b } = pair();
  network.run(60);
  t.true(isLinked(a, b));
  t.like(b.eventsOf("link_up")[0], { peerId: a.peerId, url: URL_A, shared: false, remote: `${A}:11010` });
  t.like(a.eventsOf("link_up")[0], { peerId: b.peerId, url: "", shared: false });
  t.is(b.node.peerSnapshots()[0]?.links[0]?.isClient, true);
  t.is(a.node.peerSnapshots()[0]?.links[0]?.isClient, false);
});

test("the first DATA waits 20 ms after the SACK", (t) => {
  const { network } = pair();
  network.log = [];
  network.run(60);
  const times = network.log.map(tunnelType);
  t.deepEqual(times.slice(0, 3), [TunnelType.syn, TunnelType.sack, TunnelType.data]);
  // SYN and SACK take 5 ms each: the client has the SACK at 10 ms.
  const fresh = pair(2);
  fresh.network.log = [];
  fresh.network.run(29);
  t.is(fresh.network.log.filter((datagram) => tunnelType(datagram) === TunnelType.data).length, 0);
  fresh.network.run(2);
  t.is(fresh.network.log.filter((datagram) => tunnelType(datagram) === TunnelType.data).length, 1);
});

test("every attempt dials from a port of its own, and a failed one closes it", (t) => {
  const network = new FakeNetwork(3);
  const b = new TestNode(network, { address: B, peers: [URL_A], listen: false });
  network.log = [];
  network.run(10_000);
  const ports = new Set(network.log.map(({ fromPort }) => fromPort));
  t.is(ports.size, 4);
  t.is(b.underlay.sockets.size, 1);
});

for (const [what, lost] of [
  ["SYN", (d: Datagram) => tunnelType(d) === TunnelType.syn],
  ["SACK", (d: Datagram) => tunnelType(d) === TunnelType.sack],
  ["handshake", (d: Datagram) => packetType(d) === 2 && d.to === A],
  ["answer to the handshake", (d: Datagram) => packetType(d) === 2 && d.to === B],
] as const) {
  test(`a lost ${what} delays the link and does not prevent it`, (t) => {
    let losses = 2;
    const { network, a, b } = pair(4, (net) => {
      net.filter = (datagram) => !(lost(datagram) && losses-- > 0);
    });
    t.true(network.runUntil(() => isLinked(a, b), DIAL_BUDGET_MS));
    t.true(losses < 0, "the losses took place");
    network.run(1000);
    t.is(a.eventsOf("link_up").length, 1);
    t.is(b.eventsOf("link_up").length, 1);
    t.is(b.eventsOf("dial_failed").length, 0);
  });
}

test("a silent address is dialled every 3 s, 15 SYNs each, and told once", (t) => {
  const network = new FakeNetwork(5);
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  network.log = [];
  network.run(30_000);
  t.deepEqual(
    b.eventsOf("dial_failed").map(({ reason }) => reason),
    ["no_answer"],
  );
  const perPort = new Map<number, number>();
  for (const { fromPort } of network.log) perPort.set(fromPort, (perPort.get(fromPort) ?? 0) + 1);
  t.true(perPort.size >= 10 && perPort.size <= 11, `${perPort.size} attempts`);
  t.is(perPort.get([...perPort.keys()][0]!), 15);
});

test("nodes that dial each other have two links and use the quicker one", (t) => {
  const { network, a, b } = pair(6);
  a.node.setPeers([`udp://${B}:11010`], network.now);
  network.run(1000);
  for (const node of [a, b]) {
    const [peer] = node.node.peerSnapshots();
    t.is(peer?.links.length, 2);
    t.is(peer?.links.filter(({ isDefault }) => isDefault).length, 1);
  }
  t.is(a.node.counters().direct_peers, 1);
});

test("a link comes up through 30 % loss each way and stays", (t) => {
  const { network, a, b } = pair(7, (net) => {
    net.lossShare = 0.3;
    net.jitterMs = 20;
  });
  t.true(network.runUntil(() => isLinked(a, b), 30_000));
  // An hour in which nothing but pings and route news crosses the link.
  network.run(3_600_000);
  for (const node of [a, b]) t.deepEqual(node.eventsOf("link_down"), []);
  const loss = b.node.peerSnapshots()[0]?.lossShare ?? 0;
  t.true(loss > 0.3 && loss < 0.7, `${loss}`);
});

// ── ending and coming back ──────────────────────────────────────────────────────────────────────────────────────────

test("a dead link is found out by its pings, told, and dialled again until it is back", (t) => {
  const { network, a, b } = pair(8);
  network.run(10_000);
  t.true(isLinked(a, b));
  network.filter = () => false;
  network.run(45_000);
  t.deepEqual([...a.direct, ...b.direct], []);
  t.like(b.eventsOf("link_down")[0], { reason: "ping_timeout", url: URL_A });
  t.like(a.eventsOf("link_down")[0], { reason: "ping_timeout" });
  t.deepEqual(a.reachable, []);
  network.filter = () => true;
  t.true(
    network.runUntil(() => isLinked(a, b), 4_000),
    "back within one attempt",
  );
  network.run(2_000);
  t.deepEqual(b.reachable, [a.peerId]);
});

test("with traffic a dead link is found out within ten seconds", (t) => {
  const { network, a, b } = pair(9);
  network.run(100_000);
  network.filter = () => false;
  const since = network.now;
  const found = network.runUntil(
    () => {
      b.send(a.peerId, 1, new Uint8Array(100));
      return b.direct.length === 0;
    },
    20_000,
    100,
  );
  t.true(found);
  t.true(network.now - since <= 10_000, `${network.now - since} ms`);
});

test("without an own network the attempts fail with the host's words, and the link is back within a second after it", (t) => {
  const { network, a, b } = pair(10);
  network.run(5_000);
  b.underlay.unplugged = true;
  network.run(60_000);
  t.deepEqual(b.direct, []);
  const failed = b.eventsOf("dial_failed")[0];
  t.is(failed?.reason, "send_failed");
  t.true(failed?.message.includes("Network is unreachable."));
  b.underlay.unplugged = false;
  t.true(network.runUntil(() => isLinked(a, b), 1_500));
});

test("an address that changes under a link costs one detection, not more; saying so makes it quicker", (t) => {
  const { network, a, b } = pair(11);
  network.run(100_000);
  // A new PPPoE session: what was on the way to the old address is lost.
  b.underlay.move("192.0.2.77");
  b.node.handleNetworkChange(network.now);
  const since = network.now;
  t.true(network.runUntil(() => a.direct.length === 1 && b.eventsOf("link_up").length === 2, 20_000));
  t.true(network.now - since <= 5_000, `${network.now - since} ms`);
  network.run(50_000);
  t.true(isLinked(a, b));
  t.is(a.node.peerSnapshots()[0]?.links.length, 1, "the link from the old address is gone");
});

test("a restarted peer has a new id: the old one is dropped soon and the link is dialled again", (t) => {
  const network = new FakeNetwork(12);
  const a1 = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  network.run(100_000);
  t.true(isLinked(a1, b));
  a1.crash();
  const a2 = new TestNode(network, { address: A, peers: [`udp://${B}:11010`] });
  const since = network.now;
  t.true(network.runUntil(() => b.direct.length === 1 && b.direct[0] === a2.peerId, 20_000));
  t.true(network.now - since <= 5_000, `${network.now - since} ms`);
  t.true(
    network.runUntil(() => b.eventsOf("link_up").length === 3, 5_000),
    "b's own link is back too",
  );
  network.run(3000);
  t.deepEqual(b.reachable, [a2.peerId]);
  t.is(b.eventsOf("link_down").filter(({ peerId }) => peerId === a1.peerId).length, 1);
});

test("a restarted peer that does not dial us is found again by dialling it", (t) => {
  const network = new FakeNetwork(13);
  const a1 = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  network.run(100_000);
  a1.crash();
  const a2 = new TestNode(network, { address: A });
  t.true(network.runUntil(() => isLinked(a2, b), 50_000));
});

test("two machines with the same instance id stay connected: suspicion is not proof", (t) => {
  const network = new FakeNetwork(14);
  const instanceId = "00000000-0000-4000-8000-0000000000ff";
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B, peers: [URL_A], local: { instanceId } });
  const c = new TestNode(network, { address: "192.0.2.3", peers: [URL_A], local: { instanceId } });
  network.run(60_000);
  t.deepEqual(new Set(a.direct), new Set([b.peerId, c.peerId]));
  t.is(a.eventsOf("link_down").length, 0);
});

test("of two links to a peer the other one takes over within four seconds when one goes silent", (t) => {
  for (const seed of [15, 16, 17, 18]) {
    const { network, a, b } = pair(seed);
    a.node.setPeers([`udp://${B}:11010`], network.now);
    network.run(30_000 + 1300 * seed);
    // Everything on the link that b uses is lost from now on: it is known by b's port.
    const used = b.node.peerSnapshots()[0]!.links.find(({ isDefault }) => isDefault)!;
    const dialled = [...b.underlay.sockets.values()].find(({ port }) => port !== 11010)!.port;
    const port = used.isClient ? dialled : 11010;
    network.filter = (d) => (d.from === B ? d.fromPort : d.toPort) !== port;
    let lost = 0;
    for (let step = 0; step < 100; step++) {
      const before = a.delivered.length;
      b.send(a.peerId, 1, new Uint8Array(40).fill(step));
      network.run(100);
      if (a.delivered.length === before) lost++;
    }
    t.true(lost > 0 && lost <= 40, `${lost / 10} s without a packet, seed ${seed}`);
    t.true(isLinked(a, b));
    t.is(b.eventsOf("peer_left").length, 0);
  }
});

test("a new session from the very port of an old one puts the old one to the proof", (t) => {
  const network = new FakeNetwork(40);
  const a = new TestNode(network, { address: A });
  network.send(syn("192.0.2.9", 5000, 1));
  network.send(handshake("192.0.2.9", 5000, 1, 1111));
  network.run(1000);
  t.deepEqual(a.direct, [1111]);
  // The process behind that port was restarted: another id, and the old session is never answered again.
  network.send(syn("192.0.2.9", 5000, 2));
  network.send(handshake("192.0.2.9", 5000, 2, 2222));
  network.run(3_500);
  t.deepEqual(a.direct, [2222]);
  t.like(a.eventsOf("link_down"), [{ peerId: 1111, reason: "superseded" }]);
});

test("after the network was away, the links that stayed are put to the proof", (t) => {
  const { network, a, b } = pair(41);
  network.run(100_000);
  b.underlay.unplugged = true;
  network.filter = () => false;
  for (let step = 0; step < 20; step++) {
    b.send(a.peerId, 1, new Uint8Array(10));
    network.run(100);
  }
  // Back, but behind another address: the old session leads nowhere.
  b.underlay.unplugged = false;
  network.filter = () => true;
  b.underlay.move("192.0.2.88");
  const since = network.now;
  t.true(network.runUntil(() => b.eventsOf("link_up").length === 2, 20_000));
  t.true(network.now - since <= 3_500, `${network.now - since} ms`);
});

test("a peer that opens ever more links keeps the latest eight", (t) => {
  const network = new FakeNetwork(16);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, {
    address: B,
    peers: Array.from({ length: MAX_LINKS_PER_PEER + 3 }, (_, at) => `udp://${A}:${12000 + at}`),
  });
  a.node.setListeners(
    Array.from({ length: MAX_LINKS_PER_PEER + 3 }, (_, at) => `udp://0.0.0.0:${12000 + at}`),
    network.now,
  );
  network.run(900);
  const counts = [a, b].map((node) => node.node.peerSnapshots()[0]?.links.length ?? 0);
  t.true(
    counts.every((count) => count > 0 && count <= MAX_LINKS_PER_PEER),
    counts.join(),
  );
});

test("removing a peer or a listener ends its links, and disposing ends everything", (t) => {
  const { network, a, b } = pair(17);
  network.run(1000);
  b.node.setPeers([], network.now);
  b.handleTimeout(network.now);
  t.like(b.eventsOf("link_down")[0], { reason: "peer_removed" });
  t.deepEqual(b.direct, []);
  b.node.setPeers([URL_A], network.now);
  network.run(1000);
  a.node.setListeners([], network.now);
  a.handleTimeout(network.now);
  t.like(a.eventsOf("link_down").at(-1), { reason: "listener_removed" });
  for (const { node, underlay } of [a, b]) {
    node.dispose(network.now);
    t.is(underlay.sockets.size + underlay.links.size + underlay.routes.size, 0);
    t.is(underlay.pool.freeSlots, underlay.pool.slotCount);
  }
});

test("link numbers come back: many more links than fit may come and go", (t) => {
  const network = new FakeNetwork(42);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B });
  for (let round = 0; round < MAX_LINKS + 20; round++) {
    b.node.setPeers([URL_A], network.now);
    network.run(60);
    t.deepEqual(b.direct, [a.peerId], `round ${round}`);
    b.node.setPeers([], network.now);
    network.run(60);
    // The far side only finds out by its pings; it keeps the latest few.
    t.true((a.node.counters().links ?? 0) <= MAX_LINKS_PER_PEER);
  }
});
