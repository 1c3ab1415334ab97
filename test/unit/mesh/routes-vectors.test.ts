import test from "ava";
import { AddressTable } from "../../../router-daemon/src/mesh/routes/address-table.ts";
import {
  parsePrefix,
  prefixText,
  readAnnouncement,
} from "../../../router-daemon/src/mesh/routes/announcement.ts";
import { readRows, writeBitmap, writeList } from "../../../router-daemon/src/mesh/routes/connection-rows.ts";
import { findPaths } from "../../../router-daemon/src/mesh/routes/path-finder.ts";
import { RouteSync } from "../../../router-daemon/src/mesh/routes/route-sync.ts";
import { RpcEndpoint } from "../../../router-daemon/src/mesh/rpc/endpoint.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import {
  RoutePeerInfo,
  RpcPacket,
  RpcRequest,
  RpcResponse,
  SyncRouteInfoRequest,
  SyncRouteInfoResponse,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { seededRandom } from "../../random.ts";
import { bytesHex, hexBytes, type JsonObject, readVectors } from "../wire/messages-vectors.ts";
import { ip, localInfo, prefix } from "./routes-world.ts";

const vectors = readVectors("routes-rpc.json");

interface RouteCase {
  readonly name: string;
  readonly graph: Record<string, number[]>;
  readonly latency_ms: Record<string, number>;
  readonly avoid_relay: number[];
  readonly start: number;
  readonly tables: Record<
    "least_hop" | "least_cost",
    Record<string, { next_hop: number; path_len: number; path_latency: number }>
  >;
}

for (const { name, graph, latency_ms, avoid_relay, start, tables } of (
  vectors.route_computation as JsonObject
).cases as unknown as RouteCase[]) {
  test(`paths of the vectors: ${name}`, (t) => {
    const ids = Object.keys(graph).map(Number);
    const index = new Map(ids.map((id, at) => [id, at]));
    const latencyMs = (u: number, v: number): number =>
      latency_ms[`${ids[u]}-${ids[v]}`] ?? latency_ms[`${ids[v]}-${ids[u]}`] ?? 500;
    const found = findPaths(
      {
        links: ids.map((id) => graph[id]!.map((other) => index.get(other)!)),
        latencyMs,
        avoidsRelay: ids.map((id) => avoid_relay.includes(id)),
      },
      index.get(start)!,
    );
    for (const [table, paths] of [
      [tables.least_hop, found.leastHop],
      [tables.least_cost, found.leastCost],
    ] as const) {
      for (const [id, expected] of Object.entries(table)) {
        const path = paths[index.get(Number(id))!]!;
        t.is(ids[path.nextHop - 1], expected.next_hop);
        t.is(path.pathLength, expected.path_len);
        t.is(path.pathLatencyMs, expected.path_latency);
      }
    }
  });
}

test("address look-ups of the vectors", (t) => {
  const routing = vectors.ip_routing as unknown as {
    my_ipv4: string;
    my_proxy_cidrs: string[];
    peers: { peer_id: number; ipv4: string; path_len: number; proxy_cidrs: string[] }[];
    lookups: { dst: string; peer: number | number[] | "self" | null; why: string }[];
  };
  const self = 1;
  const [address, length] = routing.my_ipv4.split("/");
  const table = new AddressTable();
  table.rebuild(
    {
      peerId: self,
      ipv4: ip(address!),
      networkLength: Number(length),
      exports: routing.my_proxy_cidrs.map(prefix),
    },
    routing.peers.map(({ peer_id, ipv4, path_len, proxy_cidrs }) => ({
      peerId: peer_id,
      pathLength: path_len,
      ipv4: ip(ipv4),
      exports: proxy_cidrs.map(prefix),
    })),
  );
  t.true(routing.lookups.length >= 11);
  for (const { dst, peer, why } of routing.lookups) {
    // A quirk that may be left out: see AddressTable.isBroadcast.
    const isQuirk = why.includes("quirk of the reference");
    const isBroadcast = Array.isArray(peer) && !isQuirk;
    t.is(table.isBroadcast(ip(dst)), isBroadcast, `${dst}: ${why}`);
    if (isBroadcast) t.deepEqual(table.broadcastPeers, peer);
    t.is(
      table.ownerOf(ip(dst)),
      peer === "self" ? self : typeof peer === "number" ? peer : 0,
      `${dst}: ${why}`,
    );
  }
  t.deepEqual(table.routedPrefixes.map((routed) => `${prefixText(routed)} ${routed.peerId}`).sort(), [
    "172.16.0.0/12 4",
    "192.168.0.0/16 2",
    "192.168.50.0/24 3",
  ]);
});

test("the bits of the connection matrix", (t) => {
  const { peer_ids, edges, bitmap_hex } = (vectors.route_sync as JsonObject).bitmap as unknown as {
    peer_ids: number[];
    edges: Record<string, number[]>;
    bitmap_hex: string;
  };
  const rows = peer_ids.map((peerId) => ({ peerId, version: 3, peers: Uint32Array.from(edges[peerId]!) }));
  const written = writeBitmap(rows);
  t.is(bytesHex(written.bitmap!), bitmap_hex);
  const request = { connBitmap: written };
  t.deepEqual(readRows(decode(SyncRouteInfoRequest, encode(SyncRouteInfoRequest, request))), rows);
  const list = { connPeerList: writeList(rows) };
  t.deepEqual(readRows(decode(SyncRouteInfoRequest, encode(SyncRouteInfoRequest, list))), rows);
});

test("rows of a captured or constructed matrix: placeholders are left out, a short bitmap yields nothing", (t) => {
  const message = (
    (vectors.route_sync as JsonObject).messages as unknown as { name: string; hex: string }[]
  ).find(({ name }) => name === "SyncRouteInfoRequest non-initiator, conn_bitmap")!;
  const request = decode(SyncRouteInfoRequest, hexBytes(message.hex));
  const [a, b, c] = [287454020, 1432778632, 2577027277];
  t.deepEqual(
    readRows(request).map(({ peerId, version, peers }) => [peerId, version, ...peers]),
    [
      [a, 2, b],
      [b, 5, a, c],
    ],
  );
  const short = { ...request, connBitmap: { ...request.connBitmap!, bitmap: Uint8Array.of(0xaa) } };
  t.deepEqual(readRows(short), []);
});

test("announcements: full, minimal, and exports that are not canonical", (t) => {
  const messages = (vectors.route_sync as JsonObject).messages as unknown as { name: string; hex: string }[];
  const full = readAnnouncement(hexBytes(messages.find(({ name }) => name === "RoutePeerInfo full")!.hex))!;
  t.like(full.announced, {
    peerId: 287454020,
    hostname: "openwrt",
    ipv4: ip("10.144.144.1"),
    networkLength: 24,
    version: "2.6.4-8428a89d",
    instanceId: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    natTypes: { udp: 5, tcp: 0 },
    infoVersion: 1,
    routeId: 81985529216486895n,
  });
  t.like(full.announced.featureFlags, {
    kcpInput: true,
    quicInput: true,
    supportConnListSync: true,
    noRelayKcp: false,
  });
  t.deepEqual(full.announced.exports, [prefix("192.168.8.0/24")]);
  const minimal = readAnnouncement(
    hexBytes(messages.find(({ name }) => name === "RoutePeerInfo minimal leaf")!.hex),
  )!;
  t.like(minimal.announced, { ipv4: 0, networkLength: 24, routeId: 2n ** 64n - 1n });
  for (const bad of [
    "10.0.0.1/24",
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "a/8",
    "fd00::/8",
    "10.0.0.0/08 ",
    " 10.0.0.0/8",
    "010.0.0.0/8",
  ]) {
    t.is(parsePrefix(bad), undefined, bad);
  }
  t.deepEqual(parsePrefix("0.0.0.0/0"), { network: 0, prefixLength: 0 });
});

/** A node alone, to which requests are handed as bytes; answers are kept. */
function lonelyNode(
  localPeerId: number,
  networkName: string,
): { rpc: RpcEndpoint; routes: RouteSync; sent: RpcPacket[] } {
  const sent: RpcPacket[] = [];
  const rpc = new RpcEndpoint({
    localPeerId,
    networkName,
    random: seededRandom(3),
    send: (_to, _type, bytes) => sent.push(decode(RpcPacket, bytes)),
  });
  const routes = new RouteSync({
    localPeerId,
    localInfo: localInfo(localPeerId),
    rpc,
    random: seededRandom(4),
  });
  return { rpc, routes, sent };
}

interface Captured {
  readonly name: string;
  readonly network: string;
  readonly frames: {
    dir: string;
    hex: string;
    udp?: object;
    payload_decrypted?: string;
    header: { from_peer_id: number; to_peer_id: number; packet_type: number };
    "peer_rpc.SyncRouteInfoRequest"?: { peer_infos?: { items: { hostname: string }[] } };
  }[];
}

test("captured sync requests of both builds and of a shared node are learned from and answered", (t) => {
  let learned = 0;
  for (const { name, network, frames } of readVectors("captures.json").sessions as unknown as Captured[]) {
    const sync = frames.filter(
      (frame) => frame.dir === "in" && frame["peer_rpc.SyncRouteInfoRequest"] !== undefined,
    );
    if (sync.length === 0) continue;
    const { from_peer_id: stock, to_peer_id: self } = sync[0]!.header;
    const { rpc, routes, sent } = lonelyNode(self, network);
    routes.setDirectPeers([{ peerId: stock, shared: name === "shared_node" }], 0);
    for (const frame of sync) {
      const payload = frame.payload_decrypted ?? frame.hex.slice((frame.udp ? 24 : 20) * 2);
      rpc.handlePacket(8, stock, hexBytes(payload), 100);
    }
    const answers = sent.filter((packet) => !packet.isRequest);
    t.is(answers.length, sync.length, name);
    for (const answer of answers) {
      const response = decode(RpcResponse, answer.body);
      t.is(response.error, undefined);
      t.like(decode(SyncRouteInfoResponse, response.response), { isInitiator: true, error: undefined });
    }
    const info = sync[0]!["peer_rpc.SyncRouteInfoRequest"]!.peer_infos!.items[0]!;
    t.like(
      routes.peer(stock),
      { hostname: info.hostname, pathLength: 1, nextHop: stock, directPeers: [self] },
      name,
    );
    if (name === "shared_node") t.true(routes.peer(stock)!.featureFlags.isPublicServer);
    learned++;
  }
  t.is(learned, 4);
});

test("what others announce is passed on byte for byte, unknown fields included", (t) => {
  const { received_item_hex } = (vectors.route_sync as JsonObject).raw_preservation as unknown as {
    received_item_hex: string;
  };
  const [teller, listener, self, owner] = [20, 30, 10, 287454020];
  const { rpc, routes, sent } = lonelyNode(self, "testnet");
  routes.setDirectPeers(
    [teller, listener].map((peerId) => ({ peerId, shared: false })),
    0,
  );
  const info = (peerId: number): Uint8Array =>
    encode(RoutePeerInfo, { peerId, version: 1, hostname: "x", peerRouteId: 1n });
  const request = encode(SyncRouteInfoRequest, {
    myPeerId: teller,
    mySessionId: 1n,
    isInitiator: true,
    peerInfos: { items: [info(teller), hexBytes(received_item_hex)] },
    connPeerList: {
      peerConnInfos: [{ peerId: { peerId: teller, version: 2 }, connectedPeerIds: [self, owner] }],
    },
  });
  const name = "OspfRouteRpc";
  const packet = encode(RpcPacket, {
    fromPeer: teller,
    toPeer: self,
    descriptor: { domainName: "testnet", protoName: name, serviceName: name, methodIndex: 1 },
    body: encode(RpcRequest, { request, timeoutMs: 1000 }),
    isRequest: true,
    totalPieces: 1,
  });
  rpc.handlePacket(8, teller, packet, 50);
  t.is(routes.peer(owner)?.pathLength, 2);
  routes.handleTimeout(200);
  const told = sent
    .filter((each) => each.isRequest && each.toPeer === listener)
    .flatMap((each) => {
      const sync = decode(SyncRouteInfoRequest, decode(RpcRequest, each.body).request);
      return sync.peerInfos?.items.map(bytesHex) ?? [];
    });
  t.true(told.includes(received_item_hex));
  t.true(told.includes(bytesHex(info(teller))));
  // The teller gets nothing back that it has told.
  const back = sent
    .filter((each) => each.isRequest && each.toPeer === teller)
    .flatMap(
      (each) => decode(SyncRouteInfoRequest, decode(RpcRequest, each.body).request).peerInfos?.items ?? [],
    );
  t.deepEqual(
    back.map((raw) => decode(RoutePeerInfo, raw).peerId),
    [self],
  );
});
