/**
 * The same on the other processors of routers, emulated. mips, whose bytes are the other way round, with the codecs and vectors always;
 * `QUICKJS=all` runs everything on each.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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
  // Its bytecode comes from this machine, regular expressions included.
  test(`the program itself on ${machine}: a configuration is read, and mistakes are told`, (t) => {
    const program = join(ROOT, "out/bin", machine, "kcp-router");
    const folder = mkdtempSync(join(tmpdir(), "kcp-router-foreign-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "config");
    const check = (text: string) => {
      writeFileSync(file, text, { mode: 0o600 });
      return spawnSync(`qemu-${machine}-static`, [program, "check", "-c", file], { encoding: "utf8" });
    };
    const good = check(
      "config network\n\toption ipv4 '10.1.1.1/24'\n\toption secret 'x'\nconfig peer\n\toption uri 'udp://203.0.113.5:11010'\n",
    );
    t.is(good.status, 0, good.stderr);
    t.is(good.stdout, "The configuration is valid.\n");
    const bad = check(
      "config network\n\toption ipv4 '10.1.1.1/24'\n\toption mtu '12345'\nconfig peer\n\toption uri 'x://y'\n",
    );
    t.is(bad.status, 1);
    t.regex(
      bad.stderr,
      /@network\[0\]\.mtu, line 3: "12345" was found; allowed is a whole number from 576 to 1400/,
    );
    t.regex(bad.stderr, /@peer\[0\]\.uri, line 5/);
  });
}

/** Why nothing can be made or run for this machine; undefined = it can. */
function lacks(machine: Machine): string | undefined {
  if (spawnSync(`qemu-${machine}-static`, ["--version"]).status !== 0)
    return "no emulator: package qemu-user-static";
  if (!existsSync(join(ROOT, "out/zig/bin/zig"))) return "no cross compiler: tools/sources.sh compiler";
  const make = ["-s", "-C", join(ROOT, "router-daemon/native/quickjs"), `ARCH=${machine}`, "all", "script"];
  const { status, stderr } = spawnSync("make", make, { encoding: "utf8" });
  if (status !== 0) throw new Error(`make script for ${machine}: ${stderr.slice(-2000)}`);
  return undefined;
}
