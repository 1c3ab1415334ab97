import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { VERSION } from "../../../router-daemon/src/api/version.ts";
import type { HttpCall } from "../../../router-daemon/src/cli/api-call.ts";
import { nodeFiles, nodeIo } from "../../../router-daemon/src/cli/node-io.ts";
import { serveApi } from "../../../router-daemon/src/daemon/api-server.ts";
import { nodeEngine } from "../../../router-daemon/src/daemon/node-run.ts";
import { httpCall } from "../../../router-daemon/src/http1/client.ts";
import { connectionRow, FakeView } from "../api/fake-view.ts";

const ROOT = join(import.meta.dirname, "../../..");
const call: HttpCall = (unix, request, limits) =>
  httpCall(nodeEngine.streams, nodeEngine.timers, { unix }, request, limits);
const PROGRAM = join(ROOT, "router-daemon/src/cli/kcp-router.ts");

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "kcp-router-cli-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real program from its sources. */
function program(args: readonly string[], closeStdout = false): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import=tsx", PROGRAM, ...args], { cwd: ROOT });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    if (closeStdout) child.stdout.destroy();
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

test("the program answers with sentences and statuses, never with a stack trace", async (t) => {
  const base = folder(t);
  writeFileSync(join(base, "bad.toml"), "= =");
  const cases: [string[], number, RegExp][] = [
    [["run", "--no-such-flag"], 2, /^error: command line, --no-such-flag: This flag is unknown/],
    [
      ["run", "-c", join(base, "bad.toml")],
      1,
      /^error: .*bad\.toml, line 1, column \d+: This is not valid TOML/,
    ],
    [
      ["run", "-c", join(base, "missing.toml")],
      1,
      /^error: .*missing\.toml: The configuration cannot be read: there is no such file/,
    ],
    [
      ["proxy", "--socket", join(base, "x.sock")],
      1,
      /^kcp-router is not running \(nobody answers on .*x\.sock\)\. Start it with "kcp-router run -c FILE"/,
    ],
    [["nonsense"], 2, /^"nonsense" is not a command/],
  ];
  const results = await Promise.all(cases.map(([args]) => program(args)));
  cases.forEach(([args, status, expected], at) => {
    const result = results[at];
    t.is(result?.status, status, args.join(" "));
    t.regex(result?.stderr ?? "", expected);
    t.notRegex(result?.stderr ?? "", /^\s+at /m);
    t.is(result?.stdout, "");
  });
});

test("a reader that goes away ends the program quietly", async (t) => {
  const result = await program(["help", "run"], true);
  t.is(result.status, 0);
  t.is(result.stderr, "");
});

test("the version is the package's", (t) => {
  const file = nodeFiles.read(join(ROOT, "router-daemon/package.json"), 10_000);
  t.true(file.ok);
  if (file.ok) t.is((JSON.parse(file.text) as { version: string }).version, VERSION);
});

test("calls go over the socket and back, results and refusals alike", async (t) => {
  const path = join(folder(t), "api.sock");
  const view = new FakeView();
  view.connectionRows = Array.from({ length: 1000 }, (_, at) => connectionRow(at, { peerName: "路由器" }));
  const served = await serveApi(view, nodeEngine, path);
  t.true(served.ok);
  if (served.ok) t.teardown(() => served.server.close());
  const io = nodeIo(call);
  const page = await io.request(path, "connections", { limit: 1000 });
  t.deepEqual(page, { ok: true, result: { rows: view.connectionRows, total: 1000, offset: 0 } });
  t.like(await io.request(path, "connections", { limit: 0 }), {
    ok: false,
    error: { code: "invalid_argument" },
  });
  t.like(await io.request(path, "nothing", {}), { ok: false, error: { code: "not_found" } });
});

test("what answers but is no kcp-router is told from one", async (t) => {
  const path = join(folder(t), "other.sock");
  let answer = "hello";
  const other = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => other.listen(path, resolve));
  t.teardown(() => {
    other.closeAllConnections();
    other.close();
  });
  const io = nodeIo(call);
  for (answer of ["hello", "", "{", "\u0000"]) {
    const result = await io.request(path, "status", {});
    t.regex(
      "unreachable" in result ? result.unreachable : "",
      /is no kcp-router\. Name its socket with --socket PATH\.$/,
    );
  }
});

test("a daemon that dies in the middle of an answer is a sentence", async (t) => {
  const path = join(folder(t), "dying.sock");
  const dying = createServer((request, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("{");
    setImmediate(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => dying.listen(path, resolve));
  t.teardown(() => dying.close());
  const result = await nodeIo(call).request(path, "status", {});
  t.regex("unreachable" in result ? result.unreachable : "", /\.$/);
});

test("files are read up to their limit, and what is none is a sentence", (t) => {
  const base = folder(t);
  const path = join(base, "file");
  writeFileSync(path, "x".repeat(100));
  chmodSync(path, 0o640);
  t.deepEqual(nodeFiles.read(path, 100), { ok: true, text: "x".repeat(100), mode: 0o100640 });
  t.deepEqual(nodeFiles.read(path, 99), {
    ok: false,
    reason: "it is larger than 99 bytes. Name the right file.",
  });
  t.deepEqual(nodeFiles.read(base, 100), { ok: false, reason: "it is a directory. Name a file." });
  t.deepEqual(nodeFiles.read(join(base, "no"), 100), {
    ok: false,
    reason: "there is no such file. Name an existing one.",
    missing: true,
  });
  t.like(nodeFiles.read(join(path, "no"), 100), { ok: false });
  // A device that never ends is cut off like any other file.
  t.like(nodeFiles.read("/dev/zero", 1000), { ok: false });
});
