/** What only Node's host has: its loader, its event loop, threads. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import test from "ava";
import type { HostFeature } from "../../../router-daemon/src/host/features.ts";
import { type HostFailure, MAX_HANDLES } from "../../../router-daemon/src/host/host.ts";
import { addonCandidates } from "../../../router-daemon/src/host/node/addon.ts";
import { createNodeHost } from "../../../router-daemon/src/host/node/host.ts";
import { Desk, E, pattern, peerHeader } from "./desk.ts";

const hostFile = fileURLToPath(new URL("../../../router-daemon/src/host/node/host.ts", import.meta.url));

/** Runs a module in a process of its own; `createNodeHost` and a host `h` are there. Returns what it prints. */
async function run(body: string): Promise<string> {
  const script = join(mkdtempSync(join(tmpdir(), "host-")), "script.mts");
  writeFileSync(
    script,
    `import { createNodeHost } from ${JSON.stringify(hostFile)};
     const h = createNodeHost({ slotCount: 16 });
     if ("error" in h) throw new Error(h.message);
     ${body}`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ["--import=tsx", script], {
    timeout: 30_000,
  });
  return stdout.trim();
}

test("a missing or broken addon is a sentence with its remedy", (t) => {
  const missing = createNodeHost({ slotCount: 1, addonPath: "/nowhere/core.node" });
  t.true(
    "error" in missing &&
      /core for \w+ is missing \(\/nowhere\/core\.node\).*make native/.test(missing.message),
  );
  const file = join(mkdtempSync(join(tmpdir(), "addon-")), "broken.node");
  writeFileSync(file, "not a library");
  const broken = createNodeHost({ slotCount: 1, addonPath: file });
  t.true("error" in broken && /cannot be loaded.*make native/.test(broken.message));
});

test("the addon is looked for beside the bundle first, then in out/native above it", (t) => {
  t.deepEqual(addonCandidates("/a/b", "x64"), [
    "/a/b/kcp-router-x64.node",
    "/a/b/native/kcp-router-x64.node",
    "/a/b/out/native/kcp-router-x64.node",
    "/a/out/native/kcp-router-x64.node",
    "/out/native/kcp-router-x64.node",
  ]);
});

test("once the loop is watched, pages of the program that only starting needed are given back, and everything goes on", async (t) => {
  const printed = await run(
    `const { readFileSync } = await import("node:fs");
     const fileKiB = () => Number(/RssFile:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "latin1"))[1]);
     const before = fileKiB();
     h.onReady(() => { console.log(h.now() > 0, after < before - 4096); h.dispose(); });
     const after = fileKiB();
     h.setTimer(h.now() + 1);`,
  );
  t.is(printed, "true true");
});

test("sizes that make no arena are refused", (t) => {
  for (const options of [
    { slotCount: 0 },
    { slotCount: 1.5 },
    { slotCount: -1 },
    { slotCount: Number.NaN },
    { slotCount: 1, slotBytes: 100 },
    { slotCount: 1, slotBytes: 0 },
    { slotCount: 1, scratchBytes: -1 },
    { slotCount: 2 ** 31 },
  ]) {
    t.throws(() => createNodeHost(options), { instanceOf: RangeError, message: /\.$/ });
  }
});

test("regions are disjoint, aligned, behind the slots, and end with the arena", (t) => {
  const host = createNodeHost({ slotCount: 10, scratchBytes: 1000 });
  if ("error" in host) {
    t.fail(host.message);
    return;
  }
  const { memory } = host;
  const first = memory.reserve(1);
  const second = memory.reserve(100);
  t.true(first >= 10 * 1536 && first % 64 === 0 && second === first + 64);
  t.throws(() => memory.reserve(1000), { instanceOf: RangeError, message: /raise scratchBytes/ });
  for (const bytes of [-1, 0.5, Number.NaN])
    t.throws(() => memory.reserve(bytes), { instanceOf: RangeError });
  t.is(memory.reserve(1024 - 64 - 128), second + 128);
  host.dispose();
});

test("the arena cannot be taken away from the core", (t) => {
  const host = createNodeHost({ slotCount: 10 });
  if ("error" in host) {
    t.fail(host.message);
    return;
  }
  try {
    // Newer versions of Node throw, older ones copy.
    structuredClone(host.memory.arena, { transfer: [host.memory.arena] });
  } catch (error) {
    t.true(error instanceof DOMException);
  }
  t.true(host.memory.arena.byteLength > 0);
  host.dispose();
});

/** A desk with a link from `left` to `right`, and route 1 on it, in clear. */
function sender(without: readonly HostFeature[]): {
  d: Desk;
  trains: (length: number, count: number) => number;
} {
  const host = createNodeHost({ slotCount: 64, without });
  if ("error" in host) throw new Error(host.message);
  const d = new Desk(host);
  const left = d.udp();
  d.link(1, left, d.udp().port, 1);
  d.route(1, 1, peerHeader({ to: 1 }));
  return {
    d,
    trains: (length, count) => {
      const before = d.count("udpTrains");
      const list = Array.from({ length: count }, (_, i) => ({ bytes: pattern(length, i), route: 1 }));
      if (d.send(list) !== count) throw new Error("Not everything was sent.");
      return d.count("udpTrains") - before;
    },
  };
}

test("a train has at most 64 datagrams and 65000 bytes, and all of a list go in one call", (t) => {
  const { d, trains } = sender([]);
  t.is(trains(10, 64), 1);
  // 64 + 64 + 2
  t.is(trains(10, 130), 3);
  // 46 datagrams of 1400 bytes fit 65000.
  t.is(trains(1376, 46), 1);
  t.is(trains(1376, 48), 2);
  t.is(d.count("udpSendCalls"), 4);
  d.host.dispose();
});

test("a socket whose trains are refused loses them for good, and no datagram", (t) => {
  const { d, trains } = sender(["udp-segment-send"]);
  for (let i = 0; i < 3; i++) t.is(trains(100, 50), 0);
  t.is(d.count("udpSegmentFallbacks"), 1);
  t.is(d.count("udpDatagramsSent"), 150);
  t.is(d.count("txFailed"), 0);
  d.host.dispose();
});

const openFiles = Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
// More than this cannot be had where the system allows fewer descriptors; the limit cannot be reached there either.
const many = openFiles > MAX_HANDLES + 500 ? test : test.skip;

many(`as many sockets as the table has, then a sentence (open files: ${openFiles})`, (t) => {
  const host = createNodeHost({ slotCount: 16 });
  if ("error" in host) {
    t.fail(host.message);
    return;
  }
  const d = new Desk(host);
  const endpoint = d.endpoint("127.0.0.1", 0);
  const handles: number[] = [];
  let failure: HostFailure | undefined;
  while (failure === undefined && handles.length <= MAX_HANDLES) {
    const info = host.udpOpen(endpoint);
    if ("error" in info) failure = info;
    else handles.push(info.handle);
  }
  t.is(handles.length, MAX_HANDLES);
  t.is(new Set(handles).size, MAX_HANDLES);
  t.is(failure?.error, E.MFILE);
  t.regex(failure?.message ?? "", /\.$/);
  host.close(handles[5]!);
  t.true("handle" in host.udpOpen(endpoint));
  host.dispose();
});

test("an exception in wake is an uncaught exception, and the host goes on", async (t) => {
  const out = await run(`
    let wakes = 0;
    process.on("uncaughtException", (error) => console.log("caught", error.message));
    h.onReady(() => {
      wakes++;
      h.poll(h.memory.reserve(64) / 4, 8);
      if (wakes === 2) { console.log("second"); h.dispose(); return; }
      h.setTimer(h.now() + 1);
      throw new Error("from wake");
    });
    h.setTimer(h.now() + 1);
  `);
  t.is(out, "caught from wake\nsecond");
});

test("promises and ticks queued by wake run before the next wake", async (t) => {
  const out = await run(`
    const words = h.memory.reserve(64) / 4;
    const seen = [];
    h.onReady(() => {
      h.poll(words, 8);
      seen.push("wake");
      Promise.resolve().then(() => seen.push("promise"));
      process.nextTick(() => seen.push("tick"));
      if (seen.length > 3) { setImmediate(() => console.log(seen.join(" "))); h.dispose(); } else h.setTimer(0.001 * seen.length);
    });
    h.setTimer(0);
  `);
  t.is(out, "wake tick promise wake tick promise");
});

test("a wake that puts nothing off is called again beside the event loop, which is not kept waiting", async (t) => {
  const out = await run(`
    const words = h.memory.reserve(64) / 4;
    let wakes = 0, rounds = 0, late = 0;
    // Always something to do: a timer that is due at once.
    h.onReady(() => { h.poll(words, 8); wakes++; h.setTimer(h.now()); return true; });
    h.setTimer(0);
    let before = h.now();
    const interval = setInterval(() => {
      late = Math.max(late, h.now() - before - 2);
      before = h.now();
      if (++rounds < 20) return;
      clearInterval(interval);
      h.dispose();
      console.log(wakes > 20 * rounds ? "beside" : "round " + wakes, rounds);
    }, 2);
  `);
  t.is(out, "beside 20");
});

test("a host without onReady does not keep the process alive, a disposed one neither", async (t) => {
  t.is(await run(`console.log("end");`), "end");
  t.is(await run(`h.onReady(() => {}); h.dispose(); console.log("end");`), "end");
});

test("a worker thread's host ends with the thread", async (t) => {
  const out = await run(`
    import { Worker, isMainThread, parentPort } from "node:worker_threads";
    import { readdirSync } from "node:fs";
    const sockets = () => readdirSync("/proc/self/fd").length;
    const before = sockets();
    const body = \`
      import("tsx/esm/api").then(async ({ register }) => {
        register();
        const { createNodeHost } = await import(${JSON.stringify(hostFile)});
        const h = createNodeHost({ slotCount: 16 });
        h.onReady(() => {});
        h.setTimer(h.now() + 5);
        require("node:worker_threads").parentPort.postMessage("up");
        setInterval(() => {}, 1000);
      });
    \`;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(body, { eval: true });
      await new Promise((resolve, reject) => { worker.once("message", resolve); worker.once("error", reject); });
      await worker.terminate();
    }
    console.log(sockets() - before <= 1 ? "closed" : "leaked " + (sockets() - before));
    h.dispose();
  `);
  t.is(out, "closed");
});
