/** Two nodes of the real EasyTier core: KCP or QUIC proxy, user-space stack, defaults otherwise. */
import { EasyTierPeer } from "../../interop/peer/easytier-peer.ts";
import { untilKernelRoute } from "../../netns/router.ts";
import { CLIENT_LAN, ROUTER_B_WAN } from "../../netns/topology.ts";
import type { Contender, ProxyPair } from "./contender.ts";

/** Subnets of the service that only these contenders export. */
export const EASYTIER_SUBNET = "10.83.0.0/24";
export const EASYTIER_QUIC_SUBNET = "10.85.0.0/24";

function pair({ name, proxy, flag, subnet, service, network, port, device }: ProxyPair): Contender {
  return {
    name,
    async start(lab) {
      const identity = { networkName: name, networkSecret: "the bench's secret" };
      // Only the configured link: the other contenders' networks are also ways from one router to the other.
      const flags = { disable_p2p: true, dev_name: device, [flag]: true, use_smoltcp: true };
      const destination = await EasyTierPeer.start(lab, "routerB", {
        ...identity,
        hostname: "destination",
        ipv4: `${network}.2/24`,
        listeners: [`udp://0.0.0.0:${port}`],
        proxyNetworks: [subnet],
        flags,
      });
      const source = await EasyTierPeer.start(lab, "routerA", {
        ...identity,
        hostname: "source",
        ipv4: `${network}.1/24`,
        peers: [`udp://${ROUTER_B_WAN}:${port}`],
        // Without it EasyTier drops what comes from the LAN.
        proxyNetworks: [CLIENT_LAN],
        flags,
      });
      await source.untilRoute("destination", (route) => route.hostname === "destination");
      await untilKernelRoute(lab, "routerA", subnet);
      return {
        target: () => ({ address: service }),
        processes: { source: [source.process.pid], destination: [destination.process.pid] },
        description: `EasyTier ${source.version} (as a Python module, whose interpreter is about 10 MB of the memory), ${proxy} proxy, user-space stack, AES-GCM, UDP link`,
        stop: async () => {
          await Promise.all([source.stop(), destination.stop()]);
        },
      };
    },
  };
}

export const easytierKcp = pair({
  name: "easytier-kcp",
  proxy: "KCP",
  flag: "enable_kcp_proxy",
  subnet: EASYTIER_SUBNET,
  service: "10.83.0.2",
  network: "10.90.0",
  port: 11_110,
  device: "et0",
});

export const easytierQuic = pair({
  name: "easytier-quic",
  proxy: "QUIC",
  flag: "enable_quic_proxy",
  subnet: EASYTIER_QUIC_SUBNET,
  service: "10.85.0.2",
  network: "10.92.0",
  port: 11_410,
  device: "et1",
});
