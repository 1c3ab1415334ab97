import test from "ava";
import {
  ANNOUNCEMENT_LIFE_MS,
  KEEP_ALIVE_MS,
  RENEW_MS,
  UNREACHABLE_LIFE_MS,
} from "../../../router-daemon/src/mesh/routes/limits.ts";
import { NO_FEATURES } from "../../../router-daemon/src/mesh/routes/types.ts";
import { handler, SYNC_ROUTE_INFO } from "../../../router-daemon/src/mesh/rpc/service.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import {
  RoutePeerInfo,
  type SyncRouteInfoRequest,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { seededRandom } from "../../random.ts";
import { encodeSync, ip, prefix, World } from "./routes-world.ts";

function chain(seed: number, length: number): World {
  const world = new World(seed);
  for (let id = 1; id <= length; id++) world.add(id);
  for (let id = 1; id < length; id++) world.link(id, id + 1);
  return world;
}

/**
 * Replaces a node's own serving of sync requests and keeps what it is sent. It asks nothing itself any more, so that 77 is
 * the only session number heard from it.
 */
function recordRequests(
  world: World,
  peerId: number,
  answer: () => object = () => ({}),
): SyncRouteInfoRequest[] {
  const requests: SyncRouteInfoRequest[] = [];
  const { rpc, routes } = world.nodes.get(peerId)!;
  world.network.removeTimed(routes);
  rpc.register(SYNC_ROUTE_INFO.service, [
    handler(SYNC_ROUTE_INFO, (request) => {
      requests.push(request);
      return { isInitiator: true, sessionId: 77n, ...answer() };
    }),
  ]);
  return requests;
}

test("two nodes that meet know each other within two round trips", (t) => {
  const world = new World(1);
  world.add(1, { exports: [prefix("192.168.1.0/24")] });
  const b = world.add(2);
  world.link(1, 2);
  world.run(60);
  t.deepEqual(world.disagreements(), []);
  t.like(b.routes.peer(1), { hostname: "node-1", pathLength: 1, nextHop: 1, ipv4: ip("10.144.144.1") });
  t.is(b.routes.ownerOf(ip("192.168.1.77")), 1);
  t.deepEqual(world.events(2), [{ type: "peer_joined", peerId: 1 }]);
});

test("a chain of six nodes learns everything through those in the middle", (t) => {
  const world = chain(2, 6);
  world.run(3000);
  t.deepEqual(world.disagreements(), []);
  t.is(world.nodes.get(1)!.routes.peer(6)?.pathLength, 5);
});

test("a network in which nothing happens sends nothing but keep-alives", (t) => {
  const world = chain(3, 4);
  world.run(5000);
  const before = world.network.sent.length;
  world.run(100_000);
  const requests = world.network.sent.slice(before).filter(({ packetType }) => packetType === 8);
  // Three links, both directions, one call per keep-alive time.
  const expected = 6 * (100_000 / KEEP_ALIVE_MS);
  t.true(Math.abs(requests.length - expected) <= 6, `${requests.length} requests`);
  t.true(requests.every(({ bytes }) => bytes.length < 120));
});

test("a change of our announcement is everywhere soon after, with its version raised by one", (t) => {
  const world = chain(4, 4);
  world.run(10_000);
  const before = world.nodes.get(4)!.routes.peer(1)!.infoVersion;
  world.nodes
    .get(1)!
    .routes.setLocalInfo({ hostname: "renamed", exports: [prefix("10.9.0.0/16")] }, world.network.now);
  world.run(500);
  const seen = world.nodes.get(4)!.routes.peer(1)!;
  t.is(seen.hostname, "renamed");
  t.is(seen.infoVersion, before + 1);
  t.is(world.nodes.get(4)!.routes.ownerOf(ip("10.9.8.7")), 1);
  world.nodes.get(1)!.routes.setLocalInfo({ hostname: "renamed" }, world.network.now);
  world.run(500);
  t.is(world.nodes.get(4)!.routes.peer(1)!.infoVersion, before + 1);
});

test("a cut link is known to all soon after, and traffic takes the way that is left", (t) => {
  const world = chain(5, 5);
  world.link(5, 1);
  world.run(5000);
  t.is(world.nodes.get(1)!.routes.nextHop(2), 2);
  world.cut(1, 2);
  world.run(1000);
  t.deepEqual(world.disagreements(), []);
  t.like(world.nodes.get(1)!.routes.peer(2), { nextHop: 5, pathLength: 4 });
});

test("a node that leaves is unreachable at once and forgotten later", (t) => {
  const world = chain(6, 3);
  world.run(5000);
  world.events(1);
  world.remove(3);
  world.run(1000);
  const { routes } = world.nodes.get(1)!;
  t.like(routes.peer(3), { nextHop: 0, pathLength: 0 });
  t.is(routes.ownerOf(ip("10.144.144.3")), 0);
  t.deepEqual(world.events(1), [{ type: "peer_left", peerId: 3 }]);
  world.run(UNREACHABLE_LIFE_MS + 120_000);
  t.is(routes.peer(3), undefined);
  t.is(routes.usage.peers, 2);
});

test("a node that comes back with a new peer id takes its address over from its former self", (t) => {
  const world = chain(7, 3);
  world.run(5000);
  world.remove(3);
  world.add(300, { ipv4: ip("10.144.144.3"), hostname: "node-3" });
  world.link(2, 300);
  world.run(2000);
  t.is(world.nodes.get(1)!.routes.ownerOf(ip("10.144.144.3")), 300);
  t.deepEqual(world.disagreements(), []);
});

test("two halves of a network that were apart find together again, however long it took", (t) => {
  for (const apartMs of [3_000, 70_000, 400_000]) {
    const world = chain(8, 6);
    world.run(5000);
    world.cut(3, 4);
    world.run(apartMs);
    t.deepEqual(world.disagreements(), [], `${apartMs} ms apart`);
    // Both halves change meanwhile.
    world.nodes.get(1)!.routes.setLocalInfo({ hostname: "left" }, world.network.now);
    world.nodes.get(6)!.routes.setLocalInfo({ hostname: "right" }, world.network.now);
    world.link(3, 4);
    world.run(10_000);
    t.deepEqual(world.disagreements(), [], `after ${apartMs} ms apart`);
    t.is(world.nodes.get(1)!.routes.peer(6)?.hostname, "right");
  }
});

test("a node is not lost to others when it is unreachable for the one moment of their sweep", (t) => {
  const world = chain(9, 4);
  world.run(179_500);
  // Away from before the sweep at 180 s until after it, and announced long ago.
  world.cut(3, 4);
  world.run(2_000);
  t.is(world.nodes.get(1)!.routes.peer(4)?.nextHop, 0);
  world.link(3, 4);
  world.run(5_000);
  t.deepEqual(world.disagreements(), []);
});

/** Ids of the nodes whose announcements were told in requests. */
function toldNodes(requests: readonly SyncRouteInfoRequest[]): number[] {
  return requests
    .flatMap(({ peerInfos }) => peerInfos?.items ?? [])
    .map((raw) => decode(RoutePeerInfo, raw).peerId);
}

test("a node that was away is told again when it is back, as others may have forgotten it", (t) => {
  const world = chain(22, 3);
  world.run(5000);
  const requests = recordRequests(world, 3);
  world.run(15_000);
  requests.length = 0;
  world.cut(1, 2);
  world.run(5000);
  t.deepEqual(toldNodes(requests), []);
  world.link(1, 2);
  world.run(5000);
  t.deepEqual(toldNodes(requests), [1]);
});

test("… also when it went while it was being told", (t) => {
  const world = chain(23, 3);
  world.network.latencyMs = 200;
  world.run(5000);
  const requests = recordRequests(world, 3);
  world.run(17_000);
  requests.length = 0;
  world.nodes.get(1)!.routes.setLocalInfo({ hostname: "renamed" }, world.network.now);
  world.run(300);
  world.cut(1, 2);
  world.run(5000);
  t.deepEqual(toldNodes(requests), [1]);
  world.link(1, 2);
  world.run(5000);
  t.deepEqual(toldNodes(requests), [1, 1]);
});

test("a keep-alive that fails is tried again soon", (t) => {
  const world = chain(24, 2);
  let failures = 0;
  const requests = recordRequests(world, 2, () => (failures-- > 0 ? { error: 1 } : {}));
  world.run(KEEP_ALIVE_MS - 1000);
  requests.length = 0;
  failures = 1;
  world.run(3000);
  t.is(requests.length, 2);
  t.true(
    requests.every(({ peerInfos, connPeerList }) => peerInfos === undefined && connPeerList === undefined),
  );
});

test("over lossy links everything is known in the end", (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const world = chain(seed, 5);
  world.network.loss = 0.3;
  world.network.jitterMs = 30;
  world.network.duplication = 0.05;
  world.run(120_000);
  t.deepEqual(world.disagreements(), [], `seed ${seed}`);
});

test("a thousand nodes behind one neighbour are learned in pieces that survive loss", (t) => {
  const world = new World(10);
  const [a, b] = [world.add(1), world.add(2)];
  world.network.loss = 0.02;
  const ids = Array.from({ length: 900 }, (_, i) => 1000 + i);
  const items = ids.map((peerId) =>
    encode(RoutePeerInfo, {
      peerId,
      version: 1,
      hostname: `host-${peerId}`,
      ipv4Addr: { addr: 0x0a900000 + peerId },
    }),
  );
  // What 2 knows, as if from others behind it.
  world.network.addEndpoint(3);
  world.link(1, 2);
  world.run(1000);
  b.rpc.handlePacket(
    8,
    99,
    syncPacket(99, 2, { items, rows: [[99, 1, [2, ...ids]], ...ids.map((id): Row => [id, 1, [99]])] }),
    world.network.now,
  );
  b.rpc.handlePacket(
    8,
    99,
    syncPacket(99, 2, {
      items: [encode(RoutePeerInfo, { peerId: 99, version: 1 })],
      rows: [[2, 50, [1, 99]]],
    }),
    world.network.now,
  );
  b.routes.setDirectPeers(
    [1, 99].map((peerId) => ({ peerId, shared: false })),
    world.network.now,
  );
  world.run(60_000);
  t.is(b.routes.peers().filter(({ nextHop }) => nextHop !== 0).length, 902);
  t.is(a.routes.peers().filter(({ nextHop }) => nextHop === 2).length, 902);
  t.is(a.routes.peer(1500)?.pathLength, 3);
  const largest = Math.max(...world.network.sent.map(({ bytes }) => bytes.length));
  t.true(largest <= 1248);
});

test("random networks agree with the true graph whenever they have been quiet for a while", (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  const world = new World(seed);
  for (let id = 1; id <= 6; id++) world.add(id);
  let nextId = 7;
  for (let round = 0; round < 12; round++) {
    world.network.loss = random() % 3 === 0 ? 0.1 : 0;
    for (let change = 0; change < 1 + (random() % 4); change++) {
      const ids = [...world.nodes.keys()];
      const [a, b] = [ids[random() % ids.length]!, ids[random() % ids.length]!];
      const kind = random() % 10;
      if (kind === 0 && ids.length > 3) world.remove(a);
      else if (kind === 1 && ids.length < 6) world.add(nextId++);
      else if (kind === 2)
        world.nodes.get(a)!.routes.setLocalInfo({ hostname: `name-${random()}` }, world.network.now);
      else if (a !== b && world.isLinked(a, b)) world.cut(a, b);
      else if (a !== b) world.link(a, b);
      world.run(random() % 3000);
    }
    world.run(world.network.loss > 0 ? 60_000 : 15_000);
    const wrong = world.disagreements();
    if (wrong.length !== 0) return t.fail(`seed ${seed}, round ${round}: ${wrong.join("; ")}`);
  }
  t.pass();
});

test("our announcement is renewed every hour, so that nobody forgets us", (t) => {
  const world = chain(11, 2);
  world.run(5000);
  const first = world.nodes.get(2)!.routes.peer(1)!;
  world.run(RENEW_MS);
  t.is(world.nodes.get(2)!.routes.peer(1)!.infoVersion, first.infoVersion + 1);
  world.run(2 * ANNOUNCEMENT_LIFE_MS);
  t.deepEqual(world.disagreements(), []);
  t.deepEqual(
    world.events(2).filter(({ type }) => type === "peer_left"),
    [],
  );
});

test("the session number towards a peer is the same after a reconnect, and differs between peers", (t) => {
  const world = new World(12);
  for (const id of [1, 2, 3]) world.add(id);
  const [two, three] = [recordRequests(world, 2), recordRequests(world, 3)];
  world.link(1, 2);
  world.link(1, 3);
  world.run(1000);
  world.cut(1, 2);
  world.run(1000);
  world.link(1, 2);
  world.run(1000);
  t.true(two.length >= 2);
  t.is(new Set(two.map(({ mySessionId }) => mySessionId)).size, 1);
  t.not(two[0]!.mySessionId, three[0]!.mySessionId);
  t.true(two.every(({ isInitiator, myPeerId }) => isInitiator && myPeerId === 1));
});

test("a peer whose own session number changes is told everything again", (t) => {
  const world = chain(13, 2);
  world.run(5000);
  const requests = recordRequests(world, 2);
  world.run(KEEP_ALIVE_MS + 1000);
  // The keep-alive is answered with number 77 instead of 2's.
  world.run(1000);
  t.is(requests[0]!.peerInfos, undefined);
  t.is(requests[1]!.peerInfos?.items.length, 1);
  t.truthy(requests[1]!.connPeerList);
});

test("peers that do not know the list form get the matrix, all others the list", (t) => {
  const world = new World(14);
  for (const id of [1, 2, 3]) world.add(id);
  const requests = recordRequests(world, 2);
  const { rpc, routes } = world.nodes.get(1)!;
  world.link(1, 2);
  world.link(1, 3);
  world.run(2000);
  t.truthy(requests[0]!.connPeerList);
  const old = encode(RoutePeerInfo, { peerId: 2, version: 5, featureFlag: {} });
  rpc.handlePacket(8, 2, syncPacket(2, 1, { items: [old], rows: [] }), world.network.now);
  routes.setDirectPeers([{ peerId: 2, shared: false }], world.network.now);
  world.run(1000);
  world.nodes.get(1)!.routes.setLocalInfo({ hostname: "new" }, world.network.now);
  routes.setDirectPeers(
    [2, 4].map((peerId) => ({ peerId, shared: false })),
    world.network.now,
  );
  world.run(1000);
  const matrix = requests[requests.length - 1]!.connBitmap;
  t.truthy(matrix);
  t.true(matrix!.bitmap.length >= Math.ceil(matrix!.peerIds.length ** 2 / 8));
  t.deepEqual(
    matrix!.peerIds.map(({ peerId }) => peerId),
    [1, 2, 4],
  );
});

test("a peer is never told about itself, nor about nodes that cannot be reached", (t) => {
  const world = chain(15, 3);
  world.run(2000);
  const requests = recordRequests(world, 1);
  world.remove(3);
  world.nodes.get(2)!.routes.setLocalInfo({ hostname: "two" }, world.network.now);
  world.run(1000);
  world.cut(1, 2);
  world.run(100);
  world.link(1, 2);
  world.run(5000);
  const told = requests.flatMap(({ peerInfos }) => peerInfos?.items ?? []);
  t.true(told.length > 0);
  t.deepEqual(new Set(told.map((raw) => raw[1]!)), new Set([2]));
});

test("another process with our peer id is reported once, and not answered with what would end it", (t) => {
  const world = chain(16, 2);
  world.run(2000);
  const { rpc } = world.nodes.get(1)!;
  const imitation = (version: number): Uint8Array =>
    encode(RoutePeerInfo, { peerId: 1, version, peerRouteId: 4n });
  const before = world.network.sent.length;
  // A lower version: an echo of an earlier life, ignored.
  rpc.handlePacket(8, 2, syncPacket(2, 1, { items: [imitation(1)], rows: [] }), world.network.now);
  t.deepEqual(
    world.events(1).filter(({ type }) => type === "duplicate_peer_id"),
    [],
  );
  for (let i = 0; i < 3; i++) {
    rpc.handlePacket(8, 2, syncPacket(2, 1, { items: [imitation(9)], rows: [] }), world.network.now);
  }
  t.deepEqual(world.events(1), [{ type: "duplicate_peer_id" }]);
  t.is(world.nodes.get(1)!.routes.peer(1)?.infoVersion, 1);
  const answers = world.network.sent.slice(before).filter(({ packetType }) => packetType === 9);
  t.is(answers.length, 4);
});

test("DuplicatePeerId as an answer is reported, Stopped is tried again", (t) => {
  const world = new World(17);
  for (const id of [1, 2]) world.add(id);
  let error = 1;
  let calls = 0;
  world.nodes.get(2)!.rpc.register(SYNC_ROUTE_INFO.service, [
    handler(SYNC_ROUTE_INFO, () => {
      calls++;
      return { error };
    }),
  ]);
  world.link(1, 2);
  world.run(60_000);
  // 50, 100, 200 ms … up to 5 s between two.
  t.true(calls > 12 && calls < 25, `${calls} calls`);
  t.deepEqual(
    world.events(1).filter(({ type }) => type === "duplicate_peer_id"),
    [],
  );
  error = 0;
  world.run(10_000);
  t.deepEqual(
    world.events(1).filter(({ type }) => type === "duplicate_peer_id"),
    [{ type: "duplicate_peer_id" }],
  );
});

test("a row of ours that others hold with a higher version is overtaken", (t) => {
  const world = chain(18, 3);
  world.run(2000);
  // Somebody told 2 a wrong row of 1, far ahead; the matrix form of stock nodes shows it to 1.
  const wrong = syncPacket(3, 2, { items: [], rows: [[1, 1000, []]] });
  world.nodes.get(2)!.rpc.handlePacket(8, 3, wrong, world.network.now);
  world.run(1000);
  t.deepEqual(world.nodes.get(3)!.routes.peer(1)?.directPeers, []);
  const shown = syncPacket(2, 1, { items: [], rows: [[1, 1000, []]] });
  world.nodes.get(1)!.rpc.handlePacket(8, 2, shown, world.network.now);
  world.run(10_000);
  t.deepEqual(world.disagreements(), []);
  t.deepEqual(world.nodes.get(3)!.routes.peer(1)?.directPeers, [2]);
});

test("a node that asks not to relay is used only where nothing else leads on", (t) => {
  const world = new World(19);
  for (const id of [1, 2, 3, 4])
    world.add(id, id === 2 ? { featureFlags: { ...NO_FEATURES, avoidRelayData: true } } : {});
  for (const [a, b] of [
    [1, 2],
    [2, 4],
    [1, 3],
    [3, 4],
  ] as const)
    world.link(a, b);
  world.run(3000);
  t.is(world.nodes.get(1)!.routes.nextHop(4), 3);
  world.cut(3, 4);
  world.run(3000);
  t.is(world.nodes.get(1)!.routes.nextHop(4), 2);
});

test("a link counts what either end has measured, and 500 ms otherwise", (t) => {
  const world = new World(25);
  for (const id of [1, 2, 3, 4]) world.add(id);
  for (const [a, b] of [
    [1, 2],
    [2, 4],
    [1, 3],
    [3, 4],
  ] as const)
    world.link(a, b);
  world.run(3000);
  const { routes } = world.nodes.get(1)!;
  // Only the farther ends of the links over 3 have measured.
  const measured: Record<string, number> = { "3-1": 7, "4-3": 8 };
  routes.setLatencies((from, to) => measured[`${from}-${to}`], world.network.now);
  world.run(1000);
  t.like(routes.peer(4), { nextHop: 3, pathLatencyMs: 15 });
  t.like(routes.peer(2), { nextHop: 2, pathLatencyMs: 500 });
});

test("a direct peer is its own next hop before it has said anything, and flags of the unknown count as false", (t) => {
  const world = new World(20);
  const { routes } = world.add(1);
  routes.setDirectPeers([{ peerId: 2, shared: true }], world.network.now);
  t.is(routes.nextHop(2), 2);
  t.is(routes.peer(2), undefined);
  t.is(routes.nextHop(3), 0);
});

test("the revision stays while nothing changes", (t) => {
  const world = chain(21, 3);
  world.run(5000);
  const { routes } = world.nodes.get(1)!;
  const { revision } = routes;
  const view = routes.peer(3);
  world.run(50_000);
  routes.setLatencies(() => undefined, world.network.now);
  world.run(1000);
  t.is(routes.revision, revision);
  t.is(routes.peer(3), view);
  world.cut(2, 3);
  world.run(1000);
  t.true(routes.revision > revision);
});

type Row = [peerId: number, version: number, peers: number[]];

function syncPacket(
  from: number,
  to: number,
  { items, rows }: { items: Uint8Array[]; rows: Row[] },
): Uint8Array {
  return encodeSync(from, to, {
    myPeerId: from,
    mySessionId: 5n,
    isInitiator: true,
    peerInfos: { items },
    connPeerList: {
      peerConnInfos: rows.map(([peerId, version, connectedPeerIds]) => ({
        peerId: { peerId, version },
        connectedPeerIds,
      })),
    },
  });
}
