/**
 * Many who look do not slow down what is carried: the API waits for the data path, not the other way round.
 *
 * Windows with and without them alternate within one connection. What is compared is the pair, rate and processor time, so that
 * whatever else the machine is doing falls on both. `SOAK=1` measures longer, each way by itself, and prints what docs/api.md tells.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { median } from "../bench/bench-plan.ts";
import type { Lab } from "./lab.ts";
import { cpuSeconds, type LabProcess } from "./process.ts";
import type { KcpRouter, Runtime } from "./router.ts";
import { LAN_TO_LAN, withPair } from "./two-routers.ts";

const CLIENTS = 50;
const SOAK = process.env.SOAK !== undefined;
const PAIRS = SOAK ? 7 : 3;
/** Less than both engines carry on two cores that all of the lab shares: a rate that is missed is one that was taken away. */
const OFFERED_MBPS = SOAK ? 1000 : 300;
const WINDOW_MS = 1000;
/** Each client of a page asks once in this time. */
const PAGE_WINDOW_MS = 3000;
const SETTLE_MS = 200;
const STARTED_MS = 1500;
const ANSWERED_MS = 60_000;

/** How much of the rate is left while they ask, at least. Without a bound of the API's time it was less than 0.1. */
const LEFT = 0.9;
/**
 * What they cost of a core, at most: the share (work-share.ts), and what reading, writing and waking up take beside it. Three short
 * windows tell it within a tenth; without a bound it was all there is.
 */
const COST = 0.2;

interface Window {
  readonly mbps: number;
  /** Part of a core that the asked daemon used. */
  readonly load: number;
}

interface Pair {
  /** Rate with them, of that without. */
  readonly left: number;
  /** Part of a core that the daemon uses more than the same bytes take without them. */
  readonly cost: number;
}

type Mode = "storm" | "page";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function receivedBytes(lab: Lab): number {
  const text = readFileSync(`/proc/${lab.namespace("client").holderPid}/net/dev`, "utf8");
  return Number(/^\s*eth:\s*(\d+)/m.exec(text)?.[1]);
}

async function look(lab: Lab, { pid }: KcpRouter, ms: number): Promise<Window> {
  const from = { at: performance.now(), bytes: receivedBytes(lab), cpu: cpuSeconds(pid) };
  await sleep(ms);
  const seconds = (performance.now() - from.at) / 1000;
  const mbps = ((receivedBytes(lab) - from.bytes) * 8) / seconds / 1e6;
  return { mbps, load: (cpuSeconds(pid) - from.cpu) / seconds };
}

/** Pairs of windows, in the order AB BA AB …: what drifts cancels out. */
async function compare(lab: Lab, router: KcpRouter, lookers: LabProcess, mode: Mode): Promise<Pair[]> {
  const ms = mode === "page" ? PAGE_WINDOW_MS : WINDOW_MS;
  const alone = () => look(lab, router, ms);
  const watched = async () => {
    lookers.write(`${mode}\n`);
    await sleep(SETTLE_MS);
    const window = await look(lab, router, ms);
    const answered = lookers.nextLine(/"answers":[1-9]/, ANSWERED_MS);
    lookers.write("off\n");
    await answered;
    await sleep(SETTLE_MS);
    return window;
  };
  const pairs: Pair[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const first = i % 2 === 0 ? await alone() : await watched();
    const [a, w] = i % 2 === 0 ? [first, await watched()] : [await alone(), first];
    const left = w.mbps / a.mbps;
    pairs.push({ left, cost: w.load - a.load * left });
  }
  return pairs;
}

/** Median, and the interval that order alone gives: of 7 values the second and the last but one hold it in 87.5 %. */
function told(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b).map((value) => (value * 100).toFixed(1));
  const [low, high] = SOAK ? [sorted[1], sorted.at(-2)] : [sorted[0], sorted.at(-1)];
  return `${(median(values) * 100).toFixed(1)} % (${low} to ${high})`;
}

interface Case {
  readonly runtime: Runtime;
  readonly http: number;
  readonly ubus: number;
  readonly mode: Mode;
}

const RUNTIMES = ["node", "quickjs"] satisfies readonly Runtime[];
const CASES: readonly Case[] = RUNTIMES.flatMap((runtime): Case[] =>
  SOAK
    ? (["page", "storm"] as const).flatMap((mode) => [
        { runtime, http: CLIENTS, ubus: 0, mode },
        { runtime, http: 0, ubus: CLIENTS, mode },
      ])
    : [{ runtime, http: CLIENTS / 2, ubus: CLIENTS / 2, mode: "storm" }],
);

for (const { runtime, http, ubus, mode } of CASES) {
  const asking = mode === "page" ? "that ask as a page does" : "that never stop asking";
  test.serial(
    `${runtime}: fifty clients ${asking} (HTTP ${http}, ubus ${ubus}) leave a transfer its rate`,
    async (t) => {
      const before = process.env.RUNTIME_A;
      process.env.RUNTIME_A = runtime;
      const folder = mkdtempSync(join(tmpdir(), "lookers-"));
      t.teardown(() => {
        rmSync(folder, { recursive: true });
        if (before === undefined) delete process.env.RUNTIME_A;
        else process.env.RUNTIME_A = before;
      });
      const own = { ubus_socket: join(folder, "ubus.sock") };
      await withPair({}, { a: { own } }, async ({ lab, a }) => {
        const program = fileURLToPath(new URL("lookers-process.ts", import.meta.url));
        const argv = [program, a.socket, String(http), own.ubus_socket, String(ubus)];
        const lookers = lab.spawn("routerA", [process.execPath, "--import=tsx", ...argv]);
        await lookers.waitForLine(/^ready$/, ANSWERED_MS);
        const bulk = lab.throughput({
          ...LAN_TO_LAN,
          direction: "down",
          seconds: 3600,
          maxMbps: OFFERED_MBPS,
        });
        await sleep(STARTED_MS);
        const pairs = await compare(lab, a, lookers, mode);
        const left = pairs.map((pair) => pair.left);
        const cost = pairs.map((pair) => pair.cost);
        t.log(`rate ${told(left)} of what it is without them, processor ${told(cost)} of a core more`);
        t.true(median(left) >= LEFT, left.join(" "));
        t.true(median(cost) <= COST, cost.join(" "));
        await lab.stop();
        await bulk;
      });
    },
  );
}
