/**
 * The lab: a topology made real, and load on it. See README.md for how to use it.
 *
 *     const lab = await Lab.create(twoRouters({ wan: { delayMs: 10, loss: 0.05 } }));
 *     try { … await lab.throughput({ client: "client", server: "service", address: SERVICE_BY_KERNEL, direction: "up" }) … }
 *     finally { await lab.stop(); }
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLink, type Link } from "./link.ts";
import * as measure from "./measure.ts";
import { must, Namespace, run, Sandbox } from "./namespace.ts";
import { buildTools, toolPath } from "./paths.ts";
import { type ExecResult, LabProcess, type SpawnOptions } from "./process.ts";
import type { HostSpec, Topology } from "./topology.ts";

const SCRATCH_PREFIX = "kcp-lab-";

/** Scratch folders are all that a run ended by kill -9 leaves. */
function removeScratchOfTheDead(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${SCRATCH_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
}

const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** Scratch folders of labs that are up. */
const scratch = new Set<string>();
process.on("exit", () => {
  for (const directory of scratch) rmSync(directory, { recursive: true, force: true });
});

export class Lab {
  readonly topology: Topology;
  /** Scratch folder of this lab (configurations, sockets, logs); removed by `stop`. */
  readonly directory: string;
  readonly #sandbox: Sandbox;
  readonly #namespaces: ReadonlyMap<string, Namespace>;
  readonly #links = new Map<string, Link>();
  readonly #processes = new Set<LabProcess>();
  #nextPort = FIRST_PORT;

  private constructor(
    topology: Topology,
    directory: string,
    sandbox: Sandbox,
    namespaces: ReadonlyMap<string, Namespace>,
  ) {
    this.topology = topology;
    this.directory = directory;
    this.#sandbox = sandbox;
    this.#namespaces = namespaces;
  }

  /** Everything is up and reachable when this resolves; on failure nothing is left. */
  static async create(topology: Topology): Promise<Lab> {
    await buildTools();
    removeScratchOfTheDead();
    // Short, because unix sockets lie in it and their paths may have 107 bytes.
    const directory = mkdtempSync(join(tmpdir(), `${SCRATCH_PREFIX}${process.pid}-`));
    scratch.add(directory);
    const sandbox = await Sandbox.create();
    const namespaces = new Map<string, Namespace>();
    const lab = new Lab(topology, directory, sandbox, namespaces);
    try {
      await Promise.all(
        topology.hosts.map(async ({ name }) => namespaces.set(name, await Namespace.create(name, sandbox))),
      );
      await Promise.all(topology.hosts.map((host) => lab.#prepareHost(host)));
      for (const spec of topology.links) {
        const tools = { sandbox, linkem: toolPath("linkem"), fifo: join(directory, `${spec.name}.fifo`) };
        lab.#links.set(
          spec.name,
          await createLink(spec, lab.namespace(spec.a.host), lab.namespace(spec.b.host), tools),
        );
      }
      await Promise.all(topology.hosts.map((host) => lab.#addRoutes(host)));
      return lab;
    } catch (error) {
      await lab.stop();
      throw error;
    }
  }

  async #prepareHost(host: HostSpec): Promise<void> {
    const lines = ["ip link set lo up"];
    if (host.forward) lines.push("echo 1 > /proc/sys/net/ipv4/ip_forward");
    await must(this.prefix(host.name), ["sh", "-ec", lines.join("\n")]);
  }

  async #addRoutes(host: HostSpec): Promise<void> {
    const lines = host.routes.map(
      ({ to, via, source }) =>
        `ip route add ${to} via ${via} congctl ${host.congestion}${source ? ` src ${source}` : ""}`,
    );
    if (lines.length > 0) await must(this.prefix(host.name), ["sh", "-ec", lines.join("\n")]);
  }

  get rootless(): boolean {
    return this.#sandbox.rootless;
  }

  namespace(host: string): Namespace {
    const namespace = this.#namespaces.get(host);
    if (!namespace) throw new Error(`the topology has no host "${host}"`);
    return namespace;
  }

  /** What precedes a command to run it on a host. */
  prefix(host: string): readonly string[] {
    return this.namespace(host).prefix;
  }

  link(name = "wan"): Link {
    const link = this.#links.get(name);
    if (!link) throw new Error(`the topology has no link "${name}"`);
    return link;
  }

  /** Starts a process on a host. It ends with the lab at the latest. */
  spawn(host: string, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    const child = new LabProcess(this.prefix(host), argv, options);
    this.#processes.add(child);
    child.exited.then(() => this.#processes.delete(child));
    return child;
  }

  /** Runs a command on a host to its end (status 124: the time was up). */
  exec(
    host: string,
    argv: readonly string[],
    options: SpawnOptions & { readonly timeoutMs?: number } = {},
  ): Promise<ExecResult> {
    return run(this.prefix(host), argv, options);
  }

  /** As `exec`, gives standard output, and throws when the status is not 0. */
  must(
    host: string,
    argv: readonly string[],
    options: SpawnOptions & { readonly timeoutMs?: number } = {},
  ): Promise<string> {
    return must(this.prefix(host), argv, options);
  }

  /** Runs shell lines on a host; the first that fails is an error. */
  shell(host: string, script: string): Promise<string> {
    return this.must(host, ["sh", "-ec", script]);
  }

  /** A port that nothing in this lab has been given yet. */
  freePort(): number {
    if (this.#nextPort > LAST_PORT) this.#nextPort = FIRST_PORT;
    return this.#nextPort++;
  }

  throughput(options: measure.ThroughputOptions): Promise<measure.Throughput> {
    return measure.throughput(this, options);
  }

  pingPong(options: measure.PingPongOptions): Promise<measure.Latency> {
    return measure.pingPong(this, options);
  }

  transfer(options: measure.TransferOptions): Promise<measure.TransferResult> {
    return measure.transfer(this, options);
  }

  probe(options: measure.ProbeOptions): Promise<measure.ProbeResult> {
    return measure.probe(this, options);
  }

  udpPing(options: measure.ProbeOptions): Promise<measure.UdpPing> {
    return measure.udpPing(this, options);
  }

  /** Resolves when hardly anything crosses the link any more (what an ended measurement had queued has drained). */
  async quiet(
    device = "wan",
    host = "routerA",
    maxBytesPerSecond = 20_000,
    timeoutMs = 10_000,
  ): Promise<void> {
    const windowMs = 100;
    const total = async (): Promise<number> => {
      const text = await this.must(host, ["cat", "/proc/net/dev"]);
      const fields = new RegExp(`^\\s*${device}:(.*)$`, "m").exec(text)?.[1]?.trim().split(/\s+/) ?? [];
      return Number(fields[0]) + Number(fields[8]);
    };
    const end = performance.now() + timeoutMs;
    for (let before = await total(); performance.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, windowMs));
      const after = await total();
      if (after - before <= (maxBytesPerSecond * windowMs) / 1000) return;
      before = after;
    }
  }

  /** Ends every process, then the links, then the namespaces; with them goes everything else. */
  async stop(): Promise<void> {
    await Promise.all([...this.#processes].map((child) => child.stop("SIGTERM", 3000)));
    await Promise.all([...this.#links.values()].map((link) => link.stop()));
    await Promise.all([...this.#namespaces.values()].map((namespace) => namespace.stop()));
    await this.#sandbox.stop();
    rmSync(this.directory, { recursive: true, force: true });
    scratch.delete(this.directory);
  }
}
