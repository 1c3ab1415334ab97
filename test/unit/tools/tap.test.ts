import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { closingLine, TapReader } from "../../../tools/tap.ts";

const ROOT = join(import.meta.dirname, "../../..");

const SAMPLE = `TAP version 13
ok 1 - url › listeners take every form
# a log line of a passing test
ok 2 - url › peers # are addresses
not ok 3 - toml › a wrong value
  ---
    name: AssertionError
    values:
      'Difference:': '- 1 + 2'
  ...
ok 4 - lab › needs a kernel # SKIP
not ok 5 - slow.test.ts exited with a non-zero exit code: 1
1..5
# tests 5
# pass 2
# skip 1
# fail 2
`;

test("results are counted, failures are shown with their details, skips are named", (t) => {
  const reader = new TapReader(0, "");
  const shown = reader.read(SAMPLE, 1000);
  t.deepEqual(reader.count, { passed: 2, failed: 2, skipped: 1 });
  t.deepEqual(reader.skippedTitles, ["lab › needs a kernel"]);
  t.true(shown.includes("not ok 3 - toml › a wrong value\n  ---\n    name: AssertionError\n"));
  t.false(shown.includes("listeners"));
  t.false(shown.includes("# tests"));
  t.is(closingLine(reader.count), "ava: 2 passed, 2 failed, 1 skipped");
});

test("it does not matter how the stream is cut", (t) => {
  const whole = new TapReader(0, "");
  const shown = whole.read(SAMPLE, 0);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: SAMPLE.length }), { maxLength: 20 }), (cuts) => {
      const reader = new TapReader(0, "");
      const at = [0, ...cuts.sort((a, b) => a - b), SAMPLE.length];
      const pieces = at.slice(1).map((end, index) => reader.read(SAMPLE.slice(at[index], end), 0));
      return pieces.join("") === shown && JSON.stringify(reader.count) === JSON.stringify(whole.count);
    }),
  );
  t.pass();
});

test("times are kept by file, slowest first", (t) => {
  const reader = new TapReader(0, "");
  reader.read("ok 1 - a › one\n", 1000);
  reader.read("ok 2 - b › one\n", 1500);
  reader.read("ok 3 - b › two\n", 4000);
  reader.read("ok 4 - c › d › one\n", 4500);
  reader.read("not ok 5 - slow.test.ts exited with a non-zero exit code: 1\n", 4600);
  t.deepEqual(reader.files, [
    { file: "b", seconds: 3, tests: 2 },
    { file: "a", seconds: 1, tests: 1 },
    { file: "c/d", seconds: 0.5, tests: 1 },
    { file: "slow.test.ts exited with a non-zero exit code: 1", seconds: 0.1, tests: 1 },
  ]);
  const single = new TapReader(0, "test/x.test.ts");
  single.read("ok 1 - one\n", 500);
  t.deepEqual(single.files, [{ file: "test/x.test.ts", seconds: 0.5, tests: 1 }]);
});

test("what AVA itself prints is read right: passing, failing, skipped, crashing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "kcp-router-tap-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const head = 'import test from "ava";\n';
  writeFileSync(
    join(folder, "a.test.js"),
    `${head}test("good", (t) => t.pass());\ntest("bad", (t) => t.is(1, 2));\n`,
  );
  writeFileSync(
    join(folder, "b.test.js"),
    `${head}test.skip("left out", (t) => t.pass());\ntest("good", (t) => t.pass());\n`,
  );
  writeFileSync(join(folder, "c.test.js"), 'throw new Error("does not load");\n');
  const ava = spawnSync(process.execPath, [join(ROOT, "node_modules/ava/entrypoints/cli.mjs"), "--tap"], {
    cwd: folder,
    encoding: "utf8",
    // The outer run's settings are not the inner one's.
    env: { PATH: process.env.PATH ?? "", HOME: folder },
  });
  t.is(ava.status, 1);
  const reader = new TapReader(0, "");
  const shown = reader.read(ava.stdout, 0);
  t.is(reader.count.passed, 2, ava.stdout);
  t.is(reader.count.skipped, 1, ava.stdout);
  t.true(reader.count.failed >= 2, ava.stdout);
  t.deepEqual(reader.skippedTitles, ["b › left out"]);
  t.regex(shown, /a › bad/);
});
