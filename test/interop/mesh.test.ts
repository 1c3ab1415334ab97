/**
 * Our mesh node against the real EasyTier core, over real sockets: links, route sync, relays. No TUN of ours: what arrives is
 * looked at as it arrives.
 */
import test from "ava";
import { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import {
  RELAY_WAN_A,
  RELAY_WAN_B,
  ROUTER_A_WAN,
  ROUTER_B_WAN,
  type Topology,
  twoRouters,
  withRelay,
} from "../netns/topology.ts";
import { MeshPeer } from "./mesh-peer.ts";
import type { MeshProcessConfig } from "./mesh-process.ts";
import { EasyTierPeer, prepareEasyTier } from "./peer/easytier-peer.ts";

const NETWORK = { networkName: "lab", networkSecret: "the lab's secret" };
const LISTENER = "udp://0.0.0.0:11010";
const DATA = 1;

const missing = await prepareEasyTier();
const interop = missing === undefined ? test.serial : test.skip;
if (missing !== undefined) console.log(`Skipped: ${missing}`);

function ipv4(last: number): number {
  return ((10 << 24) | (91 << 16) | last) >>> 0;
}

function ours(last: number, more: Partial<MeshProcessConfig> = {}): MeshProcessConfig {
  return {
    ...NETWORK,
    hostname: `ours-${last}`,
    ipv4: ipv4(last),
    instanceId: `00000000-0000-4000-8000-0000000000${last.toString().padStart(2, "0")}`,
    listeners: [],
    peers: [],
    ...more,
  };
}

async function inLab(topology: Topology, story: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.create(topology);
  try {
    await story(lab);
  } finally {
    await lab.stop();
  }
}

interface Connection {
  readonly stats: { readonly rx_packets: string; readonly tx_packets: string; readonly latency_us: string };
  readonly loss_rate?: number;
  readonly is_client?: boolean;
}

/** The connections that the real peer has to a node of ours, in its own words. */
async function connections(peer: EasyTierPeer, peerId: number): Promise<Connection[]> {
  for (const row of await peer.peers()) if (row.peer_id === peerId) return row.conns as Connection[];
  return [];
}

interop("we dial: both list each other, and the ping statistics of both sides live", async (t) => {
  await inLab(twoRouters(), async (lab) => {
    const stock = await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "stock",
      ipv4: "10.91.0.2/24",
      listeners: [LISTENER],
      proxyNetworks: ["10.82.0.0/24"],
      flags: { disable_p2p: true },
    });
    const node = await MeshPeer.start(lab, "routerA", ours(1, { peers: [`udp://${ROUTER_B_WAN}:11010`] }));
    const peer = await node.untilPeer("the stock node in our list", ({ info }) => info?.hostname === "stock");
    t.is(peer.peerId, stock.peerId);
    t.like(peer.info, { ipv4: ipv4(2), networkLength: 24, version: stock.version, pathLength: 1 });
    t.deepEqual(peer.info?.exports, [{ network: ((10 << 24) | (82 << 16)) >>> 0, prefixLength: 24 }]);
    t.true(peer.info?.featureFlags.kcpInput);
    const route = await stock.untilRoute("us", ({ hostname }) => hostname === "ours-1");
    t.like(route, { peer_id: node.peerId, cost: 1, version: "kcp-router-test" });

    // Pings at 0, 2 and 6 s on either side.
    await until("three pings", async () => (await node.status()).peers[0]!.links[0]!.rxPackets >= 10, 12_000);
    const link = (await node.status()).peers[0]!.links[0]!;
    const [theirs] = await connections(stock, node.peerId);
    t.true(link.isClient);
    t.is(link.lossShare, 0);
    t.true(link.latencyMs !== null && link.latencyMs > 0 && link.latencyMs < 200);
    t.true(Number(theirs?.stats.latency_us) > 0);
    t.true(Math.abs(Number(theirs?.stats.rx_packets) - link.txPackets) <= 2);
    t.true(Math.abs(Number(theirs?.stats.tx_packets) - link.rxPackets) <= 2);
  });
});

interop("they dial: the link comes up, and IP packets of its kernel cross both ways", async (t) => {
  await inLab(twoRouters(), async (lab) => {
    const node = await MeshPeer.start(lab, "routerA", ours(1, { listeners: [LISTENER] }));
    const stock = await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "stock",
      ipv4: "10.91.0.2/24",
      peers: [`udp://${ROUTER_A_WAN}:11010`],
      flags: { disable_p2p: true },
    });
    await node.untilPeer("the stock node", ({ info }) => info?.hostname === "stock");
    await stock.untilRoute("us", ({ peer_id }) => peer_id === node.peerId);
    t.like((await node.status()).peers[0]!.links[0], { isClient: false, url: "" });

    const hasDevice = async (): Promise<boolean> =>
      (await lab.must("routerB", ["ip", "route", "show", "10.91.0.0/24"])).trim() !== "";
    await until("its TUN device", hasDevice, 10_000);
    // One datagram to our virtual address, from a port of its own, waiting for the answer.
    const exchange = lab.exec("routerB", ["python3", "-c", ECHO_CLIENT, "10.91.0.1"]);
    const isUdp = ({ payload }: { payload: string }): boolean => payload.slice(18, 20) === "11";
    await until("the datagram", () => Promise.resolve(node.received.some(isUdp)), 10_000);
    const request = node.received.find(isUdp)!;
    t.like(request, { kind: "data", from: stock.peerId });
    t.is(await node.send(stock.peerId, DATA, turnedAround(Buffer.from(request.payload, "hex"))), 1);
    const { status, stdout, stderr } = await exchange;
    t.deepEqual([status, stdout.trim()], [0, "hello"], stderr);
    const { counters } = await node.status();
    t.is(counters.clear_data! + counters.unreadable_encryption! + counters.clear_rpc!, 0);
  });
});

const ECHO_CLIENT = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(b"hello", (sys.argv[1], 5000))
print(s.recvfrom(100)[0].decode())
`;

/** A UDP packet sent back: addresses and ports swapped. The checksums are sums, so they stay right. */
function turnedAround(packet: Buffer): Buffer {
  const out = Buffer.from(packet);
  packet.copy(out, 12, 16, 20);
  packet.copy(out, 16, 12, 16);
  packet.copy(out, 20, 22, 24);
  packet.copy(out, 22, 20, 22);
  return out;
}

for (const [how, listener, url] of [
  ["over IPv6", "udp://[::]:11010", "udp://[::1]:11010"],
  ["by name", LISTENER, "udp://localhost:11010"],
] as const) {
  test.serial(`two of ours meet ${how} on real sockets`, async (t) => {
    await inLab(twoRouters(), async (lab) => {
      const a = await MeshPeer.start(lab, "routerA", ours(1, { listeners: [listener] }));
      const b = await MeshPeer.start(lab, "routerA", ours(2, { peers: [url] }));
      const seen = await b.untilPeer("a", ({ info }) => info?.hostname === "ours-1" && info.pathLength === 1);
      t.is(seen.peerId, a.peerId);
      await a.untilPeer("b", ({ info }) => info?.hostname === "ours-2" && info.pathLength === 1);
      t.is(seen.links[0]?.url, url);
      await a.send(b.peerId, DATA, Buffer.from("to the dialler"));
      await b.send(a.peerId, DATA, Buffer.from("to the listener"));
      await until("both", () => Promise.resolve(a.received.length + b.received.length === 2), 5000);
    });
  });
}

interop("a wrong secret is told, and there is no link", async (t) => {
  await inLab(twoRouters(), async (lab) => {
    await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "stock",
      listeners: [LISTENER],
      flags: { no_tun: true },
    });
    const wrong = {
      networkSecret: "mistyped",
      peers: [`udp://${ROUTER_B_WAN}:11010`],
      listeners: [LISTENER],
    };
    const node = await MeshPeer.start(lab, "routerA", ours(1, wrong));
    t.like(await node.untilEvent("dial_failed"), { reason: "wrong_network_secret" });
    // The other way round: it dials us.
    const other = await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "stock-2",
      peers: [`udp://${ROUTER_A_WAN}:11010`],
      flags: { no_tun: true },
    });
    t.like(await node.untilEvent("link_refused"), { reason: "wrong_network_secret" });
    t.deepEqual((await node.status()).peers, []);
    t.deepEqual(await other.routes(), []);
  });
});

interop("a restarted stock node has another id: the old one goes, the link comes back", async (t) => {
  await inLab(twoRouters(), async (lab) => {
    const config = {
      ...NETWORK,
      hostname: "stock",
      listeners: [LISTENER],
      flags: { no_tun: true, disable_p2p: true },
    };
    const first = await EasyTierPeer.start(lab, "routerB", config);
    const node = await MeshPeer.start(lab, "routerA", ours(1, { peers: [`udp://${ROUTER_B_WAN}:11010`] }));
    await node.untilPeer(
      "the first",
      ({ peerId, info }) => peerId === first.peerId && info?.pathLength === 1,
    );
    await first.stop();
    const second = await EasyTierPeer.start(lab, "routerB", config);
    t.not(second.peerId, first.peerId);
    await node.untilPeer(
      "the second",
      ({ peerId, info }) => peerId === second.peerId && info?.pathLength === 1,
      60_000,
    );
    const { peers } = await node.status();
    t.is(peers.find(({ peerId }) => peerId === first.peerId)?.info?.pathLength ?? 0, 0);
    t.is(peers.flatMap(({ links }) => links).length, 1);
  });
});

for (const shared of [false, true]) {
  const what = shared ? "a shared node of another network" : "a stock member";
  interop(`two of us find each other through ${what}, and packets cross it sealed`, async (t) => {
    await inLab(withRelay(), async (lab) => {
      const relay = await EasyTierPeer.start(lab, "relay", {
        ...NETWORK,
        ...(shared && { networkName: "public", networkSecret: "its own" }),
        hostname: "relay",
        listeners: [LISTENER],
        flags: { no_tun: true, disable_p2p: true },
      });
      const a = await MeshPeer.start(lab, "routerA", ours(1, { peers: [`udp://${RELAY_WAN_A}:11010`] }));
      const b = await MeshPeer.start(lab, "routerB", ours(2, { peers: [`udp://${RELAY_WAN_B}:11010`] }));
      const seen = await a.untilPeer("b", ({ info }) => info?.hostname === "ours-2" && info.pathLength === 2);
      await b.untilPeer("a", ({ info }) => info?.hostname === "ours-1" && info.pathLength === 2);
      t.is(seen.cost, "relay(2)");
      const hop = (await a.status()).peers.find(({ links }) => links.length > 0);
      t.is(hop?.shared, shared);
      if (shared) t.is(hop?.info?.hostname, "PublicServer_relay");
      else t.is(hop?.peerId, relay.peerId);
      for (const type of [DATA, 11, 12]) await a.send(b.peerId, type, Buffer.from(`type ${type}`));
      await until("three packets", () => Promise.resolve(b.received.length >= 3), 5000);
      t.deepEqual(
        b.received.map(({ kind, from, payload }) => [kind, from, Buffer.from(payload, "hex").toString()]),
        [
          ["data", a.peerId, "type 1"],
          ["destination", a.peerId, "type 11"],
          ["source", a.peerId, "type 12"],
        ],
      );
    });
  });
}

interop("a stock node that knows us only through another asks where we listen, and dials us", async (t) => {
  await inLab(twoRouters(), async (lab) => {
    const flags = { no_tun: true };
    await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "middle",
      listeners: [LISTENER],
      flags,
    });
    const far = await EasyTierPeer.start(lab, "routerB", {
      ...NETWORK,
      hostname: "far",
      peers: ["udp://127.0.0.1:11010"],
      flags,
    });
    const node = await MeshPeer.start(
      lab,
      "routerA",
      ours(1, {
        listeners: [LISTENER],
        peers: [`udp://${ROUTER_B_WAN}:11010`],
        interfaceIpv4s: [((192 << 24) | (2 << 8) | 1) >>> 0],
      }),
    );
    const direct = await node.untilPeer(
      "a direct link of the far node",
      ({ peerId, links }) => peerId === far.peerId && links.length > 0,
      30_000,
    );
    t.false(direct.links[0]!.isClient);
  });
});
