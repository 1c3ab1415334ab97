/** Two of our daemons in the usual lab, joined: what most tests of the daemon begin with. */
import { Lab } from "./lab.ts";
import { until } from "./namespace.ts";
import { KcpRouter, type RouterConfig, untilKernelRoute } from "./router.ts";
import {
  CLIENT_LAN,
  ROUTER_B_WAN,
  SERVICE,
  SERVICE_LAN,
  type TwoRoutersOptions,
  twoRouters,
} from "./topology.ts";

export const PORT = 11_010;

/** The LAN's client and a service behind the other router. */
export const LAN_TO_LAN = { client: "client", server: "service", address: SERVICE } as const;

export const CONFIG_B: RouterConfig = {
  hostname: "b",
  ipv4: "10.91.0.2/24",
  listeners: [`udp://0.0.0.0:${PORT}`],
  proxyNetworks: [SERVICE_LAN],
  flags: { enable_kcp_proxy: true },
};

export const CONFIG_A: RouterConfig = {
  hostname: "a",
  ipv4: "10.91.0.1/24",
  peers: [`udp://${ROUTER_B_WAN}:${PORT}`],
  proxyNetworks: [CLIENT_LAN],
  flags: { enable_kcp_proxy: true },
};

export interface Pair {
  readonly lab: Lab;
  readonly a: KcpRouter;
  readonly b: KcpRouter;
}

/** Runs `story` with both daemons joined; everything is gone afterwards, however it ends. */
export async function withPair(
  options: TwoRoutersOptions,
  configs: { readonly a?: Partial<RouterConfig>; readonly b?: Partial<RouterConfig> },
  story: (pair: Pair) => Promise<void>,
): Promise<void> {
  const lab = await Lab.create(twoRouters(options));
  try {
    const b = await KcpRouter.start(lab, "routerB", { ...CONFIG_B, ...configs.b });
    const a = await KcpRouter.start(lab, "routerA", { ...CONFIG_A, ...configs.a });
    await joined({ lab, a, b });
    await story({ lab, a, b });
  } finally {
    await lab.stop();
  }
}

/** Both list each other, and the kernels know the way. */
export async function joined({ lab, a, b }: Pair): Promise<void> {
  await a.untilPeer("b", (peer) => peer.exportedSubnets.includes(SERVICE_LAN));
  await b.untilPeer("a");
  await untilKernelRoute(lab, "routerA", SERVICE_LAN);
}

/** Resolves when no entry of the daemon is live any more. */
export async function untilNoEntry(router: KcpRouter, timeoutMs = 20_000): Promise<void> {
  const none = async (): Promise<boolean> => (await router.call("status")).connections.live === 0;
  await until(`the end of all entries on ${router.host}`, none, timeoutMs);
}
