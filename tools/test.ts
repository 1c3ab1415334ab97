/**
 * `make test`: the checks, then all tests, and one closing line made from AVA's own results.
 *
 * Three groups: what runs on a virtual clock or in one process goes side by side; so do, in lanes, the labs whose tests wait for
 * something to become true and compare what arrived; what measures a rate or a delay in the kernel's network goes one file
 * after the other, since on two cores neighbours would spoil each other's timing.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { runChecks } from "./check.ts";
import { closingLine, TapReader, type TestCount } from "./tap.ts";
import { bundleOf, bundleTests } from "./test-bundle.ts";

const ROOT = join(import.meta.dirname, "..");
/** Lanes of labs that bear neighbours, since their tests wait for a state and not for a moment. They wait more than they work. */
const LAB_LANES = [
  ["test/interop/"],
  ["test/luci/", "test/netns/carried.test.ts", "test/netns/lifecycle.test.ts"],
  ["test/openwrt/", "test/netns/quickjs.test.ts"],
];
/** What runs alone: the rest of these folders. */
const ALONE_FOLDERS = ["test/netns/", "test/fuzz/"];
/** Files named when all is well; all of them when something failed. */
const SLOWEST_SHOWN = 5;

const total: TestCount = { passed: 0, failed: 0, skipped: 0 };
const skippedTitles: string[] = [];
const times: { file: string; seconds: number; tests: number }[] = [];
const complaints: string[] = process.env.ONLY ? [] : runChecks().map((name) => `check: ${name}`);

/** `make test ONLY=test/unit/api`: files whose path holds this, and no checks before them. */
const only = process.env.ONLY ?? "";
if (only !== "") console.log(`test: only files with ${only} in their path; this is not the whole`);

const files = testFiles().filter((file) => file.includes(only));
const startingWith = (starts: readonly string[]) =>
  files.filter((file) => starts.some((start) => file.startsWith(start)));
const labs = LAB_LANES.map(startingWith);
const alone = startingWith(ALONE_FOLDERS).filter((file) => !labs.flat().includes(file));
const others = files.filter((file) => ![...labs.flat(), ...alone].includes(file));
await bundleTests(files);
await runGroup("unit and simulation", others, 2);
await Promise.all(labs.map((lane, index) => runGroup(`labs, lane ${index + 1}`, lane, 1)));
await runGroup("labs that measure", alone, 1);
report();

async function runGroup(name: string, group: readonly string[], concurrency: number): Promise<void> {
  if (group.length === 0) return;
  console.log(`test: ${name}: ${group.length} files`);
  const started = performance.now();
  const reader = new TapReader(started, group.length === 1 ? (group[0] ?? "") : "");
  const args = [
    "--tap",
    `--concurrency=${concurrency}`,
    ...(concurrency === 1 ? ["--serial"] : []),
    ...group.map(bundleOf),
  ];
  const ava = spawn(join(ROOT, "node_modules/.bin/ava"), args, {
    cwd: ROOT,
    env: { ...process.env, AVA_BUNDLES: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  ava.stdout
    .setEncoding("utf8")
    .on("data", (chunk: string) => process.stdout.write(reader.read(chunk, performance.now())));
  ava.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors = (errors + chunk).slice(-20_000);
  });
  const status = await new Promise<number>((resolve) => ava.on("close", (code) => resolve(code ?? 1)));
  reader.read("\n", performance.now());
  if (status !== 0) {
    if (errors.trim() !== "") console.log(errors);
    // AVA can fail without a failing test: a file that does not load, an exit in the middle.
    if (reader.count.failed === 0) reader.count.failed = 1;
    complaints.push(`test: ${name}`);
  }
  total.passed += reader.count.passed;
  total.failed += reader.count.failed;
  total.skipped += reader.count.skipped;
  skippedTitles.push(...reader.skippedTitles);
  times.push(...reader.files);
  console.log(`test: ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

function report(): void {
  // No result at all is no success.
  if (total.passed + total.failed + total.skipped === 0) {
    total.failed = 1;
    complaints.push("no test ran");
  }
  times.sort((a, b) => b.seconds - a.seconds);
  const shown = complaints.length > 0 ? times : times.slice(0, SLOWEST_SHOWN);
  console.log(
    complaints.length > 0
      ? "Seconds by file, as results came in:"
      : "Slowest files (seconds, as results came in):",
  );
  for (const { file, seconds, tests } of shown)
    console.log(`  ${seconds.toFixed(1).padStart(6)}  ${file} (${tests})`);
  for (const title of skippedTitles) console.log(`skipped: ${title}`);
  // A skip is for a developer's machine that lacks something; where the project is judged it is a failure.
  if (skippedTitles.length > 0 && process.env.CI !== undefined)
    complaints.push("skipped tests, and this is CI");
  for (const complaint of complaints) console.log(`FAILED: ${complaint}`);
  console.log(closingLine(total));
  process.exitCode = complaints.length === 0 && total.failed === 0 ? 0 : 1;
}

/** Every test file there is, by AVA's own patterns (ava.config.js). */
function testFiles(): readonly string[] {
  const folders = ["router-daemon/kcp-ts/test", "test"];
  return folders
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes("node_modules"))
    .sort();
}
