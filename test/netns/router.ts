/** Our daemon as a node of the lab: configuration from a few words, its API, its CLI. Needs `make build`. */
import { existsSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { InputOf, MethodName, ResultOf } from "../../router-daemon/src/api/methods.ts";
import type { ConnectionRow, PeerRow } from "../../router-daemon/src/api/rows.ts";
import { importToml } from "../../router-daemon/src/config/convert.ts";
import { problemSentence } from "../../router-daemon/src/config/problem.ts";
import type { Lab } from "./lab.ts";
import { until } from "./namespace.ts";
import { OUT } from "./paths.ts";
import type { ExecResult, LabProcess } from "./process.ts";

export interface RouterConfig {
  readonly hostname: string;
  readonly networkName?: string;
  readonly networkSecret?: string;
  readonly ipv4?: string;
  readonly listeners?: readonly string[];
  /** URLs it dials. */
  readonly peers?: readonly string[];
  /** Subnets it exports. */
  readonly proxyNetworks?: readonly string[];
  /** The `[flags]` section. */
  readonly flags?: Readonly<Record<string, boolean | number | string>>;
  /** The `[kcp_router]` section. */
  readonly own?: Readonly<Record<string, boolean | number | string>>;
  readonly rules?: readonly Readonly<Record<string, string>>[];
  /** Written as on OpenWrt. */
  readonly form?: "toml" | "uci";
}

/** What executes a router. */
export type Runtime = "node" | "quickjs";

/** `RUNTIME=quickjs` runs every router in QuickJS; `RUNTIME_A` and `RUNTIME_B` say it for routerA and routerB alone. */
export function runtimeOf(host: string): Runtime {
  const own = { routerA: process.env.RUNTIME_A, routerB: process.env.RUNTIME_B }[host];
  const runtime = own ?? process.env.RUNTIME ?? "node";
  if (runtime !== "node" && runtime !== "quickjs")
    throw new Error(`RUNTIME is node or quickjs, not ${runtime}.`);
  return runtime;
}

/** The executable with QuickJS: this machine's, or the one that KCP_ROUTER_QUICKJS names. */
const QUICKJS = process.env.KCP_ROUTER_QUICKJS ?? join(OUT, "bin/host/kcp-router");

/** Command line of the CLI, daemon included, as users start it. It ends in one process: its pid is the daemon's. */
export function kcpRouter(host: string): readonly string[] {
  if (runtimeOf(host) === "node")
    return ["env", `KCP_ROUTER_NODE=${process.execPath}`, join(OUT, "kcp-router")];
  if (!existsSync(QUICKJS)) throw new Error(`${QUICKJS} is missing. Build it with \`make quickjs\`.`);
  return [QUICKJS];
}

function section(name: string, values: Readonly<Record<string, boolean | number | string>>): string[] {
  return [`[${name}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)];
}

/** The configuration file. JSON's strings, numbers and arrays are also TOML's. */
export function routerToml(config: RouterConfig, socket: string): string {
  const { networkName = "lab", networkSecret = "the lab's secret" } = config;
  return [
    `hostname = ${JSON.stringify(config.hostname)}`,
    ...(config.ipv4 === undefined ? [] : [`ipv4 = ${JSON.stringify(config.ipv4)}`]),
    `listeners = ${JSON.stringify(config.listeners ?? [])}`,
    ...section("network_identity", { network_name: networkName, network_secret: networkSecret }),
    ...(config.peers ?? []).flatMap((uri) => section("[peer]", { uri })),
    ...(config.proxyNetworks ?? []).flatMap((cidr) => section("[proxy_network]", { cidr })),
    ...section("flags", config.flags ?? {}),
    ...section("kcp_router", { rpc_socket: socket, ...config.own }),
    ...(config.rules ?? []).flatMap((rule) => section("[kcp_router.rule]", rule)),
    "",
  ].join("\n");
}

/** The same as OpenWrt keeps it. */
function routerUci(config: RouterConfig, socket: string): string {
  const imported = importToml(routerToml(config, socket), { source: "lab", systemHostname: config.hostname });
  if (!imported.ok) throw new Error(imported.problems.map(problemSentence).join(" "));
  return imported.uci;
}

function configText(config: RouterConfig, socket: string): string {
  return config.form === "uci" ? routerUci(config, socket) : routerToml(config, socket);
}

export class KcpRouter {
  readonly process: LabProcess;
  readonly host: string;
  readonly configPath: string;
  readonly socket: string;
  readonly #lab: Lab;

  private constructor(lab: Lab, host: string, child: LabProcess, configPath: string, socket: string) {
    this.#lab = lab;
    this.host = host;
    this.process = child;
    this.configPath = configPath;
    this.socket = socket;
  }

  /** Resolves when the API answers. Whether it has met others is another question (`untilPeer`). */
  static async start(lab: Lab, host: string, config: RouterConfig): Promise<KcpRouter> {
    if (!existsSync(join(OUT, "kcp-router")))
      throw new Error("out/kcp-router is missing: run make build first.");
    const socket = join(lab.directory, `${host}-${config.hostname}.sock`);
    const form = config.form ?? "toml";
    const configPath = join(lab.directory, `${host}-${config.hostname}.${form}`);
    writeFileSync(configPath, configText(config, socket), { mode: 0o600 });
    const child = lab.spawn(host, [...kcpRouter(host), "run", "-c", configPath]);
    const router = new KcpRouter(lab, host, child, configPath, socket);
    await until(`the API of ${config.hostname}`, async () => {
      if (!child.running)
        throw new Error(`kcp-router on ${host} ended with status ${await child.exited}:\n${child.stderr}`);
      if (!existsSync(socket)) return false;
      return router.call("status").then(
        () => true,
        () => false,
      );
    });
    return router;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Writes another configuration (same socket); `reload` or SIGHUP makes it count. */
  rewriteConfig(config: RouterConfig): void {
    writeFileSync(this.configPath, configText(config, this.socket), { mode: 0o600 });
  }

  /** A method of the API, over the unix socket. */
  call<Name extends MethodName>(
    method: Name,
    input: InputOf<Name> = {} as InputOf<Name>,
  ): Promise<ResultOf<Name>> {
    return new Promise((resolve, reject) => {
      const path = `/api/v1/${method}`;
      const sent = request({ socketPath: this.socket, path, method: "POST", timeout: 5000 }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as ResultOf<Name>);
          else reject(new Error(`${method}: ${text}`));
        });
      });
      sent.on("error", reject);
      sent.on("timeout", () => sent.destroy(new Error(`${method}: no answer in 5 s`)));
      sent.end(JSON.stringify(input));
    });
  }

  async peers(): Promise<readonly PeerRow[]> {
    return (await this.call("peers", { limit: 1000 })).rows;
  }

  async connections(): Promise<readonly ConnectionRow[]> {
    return (await this.call("connections", { limit: 1000 })).rows;
  }

  /** Resolves with the peer of that host name when it can be reached (and satisfies `wanted`). */
  async untilPeer(
    hostname: string,
    wanted: (peer: PeerRow) => boolean = () => true,
    timeoutMs = 20_000,
  ): Promise<PeerRow> {
    let found: PeerRow | undefined;
    await until(
      `peer ${hostname} in the table of ${this.host}`,
      async () => {
        found = (await this.peers()).find(
          (peer) => peer.hostname === hostname && peer.pathLength > 0 && wanted(peer),
        );
        return found !== undefined;
      },
      timeoutMs,
      20,
    );
    return found as PeerRow;
  }

  /** A command of the CLI as a user types it. */
  cli(...args: readonly string[]): Promise<ExecResult> {
    return this.#lab.exec(this.host, [...kcpRouter(this.host), ...args, "--socket", this.socket]);
  }

  /** SIGTERM, and the status it ended with. */
  async stop(): Promise<number> {
    return this.process.stop("SIGTERM");
  }
}

/** Resolves when the host's kernel has a route to `subnet` through a virtual network. */
export async function untilKernelRoute(
  lab: Lab,
  host: string,
  subnet: string,
  timeoutMs = 10_000,
): Promise<void> {
  const has = async (): Promise<boolean> =>
    (await lab.must(host, ["ip", "route", "show", subnet])).trim() !== "";
  await until(`a route to ${subnet} on ${host}`, has, timeoutMs, 20);
}
