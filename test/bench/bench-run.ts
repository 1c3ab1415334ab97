/** Runs the cells of a plan: in each, round after round of all contenders, so that the machine's noise is shared. */
import { Lab } from "../netns/lab.ts";
import type { Throughput } from "../netns/measure.ts";
import { twoRouters } from "../netns/topology.ts";
import {
  BULK_CELLS,
  type Cell,
  type DirectionName,
  LATENCY_CELLS,
  type Load,
  median,
  PATH_PARAMETERS,
  type PathName,
  type Plan,
  VETH_BULK_MBPS,
  warmupSeconds,
} from "./bench-plan.ts";
import type { Contender, ContenderName, Running } from "./contenders/contender.ts";
import { EASYTIER_QUIC_SUBNET, EASYTIER_SUBNET, easytierKcp, easytierQuic } from "./contenders/easytier.ts";
import {
  KCP_ROUTER_QUIC_SUBNET,
  KCP_ROUTER_SUBNET,
  kcpRouter,
  kcpRouterQuic,
} from "./contenders/kcp-router.ts";
import { kcptun, kcptunFec } from "./contenders/kcptun.ts";
import { kernelTcp } from "./contenders/kernel.ts";

/** Of both ends; null where the kernel does the work and nobody can be charged. */
export interface BothEnds {
  readonly source: number | null;
  readonly destination: number | null;
}

export interface ThroughputRow {
  readonly path: PathName;
  readonly lossPercent: number;
  readonly contender: ContenderName;
  readonly direction: DirectionName;
  /** Median of the rounds. */
  readonly mbps: number;
  /** (max - min) / median of the rounds. */
  readonly spread: number;
  /** CPU seconds per 1e9 bytes that arrived. */
  readonly cpuPerGB: BothEnds;
  /** Peak resident memory while it ran. */
  readonly rssMB: BothEnds;
}

export interface LatencyRow {
  readonly path: PathName;
  readonly lossPercent: number;
  readonly contender: ContenderName;
  readonly load: Load;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly requests: number;
}

export interface BenchResult {
  readonly rows: ThroughputRow[];
  readonly latencyRows: LatencyRow[];
  readonly descriptions: Map<ContenderName, string>;
  /** Contenders that did not work, in words. */
  readonly problems: string[];
}

const ALL: Readonly<Record<ContenderName, Contender>> = {
  "kcp-router": kcpRouter,
  "kcp-router-quic": kcpRouterQuic,
  "easytier-kcp": easytierKcp,
  "easytier-quic": easytierQuic,
  kcptun,
  "kcptun-fec": kcptunFec,
  "tcp-bbr": kernelTcp("bbr"),
  "tcp-cubic": kernelTcp("cubic"),
};

type Log = (line: string) => void;

export async function runBench(plan: Plan, log: Log): Promise<BenchResult> {
  const result: BenchResult = { rows: [], latencyRows: [], descriptions: new Map(), problems: [] };
  for (const path of plan.paths) {
    const lab = await Lab.create(labTopology(path));
    try {
      for (const lossPercent of plan.lossPercents) {
        const isHere = (cell: Cell): boolean => cell.path === path && cell.lossPercent === lossPercent;
        const bulk = plan.throughput ? BULK_CELLS.filter(isHere) : [];
        const latency = plan.latency ? LATENCY_CELLS.filter(isHere) : [];
        if (bulk.length + latency.length === 0) continue;
        await lab.link().set({ loss: lossPercent / 100 });
        await runCells(lab, plan, bulk, latency, result, log);
      }
    } finally {
      await lab.stop();
    }
  }
  return result;
}

function labTopology(path: PathName): ReturnType<typeof twoRouters> {
  const wan = PATH_PARAMETERS[path];
  return twoRouters({
    ...(wan && { wan }),
    serviceSubnets: [EASYTIER_SUBNET, EASYTIER_QUIC_SUBNET, KCP_ROUTER_SUBNET, KCP_ROUTER_QUIC_SUBNET],
  });
}

/** The cells of one path and loss: whoever is in one of them is started once. */
async function runCells(
  lab: Lab,
  plan: Plan,
  bulkCells: readonly Cell[],
  latencyCells: readonly (typeof LATENCY_CELLS)[number][],
  result: BenchResult,
  log: Log,
): Promise<void> {
  const [{ path, lossPercent }] = [...bulkCells, ...latencyCells] as [Cell];
  const isNeeded = (name: ContenderName): boolean =>
    [...bulkCells, ...latencyCells].some(({ contenders }) => contenders.includes(name));
  log(`${path}, ${lossPercent} % loss each way`);
  const running = new Map<ContenderName, Running>();
  const those = (cell: Cell): ReadonlyMap<ContenderName, Running> =>
    new Map([...running].filter(([name]) => cell.contenders.includes(name)));
  for (const name of plan.contenders.filter(isNeeded)) {
    try {
      const started = await ALL[name].start(lab);
      running.set(name, started);
      result.descriptions.set(name, started.description);
    } catch (error) {
      const problem = `${name} on ${path} at ${lossPercent} %: ${(error as Error).message}`;
      result.problems.push(problem);
      log(`  ${problem}`);
    }
  }
  try {
    for (const cell of bulkCells)
      result.rows.push(...(await throughputRows(lab, plan, cell, those(cell), log)));
    for (const cell of latencyCells)
      for (const load of cell.loads)
        result.latencyRows.push(...(await latencyRows(lab, plan, cell, load, those(cell), log)));
  } finally {
    await Promise.all([...running.values()].map((contender) => contender.stop()));
  }
}

async function throughputRows(
  lab: Lab,
  plan: Plan,
  { path, lossPercent }: Cell,
  running: ReadonlyMap<ContenderName, Running>,
  log: Log,
): Promise<ThroughputRow[]> {
  const samples = new Map<string, Throughput[]>();
  for (let round = 0; round < plan.rounds; round++) {
    for (const direction of plan.directions) {
      for (const [name, contender] of running) {
        const key = `${name} ${direction}`;
        const earlier = samples.get(key) ?? [];
        // One that carried nothing in the first round will not in the others, and each attempt takes half a minute.
        if (earlier[0]?.totalBytes === 0) continue;
        samples.set(key, [...earlier, await bulk(lab, plan, contender, direction)]);
        await lab.quiet();
      }
    }
  }
  const rows: ThroughputRow[] = [];
  for (const [name, contender] of running) {
    for (const direction of plan.directions) {
      const runs = samples.get(`${name} ${direction}`) ?? [];
      const row = {
        path,
        lossPercent,
        contender: name,
        direction,
        ...summary(runs, contender.processes !== undefined),
      };
      log(`  ${describe(row)}`);
      rows.push(row);
    }
  }
  return rows;
}

function bulk(
  lab: Lab,
  plan: Plan,
  contender: Running,
  direction: DirectionName,
  maxMbps = 0,
): Promise<Throughput> {
  return lab.throughput({
    client: "client",
    server: "service",
    ...contender.target("bulk"),
    direction,
    seconds: plan.seconds,
    warmupSeconds: warmupSeconds(plan.seconds),
    maxMbps,
    ...(contender.congestion && { congestion: contender.congestion }),
    watch: contender.processes ?? {},
  });
}

function summary(
  runs: readonly Throughput[],
  hasProcesses: boolean,
): Pick<ThroughputRow, "mbps" | "spread" | "cpuPerGB" | "rssMB"> {
  const rates = runs.map((run) => run.mbps);
  const mbps = median(rates);
  const ofEnd = (end: "source" | "destination", what: "cpuSecondsPerGB" | "peakRssMB"): number | null => {
    if (!hasProcesses) return null;
    const values = runs.map((run) => run.cost[end]?.[what] ?? Number.NaN);
    const value = what === "peakRssMB" ? Math.max(...values) : median(values);
    return Number.isFinite(value) ? round(value, 3) : null;
  };
  return {
    mbps: round(mbps, 3),
    spread: mbps > 0 ? round((Math.max(...rates) - Math.min(...rates)) / mbps, 3) : 0,
    cpuPerGB: {
      source: ofEnd("source", "cpuSecondsPerGB"),
      destination: ofEnd("destination", "cpuSecondsPerGB"),
    },
    rssMB: { source: ofEnd("source", "peakRssMB"), destination: ofEnd("destination", "peakRssMB") },
  };
}

export function round(value: number, digits: number): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}

function describe(row: ThroughputRow): string {
  const cpu =
    row.cpuPerGB.source === null ? "" : `  CPU s/GB ${row.cpuPerGB.source} / ${row.cpuPerGB.destination}`;
  const rss = row.rssMB.source === null ? "" : `  RSS MB ${row.rssMB.source} / ${row.rssMB.destination}`;
  const rate = `${row.mbps.toFixed(1)} Mbit/s ±${Math.round(row.spread * 50)} %`;
  return `${row.contender.padEnd(16)}${row.direction.padEnd(5)}${rate.padStart(24)}${cpu}${rss}`;
}

async function latencyRows(
  lab: Lab,
  plan: Plan,
  { path, lossPercent }: Cell,
  load: Load,
  running: ReadonlyMap<ContenderName, Running>,
  log: Log,
): Promise<LatencyRow[]> {
  const runs = new Map<ContenderName, Awaited<ReturnType<Lab["pingPong"]>>[]>();
  for (let count = 0; count < plan.rounds; count++) {
    for (const [name, contender] of running) {
      const latency = await small(lab, plan, path, load, contender);
      runs.set(name, [...(runs.get(name) ?? []), latency]);
      await lab.quiet();
    }
  }
  return [...runs].map(([contender, results]) => {
    const at = (key: "p50Ms" | "p90Ms" | "p99Ms" | "p999Ms"): number =>
      round(median(results.map((run) => run[key])), 4);
    const requests = results.reduce((sum, run) => sum + run.count, 0);
    const row = {
      path,
      lossPercent,
      contender,
      load,
      p50Ms: at("p50Ms"),
      p90Ms: at("p90Ms"),
      p99Ms: at("p99Ms"),
      p999Ms: at("p999Ms"),
      requests,
    };
    log(
      `  ${contender.padEnd(16)}${load.padEnd(5)} p50 ${row.p50Ms} p90 ${row.p90Ms} p99 ${row.p99Ms} ms of ${requests} small requests`,
    );
    return row;
  });
}

/** Over a delay many connections ask side by side, or the percentiles would rest on a few answers. */
const CONNECTIONS: Readonly<Record<PathName, number>> = { veth: 1, wan300: 16 };
/** A connection's first answers, which include its set-up at the far end, are another question. */
const SKIPPED_ANSWERS = 2;
/** Time for the bulk connection to fill the way. */
const BULK_HEAD_START_MS = 700;

async function small(
  lab: Lab,
  plan: Plan,
  path: PathName,
  load: Load,
  contender: Running,
): Promise<Awaited<ReturnType<Lab["pingPong"]>>> {
  const requests = {
    client: "client",
    server: "service",
    ...contender.target("latency"),
    count: 1_000_000,
    seconds: plan.seconds,
    connections: CONNECTIONS[path],
    skip: SKIPPED_ANSWERS,
  };
  if (load === "idle") return lab.pingPong(requests);
  const seconds = plan.seconds + 1;
  const background = bulk(lab, { ...plan, seconds }, contender, "up", path === "veth" ? VETH_BULK_MBPS : 0);
  await new Promise((resolve) => setTimeout(resolve, BULK_HEAD_START_MS));
  const latency = await lab.pingPong(requests);
  await background;
  return latency;
}
