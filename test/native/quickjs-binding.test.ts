/** The native module of the executable with QuickJS, driven from outside; `inside/` is what runs in it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { seededRandom } from "../random.ts";
import { type Ending, runInside } from "./script.ts";

function lines(ending: Ending): unknown[] {
  return ending.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}

/** What it printed, when it ended in good order. */
async function printed(t: ExecutionContext, name: string, ...args: string[]): Promise<unknown[]> {
  const ending = await runInside(name, { args });
  t.is(ending.stderr, "");
  t.is(ending.status, 0);
  return lines(ending);
}

test("wrong types, offsets out of range and closed handles are sentences or error numbers, never a crash", async (t) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.log(`SEED=${seed}`);
  const [result] = (await printed(t, "hostile", String(seed))) as [
    { calls: number; unspoken: string[]; kinds: string[]; afterDispose: number[]; detached: string },
  ];
  t.true(result.calls > 20_000);
  t.deepEqual(result.unspoken, []);
  t.deepEqual(result.kinds, ["RangeError", "TypeError"]);
  t.deepEqual(result.afterDispose, [-9]);
  t.is(result.detached, "TypeError: The core's arena was detached.");
});

test("timers run in order with promises between them, and a loop with nothing left ends the process", async (t) => {
  t.deepEqual(await printed(t, "life", "orderly"), [["first", "promise", "second"]]);
});

test("an exception nobody catches is one line, and status 1", async (t) => {
  const { status, stdout, stderr } = await runInside("life", { args: ["exception"] });
  t.is(status, 1);
  t.is(stdout, "");
  t.regex(stderr, /^kcp-router: TypeError: It went at .*\n$/);
});

test("a rejection nobody handles ends the process at once", async (t) => {
  const { status, stdout, stderr } = await runInside("life", { args: ["rejection"] });
  t.is(status, 1);
  t.is(stdout, "");
  t.regex(stderr, /^kcp-router: Error: Nobody cares\. at .*\n$/);
});

test("a rejection handled a little later is none", async (t) => {
  t.deepEqual(await printed(t, "life", "handled"), ["handled"]);
});

test("the status is the one that is given", async (t) => {
  t.is((await runInside("life", { args: ["status"] })).status, 7);
});

for (const [signal, number] of [
  ["SIGTERM", 15],
  ["SIGINT", 2],
  ["SIGHUP", 1],
] as const) {
  test(`${signal} is told`, async (t) => {
    const ending = await runInside("life", { args: ["signal"], signal });
    t.deepEqual(lines(ending), ["waiting", number]);
    t.is(ending.status, 0);
  });
}

test("endless recursion is an exception", async (t) => {
  t.deepEqual(await printed(t, "life", "overflow"), ["InternalError"]);
});

test("cycles are collected, whether JavaScript rests or not", async (t) => {
  const [memory] = (await printed(t, "life", "garbage")) as [
    { whileRunning: number; after: number; small: boolean; timed: boolean },
  ];
  t.true(memory.whileRunning > 0);
  t.true(memory.after > memory.whileRunning);
  t.true(memory.small);
  t.true(memory.timed);
});

test("memory beyond the limit is an exception", async (t) => {
  t.deepEqual(await printed(t, "life", "memoryLimit"), ["out of memory"]);
});

test("UTF-8 comes and goes as with the web platform's encoder and decoder", async (t) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.log(`SEED=${seed}`);
  const random = seededRandom(seed);
  // Bytes that begin, continue and break characters.
  const likely = [
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
    0xf5, 0xff,
  ];
  const strings = Array.from({ length: 2000 }, () =>
    Uint8Array.from({ length: random() % 12 }, () => likely[random() % likely.length]!),
  );
  const folder = mkdtempSync(join(tmpdir(), "kcp-text-"));
  const file = join(folder, "strings");
  writeFileSync(file, strings.map((bytes) => Buffer.from(bytes).toString("hex")).join("\n"));
  const results = (await printed(t, "text", file)) as {
    text: string;
    fatal: string | null;
    units: string;
    encoded: number[];
  }[];
  rmSync(folder, { recursive: true });
  t.is(results.length, strings.length);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
  for (const [i, bytes] of strings.entries()) {
    const { text, fatal, units, encoded } = results[i]!;
    if (text !== decoder.decode(bytes)) t.fail(`decoded ${Buffer.from(bytes).toString("hex")}`);
    let expected: string | null = null;
    try {
      expected = strict.decode(bytes);
    } catch {
      // Malformed.
    }
    if (fatal !== expected) t.fail(`strictly decoded ${Buffer.from(bytes).toString("hex")}`);
    if (Buffer.compare(Buffer.from(encoded), Buffer.from(new TextEncoder().encode(units))) !== 0)
      t.fail(`encoded ${JSON.stringify(units)}`);
  }
});

test("files are written whole with their mode, read up to a limit, and errors have their names", async (t) => {
  t.deepEqual(await printed(t, "files"), [
    { written: 0, again: 0, nowhere: "ENOENT", folder: 0, twice: "EEXIST" },
    {
      text: "what was written",
      mode: "600",
      tooLarge: "EFBIG",
      isFolder: "EISDIR",
      missing: "ENOENT",
      proc: "object",
      names: ["file", "folder"],
      noFolder: "ENOENT",
    },
    { kind: "file", bytes: 16, recent: true, folderKind: "folder", removed: 0, removedTwice: "ENOENT" },
  ]);
});

test("sockets connect, carry, end and refuse; names are asked for", async (t) => {
  const talk = ["connected 0", "client hello", "client end", "server end"];
  t.deepEqual(await printed(t, "sockets"), [
    {
      seen: [...talk, ...talk],
      mode: "600",
      inUse: "EADDRINUSE",
      tooLong: "ENAMETOOLONG",
      refused: "ECONNREFUSED",
      refusedAgain: "ECONNREFUSED",
      closed: ["EBADF", "EBADF", "EBADF"],
      ports: "EINVAL",
    },
    { localhost: true, loopback: true },
  ]);
});
