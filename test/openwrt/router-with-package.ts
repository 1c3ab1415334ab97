/** A router of the lab that runs what the package installs, beside the usual nodes. */
import { buildIpk } from "../../tools/package/ipk.ts";
import { daemonPackage } from "../../tools/package/packages.ts";
import { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import { twoRouters } from "../netns/topology.ts";
import { routerExecutable } from "./executable.ts";
import { OpenWrtRoot, type RootOptions } from "./openwrt-root.ts";
import { Opkg } from "./package-manager.ts";

export const NETWORK_CONFIG = `
config interface 'lan'
	option device 'lan'
	option proto 'static'

`;

/** What a router is shipped with: LAN to WAN is allowed, everything else is not. */
export const FIREWALL_CONFIG = `
config zone 'lan'
	option name 'lan'
	list device 'lan'

config zone 'wan'
	option name 'wan'
	list device 'wan'

config forwarding 'out'
	option src 'lan'
	option dest 'wan'

`;

export interface PackagedRouter {
  readonly lab: Lab;
  readonly root: OpenWrtRoot;
}

/** Runs `story` with the package installed on `host` of the usual lab; everything is gone afterwards. */
export async function withPackage(
  host: "routerA" | "routerB",
  options: RootOptions,
  story: (router: PackagedRouter) => Promise<void>,
): Promise<void> {
  const lab = await Lab.create(twoRouters());
  let root: OpenWrtRoot | undefined;
  try {
    root = await OpenWrtRoot.create(lab, host, options);
    root.write("/etc/config/network", NETWORK_CONFIG);
    root.write("/etc/config/firewall", FIREWALL_CONFIG);
    await root.must("/etc/init.d/firewall start");
    await new Opkg(root).install(buildIpk(daemonPackage("x86_64", routerExecutable())));
    await root.must("/etc/init.d/firewall reload");
    await story({ lab, root });
  } finally {
    await root?.stop();
    await lab.stop();
  }
}

export interface UciNode {
  /** `10.91.0.1/24` */
  readonly ipv4: string;
  readonly peer?: string;
  readonly exported?: string;
}

/** Sets what the lab's nodes have in common, starts, and waits for device and table. */
export async function startByUci(root: OpenWrtRoot, node: UciNode): Promise<void> {
  await root.uci(
    "kcp-router.network.name=lab",
    "kcp-router.network.secret=the lab's secret",
    `kcp-router.network.ipv4=${node.ipv4}`,
    ...(node.peer === undefined ? [] : ["kcp-router.far=peer", `kcp-router.far.uri=${node.peer}`]),
    ...(node.exported === undefined ? [] : ["kcp-router.lan=subnet", `kcp-router.lan.cidr=${node.exported}`]),
  );
  await root.must("/etc/init.d/kcp-router start");
  await root.untilDevice(true);
  await root.untilTable(true);
}

/** Resolves when the root's daemon lists a peer of that name with a path to it. */
export async function untilMet(root: OpenWrtRoot, hostname: string, timeoutMs = 20_000): Promise<void> {
  const met = async (): Promise<boolean> => {
    const { status, stdout } = await root.shell("kcp-router peer --json");
    if (status !== 0) return false;
    const rows = JSON.parse(stdout) as readonly { hostname: string; pathLength: number }[];
    return rows.some((row) => row.hostname === hostname && row.pathLength > 0);
  };
  await until(`peer ${hostname}`, met, timeoutMs, 100);
}
