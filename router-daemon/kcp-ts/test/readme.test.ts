import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const run = promisify(execFile);

test("the example of the README runs and says what it should", async (t) => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(here("README.md"), "utf8"))!;
  const folder = mkdtempSync(join(tmpdir(), "kcp-ts-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "example.mts"), code!.replace('"kcp-ts"', JSON.stringify(here("src/index.ts"))));
  const { stdout } = await run(process.execPath, ["--import=tsx", join(folder, "example.mts")], {
    cwd: here("."),
  });
  t.regex(stdout, /^60000 bytes in \d+ segments, [1-9]\d* sent again, after \d+ ms\n$/);
});

test("the echo over UDP comes back", async (t) => {
  const { stdout } = await run(process.execPath, ["--import=tsx", here("examples/udp.ts")], {
    cwd: here("."),
  });
  t.is(stdout, "over and back\n");
});

test("the published package runs without our sources", async (t) => {
  await run(process.execPath, ["--import=tsx", here("scripts/dist.ts")], { cwd: here(".") });
  const { Kcp } = (await import(
    new URL("../dist/index.js", import.meta.url).href
  )) as typeof import("../src/index.ts");
  t.is(new Kcp({ conv: 1 }).write(new Uint8Array(10)), 10);
  const types = readFileSync(here("dist/index.d.ts"), "utf8");
  t.true(types.includes('from "./kcp.js"'));
  const { exports } = JSON.parse(readFileSync(here("dist/package.json"), "utf8"));
  t.deepEqual(exports, {
    ".": { types: "./index.d.ts", default: "./index.js" },
    "./recovery": { types: "./recovery.d.ts", default: "./recovery.js" },
  });
  const { Pacer } = (await import(
    new URL("../dist/recovery.js", import.meta.url).href
  )) as typeof import("../src/recovery.ts");
  t.true(new Pacer(1200).credit(0, 1) > 0);
});
