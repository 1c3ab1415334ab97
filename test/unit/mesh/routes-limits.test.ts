import test from "ava";
import * as fc from "fast-check";
import { readAnnouncement } from "../../../router-daemon/src/mesh/routes/announcement.ts";
import { ForeignTable } from "../../../router-daemon/src/mesh/routes/foreign-table.ts";
import {
  LEAST_REBUILD_PAUSE_MS,
  MAX_ANNOUNCEMENT_BYTES,
  MAX_ANNOUNCEMENTS_BYTES,
  MAX_EXPORTS,
  MAX_EXPORTS_PER_PEER,
  MAX_FOREIGN_ENTRIES,
  MAX_FOREIGN_ENTRY_BYTES,
  MAX_HOSTNAME_LENGTH,
  MAX_PEERS,
  MAX_ROUTE_EVENTS,
  MAX_ROW_ENTRIES,
  MAX_ROWS_ENTRIES,
  MAX_VERSION_LENGTH,
  MOST_REBUILD_PAUSE_MS,
  rebuildPauseMs,
} from "../../../router-daemon/src/mesh/routes/limits.ts";
import { syncRequest, syncResponse } from "../../../router-daemon/src/mesh/routes/outgoing.ts";
import { RouteSync } from "../../../router-daemon/src/mesh/routes/route-sync.ts";
import { RpcEndpoint } from "../../../router-daemon/src/mesh/rpc/endpoint.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import {
  RoutePeerInfo,
  RpcPacket,
  RpcRequest,
  SyncRouteInfoRequest,
  SyncRouteInfoResponse,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import type { Init } from "../../../router-daemon/src/wire/messages/schema.ts";
import { seededRandom } from "../../random.ts";
import { bytesHex, hexBytes, type JsonObject, readVectors } from "../wire/messages-vectors.ts";
import { encodeSync, ip, localInfo } from "./routes-world.ts";

const SELF = 10;
const HOSTILE = 20;
const FRIEND = 30;

/** A node with two neighbours, of which one is hostile; `requests` are what it tells the friend. */
class Victim {
  readonly rpc: RpcEndpoint;
  readonly routes: RouteSync;
  readonly requests: SyncRouteInfoRequest[] = [];
  now = 0;

  constructor() {
    this.rpc = new RpcEndpoint({
      localPeerId: SELF,
      networkName: "testnet",
      random: seededRandom(1),
      send: (to, _type, bytes) => this.#answer(to, decode(RpcPacket, bytes)),
    });
    this.routes = new RouteSync({
      localPeerId: SELF,
      localInfo: localInfo(SELF),
      rpc: this.rpc,
      random: seededRandom(2),
    });
    this.routes.setDirectPeers(
      [HOSTILE, FRIEND].map((peerId) => ({ peerId, shared: false })),
      0,
    );
    this.sync(FRIEND, { peerInfos: { items: [info(FRIEND)] }, connPeerList: rows([[FRIEND, 1, [SELF]]]) });
    this.sync(HOSTILE, { peerInfos: { items: [info(HOSTILE)] }, connPeerList: rows([[HOSTILE, 1, [SELF]]]) });
    this.run(1000);
  }

  sync(from: number, request: Init<SyncRouteInfoRequest>): void {
    const init = { myPeerId: from, mySessionId: 9n, isInitiator: true, ...request };
    for (const piece of this.#pieces(from, init)) this.rpc.handlePacket(8, from, piece, this.now);
  }

  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = Math.min(this.rpc.nextTimeout, this.routes.nextTimeout);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.rpc.handleTimeout(this.now);
      this.routes.handleTimeout(this.now);
    }
    this.now = end;
  }

  *#pieces(from: number, init: Init<SyncRouteInfoRequest>): Iterable<Uint8Array> {
    const whole = decode(RpcPacket, encodeSync(from, SELF, init));
    const size = 60_000;
    const totalPieces = Math.max(1, Math.ceil(whole.body.length / size));
    for (let pieceIdx = 0; pieceIdx < totalPieces; pieceIdx++) {
      const body = whole.body.subarray(pieceIdx * size, (pieceIdx + 1) * size);
      yield encode(RpcPacket, { ...whole, transactionId: BigInt(this.now), body, totalPieces, pieceIdx });
    }
  }

  /** Neighbours answer every request; what the friend gets in one piece is kept. */
  #answer(peerId: number, packet: RpcPacket): void {
    if (!packet.isRequest || packet.pieceIdx !== packet.totalPieces - 1) return;
    if (peerId === FRIEND && packet.totalPieces === 1) {
      this.requests.push(decode(SyncRouteInfoRequest, decode(RpcRequest, packet.body).request));
    }
    const response = encode(SyncRouteInfoResponse, { isInitiator: true, sessionId: 9n });
    const { fromPeer, transactionId, descriptor } = packet;
    const answer = { fromPeer: peerId, toPeer: fromPeer, transactionId, descriptor, totalPieces: 1 };
    const body = Uint8Array.of(0x0a, response.length, ...response);
    this.rpc.handlePacket(9, peerId, encode(RpcPacket, { ...answer, body }), this.now);
  }
}

function info(peerId: number, change: Init<RoutePeerInfo> = {}): Uint8Array {
  return encode(RoutePeerInfo, { peerId, version: 1, hostname: "h", networkLength: 24, ...change });
}

function rows(list: [number, number, number[]][]): Init<SyncRouteInfoRequest>["connPeerList"] {
  return {
    peerConnInfos: list.map(([peerId, version, connectedPeerIds]) => ({
      peerId: { peerId, version },
      connectedPeerIds,
    })),
  };
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

test("made-up nodes fill the table to its limit and no further; real neighbours stay", (t) => {
  const victim = new Victim();
  for (let batch = 0; batch < 8; batch++) {
    const ids = range(1000 + batch * 500, 500);
    victim.sync(HOSTILE, { peerInfos: { items: ids.map((id) => info(id)) } });
    victim.run(3000);
    const more = range(100_000 + batch * 500, 500);
    victim.sync(HOSTILE, { connPeerList: rows(more.map((id) => [id, 1, [id + 1]])) });
    victim.run(3000);
  }
  t.is(victim.routes.usage.peers, MAX_PEERS);
  t.is(victim.routes.peer(FRIEND)?.pathLength, 1);
  // Linked ones push out the unlinked, and are not pushed out by others.
  const linked = range(500_000, 900);
  victim.sync(HOSTILE, {
    peerInfos: { items: linked.map((id) => info(id)) },
    connPeerList: rows([[HOSTILE, 2, [SELF, ...linked]]]),
  });
  victim.run(5000);
  t.is(victim.routes.peer(linked[0]!)?.pathLength, 2);
  victim.sync(HOSTILE, { peerInfos: { items: range(900_000, 3000).map((id) => info(id)) } });
  victim.run(5000);
  t.is(victim.routes.peers().filter(({ nextHop }) => nextHop !== 0).length, 902);
  t.is(victim.routes.usage.peers, MAX_PEERS);
});

test("announcements are limited one by one and all together", (t) => {
  const padded = (peerId: number, bytes: number): Uint8Array =>
    info(peerId, { noiseStaticPubkey: new Uint8Array(bytes - info(peerId).length - 4) });
  t.is(padded(1000, MAX_ANNOUNCEMENT_BYTES).length, MAX_ANNOUNCEMENT_BYTES);
  t.truthy(readAnnouncement(padded(1000, MAX_ANNOUNCEMENT_BYTES)));
  t.is(readAnnouncement(padded(1000, MAX_ANNOUNCEMENT_BYTES + 1)), undefined);
  const victim = new Victim();
  for (const id of range(1000, 300)) {
    victim.now++;
    victim.sync(HOSTILE, { peerInfos: { items: [padded(id, MAX_ANNOUNCEMENT_BYTES)] } });
    if (victim.routes.usage.announcementBytes > MAX_ANNOUNCEMENTS_BYTES) return t.fail(`at ${id}`);
  }
  t.true(victim.routes.usage.announcementBytes > MAX_ANNOUNCEMENTS_BYTES / 2);
  t.truthy(victim.routes.peer(FRIEND));
});

test("rows are limited one by one and all together", (t) => {
  const victim = new Victim();
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 5, range(1, MAX_ROW_ENTRIES + 1)]]) });
  t.deepEqual(victim.routes.peer(HOSTILE)?.directPeers, [SELF]);
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 5, range(1, MAX_ROW_ENTRIES)]]) });
  t.is(victim.routes.peer(HOSTILE)?.directPeers.length, MAX_ROW_ENTRIES - 1);
  for (let at = 0; at < 300; at++) {
    victim.now++;
    victim.sync(HOSTILE, { connPeerList: rows([[1_000_000 + at, 1, range(at, MAX_ROW_ENTRIES)]]) });
    if (victim.routes.usage.rowEntries > MAX_ROWS_ENTRIES) return t.fail(`at ${at}`);
  }
  t.true(victim.routes.usage.rowEntries > MAX_ROWS_ENTRIES / 2);
});

test("exports that count are limited, per node and together", (t) => {
  const cidrs = (first: number, count: number): string[] =>
    range(first, count).map((i) => `11.${i >> 8}.${i & 255}.0/24`);
  const one = readAnnouncement(info(1000, { proxyCidrs: cidrs(0, MAX_EXPORTS_PER_PEER + 50) }))!;
  t.is(one.announced.exports.length, MAX_EXPORTS_PER_PEER);
  const victim = new Victim();
  const ids = range(1000, 60);
  for (const [at, id] of ids.entries()) {
    victim.now++;
    victim.sync(HOSTILE, { peerInfos: { items: [info(id, { proxyCidrs: cidrs(at * 200, 200) })] } });
  }
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 9, [SELF, ...ids]]]) });
  victim.run(1000);
  t.is(victim.routes.routedPrefixes.length, MAX_EXPORTS);
});

test("texts of others are short and cannot steer a terminal", (t) => {
  const { announced } = readAnnouncement(
    info(1000, { hostname: `\u001b[2J${"x".repeat(4000)}`, easytierVersion: "9\n".repeat(900) }),
  )!;
  t.is(announced.hostname.length, MAX_HOSTNAME_LENGTH);
  t.is(announced.version.length, MAX_VERSION_LENGTH);
  t.true(announced.hostname.startsWith("\ufffd[2J"));
  t.false(announced.version.includes("\n"));
});

test("foreign entries: limited, complete or not at all, the newest version wins", (t) => {
  const table = new ForeignTable();
  const value = (version: number, bytes = 0): object => ({
    version,
    networkSecretDigest: new Uint8Array(bytes),
    foreignPeerIds: [],
    myPeerIdForThisNetwork: 0,
    lastUpdate: undefined,
  });
  const entry = (peerId: number, version: number, bytes = 0): Parameters<ForeignTable["apply"]>[0] =>
    ({ key: { peerId, networkName: "other" }, value: value(version, bytes) }) as Parameters<
      ForeignTable["apply"]
    >[0];
  t.is(table.apply({ key: { peerId: 1, networkName: "x" } }, 0), undefined);
  t.is(table.apply({ value: entry(1, 1).value }, 0), undefined);
  t.is(table.apply(entry(1, 1, MAX_FOREIGN_ENTRY_BYTES), 0), undefined);
  t.like(table.apply(entry(1, 5), 0), { changed: true });
  t.like(table.apply(entry(1, 5), 0), { changed: false });
  t.like(table.apply(entry(1, 4), 0), { changed: false });
  t.like(table.apply(entry(1, 6), 0), { changed: true });
  for (const peerId of range(1, 2 * MAX_FOREIGN_ENTRIES)) table.apply(entry(peerId, 9), 0);
  t.is(table.size, MAX_FOREIGN_ENTRIES);
  // Those of nodes nobody knows go after a while.
  t.is(table.sweep(100_000, (peerId) => peerId < 10).length, MAX_FOREIGN_ENTRIES - 9);
});

test("foreign entries are stored and passed on, though never to the node that made them", (t) => {
  const victim = new Victim();
  const vector = (
    (readVectors("routes-rpc.json").route_sync as JsonObject).messages as unknown as {
      name: string;
      hex: string;
    }[]
  ).find(({ name }) => name === "SyncRouteInfoRequest foreign networks only")!;
  const { foreignNetworkInfos } = decode(SyncRouteInfoRequest, hexBytes(vector.hex));
  const own = { key: { peerId: FRIEND, networkName: "n" }, value: { version: 3 } };
  victim.sync(HOSTILE, {
    foreignNetworkInfos: { infos: [...foreignNetworkInfos!.infos, own, { key: { peerId: 5 } }] },
  });
  victim.run(1000);
  const told = victim.requests.flatMap((request) => request.foreignNetworkInfos?.infos ?? []);
  t.deepEqual(told, [...foreignNetworkInfos!.infos]);
  t.is(victim.routes.counters.foreignRefused, 1);
});

test("a node told by a neighbour while it could not be reached is told back to it after a minute", (t) => {
  const victim = new Victim();
  const told = (): number[] =>
    victim.requests
      .flatMap(({ peerInfos }) => peerInfos?.items ?? [])
      .map((raw) => decode(RoutePeerInfo, raw).peerId);
  victim.run(44_000);
  victim.sync(FRIEND, { peerInfos: { items: [info(100), info(101)] } });
  // One becomes reachable at once, the other after the friend may have forgotten it.
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 5, [SELF, 100]]]) });
  victim.run(76_000);
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 6, [SELF, 100, 101]]]) });
  victim.run(5000);
  t.is(victim.routes.peer(101)?.pathLength, 2);
  t.false(told().includes(100));
  t.true(told().includes(101));
});

test("what ends the process of stock nodes is not passed on", (t) => {
  const victim = new Victim();
  const v6 = (networkLength: number): object => ({ address: { part1: 1 }, networkLength });
  const harmful = [
    info(100, { networkLength: 33 }),
    info(101, { networkLength: 99 }),
    info(102, { ipv6Addr: v6(129) }),
    info(103, { ipv6PublicAddrPrefix: v6(129) }),
    info(104, { ipv6PublicAddrLease: v6(200) }),
    Uint8Array.of(...info(105), 0x32, 1, 0xff),
    Uint8Array.of(...info(106), 0x0b, 0x0c),
  ];
  const fine = [info(107, { networkLength: 32, ipv6Addr: v6(128) }), info(FRIEND, { version: 40 })];
  const ids = range(100, 8);
  victim.sync(HOSTILE, {
    peerInfos: { items: [...harmful, ...fine] },
    connPeerList: rows([
      [HOSTILE, 2, [SELF, ...ids]],
      ...ids.map((id): [number, number, number[]] => [id, 1, [HOSTILE]]),
    ]),
  });
  victim.run(2000);
  const told = victim.requests
    .flatMap(({ peerInfos }) => peerInfos?.items ?? [])
    .map((raw) => decode(RoutePeerInfo, raw));
  t.deepEqual(
    told.map(({ peerId }) => peerId).sort((a, b) => a - b),
    [SELF, HOSTILE, 107],
  );
  // We know them all the same, with a length that can be used.
  t.is(victim.routes.peer(101)?.networkLength, 24);
  t.is(victim.routes.peer(101)?.pathLength, 2);
  t.is(victim.routes.peer(105), undefined);
});

test("requests are made in one place that leaves out the receiver and writes a whole matrix", (t) => {
  const announcement = (peerId: number, change: Init<RoutePeerInfo> = {}) => ({
    peerId,
    announcement: readAnnouncement(info(peerId, change))!,
  });
  const difference = {
    infos: [announcement(1), announcement(2), announcement(3, { networkLength: 40 })],
    rows: [
      { peerId: 2, version: 1, peers: Uint32Array.of(1, 9) },
      { peerId: 1, version: 1, peers: Uint32Array.of(2) },
    ],
    foreign: [],
  };
  const from = { peerId: 1, sessionId: 1n };
  const list = syncRequest(from, 2, difference, "list");
  t.deepEqual(
    list.peerInfos?.items?.map((raw) => decode(RoutePeerInfo, raw).peerId),
    [1],
  );
  t.deepEqual(
    list.connPeerList?.peerConnInfos?.map((row) => row.peerId?.peerId),
    [1],
  );
  t.is(list.connBitmap, undefined);
  const matrix = syncRequest(from, 2, difference, "bitmap").connBitmap!;
  t.deepEqual(matrix.peerIds, [
    { peerId: 1, version: 1 },
    { peerId: 2, version: 1 },
    { peerId: 9, version: 0 },
  ]);
  t.is(bytesHex(matrix.bitmap!), "2a00");
  const nothing = syncRequest(from, 2, { infos: [announcement(2)], rows: [], foreign: [] }, "bitmap");
  t.is(bytesHex(encode(SyncRouteInfoRequest, nothing)), "080110011801");
  // No answer can say DuplicatePeerId (18 00).
  t.is(bytesHex(encode(SyncRouteInfoResponse, syncResponse(true, 1n))), "08011001");
  t.is(bytesHex(encode(SyncRouteInfoResponse, syncResponse(true, 1n, true))), "080110011801");
});

test("events nobody fetches are limited, and counted when they go", (t) => {
  const victim = new Victim();
  const ids = range(1000, 500);
  victim.sync(HOSTILE, { peerInfos: { items: ids.map((id) => info(id)) } });
  victim.sync(HOSTILE, { connPeerList: rows([[HOSTILE, 2, [SELF, ...ids]]]) });
  victim.run(5000);
  let events = 0;
  while (victim.routes.pollEvent() !== undefined) events++;
  t.is(events, MAX_ROUTE_EVENTS);
  t.is(victim.routes.counters.eventsDropped, 502 - MAX_ROUTE_EVENTS);
});

test("a flood of changes does not make the tables be computed for each", (t) => {
  const victim = new Victim();
  const before = victim.routes.revision;
  for (let version = 2; version < 1000; version++) {
    victim.now += 1;
    victim.sync(HOSTILE, { peerInfos: { items: [info(HOSTILE, { version })] } });
    victim.run(0);
  }
  victim.run(1000);
  t.is(victim.routes.peer(HOSTILE)?.infoVersion, 999);
  t.true(victim.routes.revision - before <= 1000 / LEAST_REBUILD_PAUSE_MS + 2);
  t.is(rebuildPauseMs(0), LEAST_REBUILD_PAUSE_MS);
  t.is(rebuildPauseMs(MAX_ROWS_ENTRIES), MOST_REBUILD_PAUSE_MS);
});

test("requests that contradict their packet, or do not decode, are refused", (t) => {
  const victim = new Victim();
  const served = victim.routes.counters.requestsServed;
  victim.sync(HOSTILE, { myPeerId: FRIEND });
  t.is(victim.routes.counters.requestsServed, served);
  const refused = victim.routes.counters.infosRefused;
  victim.sync(HOSTILE, { peerInfos: { items: [Uint8Array.of(0xff), info(0), info(1000, { version: 0 })] } });
  t.is(victim.routes.counters.infosRefused, refused + 3);
  t.is(victim.routes.peer(1000), undefined);
});

test("any sync request is survived, and the neighbours stay known", (t) => {
  const victim = new Victim();
  const seeds = (
    (readVectors("routes-rpc.json").route_sync as JsonObject).messages as unknown as {
      message: string;
      hex: string;
    }[]
  )
    .filter(({ message }) => message === "peer_rpc.SyncRouteInfoRequest")
    .map(({ hex }) => hexBytes(hex));
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }))
    .map(([bytes, changes]) => {
      const changed = bytes.slice();
      for (const [at, value] of changes) changed[at % changed.length] = value;
      return changed;
    });
  const name = "OspfRouteRpc";
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated), (request) => {
      victim.now++;
      const packet = encode(RpcPacket, {
        fromPeer: 287454020,
        toPeer: SELF,
        transactionId: BigInt(victim.now),
        descriptor: { domainName: "testnet", protoName: name, serviceName: name, methodIndex: 1 },
        body: encode(RpcRequest, { request, timeoutMs: 100 }),
        isRequest: true,
        totalPieces: 1,
      });
      victim.rpc.handlePacket(8, 287454020, packet, victim.now);
      victim.run(0);
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 4000 },
  );
  victim.run(1000);
  t.is(victim.routes.peer(FRIEND)?.pathLength, 1);
  t.is(victim.routes.ownerOf(ip("10.144.144.10")), SELF);
});
