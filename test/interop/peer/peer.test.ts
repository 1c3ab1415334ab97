/** The real peer as the lab runs it: two stock nodes behave as stock nodes do, so that what tests see of them can be trusted. */
import test from "ava";
import { Lab } from "../../netns/lab.ts";
import { untilKernelRoute } from "../../netns/router.ts";
import { CLIENT_LAN, ROUTER_B_WAN, SERVICE, SERVICE_LAN, twoRouters } from "../../netns/topology.ts";
import { type EasyTierFlags, EasyTierPeer, prepareEasyTier } from "./easytier-peer.ts";

const IDENTITY = { networkName: "stock", networkSecret: "stock's secret" };

const reason = await prepareEasyTier();
const testWithPeer = reason === undefined ? test.serial : test.serial.skip;
if (reason !== undefined) console.error(`skipped: ${reason}`);

/** Five connections of requests and answers from LAN to LAN between two stock nodes; what the source says it carried. */
async function carriedBetweenStockNodes(lab: Lab, destinationFlags: EasyTierFlags) {
  const destination = await EasyTierPeer.start(lab, "routerB", {
    ...IDENTITY,
    hostname: "destination",
    ipv4: "10.144.0.2/24",
    listeners: ["udp://0.0.0.0:11010"],
    proxyNetworks: [SERVICE_LAN],
    flags: destinationFlags,
  });
  const source = await EasyTierPeer.start(lab, "routerA", {
    ...IDENTITY,
    hostname: "source",
    ipv4: "10.144.0.1/24",
    peers: [`udp://${ROUTER_B_WAN}:11010`],
    proxyNetworks: [CLIENT_LAN],
    flags: { enable_kcp_proxy: true, use_smoltcp: true },
  });
  const route = await source.untilRoute("destination", ({ hostname }) => hostname === "destination");
  await untilKernelRoute(lab, "routerA", SERVICE_LAN);
  await untilKernelRoute(lab, "routerB", CLIENT_LAN);
  // Not transfers to their end, and not every connection: stock nodes lose last bytes, and now and then a first packet.
  const ends = { client: "client", server: "service", address: SERVICE };
  const { count } = await lab.pingPong({ ...ends, connections: 5, count: 20, seconds: 4 });
  const carried = await source.carried();
  await Promise.all([source.stop(), destination.stop()]);
  return { count, carried, route, peerId: destination.peerId };
}

testWithPeer("two stock nodes carry a LAN's TCP over KCP, or plainly where KCP is not taken", async (t) => {
  const lab = await Lab.create(twoRouters());
  try {
    const taken = await carriedBetweenStockNodes(lab, {});
    t.like(taken.route, { cost: 1, peer_id: taken.peerId, proxy_cidrs: [SERVICE_LAN] });
    t.true(taken.count > 0);
    t.deepEqual(taken.carried, { KCP: 5, QUIC: 0, TCP: 0 });
    const refused = await carriedBetweenStockNodes(lab, { disable_kcp_input: true });
    t.falsy(refused.route.feature_flag.kcp_input);
    t.true(refused.count > 0);
    t.is(refused.carried.KCP, 0);
  } finally {
    await lab.stop();
  }
});

testWithPeer("a node that cannot start says why", async (t) => {
  const lab = await Lab.create(twoRouters());
  try {
    const config = { ...IDENTITY, ipv4: "10.144.0.2/24", flags: { no_such_flag: true } };
    await t.throwsAsync(EasyTierPeer.start(lab, "routerB", config as object as typeof IDENTITY), {
      message: /failed to parse flags/,
    });
  } finally {
    await lab.stop();
  }
});
