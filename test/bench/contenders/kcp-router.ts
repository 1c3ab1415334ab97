/** Two of our daemons. */
import { KcpRouter, untilKernelRoute } from "../../netns/router.ts";
import { ROUTER_B_WAN } from "../../netns/topology.ts";
import type { Contender } from "./contender.ts";

/** A subnet of the service that only this contender exports. */
export const KCP_ROUTER_SUBNET = "10.84.0.0/24";
const PORT = 11_210;

export const kcpRouter: Contender = {
  name: "kcp-router",
  async start(lab) {
    const destination = await KcpRouter.start(lab, "routerB", {
      hostname: "destination",
      ipv4: "10.91.0.2/24",
      listeners: [`udp://0.0.0.0:${PORT}`],
      proxyNetworks: [KCP_ROUTER_SUBNET],
    });
    const source = await KcpRouter.start(lab, "routerA", {
      hostname: "source",
      ipv4: "10.91.0.1/24",
      peers: [`udp://${ROUTER_B_WAN}:${PORT}`],
      flags: { enable_kcp_proxy: true },
    });
    await source.untilPeer("destination", (peer) => peer.exportedSubnets.includes(KCP_ROUTER_SUBNET));
    await untilKernelRoute(lab, "routerA", KCP_ROUTER_SUBNET);
    const { version, engine } = await source.call("version");
    return {
      target: () => ({ address: "10.84.0.2" }),
      processes: { source: [source.pid], destination: [destination.pid] },
      description: `kcp-router ${version} on ${engine}, KCP proxy, AES-GCM, UDP link`,
      stop: async () => {
        await Promise.all([source.stop(), destination.stop()]);
      },
    };
  },
};
