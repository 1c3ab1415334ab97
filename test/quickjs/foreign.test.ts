/**
 * The same on the other processors of routers, emulated. mips, whose bytes are the other way round, with the codecs and vectors always;
 * `QUICKJS=all` runs everything on each.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { ROOT } from "../netns/paths.ts";
import { quickFiles, wordFiles } from "./plan.ts";
import { runInside } from "./register.ts";
import type { Machine } from "./run.ts";

const all = process.env.QUICKJS === "all";
const MACHINES: readonly Machine[] = all ? ["mips", "mipsel", "arm", "aarch64"] : ["mips"];

for (const machine of MACHINES) {
  const missing = lacks(machine);
  if (missing !== undefined) {
    test.skip(`QuickJS on ${machine} (${missing})`, () => undefined);
    continue;
  }
  const options = { machine, shareOfRuns: all ? 0.02 : 0.01, timeoutMs: all ? 600_000 : 180_000 };
  runInside(all ? quickFiles() : wordFiles(), options);
}

/** Why nothing can be made or run for this machine; undefined = it can. */
function lacks(machine: Machine): string | undefined {
  if (spawnSync(`qemu-${machine}-static`, ["--version"]).status !== 0)
    return "no emulator: package qemu-user-static";
  if (!existsSync(join(ROOT, "out/zig/bin/zig"))) return "no cross compiler: tools/sources.sh compiler";
  const make = ["-s", "-C", join(ROOT, "router-daemon/native/quickjs"), `ARCH=${machine}`, "script"];
  const { status, stderr } = spawnSync("make", make, { encoding: "utf8" });
  if (status !== 0) throw new Error(`make script for ${machine}: ${stderr.slice(-2000)}`);
  return undefined;
}
