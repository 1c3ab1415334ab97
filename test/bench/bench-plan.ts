/** What is measured: cells of path and loss, and the filter `ONLY=…` that picks some of them. */
import type { LinkParameters } from "../netns/topology.ts";
import { CONTENDERS, type ContenderName } from "./contenders/contender.ts";

export const PATHS = ["veth", "wan300"] as const;
export type PathName = (typeof PATHS)[number];
export const DIRECTIONS = ["up", "down"] as const;
export type DirectionName = (typeof DIRECTIONS)[number];
/** Loss at which everything is compared. */
export const LOSS_PERCENTS = [0, 1, 5, 10] as const;
/** Loss at which only those are compared that are made for it. */
export const HIGH_LOSS_PERCENTS = [20, 30] as const;
export const LOADS = ["idle", "bulk"] as const;
export type Load = (typeof LOADS)[number];
const ALL_LOSS_PERCENTS = [...LOSS_PERCENTS, ...HIGH_LOSS_PERCENTS] as const;
const KINDS = ["throughput", "latency"] as const;

/** `veth`: as fast as the machine. `wan300`: 300 Mbit/s, 20 ms round trip, 1.5 MB queue. */
export const PATH_PARAMETERS: Readonly<Record<PathName, LinkParameters | undefined>> = {
  veth: undefined,
  wan300: { delayMs: 10, rateMbit: 300, queueBytes: 1_500_000 },
};

/**
 * Goodput on wan300 when nothing but lost packets is wasted, Mbit/s at 0 % loss; times (1 - loss) otherwise. 1396 bytes of
 * payload per 1500-byte packet, what the best tunnel of this kind could carry.
 */
export const IDEAL_WAN300_MBPS = 279;

/** A path with its loss, and who is measured there. */
export interface Cell {
  readonly path: PathName;
  readonly lossPercent: number;
  readonly contenders: readonly ContenderName[];
}

const OURS = ["kcp-router", "kcp-router-quic"] as const;

/** Where bulk is measured. */
export const BULK_CELLS: readonly Cell[] = [
  ...PATHS.flatMap((path) =>
    LOSS_PERCENTS.map((lossPercent) => ({ path, lossPercent, contenders: CONTENDERS })),
  ),
  ...HIGH_LOSS_PERCENTS.map((lossPercent) => ({
    path: "wan300" as const,
    lossPercent,
    contenders: [...OURS, "tcp-bbr"] as const,
  })),
];

/** Where small requests are measured. Beside bulk on veth the bulk is held to what the slowest contender can carry. */
export const LATENCY_CELLS: readonly (Cell & { readonly loads: readonly Load[] })[] = [
  { path: "veth", lossPercent: 0, contenders: CONTENDERS, loads: ["idle", "bulk"] },
  { path: "veth", lossPercent: 5, contenders: [...OURS, "easytier-kcp", "easytier-quic"], loads: ["idle"] },
  { path: "wan300", lossPercent: 0, contenders: CONTENDERS, loads: ["bulk"] },
  { path: "wan300", lossPercent: 5, contenders: CONTENDERS, loads: ["idle", "bulk"] },
];
export const VETH_BULK_MBPS = 100;

export interface Plan {
  readonly paths: readonly PathName[];
  readonly lossPercents: readonly number[];
  readonly contenders: readonly ContenderName[];
  readonly directions: readonly DirectionName[];
  readonly throughput: boolean;
  readonly latency: boolean;
  readonly rounds: number;
  readonly seconds: number;
  /** Nothing was left out: the published document may be written. */
  readonly complete: boolean;
}

/** Of one measurement; so long that the whole takes less than 25 minutes. */
const DEFAULT_SECONDS = 1.8;
const WARMUP_SHARE = 0.2;
export function warmupSeconds(seconds: number): number {
  return seconds * WARMUP_SHARE;
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined || text === "" ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`${name}=${text} is not a positive number`);
  return value;
}

/** Words of one class choose among it, words of different classes narrow each other: `ONLY="wan300 5 kcp-router kcptun up"`. */
export function planFrom(environment: Readonly<Record<string, string | undefined>>): Plan {
  const words = (environment.ONLY ?? "").split(/[\s,]+/).filter((word) => word !== "");
  const used = new Set<string>();
  const choose = <T extends string | number>(all: readonly T[]): readonly T[] => {
    const chosen = all.filter((item) => words.some((word) => word === String(item) || word === `${item}%`));
    for (const item of chosen) for (const form of [String(item), `${item}%`]) used.add(form);
    return chosen.length > 0 ? chosen : all;
  };
  const paths = choose(PATHS);
  const lossPercents = choose<number>(ALL_LOSS_PERCENTS);
  const contenders = choose(CONTENDERS);
  const directions = choose(DIRECTIONS);
  const kinds = choose(KINDS);
  const unknown = words.find((word) => !used.has(word));
  if (unknown !== undefined) {
    const known = [PATHS, ALL_LOSS_PERCENTS, CONTENDERS, DIRECTIONS, KINDS]
      .map((all) => all.join(" "))
      .join(" | ");
    throw new Error(`ONLY: "${unknown}" is none of ${known}`);
  }
  const rounds = Math.round(positive("ROUNDS", environment.ROUNDS, 3));
  const seconds = positive("SECONDS", environment.SECONDS, DEFAULT_SECONDS);
  return {
    paths,
    lossPercents,
    contenders,
    directions,
    throughput: kinds.includes("throughput"),
    latency: kinds.includes("latency"),
    rounds,
    seconds,
    complete: words.length === 0 && rounds >= 3 && seconds >= DEFAULT_SECONDS,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
