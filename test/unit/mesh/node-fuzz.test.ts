/** Bad input against live nodes. Seeds are printed when something fails; `MESH_FUZZ_SEED` repeats one. */
import test from "ava";
import { MAX_EVENTS, MAX_HALF_OPEN, MAX_LINKS, MAX_ROUTES } from "../../../router-daemon/src/mesh/limits.ts";
import { type Datagram, FakeNetwork, Seeded, toHex } from "./fake-underlay.ts";
import { TestNode } from "./test-node.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const ROUNDS = Number(process.env.MESH_FUZZ_ROUNDS ?? 8);
const firstSeed = Number(process.env.MESH_FUZZ_SEED ?? 1000);
const seeds = Array.from({ length: ROUNDS }, (_, at) => firstSeed + at);

function randomBytes(random: Seeded, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

/** One mutation of a datagram that really crossed the network, from the same sender. */
function mutate(random: Seeded, datagram: Datagram): Datagram {
  let bytes = datagram.bytes.slice();
  switch (random.below(7)) {
    case 0:
      for (let flips = 1 + random.below(4); flips > 0; flips--) {
        const at = random.below(bytes.length);
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
      }
      break;
    case 1:
      bytes = bytes.slice(0, random.below(bytes.length));
      break;
    case 2:
      bytes = Uint8Array.of(...bytes, ...randomBytes(random, 1 + random.below(40)));
      break;
    case 3:
      bytes[4] = random.below(9);
      break;
    case 4:
      if (bytes.length > 17) bytes[16] = random.below(24);
      break;
    case 5:
      if (bytes.length > 17) bytes[17] = random.below(256);
      break;
    default: {
      // A clear-text packet of any type with noise behind a good header.
      const payload = randomBytes(random, random.below(200));
      bytes = Uint8Array.of(...bytes.slice(0, 24), ...payload);
      if (bytes.length > 17) {
        bytes[16] = random.below(24);
        bytes[17] = 0;
      }
    }
  }
  // Half of them with a tunnel length that fits, so that they get further.
  if (random.below(2) === 0 && bytes.length >= 8) {
    bytes[6] = bytes.length - 8;
    bytes[7] = (bytes.length - 8) >> 8;
  }
  return { ...datagram, bytes };
}

function check(t: { true(value: boolean, message?: string): void }, node: TestNode, seed: number): void {
  const counters = node.node.counters();
  t.true(counters.links! <= MAX_LINKS && counters.half_open! <= MAX_HALF_OPEN, `seed ${seed}`);
  t.true(counters.routes! < MAX_ROUTES && node.events.length < 100 * MAX_EVENTS, `seed ${seed}`);
  t.true(node.underlay.links.size === counters.links, `seed ${seed}: links of node and host differ`);
  t.true(node.underlay.sockets.size < 20, `seed ${seed}`);
  // Two slots are the node's own; nothing else may be missing.
  t.true(node.underlay.pool.freeSlots === node.underlay.pool.slotCount - 2, `seed ${seed}: slots leak`);
}

test("datagrams of all kinds of damage: no throw, nothing grows, nothing is delivered that was not sent", (t) => {
  for (const seed of seeds) {
    const network = new FakeNetwork(seed);
    const random = new Seeded(seed * 7919);
    const a = new TestNode(network, { address: A, peers: ["udp://192.0.2.2:11010"] });
    const b = new TestNode(network, { address: B, peers: ["udp://192.0.2.1:11010"] });
    // RPC included: the header is not authenticated (links.md 12), so what was sealed as one type may arrive as another.
    const sent = new Set<string>();
    for (const { underlay } of [a, b]) underlay.onSend = (payload) => sent.add(toHex(payload));
    network.log = [];
    network.run(500);
    for (let step = 0; step < 200; step++) {
      const payload = randomBytes(random, 1 + random.below(300));
      const type = [1, 11, 12][random.below(3)]!;
      b.send(a.peerId, type, payload);
      for (let at = 0; at < 5; at++) {
        const recent = network.log[Math.max(0, network.log.length - 1 - random.below(60))]!;
        const kind = random.below(10);
        if (kind < 6) network.send(mutate(random, recent));
        else if (kind < 8) network.send({ ...recent, from: `198.51.100.${random.below(255)}` });
        else network.send({ ...recent, bytes: randomBytes(random, random.below(1400)) });
      }
      if (network.log.length > 500) network.log.splice(0, 300);
      network.run(random.below(40));
      check(t, a, seed);
      check(t, b, seed);
    }
    for (const { payload } of a.delivered) t.true(sent.has(toHex(payload)), `seed ${seed}: forged payload`);
    t.is(b.delivered.filter(({ payload }) => !sent.has(toHex(payload))).length, 0, `seed ${seed}`);
    // Forged pongs and handshakes may cost a link; the pair finds together again by itself.
    network.run(60_000);
    const before = a.delivered.length;
    t.true(b.send(a.peerId, 1, new Uint8Array(9)), `seed ${seed}`);
    network.run(100);
    t.is(a.delivered.length, before + 1, `seed ${seed}`);
    t.deepEqual([a.reachable, b.reachable], [[b.peerId], [a.peerId]], `seed ${seed}: forged routes`);
  }
});

test("commands, losses, restarts and time in any order leave the nodes whole", (t) => {
  for (const seed of seeds) {
    const network = new FakeNetwork(seed);
    const random = new Seeded(seed * 104_729);
    const urls = [
      "udp://192.0.2.1:11010",
      "udp://192.0.2.2:11010",
      "udp://name.example:11010",
      "udp://[::9]:1",
    ];
    const nodes = [A, B, "192.0.2.3"].map((address) => new TestNode(network, { address }));
    for (let step = 0; step < 120; step++) {
      const at = random.below(nodes.length);
      const node = nodes[at]!;
      switch (random.below(9)) {
        case 0:
          node.node.setPeers(
            urls.filter(() => random.below(2) === 0),
            network.now,
          );
          break;
        case 1:
          node.node.setListeners(random.below(4) === 0 ? [] : ["udp://0.0.0.0:11010"], network.now);
          break;
        case 2:
          node.node.handleResolved(
            urls[2]!,
            [{ address: random.below(2) ? A : "bogus", port: 11010 }],
            network.now,
          );
          break;
        case 3:
          network.lossShare = random.below(4) * 0.2;
          break;
        case 4:
          node.underlay.unplugged = random.below(3) === 0;
          break;
        case 5:
          node.node.handleNetworkChange(network.now);
          break;
        case 6:
          node.node.setLocalInfo({ hostname: `h${random.below(100)}` }, network.now);
          break;
        case 7: {
          const address = node.underlay.address;
          node.crash();
          nodes[at] = new TestNode(network, { address, peers: [urls[random.below(2)]!] });
          break;
        }
        default:
          for (const other of nodes) node.send(other.peerId, 1, new Uint8Array(10));
      }
      network.run(random.below(3000));
      for (const one of nodes) check(t, one, seed);
    }
    network.lossShare = 0;
    for (const node of nodes) {
      node.underlay.unplugged = false;
      node.node.setListeners(["udp://0.0.0.0:11010"], network.now);
      node.node.setPeers(urls.slice(0, 2), network.now);
    }
    network.run(90_000);
    const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
    t.true(a.direct.includes(b.peerId) && b.direct.includes(a.peerId), `seed ${seed}`);
    t.true(c.direct.includes(a.peerId) && c.direct.includes(b.peerId), `seed ${seed}`);
    t.deepEqual([a.reachable.length, b.reachable.length, c.reachable.length], [2, 2, 2], `seed ${seed}`);
  }
});
