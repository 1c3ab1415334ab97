import test, { type ExecutionContext } from "ava";
import { playScript, whyNoScenes } from "../host/namespace.ts";

/**
 * The stack against the real kernel's TCP over a real TUN device (`kernel-scene.ts`). Needs the native core and the right
 * to make a network namespace.
 */
const reason = whyNoScenes();

interface Outcome {
  readonly same?: boolean;
  readonly reason?: string;
  readonly reasons?: string[];
  readonly code?: string;
  readonly held?: number;
  readonly stopped?: boolean;
  readonly received?: number;
  readonly offload: boolean;
  readonly largestIn: number;
  readonly largestOut: number;
  readonly counters: Readonly<Record<string, number>>;
}

function play(scene: string, lossShare = 0, without: readonly string[] = []): Promise<Outcome> {
  return playScript(new URL("kernel-scene.ts", import.meta.url), scene, [String(lossShare), ...without]);
}

/** Where a build is judged nothing is skipped; elsewhere the reason is shown. */
const scene = reason === undefined || process.env.CI !== undefined ? test.serial : test.serial.skip;
const why = reason === undefined ? "" : ` (${reason})`;
const story = (title: string, run: (t: ExecutionContext) => Promise<void>) => scene(`${title}${why}`, run);

story("megabytes go to the stack and come back from it, in super-segments both ways", async (t) => {
  const outcome = await play("echo");
  t.like(outcome, { same: true, reason: "finished" });
  if (outcome.offload) t.true(outcome.largestIn > 30_000 && outcome.largestOut > 30_000);
  t.is(outcome.counters.badChecksums, 0);
  t.is(outcome.counters.badAcknowledgements, 0);
});

story("upload and download with frames lost in both directions", async (t) => {
  for (const scene of ["upload", "download"]) {
    const outcome = await play(scene, 0.02, ["tun-offload"]);
    t.like(outcome, { same: true, reason: "finished" }, scene);
  }
});

story("sixty connections at once, with frames lost", async (t) => {
  t.like(await play("many", 0.01, ["tun-offload"]), { same: true, reasons: ["finished"] });
});

story("a device without any offload", async (t) => {
  const outcome = await play("echo", 0, ["vnet"]);
  t.like(outcome, { same: true, reason: "finished", offload: false });
  t.is(outcome.counters.badChecksums, 0);
});

story("an answer after the client has closed its direction", async (t) => {
  t.like(await play("late"), { same: true, received: 8, reason: "finished" });
});

story("what is refused, aborted and reset looks like it to both sides", async (t) => {
  t.is((await play("refused")).code, "ECONNREFUSED");
  t.like(await play("aborted"), { code: "ECONNRESET", reason: "aborted" });
  t.is((await play("reset")).reason, "clientReset");
});

story("a client that stops reading is waited for, in bounded memory", async (t) => {
  const outcome = await play("stalled");
  t.like(outcome, { same: true, stopped: true });
  t.true(outcome.held! <= 800, `${outcome.held} slots`);
});
