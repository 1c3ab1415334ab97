/** Load of known shape between two hosts of a lab, and what it cost. */
import type { Lab } from "./lab.ts";
import { must } from "./namespace.ts";
import { toolPath } from "./paths.ts";
import { cpuSeconds, type LabProcess, peakRssMB, resetPeakRss } from "./process.ts";

export interface Endpoints {
  /** Host names in the lab. */
  readonly client: string;
  readonly server: string;
  /** Where the client connects; not the server's own address when a forwarder is in between. */
  readonly address: string;
  /** Default: a free one per measurement. */
  readonly port?: number;
}

export interface ThroughputOptions extends Endpoints {
  /** `up`: the client sends. */
  readonly direction: "up" | "down";
  readonly seconds?: number;
  /** Not counted at the beginning (slow start). */
  readonly warmupSeconds?: number;
  /** Of both end hosts' sockets; default: what the topology says. */
  readonly congestion?: "cubic" | "bbr" | "reno";
  /** The sender offers no more than this. */
  readonly maxMbps?: number;
  /** Processes whose cost is of interest; a role may consist of several. */
  readonly watch?: Readonly<Record<string, readonly number[]>>;
}

export interface Cost {
  readonly cpuSeconds: number;
  readonly cpuSecondsPerGB: number;
  readonly peakRssMB: number;
}

export interface Throughput {
  readonly mbps: number;
  readonly seconds: number;
  /** All bytes that arrived, warm-up included: what `cost` was paid for. */
  readonly totalBytes: number;
  /** From the request to the first byte, ms; -1 = none came. */
  readonly firstByteMs: number;
  readonly cost: Readonly<Record<string, Cost>>;
}

function parseLast<T>(text: string): T {
  const line = text.trim().split("\n").at(-1) as string;
  return JSON.parse(line) as T;
}

const NOTHING = { mbps: 0, seconds: 0, totalBytes: 0, firstByteMs: -1 };

/** One bulk connection, measured where it arrives. A connection that fails or carries nothing gives 0 Mbit/s, not an error. */
export async function throughput(lab: Lab, options: ThroughputOptions): Promise<Throughput> {
  const {
    client,
    server,
    address,
    direction,
    seconds = 3,
    warmupSeconds = 0.5,
    congestion,
    watch = {},
  } = options;
  const port = options.port ?? lab.freePort();
  const serving = lab.spawn(server, [toolPath("bulk"), "serve", String(port)]);
  await serving.waitForLine(/^ready$/);
  const pids = Object.values(watch).flat();
  for (const pid of pids) resetPeakRss(pid);
  const before = new Map(pids.map((pid) => [pid, cpuSeconds(pid)]));
  const times = [warmupSeconds, seconds].map((value) => String(Math.round(value * 1000)));
  const argv = [toolPath("bulk"), "client", address, String(port), direction, ...times];
  const limitMs = (warmupSeconds + seconds + 25) * 1000;
  const connecting = lab.spawn(client, [...argv, congestion ?? "-", String(options.maxMbps ?? 0)]);
  const receiver = direction === "up" ? serving : connecting;
  const line = await receiver.waitForLine(/^\{/, limitMs).catch(() => undefined);
  const result = line === undefined ? NOTHING : parseLast<typeof NOTHING>(line);
  const gigabytes = result.totalBytes / 1e9;
  const cost: Record<string, Cost> = {};
  for (const [role, group] of Object.entries(watch)) {
    const used = group.reduce((sum, pid) => sum + cpuSeconds(pid) - (before.get(pid) ?? 0), 0);
    const peak = group.reduce((sum, pid) => sum + peakRssMB(pid), 0);
    cost[role] = {
      cpuSeconds: used,
      cpuSecondsPerGB: gigabytes > 0 ? used / gigabytes : Number.NaN,
      peakRssMB: peak,
    };
  }
  await Promise.all([serving.stop("SIGKILL"), connecting.stop("SIGKILL")]);
  return { ...result, cost };
}

export interface PingPongOptions extends Endpoints {
  /** Requests per connection, at most. */
  readonly count?: number;
  readonly seconds?: number;
  readonly sizeBytes?: number;
  readonly connections?: number;
  /** Pause between answer and next request. */
  readonly gapUs?: number;
  /** First answers of each connection that do not count. */
  readonly skip?: number;
  /** A new connection for every request: connect and first answer are what is timed. */
  readonly fresh?: boolean;
}

export interface Latency {
  readonly count: number;
  readonly failures: number;
  readonly unanswered: number;
  readonly connectMs: number;
  readonly firstAnswerMs: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Small requests, one after the other on each connection. */
export async function pingPong(lab: Lab, options: PingPongOptions): Promise<Latency> {
  const {
    client,
    server,
    address,
    count = 1000,
    seconds = 10,
    sizeBytes = 64,
    connections = 1,
    gapUs = 0,
  } = options;
  const port = options.port ?? lab.freePort();
  const serving = lab.spawn(server, [toolPath("pingpong"), "serve", String(port)]);
  await serving.waitForLine(/^ready$/);
  const argv = [toolPath("pingpong"), "client", address, String(port)];
  argv.push("--count", String(count), "--seconds", String(seconds), "--size", String(sizeBytes));
  argv.push("--connections", String(connections), "--gap-us", String(gapUs));
  argv.push("--skip", String(options.skip ?? 0));
  if (options.fresh === true) argv.push("--fresh");
  try {
    return parseLast<Latency>(await must(lab.prefix(client), argv, { timeoutMs: (seconds + 10) * 1000 }));
  } finally {
    await serving.stop("SIGKILL");
  }
}

export type TransferMode =
  | "duplex"
  | "half-close"
  | "download"
  | "upload"
  | "client-cut"
  | "server-cut"
  | "mixed";

export interface TransferOptions extends Endpoints {
  readonly mode?: TransferMode;
  readonly seed?: number;
  readonly connections?: number;
  readonly concurrency?: number;
  readonly upBytes?: number;
  readonly downBytes?: number;
  /** Sizes between 0 and upBytes/downBytes, by seed. */
  readonly randomSize?: boolean;
  /** The reader (the client; the server in mode upload) stops reading after so many bytes for so long. */
  readonly stall?: { readonly atBytes: number; readonly ms: number };
  readonly seconds?: number;
  /** Called when both programs run, for things to happen meanwhile. */
  readonly meanwhile?: (client: LabProcess, server: LabProcess) => Promise<void>;
}

/** One connection as one end saw it. */
export interface StreamReport {
  readonly id: number;
  readonly mode: TransferMode;
  readonly outcome: string;
  readonly received: number;
  readonly expected: number;
  readonly sent: number;
  readonly toSend: number;
  readonly error: string;
}

export interface TransferResult {
  /** Connections that ended as they should, each byte right, seen from both ends. */
  readonly ok: number;
  /** Everything else, with the end that says so; connections that one end never finished have outcome `timeout`. */
  readonly bad: readonly (StreamReport & { readonly side: "client" | "server" })[];
  readonly seconds: number;
  readonly clientReports: readonly StreamReport[];
  readonly serverReports: readonly StreamReport[];
}

const GOOD_OUTCOMES = new Set(["ok", "cut", "cut-by-peer"]);

function reportsOf(text: string): StreamReport[] {
  const lines = text.split("\n").filter((line) => line.startsWith('{"id"'));
  return lines.map((line) => JSON.parse(line) as StreamReport);
}

/** Connections with known bytes, each byte checked at both ends, ended in the way `mode` says (tools/transfer.c). */
export async function transfer(lab: Lab, options: TransferOptions): Promise<TransferResult> {
  const { client, server, address, mode = "duplex", seed = 1, connections = 1, seconds = 60 } = options;
  const port = options.port ?? lab.freePort();
  const serving = lab.spawn(server, [toolPath("transfer"), "serve", String(port)]);
  await serving.waitForLine(/^ready$/);
  const argv = [
    toolPath("transfer"),
    "client",
    address,
    String(port),
    "--mode",
    mode,
    "--seed",
    String(seed),
  ];
  argv.push("--connections", String(connections), "--seconds", String(seconds));
  const numbers = { concurrency: options.concurrency, up: options.upBytes, down: options.downBytes };
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined) argv.push(`--${name}`, String(value));
  if (options.randomSize === true) argv.push("--random-size");
  if (options.stall)
    argv.push("--stall-at", String(options.stall.atBytes), "--stall-ms", String(options.stall.ms));
  const started = performance.now();
  const connecting = lab.spawn(client, argv);
  const summary = connecting.waitForLine(/"summary":true/, (seconds + 10) * 1000);
  try {
    await Promise.all([summary, options.meanwhile?.(connecting, serving)]);
    // A connection that the client has closed may still be under way to the server: give it the rest of the time.
    const end = started + (seconds + 5) * 1000;
    while (reportsOf(serving.stdout).length < connections && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    await Promise.all([serving.stop("SIGKILL"), connecting.stop("SIGKILL")]);
  }
  const clientReports = reportsOf(connecting.stdout);
  const serverReports = reportsOf(serving.stdout);
  const bad: (StreamReport & { side: "client" | "server" })[] = [];
  let ok = 0;
  const sides = [
    ["client", clientReports],
    ["server", serverReports],
  ] as const;
  const [fromClient, fromServer] = sides.map(
    ([, reports]) => new Map(reports.map((report) => [report.id, report])),
  );
  for (let id = 0; id < connections; id++) {
    const before = bad.length;
    const seen = { client: fromClient?.get(id), server: fromServer?.get(id) };
    for (const side of ["client", "server"] as const) {
      const other = side === "client" ? seen.server : seen.client;
      const error = `the other end: ${other?.outcome ?? "nothing either"}`;
      const silent = { id, outcome: "timeout", received: 0, expected: 0, sent: 0, toSend: 0, error };
      const report = seen[side] ?? { ...silent, mode: other?.mode ?? mode };
      if (!GOOD_OUTCOMES.has(report.outcome)) bad.push({ ...report, side });
    }
    if (bad.length === before) ok++;
  }
  return { ok, bad, seconds: (performance.now() - started) / 1000, clientReports, serverReports };
}

export interface ProbeOptions extends Endpoints {
  readonly count: number;
  readonly sizeBytes?: number;
  readonly gapUs?: number;
}

export interface ProbeResult {
  readonly received: number;
  readonly distinct: number;
  readonly overtaken: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly meanMs: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** One character per datagram sent: 0 = never arrived, 1 = once, 2 = more often. */
  readonly arrivals: string;
}

/** Numbered UDP datagrams one way. */
export async function probe(lab: Lab, options: ProbeOptions): Promise<ProbeResult> {
  const { client, server, address, count, sizeBytes = 64, gapUs = 0 } = options;
  const port = options.port ?? lab.freePort();
  const sink = lab.spawn(server, [toolPath("probe"), "sink", String(port), String(count), "600"]);
  await sink.waitForLine(/^ready$/);
  const timeoutMs = 40_000 + (count * gapUs) / 1000;
  const line = sink.waitForLine(/^\{/, timeoutMs);
  const argv = [toolPath("probe"), "send", ...[address, port, count, sizeBytes, gapUs].map(String)];
  try {
    await must(lab.prefix(client), argv, { timeoutMs });
    return parseLast<ProbeResult>(await line);
  } finally {
    line.catch(() => {});
    await sink.stop("SIGKILL");
  }
}

export interface UdpPing {
  readonly sent: number;
  readonly failed: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** UDP echo: is there a way, and how long is it. */
export async function udpPing(lab: Lab, options: ProbeOptions): Promise<UdpPing> {
  const { client, server, address, count, sizeBytes = 64, gapUs = 10_000 } = options;
  const port = options.port ?? lab.freePort();
  const echo = lab.spawn(server, [toolPath("probe"), "echo", String(port)]);
  await echo.waitForLine(/^ready$/);
  const argv = [toolPath("probe"), "ping", ...[address, port, count, sizeBytes, gapUs].map(String)];
  try {
    return parseLast<UdpPing>(
      await must(lab.prefix(client), argv, { timeoutMs: 30_000 + (count * gapUs) / 1000 }),
    );
  } finally {
    await echo.stop("SIGKILL");
  }
}
