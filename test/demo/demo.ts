/**
 * `make demo`: a LAN behind one router, a service behind another, 5 % loss each way and 40 ms round trip between them.
 *
 * Downloads and uploads cross four ways: plain TCP, KCP and QUIC inside the virtual network, and kernel TCP without any of us. Then both routers show their live tables. `KEEP=1` leaves the lab up and says how to look around.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PAGE_HINT, servePage } from "../luci/serve.ts";
import { Lab } from "../netns/lab.ts";
import { OUT, toolPath } from "../netns/paths.ts";
import { KcpRouter, type RouterConfig, untilKernelRoute } from "../netns/router.ts";
import {
  CLIENT_LAN,
  ROUTER_B_WAN,
  SERVICE,
  SERVICE_BY_KERNEL,
  SERVICE_LAN,
  twoRouters,
} from "../netns/topology.ts";
import { isKeeper, keepRunning, runInKeeper } from "./keeper.ts";
import { boxTable } from "./table.ts";

const LOSS_PERCENT = 5;
const RTT_MS = 40;
/** Connections to these ports never ride KCP: what plain TCP inside the network is shown with. */
const PLAIN_PORTS = { first: 30_000, last: 30_999 };
const BULK = { seconds: 2.5, warmupSeconds: 0.5 };
const REQUESTS = { seconds: 3, connections: 8, skip: 1, count: 100_000 };

type Way = "plain" | "kcp" | "quic" | "kernel";
const WAYS: Readonly<Record<Way, { title: string; address: string; firstPort: number }>> = {
  plain: { title: "plain TCP inside the network", address: SERVICE, firstPort: PLAIN_PORTS.first },
  kcp: { title: "KCP inside the network", address: SERVICE, firstPort: 20_000 },
  quic: { title: "QUIC inside the network", address: SERVICE, firstPort: 20_200 },
  kernel: { title: "kernel TCP, none of us", address: SERVICE_BY_KERNEL, firstPort: 20_500 },
};
const ENDS = { client: "client", server: "service" };

interface Figures {
  readonly lossPercent: number;
  readonly rttMs: number;
  readonly rates: Record<Way, { downMbps: number; upMbps: number }>;
  readonly latency: Record<Way, { p50Ms: number; p99Ms: number }>;
}

function say(line = ""): void {
  console.log(line);
}

/** The first router: its proxy is the one that is shown. */
function configA(proxy: "kcp" | "quic"): RouterConfig {
  return {
    hostname: "routerA",
    // As on OpenWrt: its page edits the file.
    form: "uci",
    ipv4: "10.126.126.1/24",
    peers: [`udp://${ROUTER_B_WAN}:11010`],
    // Plain packets need a way back to the LAN; KCP and QUIC would not.
    proxyNetworks: [CLIENT_LAN],
    flags: { [`enable_${proxy}_proxy`]: true },
    rules: [{ action: "bypass", ports: `${PLAIN_PORTS.first}-${PLAIN_PORTS.last}` }],
  };
}

async function startRouters(lab: Lab): Promise<[KcpRouter, KcpRouter]> {
  const routerB = await KcpRouter.start(lab, "routerB", {
    hostname: "routerB",
    ipv4: "10.126.126.2/24",
    listeners: ["udp://0.0.0.0:11010"],
    proxyNetworks: [SERVICE_LAN],
  });
  const routerA = await KcpRouter.start(lab, "routerA", configA("kcp"));
  await Promise.all([routerA.untilPeer("routerB"), routerB.untilPeer("routerA")]);
  await Promise.all([
    untilKernelRoute(lab, "routerA", SERVICE_LAN),
    untilKernelRoute(lab, "routerB", CLIENT_LAN),
  ]);
  return [routerA, routerB];
}

async function measure(lab: Lab, routerA: KcpRouter): Promise<Figures> {
  const rates = {} as Figures["rates"];
  const latency = {} as Figures["latency"];
  for (const way of ["kernel", "plain", "quic", "kcp"] as const) {
    if (way === "quic" || way === "kcp") await useProxy(routerA, way);
    const { title, address, firstPort: port } = WAYS[way];
    say(`Measuring ${title} …`);
    const down = await lab.throughput({ ...ENDS, ...BULK, address, port, direction: "down" });
    await lab.quiet();
    const up = await lab.throughput({ ...ENDS, ...BULK, address, port: port + 1, direction: "up" });
    await lab.quiet();
    const requests = await lab.pingPong({ ...ENDS, ...REQUESTS, address, port: port + 2 });
    if (down.totalBytes === 0 || up.totalBytes === 0 || requests.count === 0)
      throw new Error(`${title}: nothing came through.`);
    rates[way] = { downMbps: rounded(down.mbps), upMbps: rounded(up.mbps) };
    latency[way] = { p50Ms: rounded(requests.p50Ms), p99Ms: rounded(requests.p99Ms) };
  }
  return { lossPercent: LOSS_PERCENT, rttMs: RTT_MS, rates, latency };
}

/** Switches the proxy in the running daemon, as Save & Apply does. */
async function useProxy(routerA: KcpRouter, proxy: "kcp" | "quic"): Promise<void> {
  routerA.rewriteConfig(configA(proxy));
  await routerA.call("reload");
  await routerA.untilPeer("routerB", ({ choice }) => choice.transport === proxy);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function showFigures({ rates, latency }: Figures): void {
  const rows = (["plain", "kcp", "quic", "kernel"] as const).map((way) => [
    WAYS[way].title,
    rates[way].downMbps.toFixed(1),
    rates[way].upMbps.toFixed(1),
    latency[way].p50Ms.toFixed(1),
    latency[way].p99Ms.toFixed(1),
  ]);
  say(boxTable(["", "download Mbit/s", "upload Mbit/s", "small requests p50 ms", "p99 ms"], rows));
  const [down, up] = [rates.kcp.downMbps / rates.plain.downMbps, rates.kcp.upMbps / rates.plain.upMbps];
  say(
    `KCP carries ${down.toFixed(0)} times what plain TCP carries down, and ${up.toFixed(0)} times up. The client was not changed.`,
  );
}

/** Connections under way, so that the tables have something to show; they end with the lab. */
async function liveConnections(lab: Lab): Promise<void> {
  for (const [port, direction] of [
    [20_100, "down"],
    [20_101, "up"],
    [PLAIN_PORTS.first + 100, "down"],
  ] as const) {
    const server = lab.spawn("service", [toolPath("bulk"), "serve", String(port)]);
    await server.waitForLine(/^ready$/);
    lab.spawn("client", [
      toolPath("bulk"),
      "client",
      SERVICE,
      String(port),
      direction,
      "0",
      "20000",
      "-",
      "20",
    ]);
  }
  await lab.quiet("wan", "routerA", 200_000, 1500);
}

async function showTables(routers: readonly KcpRouter[]): Promise<void> {
  for (const router of routers) {
    say(`\n${router.host}: kcp-router proxy`);
    const { status, stdout, stderr } = await router.cli("proxy", "--live");
    if (status !== 0) throw new Error(`kcp-router proxy failed on ${router.host}: ${stderr}`);
    say(stdout.trimEnd());
  }
}

function instructions(lab: Lab, routers: readonly KcpRouter[], page: string): string[] {
  const on = (host: string): string => lab.namespace(host).shell;
  return [
    "",
    "The lab stays up. For example:",
    `  routerA's LuCI page       ${page}`,
    `                            (${PAGE_HINT})`,
    `  a shell on the client     ${on("client")} bash`,
    `  a shell on routerA        ${on("routerA")} bash`,
    ...routers.map(
      (router) => `  ${router.host}'s table           out/kcp-router proxy --wide --socket ${router.socket}`,
    ),
    `  download 100 MB, checked  ${on("client")} out/lab/transfer client ${SERVICE} 7000 --mode download --down 100000000`,
    `  the same as plain TCP     ${on("client")} out/lab/transfer client ${SERVICE} ${PLAIN_PORTS.last} --mode download --down 10000000`,
    `  another loss              echo "set both loss=0.1" > ${join(lab.directory, "wan.fifo")}`,
    `Stop it with: kill ${process.pid}`,
  ];
}

async function main(): Promise<void> {
  say(
    `A provider with ${LOSS_PERCENT} % loss each way and ${RTT_MS} ms round trip; client and service use TCP cubic.`,
  );
  const lab = await Lab.create(twoRouters({ wan: { delayMs: RTT_MS / 2, loss: LOSS_PERCENT / 100 } }));
  let kept = false;
  try {
    const routers = await startRouters(lab);
    const figures = await measure(lab, routers[0]);
    mkdirSync(OUT, { recursive: true });
    writeFileSync(join(OUT, "demo.json"), `${JSON.stringify(figures, null, 2)}\n`);
    say();
    showFigures(figures);
    await liveConnections(lab);
    await showTables(routers);
    say("\nThe figures are in out/demo.json.");
    if (isKeeper()) {
      for (const port of [7000, PLAIN_PORTS.last])
        lab.spawn("service", [toolPath("transfer"), "serve", String(port)]);
      const shell = await servePage(routers[0]);
      for (const line of instructions(lab, routers, shell.url)) say(line);
      kept = true;
      keepRunning();
    }
  } finally {
    if (!kept) await lab.stop();
  }
}

const wantsToKeep = !["", "0", "no"].includes(process.env.KEEP ?? "");
if (wantsToKeep && !isKeeper()) {
  process.exitCode = await runInKeeper(import.meta.filename);
} else {
  try {
    await main();
  } catch (error) {
    console.error(`demo: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
