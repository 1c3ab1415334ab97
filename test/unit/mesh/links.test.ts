import test from "ava";
import { EventQueue, quoted } from "../../../router-daemon/src/mesh/event.ts";
import { HalfOpenTable } from "../../../router-daemon/src/mesh/half-open.ts";
import {
  DIAL_BUDGET_MS,
  HALF_OPEN_EVICTABLE_MS,
  HALF_OPEN_TIMEOUT_MS,
  MAX_ACCEPTED_LINKS,
  MAX_EVENTS,
  MAX_HALF_OPEN,
  MAX_HALF_OPEN_PER_ADDRESS,
  MAX_LINKS,
  MAX_LINKS_PER_PEER,
  MAX_LISTENERS,
  MAX_PEER_URLS,
  MAX_REMEMBERED_REFUSALS,
  REFUSAL_REPEAT_MS,
} from "../../../router-daemon/src/mesh/limits.ts";
import { sessionKey } from "../../../router-daemon/src/mesh/link-table.ts";
import { checkListenerUrl, checkPeerUrl } from "../../../router-daemon/src/mesh/peer-url.ts";
import { LINK_REASONS } from "../../../router-daemon/src/mesh/reason.ts";
import { RefusalLog } from "../../../router-daemon/src/mesh/refusal-log.ts";
import { parseEndpoint } from "../../../router-daemon/src/wire/endpoint.ts";
import { encodeHandshake } from "../../../router-daemon/src/wire/handshake.ts";
import { networkDigest } from "../../../router-daemon/src/wire/network-key.ts";
import { writePeerHeader } from "../../../router-daemon/src/wire/peer-header.ts";
import { TunnelType, writeSyn, writeTunnelHeader } from "../../../router-daemon/src/wire/udp-tunnel.ts";
import { type Datagram, FakeNetwork } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const URL_A = `udp://${A}:11010`;

function pair(seed = 1, change: (network: FakeNetwork) => void = () => {}) {
  const network = new FakeNetwork(seed);
  change(network);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  return { network, a, b };
}

const isLinked = (x: TestNode, y: TestNode): boolean =>
  x.direct.includes(y.peerId) && y.direct.includes(x.peerId);

const tunnelType = ({ bytes }: Datagram): number => bytes[4]!;
const packetType = ({ bytes }: Datagram): number => (bytes[4] === TunnelType.data ? bytes[16]! : -1);

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
  network.lossShare = 0.05;
  network.run(5_000);
  const before = b.eventsOf("link_down").length;
  network.run(600_000);
  t.is(b.eventsOf("link_down").length, before, "ten minutes at 5 %");
  const loss = b.node.peerSnapshots()[0]?.lossShare ?? 0;
  t.true(loss > 0.01 && loss < 0.3, `${loss}`);
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

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a host name is asked for, dialled when the answer comes, and asked for again after a failure", (t) => {
  const network = new FakeNetwork(18);
  const a = new TestNode(network, { address: A });
  const url = "udp://router.example.net";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(100);
  t.like(b.eventsOf("resolve"), [{ url, host: "router.example.net", port: 11010 }]);
  // First an address where nobody is.
  b.node.handleResolved(url, [{ address: "192.0.2.250", port: 11010 }], network.now);
  network.run(3_500);
  t.like(b.eventsOf("dial_failed")[0], { reason: "no_answer" });
  t.is(b.eventsOf("resolve").length, 2);
  b.node.handleResolved(url, [{ address: A, port: 11010 }], network.now);
  t.true(network.runUntil(() => isLinked(a, b), 7_000));
});

test("a name without an answer is asked for ever more slowly and told once", (t) => {
  const network = new FakeNetwork(19);
  const url = "udp://nowhere.example.net:4000";
  const b = new TestNode(network, { address: B, peers: [url] });
  for (let second = 0; second < 120; second++) {
    const asked = b.eventsOf("resolve").length;
    network.run(1000);
    if (b.eventsOf("resolve").length > asked) b.node.handleResolved(url, [], network.now);
  }
  t.deepEqual(
    b.eventsOf("dial_failed").map(({ reason }) => reason),
    ["name_not_resolved"],
  );
  const asked = b.eventsOf("resolve").length;
  t.true(asked >= 6 && asked <= 12, `${asked}`);
});

test("a resolver that never answers is asked again", (t) => {
  const network = new FakeNetwork(20);
  const b = new TestNode(network, { address: B, peers: ["udp://nowhere.example.net:4000"] });
  network.run(60_000);
  t.true(b.eventsOf("resolve").length >= 3);
  t.like(b.eventsOf("dial_failed")[0], { reason: "name_not_resolved" });
});

test("while a new answer is awaited the addresses known so far are dialled", (t) => {
  const network = new FakeNetwork(21);
  const a = new TestNode(network, { address: A });
  const url = "udp://router.example.net:11010";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(10);
  b.node.handleResolved(url, [{ address: A, port: 11010 }], network.now);
  network.run(1000);
  t.true(isLinked(a, b));
  network.filter = () => false;
  network.run(45_000);
  network.filter = () => true;
  // DNS runs over the same broken line: nobody answers the second question.
  t.true(network.runUntil(() => isLinked(a, b), 4_000));
});

test("IPv4 is tried before IPv6, one address of each in a round", (t) => {
  const network = new FakeNetwork(22);
  const url = "udp://both.example.net:11010";
  const b = new TestNode(network, { address: B, peers: [url] });
  network.run(10);
  network.log = [];
  b.node.handleResolved(
    url,
    [
      { address: "2001:db8::1", port: 11010 },
      { address: "192.0.2.200", port: 11010 },
    ],
    network.now,
  );
  network.run(6_100);
  const order = [...new Set(network.log.map(({ to }) => to))];
  t.deepEqual(order, ["192.0.2.200", "2001:db8::1"]);
});

// ── strangers ───────────────────────────────────────────────────────────────────────────────────────────────────────

function syn(from: string, fromPort: number, connId: number): Datagram {
  const bytes = new Uint8Array(16);
  writeSyn(bytes, 0, connId, TunnelType.syn, 1, 2);
  return { from, fromPort, to: A, toPort: 11010, bytes };
}

function handshake(from: string, fromPort: number, connId: number, peerId: number): Datagram {
  const body = encodeHandshake({ peerId, networkName: "lab", digest: networkDigest("lab", "lab-secret") });
  const bytes = new Uint8Array(24 + body.length);
  writeTunnelHeader(bytes, 0, connId, TunnelType.data, 16 + body.length);
  writePeerHeader(bytes, 8, peerId, 0, 2, 0, body.length);
  bytes.set(body, 24);
  return { from, fromPort, to: A, toPort: 11010, bytes };
}

test("a repeated SYN is answered again and makes no second session, before the handshake and after", (t) => {
  const network = new FakeNetwork(23);
  const a = new TestNode(network, { address: A });
  network.log = [];
  const sacks = (): number =>
    network.log!.filter((datagram) => datagram.from === A && tunnelType(datagram) === TunnelType.sack).length;
  for (let at = 0; at < 5; at++) network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  t.is(sacks(), 5);
  t.is(a.node.counters().half_open, 1);
  network.send(handshake("192.0.2.9", 5000, 99, 1234));
  network.run(20);
  t.is(a.node.counters().links, 1);
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  t.is(sacks(), 6);
  t.is(a.node.counters().half_open, 0);
  t.is(a.node.counters().links, 1);
});

test("a SACK goes out only after the session is there: what follows at once is understood", (t) => {
  const network = new FakeNetwork(24);
  const a = new TestNode(network, { address: A });
  // Both in the same instant.
  network.send(syn("192.0.2.9", 5000, 99));
  network.send(handshake("192.0.2.9", 5000, 99, 1234));
  network.run(20);
  t.deepEqual(a.direct, [1234]);
});

test("packets that come in the same batch as the handshake find the link that it made", (t) => {
  const network = new FakeNetwork(25);
  const a = new TestNode(network, { address: A });
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(20);
  const { bytes: shake } = handshake("192.0.2.9", 5000, 99, 1234);
  const ping = new Uint8Array(28);
  writeTunnelHeader(ping, 0, 99, TunnelType.data, 20);
  writePeerHeader(ping, 8, 1234, a.peerId, 4, 0, 4);
  // As the host hands them over when both were read before the link was known to it: two whole datagrams.
  const { pool } = a.underlay;
  const listener = [...a.underlay.sockets.keys()][0]!;
  network.log = [];
  for (const bytes of [shake, ping]) {
    const slot = pool.alloc();
    const start = slot * pool.slotBytes;
    pool.bytes.set(bytes, start);
    pool.bytes.set(parseEndpoint({ address: "192.0.2.9", port: 5000 })!, start + pool.slotBytes - 18);
    const taken = a.node.handleReceived(slot, start, bytes.length, -1, 4, network.now, listener);
    t.false(taken);
    pool.free(slot);
  }
  t.deepEqual(network.log.map(packetType), [2, 5]);
});

test("sessions that never show a handshake are forgotten after five seconds", (t) => {
  const network = new FakeNetwork(26);
  const a = new TestNode(network, { address: A });
  network.send(syn("192.0.2.9", 5000, 99));
  network.run(HALF_OPEN_TIMEOUT_MS - 10);
  t.is(a.node.counters().half_open, 1);
  network.run(100);
  t.is(a.node.counters().half_open, 0);
  t.is(a.node.drops.half_open_expired, 1);
});

test("a flood of SYNs is bounded per address and in all, and does not lock others out", (t) => {
  const network = new FakeNetwork(27);
  const a = new TestNode(network, { address: A });
  for (let at = 0; at < 100; at++) network.send(syn("198.51.100.1", 1000 + at, at));
  network.run(20);
  t.is(a.node.counters().half_open, MAX_HALF_OPEN_PER_ADDRESS);
  // Forged senders, 1000 a second, for as long as it takes.
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  let forged = 0;
  const linked = network.runUntil(
    () => {
      for (let at = 0; at < 10; at++) {
        forged++;
        network.send(syn(`198.51.${forged >> 8}.${forged & 255}`, 1000, forged));
      }
      t.true(a.node.counters().half_open! <= MAX_HALF_OPEN);
      return isLinked(a, b);
    },
    30_000,
    10,
  );
  t.true(linked);
  t.true(a.node.drops.syn_refused! > 1000 || forged < 2000);
});

test("accepted links are bounded; what is dialled still finds room", (t) => {
  const network = new FakeNetwork(28);
  const a = new TestNode(network, { address: A, slots: 2048 });
  for (let at = 0; at < MAX_ACCEPTED_LINKS + 10; at++) {
    const from = `198.51.100.${at}`;
    network.send(syn(from, 1000, at));
    network.send(handshake(from, 1000, at, 1_000_000 + at));
    network.run(20);
  }
  t.is(a.node.counters().links, MAX_ACCEPTED_LINKS);
  t.true(a.eventsOf("link_refused").some(({ reason }) => reason === "table_full"));
  const b = new TestNode(network, { address: B });
  a.node.setPeers([`udp://${B}:11010`], network.now);
  t.true(network.runUntil(() => isLinked(a, b), 3000));
});

test("DATA of an unknown session, STUN, hole punches and reserved types are ignored and counted", (t) => {
  const network = new FakeNetwork(29);
  const a = new TestNode(network, { address: A });
  network.log = [];
  const send = (bytes: Uint8Array): void =>
    network.send({ from: "192.0.2.9", fromPort: 5, to: A, toPort: 11010, bytes });
  send(handshake("192.0.2.9", 5, 1, 2).bytes);
  send(Buffer.from("000100002112a442deadbeef0000000000000007", "hex"));
  for (const type of [2, 4, 5, 6, 7]) {
    const bytes = new Uint8Array(24);
    writeTunnelHeader(bytes, 0, 5, type, 16);
    send(bytes);
  }
  send(Uint8Array.of(1, 2, 3));
  network.run(100);
  const { unknown_session, stun, hole_punch, malformed_datagram } = a.node.drops;
  t.deepEqual(
    { unknown_session, stun, hole_punch, malformed_datagram },
    {
      unknown_session: 1,
      stun: 1,
      hole_punch: 1,
      malformed_datagram: 4,
    },
  );
  t.is(network.log.filter(({ from }) => from === A).length, 0);
});

test("a hole punch from the address that is dialled brings another SYN at once", (t) => {
  const network = new FakeNetwork(30);
  const b = new TestNode(network, { address: B, peers: [URL_A] });
  network.log = [];
  network.run(50);
  const port = network.log[0]!.fromPort;
  const bytes = new Uint8Array(40);
  writeTunnelHeader(bytes, 0, 1, TunnelType.holePunch, 32);
  network.send({ from: "192.0.2.99", fromPort: 11010, to: B, toPort: port, bytes });
  network.run(50);
  t.is(network.log.filter(({ from }) => from === B).length, 1, "somebody else's means nothing");
  network.send({ from: A, fromPort: 11010, to: B, toPort: port, bytes });
  network.run(50);
  t.is(network.log.filter(({ from }) => from === B).length, 2);
  t.is(b.direct.length, 0);
});

test("the address from which the SACK comes is where the link leads", (t) => {
  const { network, a, b } = pair(31, (net) => {
    net.hosts.set("192.0.2.100", {
      deliver: (datagram) => net.hosts.get(A)?.deliver({ ...datagram, to: A }, net.now),
      nextTimeout: Number.POSITIVE_INFINITY,
      handleTimeout: () => {},
    });
  });
  b.node.setPeers(["udp://192.0.2.100:11010"], network.now);
  network.run(1000);
  t.true(isLinked(a, b));
  t.is(b.eventsOf("link_up").at(-1)?.remote, `${A}:11010`);
});

// ── bounds of the parts ─────────────────────────────────────────────────────────────────────────────────────────────

test("the table of half-open sessions gives up its oldest entry, and only when that one had its chance", (t) => {
  const table = new HalfOpenTable();
  const add = (at: number, now: number): boolean => {
    const endpoint = parseEndpoint({ address: `198.51.${at >> 8}.${at & 255}`, port: 7 })!;
    return table.add(sessionKey(1, endpoint, 0, at), 1, endpoint, at, now) !== undefined;
  };
  for (let at = 0; at < MAX_HALF_OPEN; at++) t.true(add(at, 0));
  t.false(add(1000, HALF_OPEN_EVICTABLE_MS - 1));
  t.true(add(1000, HALF_OPEN_EVICTABLE_MS));
  t.is(table.size, MAX_HALF_OPEN);
  t.is(table.expire(HALF_OPEN_TIMEOUT_MS), MAX_HALF_OPEN - 1);
  table.removeSocket(1);
  t.is(table.size, 0);
  t.is(table.nextTimeout, Number.POSITIVE_INFINITY);
});

test("events nobody polls are dropped from the old end and counted", (t) => {
  const queue = new EventQueue();
  for (let at = 0; at < MAX_EVENTS + 5; at++) {
    queue.push("info", `${at}`, { type: "peer_joined", peerId: at });
  }
  t.is(queue.length, MAX_EVENTS);
  t.is(queue.dropped, 5);
  t.is(queue.poll()?.message, "5");
});

test("names that others chose cannot break a line of the log", (t) => {
  t.is(quoted("router-1.lan"), "router-1.lan");
  t.is(quoted("办公室"), '"办公室"');
  t.is(quoted("two words"), '"two words"');
  t.is(quoted("a\nb\u001b[31m"), '"a\\nb\\u001b[31m"');
  t.is(quoted("a\u202eb\u009bc"), '"a?b?c"');
  t.is(quoted(""), '""');
  t.true(quoted("x".repeat(500)).length < 80);
});

test("a refusal is told once a minute per address and reason, and the memory of it is bounded", (t) => {
  const log = new RefusalLog();
  const endpoint = (at: number): Uint8Array =>
    parseEndpoint({ address: `198.51.${at >> 8}.${at & 255}`, port: at })!;
  t.true(log.isNews(endpoint(1), "table_full", 0));
  t.false(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS - 1));
  t.true(log.isNews(endpoint(1), "bad_handshake", 1));
  t.true(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS));
  for (let at = 2; at < MAX_REMEMBERED_REFUSALS + 10; at++)
    log.isNews(endpoint(at), "table_full", REFUSAL_REPEAT_MS + at);
  t.true(log.isNews(endpoint(1), "table_full", REFUSAL_REPEAT_MS + 2000), "forgotten, as others came");
});

test("peers and listeners beyond the limits are refused with a sentence", (t) => {
  const network = new FakeNetwork(32);
  const a = new TestNode(network, { address: A, listen: false });
  const urls = Array.from({ length: MAX_PEER_URLS + 2 }, (_, at) => `udp://192.0.2.3:${1000 + at}`);
  t.is(a.node.setPeers(urls, network.now).length, 2);
  const listeners = Array.from({ length: MAX_LISTENERS + 1 }, (_, at) => `udp://0.0.0.0:${2000 + at}`);
  const failures = a.node.setListeners(listeners, network.now);
  t.is(failures.length, 1);
  t.regex(failures[0]!.message, /at most 16/);
});

test("a port in use is one sentence with the remedy, and the other listeners stay", (t) => {
  const network = new FakeNetwork(33);
  const a = new TestNode(network, { address: A });
  a.underlay.busyPorts.add(5000);
  const failures = a.node.setListeners(["udp://0.0.0.0:11010", "udp://0.0.0.0:5000"], network.now);
  t.is(failures.length, 1);
  t.is(
    failures[0]!.message,
    "Cannot listen on udp://0.0.0.0:5000: Address already in use. Free the port 5000 or choose another one.",
  );
  t.deepEqual(
    a.node.listeners.map(({ port }) => port),
    [11010],
  );
});

test("no socket to dial from is told, and tried again", (t) => {
  const network = new FakeNetwork(34);
  const a = new TestNode(network, { address: A });
  const b = new TestNode(network, { address: B });
  b.underlay.outOfSockets = true;
  b.node.setPeers([URL_A], network.now);
  network.run(3000);
  t.like(b.eventsOf("dial_failed"), [{ reason: "socket_failed" }]);
  b.underlay.outOfSockets = false;
  t.true(network.runUntil(() => isLinked(a, b), 1500));
});

// ── URLs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

for (const url of [
  "udp://203.0.113.5:11010",
  "udp://203.0.113.5",
  "udp://203.0.113.5:11010/",
  "udp://[2001:db8::1]:443",
  "udp://example.net",
  "UDP://my-host_1.lan:5",
]) {
  test(`${url} can be dialled`, (t) => {
    t.is(checkPeerUrl(url), undefined);
  });
}

for (const [url, sentence] of [
  ["tcp://203.0.113.5:11010", /speaks UDP links only. Write udp:\/\/ instead of tcp:\/\//],
  ["ws://h", /UDP links only/],
  ["wg://h:1", /UDP links only/],
  ["quic://h", /UDP links only/],
  ["https://example.net/list?x=1", /UDP links only/],
  ["txt://example.net", /UDP links only/],
  ["gopher://h", /is not a peer URL/],
  ["203.0.113.5:11010", /is not a peer URL/],
  ["udp://", /names no host/],
  ["udp://:5", /names no host/],
  ["udp://h:0", /port 0/],
  ["udp://h:70000", /above 65535/],
  ["udp://h:x", /is not a peer URL/],
  ["udp://1.2.3.999:5", /neither an address nor a host name/],
  ["udp://ho st:5", /neither an address nor a host name/],
  ["udp://-bad-:5", /neither an address nor a host name/],
  ["udp://[1.2.3.4]:5", /names no host/],
  ["udp://0.0.0.0:5", /no address to dial/],
  ["udp://user@h:5", /is not a peer URL/],
  ["udp://h:5?x", /is not a peer URL/],
  ["", /is not a peer URL/],
] as const) {
  test(`"${url}" is refused with a sentence`, (t) => {
    t.regex(checkPeerUrl(url) ?? "", sentence);
  });
}

test("listeners are UDP addresses of this machine", (t) => {
  for (const url of ["udp://0.0.0.0:11010", "udp://[::]:11010", "udp://127.0.0.1", "udp://0.0.0.0:0"]) {
    t.is(checkListenerUrl(url), undefined, url);
  }
  t.regex(checkListenerUrl("tcp://0.0.0.0:11010") ?? "", /UDP links only/);
  t.regex(checkListenerUrl("udp://example.net:11010") ?? "", /address of this machine/);
  t.regex(checkListenerUrl("11010") ?? "", /not a listener URL/);
});

test("every reason has a sentence that ends like one", (t) => {
  for (const sentence of Object.values(LINK_REASONS)) t.regex(sentence, /^[A-Z].*\.$/);
});
