import test from "ava";
import * as fc from "fast-check";
import { type AddressClaim, AddressTable } from "../../../router-daemon/src/mesh/routes/address-table.ts";
import { AVOID_RELAY_COST, findPaths } from "../../../router-daemon/src/mesh/routes/path-finder.ts";
import { covers, type Ipv4Prefix, prefixMask } from "../../../router-daemon/src/wire/ipv4-prefix.ts";
import { seededRandom } from "../../random.ts";
import { ip, prefix } from "./routes-world.ts";

/** Shortest distances by relaxing every edge n times: the naive twin of the two Dijkstras. */
function bellmanFord(edges: [number, number, number][], nodes: number, start: number): number[] {
  const distance = new Array<number>(nodes).fill(Number.POSITIVE_INFINITY);
  distance[start] = 0;
  for (let round = 0; round < nodes; round++) {
    for (const [u, v, weight] of edges) distance[v] = Math.min(distance[v]!, distance[u]! + weight);
  }
  return distance;
}

test("paths cost what an exhaustive search says, and follow links that exist", (t) => {
  const graph = fc.integer({ min: 1, max: 9 }).chain((nodes) =>
    fc.record({
      nodes: fc.constant(nodes),
      pairs: fc.uniqueArray(fc.tuple(fc.nat(nodes - 1), fc.nat(nodes - 1), fc.integer({ min: 1, max: 20 })), {
        selector: ([u, v]) => u * 16 + v,
        maxLength: 40,
      }),
      avoids: fc.array(fc.boolean(), { minLength: nodes, maxLength: nodes }),
    }),
  );
  fc.assert(
    fc.property(graph, ({ nodes, pairs, avoids }) => {
      const links = Array.from({ length: nodes }, (_, u) =>
        pairs.filter((pair) => pair[0] === u).map((pair) => pair[1]),
      );
      const weight = new Map(pairs.map(([u, v, ms]) => [u * 16 + v, ms]));
      const latencyMs = (u: number, v: number): number => weight.get(u * 16 + v)!;
      const { leastHop, leastCost } = findPaths({ links, latencyMs, avoidsRelay: avoids }, 0);
      const costs = pairs.map(([u, v, ms]): [number, number, number] => [
        u,
        v,
        ms + (avoids[u] ? AVOID_RELAY_COST : 0),
      ]);
      const hops = pairs.map(([u, v]): [number, number, number] => [u, v, avoids[u] ? 2 ** 31 : 1]);
      const cheapest = bellmanFord(costs, nodes, 0);
      const fewest = bellmanFord(hops, nodes, 0);
      const onShortest = costs.filter((_, at) => {
        const [u, v, h] = hops[at]!;
        return fewest[u]! + h === fewest[v]!;
      });
      const cheapestOfFewest = bellmanFord(onShortest, nodes, 0);
      for (let node = 0; node < nodes; node++) {
        const reachable = Number.isFinite(cheapest[node]!);
        if ((leastCost[node]!.nextHop !== 0) !== reachable || (leastHop[node]!.nextHop !== 0) !== reachable)
          return false;
        if (!reachable) continue;
        if (leastCost[node]!.pathLatencyMs !== cheapest[node]! % AVOID_RELAY_COST) return false;
        if (leastHop[node]!.pathLatencyMs !== cheapestOfFewest[node]! % AVOID_RELAY_COST) return false;
        if (node !== 0 && !links[0]!.includes(leastHop[node]!.nextHop - 1)) return false;
        if (node !== 0 && !avoids.some(Boolean) && leastHop[node]!.pathLength !== fewest[node]) return false;
      }
      return true;
    }),
    { numRuns: 400, interruptAfterTimeLimit: 4000 },
  );
  t.pass();
});

test("of equal paths the one over the smaller id is taken, in whatever order links are listed", (t) => {
  const random = seededRandom(5);
  const links = Array.from({ length: 40 }, (_, u) =>
    Array.from({ length: 6 }, () => random() % 40).filter((v) => v !== u),
  );
  const tables = (rows: number[][]): object =>
    findPaths({ links: rows, latencyMs: () => 10, avoidsRelay: rows.map(() => false) }, 0);
  const shuffled = links.map((row) => [...row].sort(() => (random() % 2) - 0.5));
  t.deepEqual(tables(shuffled), tables(links));
  // 0 reaches 4 over 1, 2 and 3, listed in any order.
  const wide = findPaths(
    {
      links: [[3, 2, 1], [4], [4], [4], []],
      latencyMs: () => 10,
      avoidsRelay: [false, false, false, false, false],
    },
    0,
  );
  t.is(wide.leastHop[4]!.nextHop - 1, 1);
  t.is(wide.leastCost[4]!.nextHop - 1, 1);
});

test("nobody is reachable but ourselves when no link leads out", (t) => {
  const { leastHop } = findPaths({ links: [[], [0]], latencyMs: () => 1, avoidsRelay: [false, false] }, 0);
  t.is(leastHop[0]!.pathLength, 0);
  t.is(leastHop[1]!.nextHop, 0);
});

test("a thousand nodes, thirty thousand links: computed without trouble", (t) => {
  const nodes = 1000;
  const links = Array.from({ length: nodes }, (_, u) =>
    Array.from({ length: 30 }, (_, i) => (u * 7 + i * i * 13 + 1) % nodes),
  );
  const { leastHop } = findPaths(
    { links, latencyMs: (u, v) => 1 + ((u * v) % 50), avoidsRelay: links.map(() => false) },
    0,
  );
  t.true(leastHop.every(({ pathLength }) => pathLength < 8));
});

/** The rules of routes-rpc.md 5.2 one after the other, over all claims: the naive twin. */
function naiveOwner(
  dst: number,
  own: { peerId: number; ipv4: number; networkLength: number; exports: readonly Ipv4Prefix[] },
  others: readonly AddressClaim[],
): number {
  const mask = prefixMask(own.networkLength);
  if (dst === 0xffffffff || dst >>> 28 === 14) return 0;
  const inOwn = own.ipv4 !== 0 && (dst & mask) >>> 0 === (own.ipv4 & mask) >>> 0;
  if (inOwn && own.networkLength < 31 && (dst | mask) >>> 0 === 0xffffffff) return 0;
  const nearest = (claims: { peerId: number; pathLength: number }[]): number | undefined =>
    claims.sort((a, b) => a.pathLength - b.pathLength || a.peerId - b.peerId)[0]?.peerId;
  const all = [{ ...own, pathLength: 0 }, ...others];
  const exact = nearest(all.filter(({ ipv4 }) => ipv4 !== 0 && ipv4 === dst));
  if (exact !== undefined) return exact;
  if (inOwn) return 0;
  for (let prefixLength = 32; prefixLength >= 0; prefixLength--) {
    const network = (dst & prefixMask(prefixLength)) >>> 0;
    const owners = all.filter(({ peerId, exports }) =>
      exports.some(
        (each) =>
          each.prefixLength === prefixLength &&
          each.network === network &&
          (peerId === own.peerId || !own.exports.some((mine) => covers(mine, each))),
      ),
    );
    const owner = nearest(owners);
    if (owner !== undefined) return owner;
  }
  return 0;
}

test("an address belongs to whom the rules say, one after the other", (t) => {
  // A small corner of the address space, so that prefixes nest, meet and repeat.
  const address = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0x0a000000, max: 0x0a00003f }) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0xe0000001),
    },
    { weight: 1, arbitrary: fc.nat(0xffffffff) },
  );
  const anyPrefix = fc
    .tuple(address, fc.oneof(fc.integer({ min: 26, max: 32 }), fc.integer({ min: 0, max: 32 })))
    .map(([network, prefixLength]) => ({
      network: (network & prefixMask(prefixLength)) >>> 0,
      prefixLength,
    }));
  const claim = fc.record({
    peerId: fc.integer({ min: 2, max: 6 }),
    pathLength: fc.integer({ min: 1, max: 2 }),
    ipv4: fc.oneof(fc.constant(0), address),
    exports: fc.array(anyPrefix, { maxLength: 5 }),
  });
  const own = fc.record({
    peerId: fc.constant(1),
    ipv4: fc.oneof(fc.constant(0), address),
    networkLength: fc.oneof(fc.integer({ min: 26, max: 32 }), fc.integer({ min: 0, max: 32 })),
    exports: fc.array(anyPrefix, { maxLength: 3 }),
  });
  const others = fc.uniqueArray(claim, { selector: ({ peerId }) => peerId, maxLength: 5 });
  fc.assert(
    fc.property(
      own,
      others,
      fc.array(address, { minLength: 20, maxLength: 20 }),
      (ours, theirs, addresses) => {
        const table = new AddressTable();
        table.rebuild(ours, theirs);
        const interesting = [
          ...addresses,
          ...theirs.flatMap(({ exports }) => exports.map(({ network }) => network)),
        ];
        for (const dst of interesting) {
          const expected = naiveOwner(dst, ours, theirs);
          if (table.ownerOf(dst) !== expected)
            throw new Error(`${dst.toString(16)}: ${table.ownerOf(dst)}, not ${expected}`);
          if (table.ownerOf(dst | 0) !== expected) throw new Error("signed form differs");
        }
      },
    ),
    { numRuns: 2000, interruptAfterTimeLimit: 5000 },
  );
  t.pass();
});

test("an empty table owns nothing", (t) => {
  const table = new AddressTable();
  t.is(table.ownerOf(ip("10.0.0.1")), 0);
  t.is(table.ownerOf(0), 0);
  t.deepEqual(table.broadcastPeers, []);
});

test("an address asked for again after a change is answered anew", (t) => {
  const table = new AddressTable();
  const own = { peerId: 1, ipv4: 0, networkLength: 24, exports: [] };
  const claim = { peerId: 2, pathLength: 1, ipv4: 0, exports: [prefix("0.0.0.0/0")] };
  for (const address of [0, ip("10.0.0.1"), 0xffffffff]) {
    table.rebuild(own, []);
    t.is(table.ownerOf(address), 0);
    table.rebuild(own, [claim]);
    t.is(table.ownerOf(address), address === 0xffffffff ? 0 : 2);
    table.rebuild(own, []);
    t.is(table.ownerOf(address), 0);
  }
});

test("the broadcast address of our own subnet only, and none in a /31 or /32", (t) => {
  const table = new AddressTable();
  const own = { peerId: 1, ipv4: ip("10.1.2.3"), networkLength: 24, exports: [] };
  const other = { peerId: 2, pathLength: 1, ipv4: 0, exports: [prefix("192.168.0.0/16")] };
  table.rebuild(own, [other]);
  t.true(table.isBroadcast(ip("10.1.2.255")));
  t.false(table.isBroadcast(ip("10.1.3.255")));
  // A host like any other, for those who export a /16.
  t.is(table.ownerOf(ip("192.168.3.255")), 2);
  for (const networkLength of [31, 32]) {
    table.rebuild({ ...own, networkLength }, [other]);
    t.false(table.isBroadcast(ip("10.1.2.3")));
    t.is(table.ownerOf(ip("10.1.2.3")), 1);
  }
});
