/** Two of our daemons, over KCP or QUIC. */
import { KcpRouter, untilKernelRoute } from "../../netns/router.ts";
import { ROUTER_B_WAN } from "../../netns/topology.ts";
import type { Contender, ProxyPair } from "./contender.ts";

/** Subnets of the service that only these contenders export. */
export const KCP_ROUTER_SUBNET = "10.84.0.0/24";
export const KCP_ROUTER_QUIC_SUBNET = "10.86.0.0/24";

function pair({ name, proxy, flag, subnet, service, network, port, device }: ProxyPair): Contender {
  return {
    name,
    async start(lab) {
      const common = { networkName: name };
      const destination = await KcpRouter.start(lab, "routerB", {
        ...common,
        hostname: `${name}-destination`,
        ipv4: `${network}.2/24`,
        listeners: [`udp://0.0.0.0:${port}`],
        proxyNetworks: [subnet],
        flags: { dev_name: device },
      });
      const source = await KcpRouter.start(lab, "routerA", {
        ...common,
        hostname: `${name}-source`,
        ipv4: `${network}.1/24`,
        peers: [`udp://${ROUTER_B_WAN}:${port}`],
        flags: { dev_name: device, [flag]: true },
      });
      await source.untilPeer(`${name}-destination`, (peer) => peer.exportedSubnets.includes(subnet));
      await untilKernelRoute(lab, "routerA", subnet);
      const { version, engine } = await source.call("version");
      return {
        target: () => ({ address: service }),
        processes: { source: [source.pid], destination: [destination.pid] },
        description: `kcp-router ${version} on ${engine}, ${proxy} proxy, AES-GCM, UDP link`,
        stop: async () => {
          await Promise.all([source.stop(), destination.stop()]);
        },
      };
    },
  };
}

export const kcpRouter = pair({
  name: "kcp-router",
  proxy: "KCP",
  flag: "enable_kcp_proxy",
  subnet: KCP_ROUTER_SUBNET,
  service: "10.84.0.2",
  network: "10.91.0",
  port: 11_210,
  device: "kcp0",
});

export const kcpRouterQuic = pair({
  name: "kcp-router-quic",
  proxy: "QUIC",
  flag: "enable_quic_proxy",
  subnet: KCP_ROUTER_QUIC_SUBNET,
  service: "10.86.0.2",
  network: "10.93.0",
  port: 11_310,
  device: "kcp1",
});
