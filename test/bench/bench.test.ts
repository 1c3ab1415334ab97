/** The bench's own arithmetic: what ONLY picks, what is promised, and that the document hides no cell. */
import test from "ava";
import { DIRECTIONS, LATENCY_CELLS, LOSS_PERCENTS, median, PATHS, planFrom } from "./bench-plan.ts";
import { benchmarkDocument, verdicts } from "./bench-report.ts";
import type { BenchResult, LatencyRow, ThroughputRow } from "./bench-run.ts";
import { CONTENDERS, type ContenderName } from "./contenders/contender.ts";

test("ONLY: words of one class choose, words of different classes narrow", (t) => {
  const plan = planFrom({ ONLY: "wan300 5% 10, kcp-router kcptun up throughput" });
  t.deepEqual(plan.paths, ["wan300"]);
  t.deepEqual(plan.lossPercents, [5, 10]);
  t.deepEqual(plan.contenders, ["kcp-router", "kcptun"]);
  t.deepEqual(plan.directions, ["up"]);
  t.true(plan.throughput);
  t.false(plan.latency);
  t.false(plan.complete);
});

test("without ONLY everything is measured, and only then is the document written", (t) => {
  const plan = planFrom({});
  t.deepEqual([plan.paths, plan.lossPercents, plan.contenders], [PATHS, LOSS_PERCENTS, CONTENDERS]);
  t.true(plan.complete && plan.throughput && plan.latency);
  t.false(planFrom({ ROUNDS: "1" }).complete);
  t.throws(() => planFrom({ ONLY: "veth kcptum" }), { message: /"kcptum" is none of/ });
  t.throws(() => planFrom({ ROUNDS: "0" }), { message: /ROUNDS=0/ });
});

test("median", (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 2, 3]), 2.5);
  t.is(median([Number.NaN, 7]), 7);
  t.true(Number.isNaN(median([])));
});

/** Every cell filled: `kcp-router` at `ours` times the others' rate and at `cost` times their CPU. */
function madeUp(ours: number, cost: number): BenchResult {
  const rows: ThroughputRow[] = [];
  const latencyRows: LatencyRow[] = [];
  const own = (contender: ContenderName): boolean => contender === "kcp-router";
  for (const path of PATHS)
    for (const lossPercent of LOSS_PERCENTS)
      for (const contender of CONTENDERS)
        for (const direction of DIRECTIONS) {
          const cpu = own(contender) ? 10 * cost : 10;
          const kernel = contender.startsWith("tcp-");
          rows.push({
            path,
            lossPercent,
            contender,
            direction,
            mbps: own(contender) ? 100 * ours : 100,
            spread: 0.1,
            cpuPerGB: kernel ? { source: null, destination: null } : { source: cpu, destination: cpu },
            rssMB: kernel ? { source: null, destination: null } : { source: 60, destination: 61 },
          });
        }
  for (const { path, lossPercent, loads } of LATENCY_CELLS)
    for (const load of loads)
      for (const contender of CONTENDERS) {
        const ms = own(contender) ? 0.4 : 1;
        latencyRows.push({
          path,
          lossPercent,
          contender,
          load,
          p50Ms: ms,
          p90Ms: ms,
          p99Ms: ms,
          p999Ms: ms,
          requests: 9,
        });
      }
  return { rows, latencyRows, descriptions: new Map([["kcptun", "the tunnel"]]), problems: [] };
}

test("promises are kept or broken by the rows alone", (t) => {
  const good = verdicts(madeUp(9, 0.1));
  t.deepEqual(
    good.filter(({ holds }) => !holds),
    [],
  );
  // Four ratios and a share of the ideal per loss rate and direction, three latencies, one memory.
  t.is(good.length, LOSS_PERCENTS.length * 2 * 5 + 4);
  const slow = verdicts(madeUp(2.5, 0.5)).filter(({ holds }) => !holds);
  for (const what of [
    "rate by the better kcptun",
    "CPU per GB by the cheaper kcptun",
    "rate by EasyTier",
    "CPU per GB by EasyTier",
  ])
    t.is(slow.filter(({ text }) => text.includes(what)).length, 8, what);
  t.is(verdicts({ ...madeUp(9, 0.1), rows: [], latencyRows: [] }).length, 0);
});

test("the document shows every cell, also where kcp-router loses", (t) => {
  const text = benchmarkDocument(["2 cores of a test"], planFrom({}), madeUp(0.5, 2));
  t.is(text.match(/50\.0 ±5 %/g)?.length, PATHS.length * LOSS_PERCENTS.length * DIRECTIONS.length);
  t.regex(text, /\*\*kcptun\*\*: the tunnel/);
  t.regex(text, /\| \*\*no\*\* \|/);
  t.false(/undefined|NaN/.test(text));
});
