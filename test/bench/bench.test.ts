/** The bench's own arithmetic: what ONLY picks, what is promised, and that the document hides no cell. */
import test from "ava";
import {
  BULK_CELLS,
  DIRECTIONS,
  LATENCY_CELLS,
  LOSS_PERCENTS,
  median,
  PATHS,
  planFrom,
} from "./bench-plan.ts";
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
  t.deepEqual([plan.paths, plan.contenders], [PATHS, CONTENDERS]);
  t.true(BULK_CELLS.every(({ lossPercent }) => plan.lossPercents.includes(lossPercent)));
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

/** Every cell filled: ours at `ours` times the others' rate and at `cost` times their CPU. */
function madeUp(ours: number, cost: number): BenchResult {
  const rows: ThroughputRow[] = [];
  const latencyRows: LatencyRow[] = [];
  const own = (contender: ContenderName): boolean => contender.startsWith("kcp-router");
  for (const { path, lossPercent, contenders } of BULK_CELLS)
    for (const contender of contenders)
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
  for (const { path, lossPercent, loads, contenders } of LATENCY_CELLS)
    for (const load of loads)
      for (const contender of contenders) {
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
  // Five ratios and two shares of the ideal per loss rate and direction, QUIC by KCP, four latencies, two memories.
  t.is(good.length, LOSS_PERCENTS.length * 2 * 7 + 2 * 2 + 6);
  const slow = verdicts(madeUp(2.5, 0.5)).filter(({ holds }) => !holds);
  for (const what of [
    "rate by the better kcptun",
    "CPU per GB by the cheaper kcptun",
    "rate by EasyTier",
    "rate of QUIC by EasyTier",
    "CPU per GB by EasyTier",
  ])
    t.is(slow.filter(({ text }) => text.includes(what)).length, 8, what);
  t.is(verdicts({ ...madeUp(9, 0.1), rows: [], latencyRows: [] }).length, 0);
  const alone = madeUp(9, 0.1);
  const without = { ...alone, rows: alone.rows.filter(({ contender }) => !contender.startsWith("kcptun")) };
  t.deepEqual(
    verdicts(without).filter(({ text }) => /^veth.*kcptun/.test(text)),
    [],
    "who was not there is not compared with",
  );
});

test("the document shows every cell, also where kcp-router loses", (t) => {
  const text = benchmarkDocument(["2 cores of a test"], planFrom({}), madeUp(0.5, 2));
  t.is(text.match(/50\.0 ±5 %/g)?.length, BULK_CELLS.length * 2 * DIRECTIONS.length);
  t.regex(text, /\*\*kcptun\*\*: the tunnel/);
  t.regex(text, /\| \*\*no\*\* \|/);
  t.false(/undefined|NaN/.test(text));
});
