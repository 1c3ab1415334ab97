/** Two nodes of the real EasyTier core: KCP proxy, user-space stack, defaults otherwise. */
import { EasyTierPeer } from "../../interop/peer/easytier-peer.ts";
import { untilKernelRoute } from "../../netns/router.ts";
import { CLIENT_LAN, ROUTER_B_WAN } from "../../netns/topology.ts";
import type { Contender } from "./contender.ts";

/** A subnet of the service that only this contender exports. */
export const EASYTIER_SUBNET = "10.83.0.0/24";
const PORT = 11_110;

export const easytierKcp: Contender = {
  name: "easytier-kcp",
  async start(lab) {
    const identity = { networkName: "bench", networkSecret: "the bench's secret" };
    // Only the configured link: the other contenders' networks are also ways from one router to the other.
    const flags = { disable_p2p: true, dev_name: "et0", enable_kcp_proxy: true, use_smoltcp: true };
    const destination = await EasyTierPeer.start(lab, "routerB", {
      ...identity,
      hostname: "destination",
      ipv4: "10.90.0.2/24",
      listeners: [`udp://0.0.0.0:${PORT}`],
      proxyNetworks: [EASYTIER_SUBNET],
      flags,
    });
    const source = await EasyTierPeer.start(lab, "routerA", {
      ...identity,
      hostname: "source",
      ipv4: "10.90.0.1/24",
      peers: [`udp://${ROUTER_B_WAN}:${PORT}`],
      // Without it EasyTier drops what comes from the LAN.
      proxyNetworks: [CLIENT_LAN],
      flags,
    });
    await source.untilRoute("destination", (route) => route.hostname === "destination");
    await untilKernelRoute(lab, "routerA", EASYTIER_SUBNET);
    return {
      target: () => ({ address: "10.83.0.2" }),
      processes: { source: [source.process.pid], destination: [destination.process.pid] },
      description: `EasyTier ${source.version} (as a Python module, whose interpreter is about 10 MB of the memory), KCP proxy, user-space stack, AES-GCM, UDP link`,
      stop: async () => {
        await Promise.all([source.stop(), destination.stop()]);
      },
    };
  },
};
