/** The real EasyTier core as a node of the lab: a process of peer.py in one namespace. See README.md. */
import { join } from "node:path";
import type { Lab } from "../../netns/lab.ts";
import { run, until } from "../../netns/namespace.ts";
import { OUT, ROOT } from "../../netns/paths.ts";
import type { LabProcess } from "../../netns/process.ts";

/** The flags of 2.6.4 that tests use; the node refuses names it does not know. */
export interface EasyTierFlags {
  readonly enable_kcp_proxy?: boolean;
  readonly disable_kcp_input?: boolean;
  readonly disable_relay_kcp?: boolean;
  readonly enable_quic_proxy?: boolean;
  readonly disable_quic_input?: boolean;
  readonly use_smoltcp?: boolean;
  readonly latency_first?: boolean;
  readonly enable_encryption?: boolean;
  readonly encryption_algorithm?: string;
  readonly no_tun?: boolean;
  readonly mtu?: number;
  readonly dev_name?: string;
  readonly disable_p2p?: boolean;
  readonly relay_all_peer_rpc?: boolean;
  readonly disable_relay_data?: boolean;
  readonly private_mode?: boolean;
  readonly multi_thread?: boolean;
  readonly proxy_forward_by_system?: boolean;
}

export interface EasyTierConfig {
  readonly networkName: string;
  readonly networkSecret: string;
  readonly hostname?: string;
  /** Virtual address with prefix length; without it the node has none. */
  readonly ipv4?: string;
  readonly listeners?: readonly string[];
  /** URLs it dials. */
  readonly peers?: readonly string[];
  /** Subnets it exports. */
  readonly proxyNetworks?: readonly string[];
  readonly flags?: EasyTierFlags;
}

/** A row of `routes()`, as far as tests look at it; the node gives more. */
export interface EasyTierRoute {
  readonly peer_id: number;
  readonly hostname: string;
  readonly ipv4_addr: string | null;
  readonly cost: number;
  readonly next_hop_peer_id: number;
  readonly proxy_cidrs: readonly string[];
  readonly version: string;
  readonly path_latency: number;
  readonly feature_flag: Readonly<Record<string, boolean | undefined>>;
  readonly [more: string]: unknown;
}

export interface EasyTierMetric {
  readonly name: string;
  readonly value: number;
  readonly labels: { readonly labels: readonly { readonly key: string; readonly value: string }[] };
}

const PREPARE = join(ROOT, "test/interop/peer/prepare.sh");
export const PYTHON = join(OUT, "venv/bin/python");

let prepared: Promise<string | undefined> | undefined;

/**
 * Installs the peer if need be. Resolves with undefined when it is there, else with a sentence why it cannot be on this
 * machine (skip, and say so). In CI (`CI` is set) that is an error: nothing is skipped there.
 */
export function prepareEasyTier(): Promise<string | undefined> {
  prepared ??= (async () => {
    const { status, stdout, stderr } = await run([], [PREPARE], { timeoutMs: 180_000 });
    if (status === 0) return undefined;
    const reason = stderr.trim().split("\n").at(-1) ?? stdout;
    const inCi = (process.env.CI ?? "") !== "" && process.env.CI !== "false";
    if (status !== 3 || inCi)
      throw new Error(`${reason}${inCi ? " In CI this is a failure, not a skip." : stderr}`);
    return reason;
  })();
  return prepared;
}

/** What the node reads: EasyTier's own configuration file, as a tree. */
function nodeConfig(config: EasyTierConfig): object {
  return {
    network_identity: { network_name: config.networkName, network_secret: config.networkSecret },
    instance_name: config.hostname ?? "peer",
    hostname: config.hostname ?? "peer",
    ...(config.ipv4 !== undefined && { ipv4: config.ipv4 }),
    listeners: config.listeners ?? [],
    peer: (config.peers ?? []).map((uri) => ({ uri })),
    proxy_network: (config.proxyNetworks ?? []).map((cidr) => ({ cidr })),
    // No STUN: nothing outside the lab can be reached, and the attempts cost seconds.
    stun_servers: [],
    flags: { bind_device: false, disable_upnp: true, ...config.flags },
  };
}

export class EasyTierPeer {
  readonly process: LabProcess;
  readonly peerId: number;
  readonly version: string;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: LabProcess, peerId: number, version: string) {
    this.process = child;
    this.peerId = peerId;
    this.version = version;
  }

  /** Resolves when the node runs; whether it has met others is another question (`untilRoute`). */
  static async start(lab: Lab, host: string, config: EasyTierConfig): Promise<EasyTierPeer> {
    const reason = await prepareEasyTier();
    if (reason !== undefined) throw new Error(reason);
    const child = lab.spawn(host, [PYTHON, join(ROOT, "test/interop/peer/peer.py")]);
    child.write(`${JSON.stringify(nodeConfig(config))}\n`);
    const line = await child.waitForLine(/^\{"ready"/, 20_000);
    const { ready } = JSON.parse(line) as { ready: { peer_id: number; version: string } };
    return new EasyTierPeer(child, ready.peer_id, ready.version);
  }

  /** One command of peer.py. */
  ask<T>(command: string, argument?: unknown): Promise<T> {
    const answer = this.#last.then(async () => {
      const next = this.process.nextLine(/^\{"(answer|error)"/, 20_000);
      this.process.write(`${JSON.stringify({ command, argument })}\n`);
      const message = JSON.parse(await next) as { answer?: T; error?: string };
      if (message.error !== undefined) throw new Error(`EasyTier ${command}: ${message.error}`);
      return message.answer as T;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  routes(): Promise<EasyTierRoute[]> {
    return this.ask("routes");
  }

  peers(): Promise<Record<string, unknown>[]> {
    return this.ask("peers");
  }

  info(): Promise<Record<string, unknown>> {
    return this.ask("info");
  }

  metrics(): Promise<EasyTierMetric[]> {
    return this.ask("metrics");
  }

  events(): Promise<Record<string, unknown>[]> {
    return this.ask("events");
  }

  /** As source: how many connections it has sent over KCP and QUIC, and terminated as plain TCP, by its own count. */
  async carried(): Promise<Readonly<Record<"KCP" | "QUIC" | "TCP", number>>> {
    const counts = { KCP: 0, QUIC: 0, TCP: 0 };
    for (const { name, value, labels } of await this.metrics()) {
      if (name !== "TcpProxyConnect") continue;
      const protocol = labels.labels.find(({ key }) => key === "protocol")?.value;
      if (protocol === "KCP" || protocol === "QUIC" || protocol === "TCP") counts[protocol] += value;
    }
    return counts;
  }

  /** Changes the running node; only what is named changes. */
  apply(config: object): Promise<void> {
    return this.ask("apply", config);
  }

  /** Resolves with the first route that satisfies `wanted`. */
  async untilRoute(
    what: string,
    wanted: (route: EasyTierRoute) => boolean,
    timeoutMs = 20_000,
  ): Promise<EasyTierRoute> {
    let found: EasyTierRoute | undefined;
    await until(
      `a route to ${what} in EasyTier's table`,
      async () => {
        found = (await this.routes()).find(wanted);
        return found !== undefined;
      },
      timeoutMs,
      50,
    );
    return found as EasyTierRoute;
  }

  async stop(): Promise<void> {
    await this.process.stop("SIGTERM");
  }
}
