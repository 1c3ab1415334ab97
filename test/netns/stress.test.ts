/** Many connections, hard endings, bad links, slow readers: every byte right, nothing left over. */
import test from "ava";
import { throughBottleneck } from "./fairness.ts";
import { rssMB } from "./process.ts";
import { LAN_TO_LAN, untilNoEntry, withPair } from "./two-routers.ts";

const MIB = 1024 * 1024;

/** 5 % loss each way with reordering and duplication. */
const BAD_LINK = { delayMs: 5, loss: 0.05, reorder: 0.02, reorderDelayMs: 3, duplicate: 0.02 };

/** So little memory that the first round touches all of it: more of it touched in the second would look like a leak. */
const SMALL = { own: { memory_limit_mib: 16 } };

async function usedBytes(router: {
  call(name: "status"): Promise<{ memory: { usedBytes: number } }>;
}): Promise<number> {
  return (await router.call("status")).memory.usedBytes;
}

test.serial(
  "200 connections at once of mixed size and ending over a bad link: every byte right, no entry and no memory left",
  async (t) => {
    await withPair({ wan: BAD_LINK, seed: 7 }, { a: SMALL, b: SMALL }, async ({ lab, a, b }) => {
      const mixed = { ...LAN_TO_LAN, mode: "mixed", upBytes: MIB, downBytes: MIB, randomSize: true } as const;
      // The first round warms up what a process allocates once: compiled code, buffers, grown tables.
      const warmUp = await lab.transfer({
        ...mixed,
        seed: 1,
        connections: 200,
        concurrency: 200,
        seconds: 60,
      });
      t.deepEqual(warmUp.bad, []);
      for (const router of [a, b]) await untilNoEntry(router);
      const before = await Promise.all(
        [a, b].map(async (router) => ({ used: await usedBytes(router), rss: rssMB(router.pid) })),
      );

      const result = await lab.transfer({
        ...mixed,
        seed: 2,
        connections: 200,
        concurrency: 200,
        seconds: 60,
      });
      t.deepEqual(result.bad, []);
      t.is(result.ok, 200);
      for (const [i, router] of [a, b].entries()) {
        await untilNoEntry(router);
        const { used, rss } = before[i]!;
        t.true((await usedBytes(router)) <= used, "slots without an owner");
        t.true(
          rssMB(router.pid) <= rss * 1.2,
          `${router.host}: ${rss} MB before, ${rssMB(router.pid)} MB after`,
        );
        const rows = await router.connections();
        t.true(
          rows.every((row) => row.transport === "kcp"),
          "none fell back to plain TCP",
        );
      }
    });
  },
);

test.serial("a reader that stops costs bounded memory, slows the sender, and resumes", async (t) => {
  await withPair({}, {}, async ({ lab, a, b }) => {
    const { memory } = await a.call("status");
    let stalled = [0, 0];
    for (const mode of ["download", "upload"] as const) {
      const { bad } = await lab.transfer({
        ...LAN_TO_LAN,
        mode,
        upBytes: 120 * MIB,
        downBytes: 120 * MIB,
        stall: { atBytes: 2 * MIB, ms: 4000 },
        seconds: 60,
        meanwhile: async () => {
          await new Promise((resolve) => setTimeout(resolve, 2500));
          stalled = await Promise.all([usedBytes(a), usedBytes(b)]);
          const [row] = (await a.connections()).filter(({ state }) => state !== "Closed");
          const moved = Math.max(row?.upBytes ?? 0, row?.downBytes ?? 0);
          t.true(moved < 60 * MIB, `${moved} bytes were taken from the sender although nobody reads`);
        },
      });
      t.deepEqual(bad, []);
      for (const used of stalled) t.true(used < memory.budgetBytes * 0.6, `${used} of ${memory.budgetBytes}`);
    }
    for (const router of [a, b]) await untilNoEntry(router);
  });
});

test.serial("one stalled reader does not hold up the others", async (t) => {
  await withPair({}, {}, async ({ lab }) => {
    const port = lab.freePort();
    const stalled = lab.transfer({
      ...LAN_TO_LAN,
      port,
      mode: "download",
      connections: 4,
      concurrency: 4,
      downBytes: 64 * MIB,
      stall: { atBytes: MIB, ms: 8000 },
      seconds: 60,
    });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const other = await lab.transfer({
      ...LAN_TO_LAN,
      mode: "duplex",
      upBytes: 5 * MIB,
      downBytes: 5 * MIB,
      seconds: 20,
    });
    t.deepEqual(other.bad, []);
    t.true(other.seconds < 8, `${other.seconds} s beside stalled ones`);
    t.deepEqual((await stalled).bad, []);
  });
});

// What takes minutes is for `make soak`.
if (process.env.SOAK === "1") {
  for (const mode of ["upload", "download"] as const) {
    test.serial(`one connection carries 5 GB: ${mode}`, async (t) => {
      await withPair({}, {}, async ({ lab, a, b }) => {
        const bytes = 5_000_000_000;
        const { bad } = await lab.transfer({
          ...LAN_TO_LAN,
          mode,
          upBytes: bytes,
          downBytes: bytes,
          seconds: 900,
        });
        t.deepEqual(bad, []);
        t.like((await a.connections())[0], { transport: "kcp" });
        for (const router of [a, b])
          t.true(rssMB(router.pid) < 120, `${router.host}: ${rssMB(router.pid)} MB`);
      });
    });
  }

  for (const direction of ["up", "down"] as const) {
    test.serial(
      `KCP, QUIC and the kernel's BBR on 50 Mbit/s, ${direction}: each has half a fair share`,
      async (t) => {
        const shares = await throughBottleneck(30, direction);
        t.log(shares);
        for (const [flow, share] of Object.entries(shares)) t.true(share > 0.5, `${flow}: ${share}`);
      },
    );
  }

  test.serial("a reader that stops for 60 seconds costs bounded memory and resumes", async (t) => {
    await withPair({}, {}, async ({ lab, a, b }) => {
      for (const mode of ["download", "upload"] as const) {
        const { bad } = await lab.transfer({
          ...LAN_TO_LAN,
          mode,
          upBytes: 200 * MIB,
          downBytes: 200 * MIB,
          stall: { atBytes: 2 * MIB, ms: 60_000 },
          seconds: 150,
          meanwhile: async () => {
            await new Promise((resolve) => setTimeout(resolve, 50_000));
            for (const router of [a, b]) {
              const { memory } = await router.call("status");
              t.true(
                memory.usedBytes < memory.budgetBytes * 0.6,
                `${memory.usedBytes} of ${memory.budgetBytes}`,
              );
            }
          },
        });
        t.deepEqual(bad, [], mode);
      }
    });
  });
}
