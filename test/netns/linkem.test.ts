/**
 * The link emulator against what it promises: every fault in the measure asked for, each direction by itself, by seed.
 *
 * Bounds are tight where the emulator would cheat (early, too fast) and wide where a busy machine may delay it.
 */
import test from "ava";
import { Lab } from "./lab.ts";
import type { Direction, PathStatistics } from "./link.ts";
import { emulatorWords } from "./link.ts";
import { must, until } from "./namespace.ts";
import { buildTools, toolPath } from "./paths.ts";
import { type LinkParameters, ROUTER_A_WAN, ROUTER_B_WAN, twoRouters } from "./topology.ts";

const SEED = 20_26;

/** One letter per packet: . delivered, d twice, r held back, l lost, b lost in a burst. */
async function fates(
  direction: Exclude<Direction, "both">,
  count: number,
  parameters: LinkParameters,
  seed = SEED,
) {
  await buildTools();
  const argv = [
    toolPath("linkem"),
    "fates",
    String(seed),
    direction,
    String(count),
    ...emulatorWords(parameters),
  ];
  return (await must([], argv)).trim();
}

function share(text: string, letter: string): number {
  return [...text].filter((other) => other === letter).length / text.length;
}

async function withLink<T>(wan: LinkParameters, body: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.create(twoRouters({ kind: "emulated", wan, seed: SEED }));
  try {
    return await body(lab);
  } finally {
    await lab.stop();
  }
}

const A_TO_B = { client: "routerA", server: "routerB", address: ROUTER_B_WAN };
const B_TO_A = { client: "routerB", server: "routerA", address: ROUTER_A_WAN };

test.serial("luck depends on seed, direction and number alone", async (t) => {
  const parameters = { loss: 0.1, duplicate: 0.1 };
  const first = await fates("ab", 1000, parameters);
  t.is(await fates("ab", 1000, parameters), first);
  t.is(await fates("ab", 300, parameters), first.slice(0, 300));
  t.not(await fates("ba", 1000, parameters), first);
  t.not(await fates("ab", 1000, parameters, SEED + 1), first);
  // Asking for one more fault leaves the others' luck as it was.
  const withJitter = await fates("ab", 1000, { ...parameters, jitterMs: 5 });
  t.is(withJitter, first);
});

test.serial("loss comes in the measure asked for", async (t) => {
  const count = 200_000;
  for (const loss of [0.01, 0.05, 0.1]) {
    const measured = share(await fates("ab", count, { loss }), "l");
    const sigma = Math.sqrt((loss * (1 - loss)) / count);
    t.true(Math.abs(measured - loss) < 4 * sigma, `asked ${loss}, got ${measured}`);
  }
});

test.serial("burst loss has the share and the burst length of its Gilbert–Elliott chain", async (t) => {
  const letters = await fates("ab", 400_000, { burstEnter: 0.01, burstLeave: 0.2, burstLoss: 1 });
  const bursts = letters.match(/b+/g) ?? [];
  const meanLength = bursts.reduce((sum, burst) => sum + burst.length, 0) / bursts.length;
  t.true(Math.abs(share(letters, "b") - 0.01 / 0.21) < 0.004, `share ${share(letters, "b")}`);
  t.true(Math.abs(meanLength - 5) < 0.3, `mean burst of ${meanLength}`);
});

test.serial("what crosses the link is what the seed foretold, packet by packet", async (t) => {
  const parameters = { loss: 0.1, duplicate: 0.1 };
  const count = 2000;
  const expected = (await fates("ab", count, parameters))
    .replaceAll("l", "0")
    .replaceAll("d", "2")
    .replaceAll(".", "1");
  await withLink(parameters, async (lab) => {
    const { arrivals } = await lab.probe({ ...A_TO_B, count, gapUs: 50 });
    t.is(arrivals, expected);
    const { ab } = await lab.link().statistics();
    t.is(ab.received, count);
    t.is(ab.lost, [...expected].filter((character) => character === "0").length);
  });
});

test.serial("delay and jitter: never early, hardly late, in order", async (t) => {
  await withLink({ delayMs: 20, jitterMs: 10 }, async (lab) => {
    const result = await lab.probe({ ...A_TO_B, count: 400, gapUs: 1000 });
    t.is(result.distinct, 400);
    t.is(result.overtaken, 0);
    t.true(result.minMs >= 19.97 && result.minMs < 23, `min ${result.minMs}`);
    // Order is kept, so that a packet may also wait for the one before it: at most 30 ms, more than 25 on average.
    t.true(result.meanMs > 24 && result.meanMs < 33, `mean ${result.meanMs}`);
  });
});

test.serial("packets held back are overtaken, and none is lost", async (t) => {
  await withLink({ delayMs: 5, reorder: 0.1, reorderDelayMs: 5 }, async (lab) => {
    const result = await lab.probe({ ...A_TO_B, count: 500, gapUs: 500 });
    t.is(result.distinct, 500);
    t.true(result.overtaken > 20 && result.overtaken < 90, `overtaken ${result.overtaken}`);
    // One that has none behind it when it is due has not been overtaken: the last ones, or where the sender paused.
    const heldBack = (await lab.link().statistics()).ab.reordered ?? 0;
    t.true(
      result.overtaken <= heldBack && result.overtaken > 0.7 * heldBack,
      `${result.overtaken} of ${heldBack}`,
    );
  });
});

test.serial("the rate is kept and the queue holds as many bytes as it may", async (t) => {
  const packetBytes = 1000 + 28;
  await withLink({ rateMbit: 40, queueBytes: 1_000_000 }, async (lab) => {
    // All at once: a third finds room in the queue.
    const count = 3000;
    const result = await lab.probe({ ...A_TO_B, count, sizeBytes: 1000 });
    const mbit = ((result.received - 1) * packetBytes * 8) / result.seconds / 1e6;
    t.true(mbit < 40.4 && mbit > 35, `${mbit} Mbit/s`);
    const { ab } = await lab.link().statistics();
    t.is(ab.delivered + (ab.queueFull ?? 0), count);
    t.true((ab.queueFull ?? 0) > count / 3, `${ab.queueFull} dropped`);
    const backlog = ab.maxBacklogBytes ?? 0;
    t.true(backlog <= 1_000_000 && backlog > 998_000, `${backlog} bytes queued`);
    // A full queue of 1 MB takes 200 ms at this rate.
    t.true(result.p99Ms > 190 && result.p99Ms < 240, `p99 ${result.p99Ms} ms`);
  });
});

test.serial("each direction has its own faults, and they change while traffic runs", async (t) => {
  await withLink({}, async (lab) => {
    const link = lab.link();
    // Somebody listens, so that no ICMP answers count as the other direction's packets.
    for (const host of ["routerA", "routerB"])
      await lab.spawn(host, [toolPath("probe"), "sink", "9", "100", "60000"]).waitForLine(/^ready$/);
    await link.set({ loss: 1 }, "ab");
    await link.set({ mtu: 500 }, "ba");
    const probeSome = async (ends: typeof A_TO_B, sizeBytes: number): Promise<PathStatistics> => {
      await link.resetStatistics();
      await lab.must(ends.client, [
        toolPath("probe"),
        "send",
        ends.address,
        "9",
        "20",
        String(sizeBytes),
        "100",
      ]);
      const statistics = async (): Promise<PathStatistics> =>
        (await link.statistics())[ends === A_TO_B ? "ab" : "ba"];
      await until("all packets are on the link", async () => (await statistics()).received === 20);
      return statistics();
    };
    t.like(await probeSome(A_TO_B, 100), { received: 20, lost: 20, delivered: 0 });
    t.like(await probeSome(B_TO_A, 473), { received: 20, tooBig: 20, delivered: 0 });
    t.like(await probeSome(B_TO_A, 472), { received: 20, tooBig: 0, delivered: 20 });
    await link.set({ loss: 0 });
    await link.down();
    t.like(await probeSome(A_TO_B, 100), { received: 20, whileDown: 20, delivered: 0 });
    await link.up();
    t.like(await probeSome(A_TO_B, 100), { received: 20, whileDown: 0, delivered: 20 });
    await t.throwsAsync(link.set({ loss: 1.5 }), { message: /out of range/ });
  });
});
