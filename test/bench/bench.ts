/**
 * `make bench`: kcp-router beside kcptun, the real EasyTier and kernel TCP, in one run on one machine.
 *
 *   make bench                                     everything, about 24 minutes; writes docs/benchmarks.md
 *   make bench ONLY="wan300 5 kcp-router kcptun"   a part: paths, loss, contenders, directions, throughput|latency
 *   ROUNDS=1 SECONDS=1 make bench ONLY=…           quicker and rougher
 *
 * Rows also go to out/bench.json.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { prepareEasyTier } from "../interop/peer/easytier-peer.ts";
import { OUT, ROOT } from "../netns/paths.ts";
import { describeMachine } from "./bench-machine.ts";
import { planFrom } from "./bench-plan.ts";
import { benchmarkDocument, verdicts } from "./bench-report.ts";
import { runBench } from "./bench-run.ts";

const isEasyTier = (name: string): boolean => name.startsWith("easytier-");

const started = performance.now();
let plan = planFrom(process.env);
if (plan.contenders.some(isEasyTier)) {
  const reason = await prepareEasyTier();
  if (reason !== undefined) {
    console.log(`bench: without the real EasyTier: ${reason}`);
    plan = {
      ...plan,
      contenders: plan.contenders.filter((name) => !isEasyTier(name)),
      complete: false,
    };
  }
}
const machine = await describeMachine();
for (const line of machine) console.log(line);
const result = await runBench(plan, (line) => console.log(line));

mkdirSync(OUT, { recursive: true });
const json = { machine, rows: result.rows, latencyRows: result.latencyRows, problems: result.problems };
writeFileSync(join(OUT, "bench.json"), `${JSON.stringify(json, null, 1)}\n`);
console.log("\nout/bench.json is written.");
if (plan.complete && result.problems.length === 0) {
  writeFileSync(join(ROOT, "docs/benchmarks.md"), benchmarkDocument(machine, plan, result));
  console.log("docs/benchmarks.md is written.");
} else {
  console.log("docs/benchmarks.md is left as it is: only a complete run without problems writes it.");
}
for (const { text, holds } of verdicts(result)) console.log(`${holds ? "yes" : "NO "}  ${text}`);
console.log(`bench: ${Math.round((performance.now() - started) / 1000)} s`);
if (result.problems.length > 0) process.exitCode = 1;
