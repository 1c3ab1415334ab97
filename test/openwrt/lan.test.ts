/** LAN hosts behind a router with the package are reached by ICMP, UDP and TCP, with its firewall and without. */
import test from "ava";
import type { Lab } from "../netns/lab.ts";
import { KcpRouter, untilKernelRoute } from "../netns/router.ts";
import { CLIENT_LAN, ROUTER_B_WAN, SERVICE, SERVICE_LAN } from "../netns/topology.ts";
import { CONFIG_A, CONFIG_B, PORT } from "../netns/two-routers.ts";
import { startByUci, untilMet, withPackage } from "./router-with-package.ts";

/** How many of three pings come back. */
async function pings(lab: Lab, host: string, address: string): Promise<number> {
  const { stdout } = await lab.exec(host, ["busybox", "ping", "-c", "3", "-i", "0.2", "-W", "2", address]);
  return Number(/(\d+) packets received/.exec(stdout)?.[1] ?? 0);
}

for (const firewall of ["on", "off"] as const) {
  test.serial(
    `firewall ${firewall}: a far node reaches a LAN host that knows no way back, by ICMP, UDP, plain TCP and KCP`,
    async (t) => {
      await withPackage("routerB", {}, async ({ lab, root }) => {
        if (firewall === "off") await root.must("/etc/init.d/firewall stop");
        await lab.shell("service", "ip route del default");
        await startByUci(root, { ipv4: "10.91.0.2/24", exported: SERVICE_LAN });
        const rules = await root.otherRules();
        const flags = { enable_kcp_proxy: false };
        const far = await KcpRouter.start(lab, "routerA", { ...CONFIG_A, flags });
        await untilMet(root, "a");
        await untilKernelRoute(lab, "routerA", SERVICE_LAN);

        t.is(await pings(lab, "routerA", SERVICE), 3);
        const echo = { client: "routerA", server: "service", address: SERVICE, count: 20 };
        t.is((await lab.udpPing(echo)).answered, 20);
        const transfer = { client: "routerA", server: "service", address: SERVICE };
        const plain = await lab.transfer({ ...transfer, upBytes: 300_000, downBytes: 300_000 });
        t.deepEqual(plain.bad, []);
        far.rewriteConfig({ ...CONFIG_A, flags: { enable_kcp_proxy: true } });
        await far.call("reload");
        const carried = await lab.transfer({ ...transfer, upBytes: 300_000, downBytes: 300_000 });
        t.deepEqual(carried.bad, []);
        t.true((await far.connections()).some((row) => row.transport === "kcp"));
        // A host of the far LAN, too, whose addresses the far router exports.
        t.is(await pings(lab, "client", SERVICE), 3);
        t.is(await root.otherRules(), rules);
      });
    },
  );

  test.serial(
    `firewall ${firewall}: a LAN that is not exported reaches the mesh by ICMP, UDP, plain TCP and KCP`,
    async (t) => {
      await withPackage("routerA", {}, async ({ lab, root }) => {
        if (firewall === "off") await root.must("/etc/init.d/firewall stop");
        await KcpRouter.start(lab, "routerB", CONFIG_B);
        await startByUci(root, { ipv4: "10.91.0.1/24", peer: `udp://${ROUTER_B_WAN}:${PORT}` });
        await untilMet(root, "b");
        await untilKernelRoute(lab, "routerA", SERVICE_LAN);

        t.is(await pings(lab, "client", SERVICE), 3);
        const echo = { client: "client", server: "service", address: SERVICE, count: 20 };
        t.is((await lab.udpPing(echo)).answered, 20);
        for (const proxy of [1, 0]) {
          await root.uci(`kcp-router.proxy.enable_kcp_proxy=${proxy}`);
          await root.must("/etc/init.d/kcp-router reload");
          const transfer = { client: "client", server: "service", address: SERVICE };
          const { bad } = await lab.transfer({ ...transfer, upBytes: 300_000, downBytes: 300_000 });
          t.deepEqual(bad, [], `enable_kcp_proxy ${proxy}`);
        }
      });
    },
  );
}

test.serial("an exported LAN is seen under its own addresses", async (t) => {
  await withPackage("routerA", {}, async ({ lab, root }) => {
    const far = await KcpRouter.start(lab, "routerB", CONFIG_B);
    const peer = `udp://${ROUTER_B_WAN}:${PORT}`;
    await startByUci(root, { ipv4: "10.91.0.1/24", peer, exported: CLIENT_LAN });
    await untilMet(root, "b");
    await untilKernelRoute(lab, "routerB", CLIENT_LAN);
    const transfer = { client: "client", server: "service", address: SERVICE };
    t.deepEqual((await lab.transfer({ ...transfer, upBytes: 100_000, downBytes: 100_000 })).bad, []);
    t.true((await far.connections()).some((row) => row.src.startsWith("10.81.0.2:")));
  });
});
