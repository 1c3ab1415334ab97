import test from "ava";
import { SCRATCH_ROUTE } from "../../../router-daemon/src/mesh/control-io.ts";
import { MAX_ROUTES } from "../../../router-daemon/src/mesh/limits.ts";
import { RouteTable } from "../../../router-daemon/src/mesh/route-table.ts";
import { GET_IP_LIST } from "../../../router-daemon/src/mesh/rpc/service.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import {
  GetIpListResponse,
  RoutePeerInfo,
  RpcPacket,
  RpcRequest,
  RpcResponse,
  SyncRouteInfoRequest,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { networkKey128 } from "../../../router-daemon/src/wire/network-key.ts";
import { PacketFlag, PacketType, writePeerHeader } from "../../../router-daemon/src/wire/peer-header.ts";
import { RelayNode, SharedNode } from "./fake-relay.ts";
import { type Datagram, FakeNetwork, open } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const C = "192.0.2.3";
const urlOf = (address: string): string => `udp://${address}:11010`;
const text = (words: string): Uint8Array => Buffer.from(words);
const packetType = ({ bytes }: Datagram): number => (bytes[4] === 3 ? bytes[16]! : -1);

function pair(options: { encryption?: boolean } = {}) {
  const network = new FakeNetwork(1);
  const a = new TestNode(network, { address: A, ...options });
  const b = new TestNode(network, { address: B, peers: [urlOf(A)], ...options });
  network.run(1000);
  return { network, a, b };
}

/** a and c are linked to the relay only. */
function line(seed = 2) {
  const network = new FakeNetwork(seed);
  const relay = new RelayNode(network, { address: B });
  const a = new TestNode(network, { address: A, peers: [urlOf(B)] });
  const c = new TestNode(network, { address: C, peers: [urlOf(B)] });
  network.run(3000);
  return { network, relay, a, c };
}

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

// ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("data, KCP of either role, and nothing else, reaches the consumer", (t) => {
  const { network, a, b } = pair();
  for (const type of [PacketType.data, PacketType.kcpSource, PacketType.kcpDestination]) {
    b.send(a.peerId, type, text(`type ${type}`));
  }
  network.run(50);
  t.deepEqual(
    a.delivered.map(({ kind, payload }) => [kind, Buffer.from(payload).toString()]),
    [
      ["data", "type 1"],
      ["destination", "type 11"],
      ["source", "type 12"],
    ],
  );
});

test("packets of types that nobody here takes are dropped and counted by reason", (t) => {
  const { network, a, b } = pair();
  for (const type of [0, 3, 6, 7, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 255]) {
    b.send(a.peerId, type, text("0123456789"));
  }
  network.run(50);
  t.deepEqual(a.delivered, []);
  const { foreign_network, secure_mode, quic, internal_type, unknown_type } = a.node.drops;
  t.deepEqual(
    { foreign_network, secure_mode, quic, internal_type, unknown_type },
    {
      foreign_network: 1,
      secure_mode: 5,
      quic: 2,
      internal_type: 2,
      unknown_type: 6,
    },
  );
});

/** Sends a hand-made packet from b to a over b's link. */
function inject(b: TestNode, packet: Uint8Array): void {
  const { pool } = b.underlay;
  const slot = pool.alloc();
  pool.bytes.set(packet, slot * pool.slotBytes);
  b.underlay.sendOnLink([...b.underlay.links.keys()][0]!, slot * pool.slotBytes, packet.length);
  pool.free(slot);
}

function packet(from: number, to: number, type: number, flags: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + payload.length);
  writePeerHeader(out, 0, from, to, type, flags, payload.length);
  out.set(payload, 16);
  return out;
}

test("each drop rule of a received packet has its counter, and none lets anything through", (t) => {
  const { network, a, b } = pair();
  const [from, to] = [b.peerId, a.peerId];
  const cases: [reason: keyof typeof a.node.drops, bytes: Uint8Array][] = [
    ["short_packet", new Uint8Array(15)],
    ["not_for_us", packet(from, 12345, 1, 0, text("x"))],
    ["not_for_us", packet(from, 0, 1, 0, text("x"))],
    ["from_ourselves", packet(to, to, 1, 0, text("x"))],
    ["from_ourselves", packet(0, to, 1, 0, text("x"))],
    ["compressed", packet(from, to, 1, PacketFlag.compressed, text("x"))],
    ["clear_data", packet(from, to, 1, 0, text("x"))],
    ["clear_data", packet(from, to, 11, 0, text("x"))],
    ["clear_data", packet(from, to, 12, 0, text("x"))],
    ["short_ping", packet(from, to, 4, 0, text("123"))],
    ["unknown_pong", packet(to, from, 5, 0, text("1234"))],
    ["unknown_pong", packet(to, from, 5, 0, text("1"))],
    ["unexpected_handshake", packet(from, 0, 2, 0, text("nonsense"))],
  ];
  for (const [reason, bytes] of cases) {
    const before = a.node.drops[reason] as number;
    inject(b, bytes);
    network.run(20);
    t.is(a.node.drops[reason], before + 1, `${String(reason)}`);
  }
  t.deepEqual(a.delivered, []);
  t.deepEqual([...a.direct], [b.peerId], "the link survives all of it");
});

test("routes announced in clear text by nobody knows whom are not believed", (t) => {
  const { network, a, b } = pair();
  const [row, forged] = [{ peerId: b.peerId, version: 99 }, 4242];
  const announce = (from: number): Uint8Array => {
    const item = encode(RoutePeerInfo, {
      peerId: forged,
      version: 9,
      hostname: "forged",
      ipv4Addr: { addr: 0x0a900163 },
      networkLength: 24,
      peerRouteId: 5n,
      featureFlag: {},
    });
    const request = encode(SyncRouteInfoRequest, {
      myPeerId: from,
      mySessionId: 7n,
      isInitiator: true,
      peerInfos: { items: [item] },
      connPeerList: { peerConnInfos: [{ peerId: row, connectedPeerIds: [a.peerId, forged] }] },
    });
    return encode(RpcPacket, {
      fromPeer: from,
      toPeer: a.peerId,
      transactionId: 1n,
      descriptor: {
        domainName: "lab",
        protoName: "OspfRouteRpc",
        serviceName: "OspfRouteRpc",
        methodIndex: 1,
      },
      body: encode(RpcRequest, { request, timeoutMs: 3000 }),
      isRequest: true,
      totalPieces: 1,
    });
  };
  for (const from of [b.peerId, 777]) {
    inject(b, packet(from, a.peerId, PacketType.rpcRequest, 0, announce(from)));
    network.run(100);
  }
  t.is(a.node.drops.clear_rpc, 2);
  t.deepEqual(a.reachable, [b.peerId]);
  // The same words sealed are believed: the test forges well.
  b.send(a.peerId, PacketType.rpcRequest, announce(b.peerId));
  network.run(100);
  t.true(a.reachable.includes(forged));
});

test("a ping that is too short is not answered: a short pong would end a stock process", (t) => {
  const { network, b, a } = pair();
  network.log = [];
  for (let length = 0; length < 4; length++)
    inject(b, packet(b.peerId, a.peerId, 4, 0, new Uint8Array(length)));
  inject(b, packet(1, 2, 4, 0x20, text("longer than four bytes")));
  network.run(20);
  const pongs = network.log.filter((datagram) => datagram.from === A && packetType(datagram) === 5);
  t.is(pongs.length, 1, "the long one is, whatever its ids");
});

test("packets that a destination must not use are dropped: not for the TUN, for an exit node", (t) => {
  const { network, a, b } = pair({ encryption: false });
  inject(b, packet(b.peerId, a.peerId, 1, PacketFlag.notSendToTun, text("x")));
  inject(b, packet(b.peerId, a.peerId, 1, PacketFlag.exitNode, text("x")));
  inject(b, packet(b.peerId, a.peerId, 1, PacketFlag.noProxy | PacketFlag.latencyFirst | 0xa0, text("good")));
  network.run(20);
  t.is(a.node.drops.not_for_tun, 1);
  t.is(a.node.drops.exit_node, 1);
  t.deepEqual(
    a.delivered.map(({ payload }) => Buffer.from(payload).toString()),
    ["good"],
  );
});

test("without encryption data crosses in clear text, and what comes sealed is dropped and counted", (t) => {
  const { network, a, b } = pair({ encryption: false });
  network.log = [];
  b.send(a.peerId, 1, text("readable"));
  inject(b, packet(b.peerId, a.peerId, 1, PacketFlag.encrypted, new Uint8Array(60)));
  network.run(20);
  t.true(network.log.some(({ bytes }) => Buffer.from(bytes).includes("readable")));
  t.is(a.delivered.length, 1);
  t.is(a.node.drops.unreadable_encryption, 1);
});

test("with encryption every payload is sealed with the network's key, the header says so, and its length is the payload's", (t) => {
  const { network, a, b } = pair();
  network.log = [];
  b.send(a.peerId, PacketType.kcpSource, text("twelve bytes"));
  const { bytes } = network.log.find((datagram) => packetType(datagram) === PacketType.kcpSource)!;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  t.is(view.getUint32(8, true), b.peerId);
  t.is(view.getUint32(12, true), a.peerId);
  t.deepEqual([bytes[17], bytes[18], bytes[19]], [PacketFlag.encrypted, 1, 0]);
  t.is(view.getUint32(20, true), 12);
  t.is(bytes.length, 8 + 16 + 12 + 28);
  t.is(Buffer.from(open(networkKey128("lab-secret"), bytes.subarray(24))!).toString(), "twelve bytes");
});

test("a consumer that takes the slot keeps it", (t) => {
  const { network, a, b } = pair();
  const taken: number[] = [];
  a.data = (_from, slot) => {
    taken.push(slot);
    return true;
  };
  const free = a.underlay.pool.freeSlots;
  b.send(a.peerId, 1, text("keep me"));
  network.run(20);
  t.is(taken.length, 1);
  t.is(a.underlay.pool.freeSlots, free - 1);
  a.underlay.pool.free(taken[0]!);
});

test("a packet for a link that does not exist, or before its handshake, goes nowhere", (t) => {
  const { network, a, b } = pair();
  for (const link of [-1, 5, 255, 256, 100_000]) {
    t.false(a.node.handleReceived(0, 2, 40, link, 2, network.now, 1));
  }
  t.is(a.node.drops.unknown_link, 5);
  const client = new TestNode(network, { address: C, peers: [urlOf("192.0.2.99")] });
  network.hosts.set("192.0.2.99", {
    nextTimeout: Number.POSITIVE_INFINITY,
    handleTimeout: () => {},
    deliver: ({ from, fromPort, bytes }) => {
      if (bytes[4] !== 1) return;
      const sack = bytes.slice();
      sack[4] = 2;
      const data = Uint8Array.of(
        ...bytes.slice(0, 4),
        3,
        0,
        17,
        0,
        ...packet(9, client.peerId, 1, 0, text("x")),
      );
      for (const answer of [sack, data]) {
        network.send({ from: "192.0.2.99", fromPort: 11010, to: from, toPort: fromPort, bytes: answer });
      }
    },
  });
  network.run(500);
  t.is(client.node.drops.before_handshake, 1);
  t.deepEqual(client.delivered, []);
  t.deepEqual(b.delivered, []);
});

// ── counters ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("what one side sent is what the other side received, in packets and bytes of datagrams", (t) => {
  const { network, a, b } = pair();
  for (let at = 0; at < 20; at++) b.send(a.peerId, 1, new Uint8Array(60 * at + 1));
  network.run(100);
  const ours = a.node.peerSnapshots()[0]!.links[0]!;
  const theirs = b.node.peerSnapshots()[0]!.links[0]!;
  t.is(ours.rxPackets, theirs.txPackets);
  t.is(ours.rxBytes, theirs.txBytes);
  t.is(ours.txPackets, theirs.rxPackets);
  t.is(ours.txBytes, theirs.rxBytes);
  t.true(ours.rxBytes > 11_000);
});

test("slots are neither leaked nor kept by anything a link does", (t) => {
  const { network, a, b } = pair();
  const free = [a, b].map(({ underlay }) => underlay.pool.freeSlots);
  network.lossShare = 0.2;
  network.run(120_000);
  t.deepEqual(
    [a, b].map(({ underlay }) => underlay.pool.freeSlots),
    free,
  );
});

// ── services ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Calls a method of a over b's link and returns the answer. */
function call(network: FakeNetwork, a: TestNode, b: TestNode, service: string, index: number): RpcResponse {
  const request = encode(RpcPacket, {
    fromPeer: b.peerId,
    toPeer: a.peerId,
    transactionId: 424242n,
    descriptor: { domainName: "lab", protoName: service, serviceName: service, methodIndex: index },
    body: encode(RpcRequest, { timeoutMs: 5000 }),
    isRequest: true,
    totalPieces: 1,
  });
  network.log = [];
  b.send(a.peerId, PacketType.rpcRequest, request);
  network.run(50);
  for (const datagram of network.log) {
    if (datagram.from !== A || packetType(datagram) !== PacketType.rpcResponse) continue;
    const answer = decode(RpcPacket, open(networkKey128("lab-secret"), datagram.bytes.subarray(24))!);
    if (answer.transactionId === 424242n) return decode(RpcResponse, answer.body);
  }
  throw new Error("No answer.");
}

test("others learn where we can be dialled, with the ports that are really open and only URLs they can read", (t) => {
  const { network, a, b } = pair();
  a.node.setListeners(["udp://0.0.0.0:11010", "udp://[::]:0"], network.now);
  a.node.setLocalAddresses({
    interfaceIpv4s: [0xc0000201],
    interfaceIpv6s: [Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7)],
    publicIpv4: 0xcb007105,
    mappedListeners: ["udp://203.0.113.5:40001", "no url at all", "udp://ho st:1"],
  });
  const { response, error } = call(network, a, b, GET_IP_LIST.service, GET_IP_LIST.index);
  t.is(error, undefined);
  const list = decode(GetIpListResponse, response);
  t.like(list, { publicIpv4: { addr: 0xcb007105 }, interfaceIpv4s: [{ addr: 0xc0000201 }] });
  t.deepEqual(list.interfaceIpv6s, [{ part1: 0x20010db8, part2: 0, part3: 0, part4: 7 }]);
  const port = a.node.listeners.find(({ address }) => address === "::")?.port;
  t.deepEqual(
    list.listeners.map(({ url }) => url),
    ["udp://203.0.113.5:40001", "udp://0.0.0.0:11010", `udp://[::]:${port}`],
  );
  for (const { url } of list.listeners) t.notThrows(() => new URL(url));
});

test("services we lack are answered with invalid_service, so that nobody asks every second", (t) => {
  const { network, a, b } = pair();
  for (const service of ["UdpHolePunchRpc", "TcpHolePunchRpc", "NoSuchRpc"]) {
    t.truthy(call(network, a, b, service, 1).error?.invalidService, service);
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
