/** Two daemons at work while strangers throw datagrams at one of them: nothing is lost, nothing grows, nothing comes through. */
import { join } from "node:path";
import test from "ava";
import { ROOT } from "../netns/paths.ts";
import { rssMB } from "../netns/process.ts";
import { ROUTER_B_WAN } from "../netns/topology.ts";
import { LAN_TO_LAN, PORT, untilNoEntry, withPair } from "../netns/two-routers.ts";

/** `make fuzz` gives more. */
const SECONDS = Number(process.env.FUZZ_SECONDS ?? "8");
const MIB = 1024 * 1024;

test.serial(
  "hostile datagrams at a live pair: transfers stay right, the link holds, memory is bounded",
  async (t) => {
    const seed = Math.floor(performance.timeOrigin) % 1_000_000;
    t.log(`seed ${seed}`);
    await withPair({}, {}, async ({ lab, b }) => {
      const mixed = { ...LAN_TO_LAN, mode: "mixed", upBytes: MIB, downBytes: MIB, randomSize: true } as const;
      t.deepEqual((await lab.transfer({ ...mixed, connections: 20, concurrency: 10 })).bad, []);
      await untilNoEntry(b);
      const before = { rss: rssMB(b.pid), used: (await b.call("status")).memory.usedBytes };

      const sender = [
        "python3",
        join(ROOT, "test/fuzz/sender.py"),
        ROUTER_B_WAN,
        String(PORT),
        String(seed),
        String(SECONDS),
        "lab",
      ];
      const noise = lab.exec("routerA", sender, { timeoutMs: (SECONDS + 20) * 1000 });
      const end = performance.now() + SECONDS * 1000;
      for (let round = 0; performance.now() < end; round++) {
        const { bad } = await lab.transfer({
          ...mixed,
          seed: round,
          connections: 10,
          concurrency: 10,
          seconds: 30,
        });
        t.deepEqual(bad, [], `seed ${seed}, round ${round}`);
      }
      const { status, stdout } = await noise;
      t.is(status, 0);
      t.true(Number(stdout) > 1000, `${stdout} datagrams were sent`);

      await untilNoEntry(b);
      const { memory, counters } = await b.call("status");
      t.true(memory.usedBytes <= before.used, "slots without an owner");
      t.true(
        rssMB(b.pid) < before.rss * 1.3 + 10,
        `${before.rss} MB before, ${rssMB(b.pid)} MB after, seed ${seed}`,
      );
      t.true((counters.mesh_half_open ?? 0) <= 64);
      const events = (await b.call("events", {})).rows;
      t.is(events.filter(({ code }) => code === "link_down").length, 0, `the link fell, seed ${seed}`);
      t.is((await b.peers()).length, 1, "nobody came in uninvited");
      t.is((await b.connections()).filter(({ src }) => !src.startsWith("10.81.0.2:")).length, 0);
    });
  },
);
