/** What becomes of packets, and what a node answers and counts. */
import test from "ava";
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
import { PacketFlag, PacketType } from "../../../router-daemon/src/wire/peer-header.ts";
import { type FakeNetwork, open } from "./fake-underlay.ts";
import { A, C, inject, packet, packetType, pair, text, urlOf } from "./node-kit.ts";
import { TestNode } from "./test-node.ts";

// ── packets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("data, KCP and QUIC of either role, and nothing else, reaches the consumer", (t) => {
  const { network, a, b } = pair();
  const { data, kcpSource, kcpDestination, quicSource, quicDestination } = PacketType;
  for (const type of [data, kcpSource, kcpDestination, quicSource, quicDestination]) {
    b.send(a.peerId, type, text(`type ${type}`));
  }
  network.run(50);
  t.deepEqual(
    a.delivered.map(({ kind, payload }) => [kind, Buffer.from(payload).toString()]),
    [
      ["data", "type 1"],
      ["destination", "type 11"],
      ["source", "type 12"],
      ["quic-destination", "type 16"],
      ["quic-source", "type 17"],
    ],
  );
});

test("packets of types that nobody here takes are dropped and counted by reason", (t) => {
  const { network, a, b } = pair();
  for (const type of [0, 3, 6, 7, 10, 13, 14, 15, 18, 19, 20, 21, 22, 255]) {
    b.send(a.peerId, type, text("0123456789"));
  }
  network.run(50);
  t.deepEqual(a.delivered, []);
  const { foreign_network, secure_mode, internal_type, unknown_type } = a.node.drops;
  t.deepEqual(
    { foreign_network, secure_mode, internal_type, unknown_type },
    {
      foreign_network: 1,
      secure_mode: 5,
      internal_type: 2,
      unknown_type: 6,
    },
  );
});

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
