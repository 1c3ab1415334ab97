/** The published document: tables of all cells, and what was promised beside what was measured. */
import {
  BULK_CELLS,
  HIGH_LOSS_PERCENTS,
  IDEAL_WAN300_MBPS,
  LATENCY_CELLS,
  LOSS_PERCENTS,
  PATHS,
  type PathName,
  type Plan,
  VETH_BULK_MBPS,
  warmupSeconds,
} from "./bench-plan.ts";
import type { BenchResult, LatencyRow, ThroughputRow } from "./bench-run.ts";
import { CONTENDERS, type ContenderName } from "./contenders/contender.ts";

const PATH_TITLES: Readonly<Record<PathName, string>> = {
  veth: "Plain path: veth without offloads on the provider's side, no delay, random loss in both directions",
  wan300: "300 Mbit/s, 20 ms round trip, 1.5 MB queue, random loss in both directions (link emulator)",
};

function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

class Rows {
  readonly #result: BenchResult;

  constructor(result: BenchResult) {
    this.#result = result;
  }

  row(path: PathName, loss: number, contender: ContenderName, direction: string): ThroughputRow | undefined {
    return this.#result.rows.find(
      (row) =>
        row.path === path &&
        row.lossPercent === loss &&
        row.contender === contender &&
        row.direction === direction,
    );
  }

  latency(path: PathName, loss: number, contender: ContenderName, load: string): LatencyRow | undefined {
    return this.#result.latencyRows.find(
      (row) =>
        row.path === path && row.lossPercent === loss && row.contender === contender && row.load === load,
    );
  }
}

function lossesOf(path: PathName): readonly number[] {
  return BULK_CELLS.filter((cell) => cell.path === path).map(({ lossPercent }) => lossPercent);
}

function rateTable(rows: Rows, path: PathName): string {
  const lines = lossesOf(path).flatMap((loss) =>
    (["up", "down"] as const).map((direction) => {
      const cells = CONTENDERS.map((contender) => rows.row(path, loss, contender, direction));
      const best = Math.max(...cells.map((cell) => cell?.mbps ?? 0));
      const shown = cells.map((cell) => {
        if (cell === undefined) return "–";
        const text = `${number(cell.mbps)} ±${Math.round(cell.spread * 50)} %`;
        return cell.mbps === best ? `**${text}**` : text;
      });
      return [`${loss} % ${direction}`, ...shown];
    }),
  );
  return table(["loss each way", ...CONTENDERS], lines);
}

function costTable(rows: Rows, path: PathName, what: "cpuPerGB" | "rssMB"): string {
  const measured = CONTENDERS.filter((contender) => !contender.startsWith("tcp-"));
  const lines = lossesOf(path).flatMap((loss) =>
    (["up", "down"] as const).map((direction) => {
      const cells = measured.map((contender) => {
        const value = rows.row(path, loss, contender, direction)?.[what];
        return `${number(value?.source)} / ${number(value?.destination)}`;
      });
      return [`${loss} % ${direction}`, ...cells];
    }),
  );
  return table(["loss each way", ...measured], lines);
}

function latencyTable(rows: Rows): string {
  const lines = LATENCY_CELLS.flatMap(({ path, lossPercent, loads }) =>
    loads.map((load) => {
      const cells = CONTENDERS.map((contender) => {
        const row = rows.latency(path, lossPercent, contender, load);
        return row === undefined ? "–" : `${number(row.p50Ms)} / ${number(row.p99Ms)}`;
      });
      const beside =
        load === "idle" ? "idle" : path === "veth" ? `beside ${VETH_BULK_MBPS} Mbit/s` : "beside bulk";
      return [`${path}, ${lossPercent} %, ${beside}`, ...cells];
    }),
  );
  return table(["p50 / p99, ms", ...CONTENDERS], lines);
}

export interface Verdict {
  readonly text: string;
  readonly holds: boolean;
}

/** The promises that can be checked with the rows at hand. */
export function verdicts(result: BenchResult): Verdict[] {
  const rows = new Rows(result);
  const found: Verdict[] = [];
  const atLeast = (what: string, value: number, wanted: number): void => {
    if (Number.isFinite(value))
      found.push({ text: `${what}: ${number(value)}, at least ${wanted}`, holds: value >= wanted });
  };
  const atMost = (what: string, value: number, wanted: number): void => {
    if (Number.isFinite(value))
      found.push({ text: `${what}: ${number(value)}, at most ${wanted}`, holds: value <= wanted });
  };
  for (const loss of LOSS_PERCENTS) {
    for (const direction of ["up", "down"] as const) {
      const cell = `${loss} % ${direction}`;
      const ours = rows.row("veth", loss, "kcp-router", direction);
      const tunnels = (["kcptun", "kcptun-fec"] as const).flatMap(
        (name) => rows.row("veth", loss, name, direction) ?? [],
      );
      const easytier = rows.row("veth", loss, "easytier-kcp", direction);
      if (ours !== undefined) {
        if (tunnels.length > 0) {
          const better = Math.max(...tunnels.map((row) => row.mbps));
          const cheaper = Math.min(...tunnels.map((row) => total(row)));
          atLeast(`veth ${cell}: rate by the better kcptun`, ours.mbps / better, 3);
          atMost(`veth ${cell}: CPU per GB by the cheaper kcptun`, total(ours) / cheaper, 0.35);
        }
        atLeast(`veth ${cell}: rate by EasyTier`, ours.mbps / (easytier?.mbps ?? Number.NaN), 8);
        atMost(`veth ${cell}: CPU per GB by EasyTier`, total(ours) / total(easytier), 0.12);
      }
      const mbps = (path: PathName, name: ContenderName): number =>
        rows.row(path, loss, name, direction)?.mbps ?? Number.NaN;
      const quic = mbps("veth", "kcp-router-quic") / mbps("veth", "easytier-quic");
      atLeast(`veth ${cell}: rate of QUIC by EasyTier's QUIC`, quic, 6);
      const ideal = IDEAL_WAN300_MBPS * (1 - loss / 100);
      atLeast(`wan300 ${cell}: share of the ideal`, mbps("wan300", "kcp-router") / ideal, 0.92);
      atLeast(`wan300 ${cell}: share of the ideal, QUIC`, mbps("wan300", "kcp-router-quic") / ideal, 0.95);
    }
  }
  for (const loss of HIGH_LOSS_PERCENTS) {
    for (const direction of ["up", "down"] as const) {
      const [quic, kcp] = (["kcp-router-quic", "kcp-router"] as const).map(
        (name) => rows.row("wan300", loss, name, direction)?.mbps ?? Number.NaN,
      ) as [number, number];
      atLeast(`wan300 ${loss} % ${direction}: rate of QUIC by KCP`, quic / kcp, 1);
    }
  }
  const p50 = (name: ContenderName): number => rows.latency("veth", 0, name, "idle")?.p50Ms ?? Number.NaN;
  const p99 = (name: ContenderName, path: PathName = "wan300"): number =>
    rows.latency(path, 5, name, "idle")?.p99Ms ?? Number.NaN;
  atMost("idle p50 by kcptun", p50("kcp-router") / p50("kcptun"), 0.5);
  atMost("idle p50 by EasyTier", p50("kcp-router") / p50("easytier-kcp"), 0.6);
  atMost("p99 at 5 % and 20 ms by EasyTier", p99("kcp-router") / p99("easytier-kcp"), 1);
  atMost(
    "p99 at 5 % of QUIC by EasyTier's QUIC",
    p99("kcp-router-quic", "veth") / p99("easytier-quic", "veth"),
    0.6,
  );
  for (const name of ["kcp-router", "kcp-router-quic"] as const) {
    const memory = result.rows
      .filter((row) => row.contender === name)
      .flatMap((row) => [row.rssMB.source ?? 0, row.rssMB.destination ?? 0]);
    atMost(`peak RSS of ${name}, MB`, Math.max(...memory), 80);
  }
  return found;
}

function total(row: ThroughputRow | undefined): number {
  return (row?.cpuPerGB.source ?? Number.NaN) + (row?.cpuPerGB.destination ?? Number.NaN);
}

export function benchmarkDocument(machine: readonly string[], plan: Plan, result: BenchResult): string {
  const rows = new Rows(result);
  const parts = [
    "# Benchmarks",
    "Written by `make bench` (test/bench); do not edit. Every contender ran in this one run, round after round; cells that kcp-router loses stay in.",
    "## Machine",
    machine.map((line) => `* ${line}`).join("\n"),
    "## What is compared",
    [...result.descriptions].map(([name, description]) => `* **${name}**: ${description}`).join("\n"),
    `One TCP connection from the LAN client to the service, ${plan.seconds} s after ${number(warmupSeconds(plan.seconds))} s of warm-up, counted where it arrives; median of ${plan.rounds} rounds and half the spread. Everything shares the ${machine[0]?.split(" ")[0]} cores, so rates are "all of it on one machine"; ratios and CPU seconds per GB are what to compare. "up" is from client to service. On the plain path at 0 % nothing but the processor limits.`,
  ];
  for (const path of PATHS) {
    parts.push(`## ${PATH_TITLES[path]}`, "Mbit/s, the best in bold.", rateTable(rows, path));
    if (path === "wan300")
      parts.push(
        `Ideal of a tunnel: ${IDEAL_WAN300_MBPS} Mbit/s × (1 − loss). kernel TCP has no headers of a tunnel and can reach 290.`,
        "At 20 and 30 % QUIC and KCP have the same controller, the same wait for what is overtaken and the same second copies, and settle at the same rate. What tells them apart there is the beginning: QUIC's opening takes more datagrams, each of which may be lost, and what is lost before the path's own loss is known slows the start; a measurement of seconds sees that.",
      );
    parts.push("CPU seconds per GB, source / destination:", costTable(rows, path, "cpuPerGB"));
    parts.push("Peak resident memory in MB, source / destination:", costTable(rows, path, "rssMB"));
  }
  parts.push(
    "## Small requests",
    "64 bytes there and 64 back. One connection on veth, 16 on wan300; kcptun has a process pair of its own for them.",
    latencyTable(rows),
    "## Promises",
    table(
      ["promise", "kept"],
      verdicts(result).map(({ text, holds }) => [text, holds ? "yes" : "**no**"]),
    ),
  );
  return `${parts.join("\n\n")}\n`;
}
