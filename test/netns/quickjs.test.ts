/**
 * A short row of the lab with the executable for routers: QuickJS on both sides, and beside Node either way. The whole lab runs with it by
 * `RUNTIME=quickjs` (or `RUNTIME_A`, `RUNTIME_B`).
 */
import { existsSync } from "node:fs";
import test from "ava";
import { until } from "./namespace.ts";
import { peakRssMB, rssMB } from "./process.ts";
import { CONFIG_A, LAN_TO_LAN, untilNoEntry, withPair } from "./two-routers.ts";

const MIB = 1024 * 1024;
const LOSSY = { wan: { loss: 0.05 } } as const;

/** Routers started from now on are executed by these. */
function executeBy(a: "node" | "quickjs", b: "node" | "quickjs"): void {
  process.env.RUNTIME_A = a;
  process.env.RUNTIME_B = b;
}

test.serial(
  "QuickJS on both sides: carried up and down over 5 % loss, a reload takes effect, the stop is clean",
  async (t) => {
    executeBy("quickjs", "quickjs");
    await withPair(LOSSY, {}, async ({ lab, a, b }) => {
      t.regex((await a.call("version")).engine, /^quickjs /);
      for (const mode of ["upload", "download", "half-close"] as const) {
        const { bad } = await lab.transfer({ ...LAN_TO_LAN, mode, upBytes: 2 * MIB, downBytes: 2 * MIB });
        t.deepEqual(bad, [], mode);
      }
      t.like((await a.connections())[0], { role: "source", transport: "kcp", reason: "kcp_allowed" });
      t.regex((await b.cli("proxy")).stdout, /10\.82\.0\.2:\d+ .*│ Kcp +│/);

      a.rewriteConfig({ ...CONFIG_A, flags: { enable_kcp_proxy: false } });
      a.process.kill("SIGHUP");
      await until("the flag", async () => (await a.peers())[0]?.choice.reason === "kcp_proxy_disabled");
      const { bad } = await lab.transfer({ ...LAN_TO_LAN, mode: "upload", upBytes: MIB, downBytes: 0 });
      t.deepEqual(bad, []);
      const plain = (await a.connections()).filter(({ reason }) => reason === "kcp_proxy_disabled");
      t.deepEqual(
        plain.map(({ transport }) => transport),
        ["tcp"],
      );

      t.is(await a.stop(), 0);
      t.false(existsSync(a.socket));
      t.regex(await lab.shell("routerA", "ip link show kcp0 2>&1 || true"), /does not exist/);
      t.is(await b.stop(), 0);
    });
  },
);

for (const [a, b] of [
  ["quickjs", "node"],
  ["node", "quickjs"],
] as const) {
  test.serial(`${a} and ${b} carry each other's connections, both ways`, async (t) => {
    executeBy(a, b);
    await withPair({}, {}, async ({ lab, a: source, b: destination }) => {
      t.true((await source.call("version")).engine.startsWith(a));
      t.true((await destination.call("version")).engine.startsWith(b));
      const { bad } = await lab.transfer({
        ...LAN_TO_LAN,
        mode: "duplex",
        upBytes: 4 * MIB,
        downBytes: 4 * MIB,
      });
      t.deepEqual(bad, []);
      t.like((await source.connections())[0], { transport: "kcp", reason: "kcp_allowed" });
    });
  });
}

/** So little that the first round touches all of it. */
const SMALL = { own: { memory_limit_mib: 16 } };
/** `make soak` runs the whole churn. */
const CHURN_CONNECTIONS = process.env.SOAK === "1" ? 10_000 : 600;

test.serial("QuickJS: connections come and go in their thousands, and memory stays flat", async (t) => {
  executeBy("quickjs", "quickjs");
  await withPair({}, { a: SMALL, b: SMALL }, async ({ lab, a, b }) => {
    const idle = [a, b].map(({ pid }) => rssMB(pid));
    // 6 MB are the static executable's; this machine's build has two more of the C library's.
    for (const mb of idle) t.true(mb <= 9, `${mb} MB idle`);
    const churn = (connections: number) =>
      lab.transfer({
        ...LAN_TO_LAN,
        mode: "duplex",
        upBytes: 4096,
        downBytes: 4096,
        connections,
        concurrency: 100,
        seconds: 100,
      });
    t.deepEqual((await churn(500)).bad, []);
    for (const router of [a, b]) await untilNoEntry(router);
    const warm = [a, b].map(({ pid }) => rssMB(pid));
    const { ok, bad } = await churn(CHURN_CONNECTIONS);
    t.deepEqual(bad, []);
    t.is(ok, CHURN_CONNECTIONS);
    for (const router of [a, b]) await untilNoEntry(router);
    for (const [i, { pid, host }] of [a, b].entries()) {
      t.true(rssMB(pid) <= warm[i]! * 1.3, `${host}: ${warm[i]} MB before, ${rssMB(pid)} MB after`);
    }
  });
});

test.serial("QuickJS: 200 connections at once take no more than 40 MB", async (t) => {
  executeBy("quickjs", "quickjs");
  await withPair({}, { a: SMALL, b: SMALL }, async ({ lab, a, b }) => {
    const { bad } = await lab.transfer({
      ...LAN_TO_LAN,
      mode: "duplex",
      upBytes: MIB / 4,
      downBytes: MIB / 4,
      connections: 200,
      concurrency: 200,
      seconds: 60,
    });
    t.deepEqual(bad, []);
    for (const { pid, host } of [a, b]) t.true(peakRssMB(pid) <= 40, `${host}: ${peakRssMB(pid)} MB`);
  });
});
