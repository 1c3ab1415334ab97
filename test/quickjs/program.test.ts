/** The executable as a program: what it says, and how it ends. What a running daemon does is in the lab (`test/netns/quickjs.test.ts`). */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { VERSION } from "../../router-daemon/src/api/version.ts";
import { OUT } from "../netns/paths.ts";

const PROGRAM = join(OUT, "bin/host/kcp-router");

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function program(args: readonly string[], closeStdout = false): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(PROGRAM, args);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    if (closeStdout) child.stdout.destroy();
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-program-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("it knows its version and its engine", async (t) => {
  t.is((await program(["--version"])).stdout, `kcp-router ${VERSION} (quickjs 2026-06-04)\n`);
});

test("it answers with sentences and statuses, never with a stack trace", async (t) => {
  const base = folder(t);
  writeFileSync(join(base, "bad.toml"), "= =");
  writeFileSync(
    join(base, "good.toml"),
    'ipv4 = "10.1.1.1"\n[network_identity]\nnetwork_name = "n"\nnetwork_secret = "é"\n',
  );
  const cases: [string[], number, RegExp][] = [
    [["run", "--no-such-flag"], 2, /^error: command line, --no-such-flag: This flag is unknown/],
    [
      ["run", "-c", join(base, "bad.toml")],
      1,
      /^error: .*bad\.toml, line 1, column \d+: This is not valid TOML/,
    ],
    [["run", "-c", join(base, "no.toml")], 1, /The configuration cannot be read: there is no such file/],
    [["run", "-c", base], 1, /it is a directory\. Name a file\./],
    [["run", "-c", "/dev/zero"], 1, /it is larger than \d+ bytes\./],
    [
      ["proxy", "--socket", join(base, "x.sock")],
      1,
      /^kcp-router is not running \(nobody answers on .*x\.sock\)/,
    ],
    [["proxy", "--socket", join(base, "good.toml")], 1, /\.$/],
    [["nonsense"], 2, /^"nonsense" is not a command/],
    [["check", "-c", join(base, "good.toml")], 0, /^warning: .*Every user of this machine can read/],
  ];
  for (const [args, status, expected] of cases) {
    const result = await program(args);
    t.is(result.status, status, args.join(" "));
    t.regex(result.stderr.trimEnd(), expected);
    t.notRegex(result.stderr, /^\s+at |Error:/m);
  }
});

test("a reader that goes away ends it quietly", async (t) => {
  t.deepEqual(await program(["help", "run"], true), { status: 0, stdout: "", stderr: "" });
});
