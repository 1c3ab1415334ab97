import test from "ava";
import { LatencyMap } from "../../../router-daemon/src/mesh/peer-center/latency-map.ts";
import {
  MAX_LINKS,
  MAX_REPORTED_LINKS,
  MAX_REPORTERS,
  REPORT_ANYWAY_MS,
  REPORT_LIFE_MS,
} from "../../../router-daemon/src/mesh/peer-center/limits.ts";
import { NO_FEATURES } from "../../../router-daemon/src/mesh/routes/types.ts";
import {
  callMethod,
  GET_GLOBAL_PEER_MAP,
  REPORT_PEERS,
} from "../../../router-daemon/src/mesh/rpc/service.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import {
  GetGlobalPeerMapResponse,
  RpcPacket,
  RpcResponse,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { World } from "./routes-world.ts";

const report = (links: [number, number][]): { directPeers: Map<number, { latencyMs: number }> } => ({
  directPeers: new Map(links.map(([peerId, latencyMs]) => [peerId, { latencyMs }])),
});

function square(): World {
  const world = new World(1, { withCentre: true });
  const latency: Record<string, number> = { "1-2": 50, "1-3": 5, "2-4": 10, "3-4": 10 };
  world.linkLatencyMs = (a, b) => latency[`${Math.min(a, b)}-${Math.max(a, b)}`]!;
  for (const id of [1, 2, 3, 4]) world.add(id);
  for (const [a, b] of [
    [1, 2],
    [1, 3],
    [2, 4],
    [3, 4],
  ] as const)
    world.link(a, b);
  return world;
}

test("the node with the smallest id collects, everybody gets the map, and of equal paths the quicker is taken", (t) => {
  const world = square();
  world.run(60_000);
  for (const { peerId, centre, routes } of world.nodes.values()) {
    t.is(centre!.centre, 1, `node ${peerId}`);
    t.is(centre!.latencyMs(3, 4), 10);
    t.is(centre!.latencyMs(1, 2), 50);
    if (peerId === 1) t.like(routes.peer(4), { nextHop: 3, pathLength: 2, pathLatencyMs: 15 });
    if (peerId === 4) t.like(routes.peer(1), { nextHop: 3, pathLength: 2, pathLatencyMs: 15 });
    // Two links over 3 are slower than the direct one, three are quicker: only shown, not taken.
    if (peerId === 1) t.like(routes.peer(2), { nextHop: 2, pathLatencyMs: 50 });
    if (peerId === 1) t.like(routes.peer(2)?.leastCost, { nextHop: 3, pathLength: 3, pathLatencyMs: 25 });
  }
  t.is(world.nodes.get(1)!.centre!.collectedReports, 4);
  t.is(world.nodes.get(2)!.centre!.collectedReports, 0);
});

test("when the centre goes, the next one takes over", (t) => {
  const world = square();
  world.run(60_000);
  world.remove(1);
  world.run(60_000);
  for (const { centre } of world.nodes.values()) {
    t.is(centre!.centre, 2);
    t.is(centre!.latencyMs(3, 4), 10);
    t.is(centre!.latencyMs(1, 2), undefined);
  }
});

test("a shared server is never the centre, though it has the smallest id", (t) => {
  const world = new World(2, { withCentre: true });
  world.add(1, { featureFlags: { ...NO_FEATURES, isPublicServer: true }, ipv4: 0 });
  world.add(5);
  world.add(6);
  world.link(1, 5);
  world.link(1, 6);
  world.run(30_000);
  t.is(world.nodes.get(5)!.centre!.centre, 5);
  t.is(world.nodes.get(6)!.centre!.centre, 5);
  t.is(world.nodes.get(6)!.centre!.latencyMs(5, 1), 10);
});

test("in rest little is said: one report a minute and an empty answer to every fetch", (t) => {
  const world = square();
  world.run(60_000);
  const before = world.network.sent.length;
  world.run(10 * REPORT_ANYWAY_MS);
  // Three nodes besides the centre: 1 report and 4 fetches a minute, each with its answer; route sync apart.
  const others = world.network.sent
    .slice(before)
    .filter(({ bytes }) => Buffer.from(bytes).toString("latin1").includes("PeerCenterRpc"));
  t.true(Math.abs(others.length - 10 * 3 * 5 * 2) <= 12, `${others.length} packets`);
  const answers = others
    .filter(({ packetType }) => packetType === 9)
    .map(({ bytes }) => decode(RpcPacket, bytes));
  const maps = answers
    .filter(({ descriptor }) => descriptor?.methodIndex === GET_GLOBAL_PEER_MAP.index)
    .map(({ body }) => decode(GetGlobalPeerMapResponse, decode(RpcResponse, body).response));
  // Every two minutes each of the three gets the whole map again.
  const whole = maps.filter(({ digest }) => digest !== undefined);
  t.true(maps.length >= 100 && whole.length >= 12 && whole.length <= 18, `${whole.length} of ${maps.length}`);
});

test("an unmeasured link is not reported, and our own are known without a centre", (t) => {
  const world = new World(3, { withCentre: true });
  const { centre } = world.add(1);
  centre!.setDirectLatencies([
    { peerId: 2, latencyMs: undefined },
    { peerId: 3, latencyMs: 0.2 },
    { peerId: 4, latencyMs: 7.9 },
  ]);
  t.is(centre!.latencyMs(1, 2), undefined);
  t.is(centre!.latencyMs(1, 3), 1);
  t.is(centre!.latencyMs(1, 4), 7);
});

test("without a centre that answers our own measurements still decide between equal paths", (t) => {
  const world = square();
  for (const { rpc } of world.nodes.values()) rpc.register(REPORT_PEERS.service, []);
  world.run(20_000);
  // Beyond the neighbours 500 ms are counted.
  t.like(world.nodes.get(1)!.routes.peer(4), { nextHop: 3, pathLength: 2, pathLatencyMs: 505 });
});

test("a report is forgotten after its time, and a digest tells what changed", (t) => {
  const world = new World(4, { withCentre: true });
  world.add(1);
  const { rpc } = world.add(2);
  const answers: GetGlobalPeerMapResponse[] = [];
  const fetch = (digest: bigint): GetGlobalPeerMapResponse => {
    callMethod(rpc, 1, GET_GLOBAL_PEER_MAP, { digest }, 1000, world.network.now, (result) => {
      if (result.ok) answers.push(result.response);
    });
    world.run(50);
    return answers[answers.length - 1]!;
  };
  world.network.connected = () => true;
  const send = (links: [number, number][]): void => {
    callMethod(
      rpc,
      1,
      REPORT_PEERS,
      { myPeerId: 2, peerInfos: report(links) },
      1000,
      world.network.now,
      (result) => t.true(result.ok),
    );
    world.run(50);
  };
  send([[9, 3]]);
  const first = fetch(0n);
  t.is(first.globalPeerMap.get(2)?.directPeers.get(9)?.latencyMs, 3);
  t.truthy(first.digest);
  t.like(fetch(first.digest!), { digest: undefined });
  // Another latency is no other set of pairs.
  send([[9, 4]]);
  t.like(fetch(first.digest!), { digest: undefined });
  send([
    [9, 4],
    [10, 1],
  ]);
  t.not(fetch(first.digest!).digest, first.digest);
  world.run(REPORT_LIFE_MS + 1);
  t.is(fetch(0n).globalPeerMap.size, 0);
});

test("a report under another's name is refused", (t) => {
  const world = new World(5, { withCentre: true });
  world.add(1);
  const { rpc } = world.add(2);
  world.network.connected = () => true;
  let failed = false;
  callMethod(
    rpc,
    1,
    REPORT_PEERS,
    { myPeerId: 3, peerInfos: report([]) },
    1000,
    world.network.now,
    (result) => {
      failed = !result.ok;
    },
  );
  world.run(50);
  t.true(failed);
});

test("what reports can hold is limited", (t) => {
  const map = new LatencyMap();
  const links = (count: number): [number, number][] => Array.from({ length: count }, (_, i) => [i + 1, 5]);
  t.false(map.set(1, report(links(MAX_REPORTED_LINKS + 1)), 0));
  for (let reporter = 1; reporter < 200; reporter++) map.set(reporter, report(links(MAX_REPORTED_LINKS)), 0);
  t.is(map.links, MAX_LINKS);
  t.true(map.set(1, report(links(1)), 0));
  t.is(map.links, MAX_LINKS - MAX_REPORTED_LINKS + 1);
  const wide = new LatencyMap();
  for (let reporter = 1; reporter < 2 * MAX_REPORTERS; reporter++) wide.set(reporter, report([[1, -5]]), 0);
  t.is(wide.reporters, MAX_REPORTERS);
  t.is(wide.latencyMs(1, 1), 1);
});

test("the digest does not depend on the order, and is never zero", (t) => {
  const [a, b] = [new LatencyMap(), new LatencyMap()];
  a.set(
    1,
    report([
      [2, 5],
      [3, 5],
    ]),
    0,
  );
  a.set(2, report([[1, 5]]), 0);
  b.set(2, report([[1, 9]]), 0);
  b.set(
    1,
    report([
      [3, 9],
      [2, 9],
    ]),
    0,
  );
  t.is(a.digest(), b.digest());
  b.set(2, report([[4, 9]]), 0);
  t.not(a.digest(), b.digest());
  t.not(new LatencyMap().digest(), 0n);
});
