/** Recorded sessions of stock nodes against our node. */
import { readFileSync } from "node:fs";
import test from "ava";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { RpcPacket, RpcResponse } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { FakeNetwork, fromHex, open, toHex } from "./fake-underlay.ts";
import { type Frame, type Session, StockReplay } from "./stock-replay.ts";
import { TestNode } from "./test-node.ts";

const captures = JSON.parse(readFileSync(new URL("../../vectors/captures.json", import.meta.url), "utf8"));
const session = (name: string): Session => captures.sessions.find((one: Session) => one.name === name);

const STOCK = "192.0.2.50";

function against(name: string, options: { networkName?: string; peerId?: number } = {}) {
  const networkName = options.networkName ?? "capnet";
  const { secret, key128 } = captures.networks[networkName];
  const network = new FakeNetwork(11);
  const stock = new StockReplay(network, STOCK, session(name), key128);
  const ours = new TestNode(network, {
    address: "192.0.2.1",
    networkName,
    networkSecret: secret,
    peers: [`udp://${STOCK}:11010`],
    ...(options.peerId === undefined ? {} : { peerId: options.peerId }),
  });
  network.run(200);
  return { network, stock, ours };
}

const isRequest = ({ header }: Frame): boolean => header?.packet_type === 8;
const isData = ({ header }: Frame): boolean => header?.packet_type === 1;
const isPing = ({ header }: Frame): boolean => header?.packet_type === 4;

for (const [how, peerId] of [
  ["with the recorded ids, byte for byte", 3128894477],
  ["with an id of its own", 3333333333],
] as const) {
  test(`the recorded UDP session of a stock server, ${how}`, (t) => {
    const { network, stock, ours } = against("udp_client", { peerId });
    t.like(ours.eventsOf("link_up")[0], { peerId: 4110928807, shared: false });

    t.is(stock.play(isRequest), 4);
    network.run(100);
    t.deepEqual(ours.reachable, [4110928807]);
    const info = ours.node.peer(4110928807);
    t.like(info, {
      hostname: "stock",
      ipv4: 177209601,
      networkLength: 24,
      version: "2.6.4-8428a89d~",
      exports: [{ network: (10 << 24) | (77 << 16), prefixLength: 24 }],
    });
    t.like(info?.featureFlags, {
      kcpInput: true,
      quicInput: true,
      supportConnListSync: true,
      noRelayKcp: false,
    });

    // All four requests were answered: two syncs, map and report.
    const answers = stock.received
      .filter(({ type }) => type === 9)
      .map(({ payload }) => decode(RpcPacket, payload));
    t.deepEqual(
      answers.map(({ descriptor }) => `${descriptor?.serviceName} ${descriptor?.methodIndex}`),
      ["OspfRouteRpc 1", "PeerCenterRpc 2", "PeerCenterRpc 1", "OspfRouteRpc 1"],
    );
    for (const { body } of answers) t.is(decode(RpcResponse, body).error, undefined);

    // What we sent before was read and answered with what the stock node had answered.
    const sync = stock.received
      .filter(({ type }) => type === 8)
      .map(({ payload }) => decode(RpcPacket, payload));
    t.true(sync.some(({ descriptor }) => descriptor?.serviceName === "OspfRouteRpc"));
    t.true(ours.node.counters().rpc_no_route === 0);
  });
}

test("its pings come back as it recorded our pongs: byte 8 changed, garbage in the reserved byte kept", (t) => {
  const { network, stock } = against("udp_client", { peerId: 3128894477 });
  stock.received.length = 0;
  const pings = stock.play(isPing);
  t.true(pings > 0);
  network.run(50);
  const pongs = stock.received.filter(({ type }) => type === 5);
  t.is(pongs.length, pings);
  const recorded = session("udp_client").frames.filter(
    ({ dir, header }) => dir === "out" && header?.packet_type === 5,
  );
  t.is(toHex(pongs[0]!.packet), toHex(StockReplay.packet(recorded[0]!)));

  const tcp = session("tcp_server").frames;
  const ping = StockReplay.packet(tcp.find(isPing)!);
  const pong = StockReplay.packet(tcp.find(({ header }) => header?.packet_type === 5)!);
  t.is(ping[11], 102);
  const expected = ping.slice();
  expected[8] = 5;
  t.is(toHex(pong), toHex(expected));
});

test("its ICMP packet arrives as recorded; the compressed one is dropped and told once", (t) => {
  const { network, stock, ours } = against("udp_client", { peerId: 3128894477 });
  const data = session("udp_client").frames.filter((frame) => frame.dir === "in" && isData(frame));
  const compressed = data.filter(({ header }) => (header!.flags & 0x10) !== 0);
  t.true(compressed.length > 0 && data.length > compressed.length);
  stock.play(isData);
  stock.play(isData);
  network.run(50);
  const plain = data.filter(({ header }) => (header!.flags & 0x10) === 0).map((f) => f.payload_decrypted);
  t.deepEqual(
    ours.delivered.map(({ payload }) => toHex(payload)),
    [...plain, ...plain],
  );
  t.true(ours.delivered.every(({ kind, from }) => kind === "data" && from === 4110928807));
  t.is(ours.node.drops.compressed, compressed.length * 2);
  t.is(ours.eventsOf("compressed_packets").length, 1);
});

test("the recorded session of a shared node: RPC to it is clear text, and it is listed as such", (t) => {
  const { network, stock, ours } = against("shared_node", { peerId: 2417897264 });
  t.like(ours.eventsOf("link_up")[0], { peerId: 4135254414, shared: true });
  stock.play(isRequest);
  network.run(2000);
  const peer = ours.node.peerSnapshots()[0];
  t.like(peer, { peerId: 4135254414, shared: true, cost: "p2p" });
  t.like(peer?.info, { hostname: "PublicServer_shared", ipv4: 0 });
  t.true(peer?.info?.featureFlags.isPublicServer);
  const rpc = stock.received.filter(({ type }) => type === 8 || type === 9);
  t.true(rpc.length >= 2);
  for (const { packet } of rpc) t.is(packet[9], 0, "flags");
});

test("the newer build's handshake with a feature string makes a link, and its requests are understood", (t) => {
  const recorded = session("udp_client_newer");
  const peerId = recorded.frames.find(({ header }) => header?.packet_type === 8)!.header!.to_peer_id;
  const { network, stock, ours } = against("udp_client_newer", { peerId });
  t.is(ours.eventsOf("link_up").length, 1);
  stock.play(isRequest);
  network.run(100);
  t.deepEqual(ours.reachable, [ours.direct[0]]);
});

test("pings with the liveness flag and a number in the reserved byte are answered as they came", (t) => {
  const frames = session("liveness_feature").frames;
  const ping = StockReplay.packet(frames.find((frame) => frame.dir === "in" && isPing(frame))!);
  t.deepEqual([ping[9], ping[11]], [0x20, 1]);
  const { network, stock } = against("udp_client_newer");
  // Any recorded peer will do: the link does not look at a ping's ids.
  stock.received.length = 0;
  const datagram = Uint8Array.of(0, 0, 0, 0, 3, 0, ping.length, 0, ...ping);
  network.log = [];
  network.run(0);
  const ours = network.hosts.get("192.0.2.1") as TestNode;
  const link = [...ours.underlay.links.values()][0]!;
  new DataView(datagram.buffer).setUint32(0, link.connId, true);
  const port = ours.underlay.sockets.get(link.socket)!.port;
  network.send({ from: STOCK, fromPort: 11010, to: "192.0.2.1", toPort: port, bytes: datagram });
  network.run(20);
  const pong = ping.slice();
  pong[8] = 5;
  t.deepEqual(
    stock.received.filter(({ type }) => type === 5).map(({ packet }) => toHex(packet)),
    [toHex(pong)],
  );
});

test("the recorded answer to a wrong secret is understood as that", (t) => {
  const { ours } = against("wrong_secret", { networkName: "capnet", peerId: 2737108953 });
  t.like(ours.eventsOf("dial_failed")[0], { reason: "wrong_network_secret" });
});

test("the packet relayed by a stock node (forward_counter 2) is delivered", (t) => {
  const [frame] = session("relayed").frames;
  const recorded = StockReplay.packet(frame!);
  t.is(recorded[10], 2);
  const { secret } = captures.networks.vnet;
  const network = new FakeNetwork(12);
  const peerId = frame!.header!.to_peer_id;
  const ours = new TestNode(network, {
    address: "192.0.2.1",
    networkName: "vnet",
    networkSecret: secret,
    peerId,
  });
  const relay = new TestNode(network, {
    address: "192.0.2.2",
    networkName: "vnet",
    networkSecret: secret,
    peers: ["udp://192.0.2.1:11010"],
  });
  network.run(1000);
  const { pool } = relay.underlay;
  const slot = pool.alloc();
  pool.bytes.set(recorded, slot * pool.slotBytes);
  relay.underlay.sendOnLink([...relay.underlay.links.keys()][0]!, slot * pool.slotBytes, recorded.length);
  network.run(20);
  t.deepEqual(
    ours.delivered.map(({ from, payload }) => [from, toHex(payload)]),
    [[frame!.header!.from_peer_id, frame!.payload_decrypted]],
  );
});

test("every data packet that was recorded with AES-128-GCM opens to what was recorded", (t) => {
  let seen = 0;
  for (const { name, frames } of captures.sessions as Session[]) {
    if (name.startsWith("cipher_")) continue;
    for (const frame of frames) {
      if (frame.payload_decrypted === undefined || frame.header === undefined) continue;
      const key = name === "relayed" ? captures.networks.vnet.key128 : captures.networks.capnet.key128;
      // The fake core is held to the recorded bytes too: what it opens is what stock nodes seal.
      const opened = open(fromHex(key), StockReplay.packet(frame).subarray(16));
      t.is(opened && toHex(opened), frame.payload_decrypted, frame.what);
      seen++;
    }
  }
  t.true(seen > 20);
});
