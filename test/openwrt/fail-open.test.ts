/** Whatever becomes of the daemon, the LAN's other traffic does not notice, and nothing of ours outlives it. */
import test from "ava";
import type { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import { KcpRouter } from "../netns/router.ts";
import { ROUTER_B_WAN, SERVICE, SERVICE_BY_KERNEL } from "../netns/topology.ts";
import { CONFIG_B, PORT } from "../netns/two-routers.ts";
import type { OpenWrtRoot } from "./openwrt-root.ts";
import { startByUci, untilMet, withPackage } from "./router-with-package.ts";

const GONE_WITHIN_MS = 10_000;
const FAR = { ipv4: "10.91.0.1/24", peer: `udp://${ROUTER_B_WAN}:${PORT}` };
const PROBES = 1500;

interface Scene {
  readonly lab: Lab;
  readonly root: OpenWrtRoot;
  /** Does something while the LAN talks past us; fails when one of its datagrams is lost or a foreign rule changes. */
  during(what: string, happening: () => Promise<void>): Promise<void>;
}

async function withScene(
  fail: (message: string) => void,
  story: (scene: Scene) => Promise<void>,
  secondMs = 100,
): Promise<void> {
  await withPackage("routerA", { secondMs }, async ({ lab, root }) => {
    await KcpRouter.start(lab, "routerB", CONFIG_B);
    const rules = await root.otherRules();
    await startByUci(root, FAR);
    await untilMet(root, "b");
    const during = async (what: string, happening: () => Promise<void>): Promise<void> => {
      const other = lab.probe({
        client: "client",
        server: "service",
        address: SERVICE_BY_KERNEL,
        count: PROBES,
        gapUs: 1000,
      });
      await happening();
      const { distinct } = await other;
      if (distinct !== PROBES) fail(`${what}: ${PROBES - distinct} datagrams of the LAN were lost`);
      if ((await root.otherRules()) !== rules) fail(`${what}: the ruleset outside our table has changed`);
    };
    await story({ lab, root, during });
  });
}

function kill(root: OpenWrtRoot, signal: NodeJS.Signals): void {
  const pid = root.procd.pid("kcp-router");
  if (pid === undefined) throw new Error("the daemon does not run");
  process.kill(pid, signal);
}

test.serial("stop: device, routes and table are gone at once", async (t) => {
  await withScene(t.fail, async ({ root, during }) => {
    await during("stop", async () => {
      await root.must("/etc/init.d/kcp-router stop");
      await root.untilDevice(false, GONE_WITHIN_MS);
      await root.untilTable(false, GONE_WITHIN_MS);
    });
    t.false((await root.networkState()).includes("kcp0"));
  });
});

test.serial("kill -9: device and table go with the daemon, and procd brings it back", async (t) => {
  await withScene(
    t.fail,
    async ({ root, during }) => {
      await during("kill -9", async () => {
        kill(root, "SIGKILL");
        await root.untilDevice(false, GONE_WITHIN_MS);
        await root.untilTable(false, GONE_WITHIN_MS);
      });
      await during("back again", async () => {
        await root.untilTable(true);
        await untilMet(root, "b");
      });
      t.truthy(root.procd.pid("kcp-router"));
    },
    // Slow enough that the time without a daemon can be seen.
    500,
  );
});

test.serial("five crashes in a row: it stands down, says so, and leaves nothing", async (t) => {
  await withScene(t.fail, async ({ root, during }) => {
    await during("crashes", async () => {
      for (let crash = 1; crash <= 5; crash++) {
        await until(`start ${crash}`, () => root.procd.pid("kcp-router") !== undefined);
        kill(root, "SIGKILL");
        await until(`end ${crash}`, () => root.procd.pid("kcp-router") === undefined);
      }
    });
    t.is((await root.must("/etc/init.d/kcp-router status")).trim(), "not running");
    t.regex(root.log, /in a crash loop 5 crashes/);
    await root.untilTable(false, GONE_WITHIN_MS);
    t.false(root.has("sys/class/net/kcp0"));
    await root.must("/etc/init.d/kcp-router start");
    await root.untilTable(true);
  });
});

test.serial("SIGSTOP: the LAN goes on, and stop ends even a daemon that does not answer", async (t) => {
  await withScene(t.fail, async ({ root, during }) => {
    await during("SIGSTOP", async () => {
      kill(root, "SIGSTOP");
    });
    await during("stop of a stopped one", async () => {
      await root.must("/etc/init.d/kcp-router stop");
      await root.untilDevice(false, GONE_WITHIN_MS);
      await root.untilTable(false, GONE_WITHIN_MS);
    });
    t.is(root.procd.pid("kcp-router"), undefined);
  });
});

test.serial("memory for files full, and flash full: it goes on, and starts again", async (t) => {
  await withScene(t.fail, async ({ lab, root, during }) => {
    const fill =
      "dd if=/dev/zero of=/tmp/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/fill bs=1M 2>/dev/null; true";
    await during("full", async () => {
      await root.must(fill);
      kill(root, "SIGKILL");
    });
    await root.untilTable(true);
    await untilMet(root, "b");
    const transfer = { client: "client", server: "service", address: SERVICE };
    t.deepEqual((await lab.transfer({ ...transfer, upBytes: 100_000, downBytes: 100_000 })).bad, []);
  });
});

/** Stands in the program's place and starts it with a wall clock that is at 1970 and right in turns. */
const WITHOUT_CLOCK = '#!/bin/sh\nKCP_ROUTER_WITHOUT=clock exec /usr/sbin/program "$@"\n';
/** Long enough for jumps of 56 years in both directions. */
const CLOCK_MS = 3000;

test.serial("clock at 1970, set, and lost again: connections go on, and what is shown follows", async (t) => {
  await withScene(t.fail, async ({ lab, root, during }) => {
    await root.must("/etc/init.d/kcp-router stop; mv /usr/sbin/kcp-router /usr/sbin/program");
    root.write("/usr/sbin/kcp-router", WITHOUT_CLOCK);
    await root.must("chmod 755 /usr/sbin/kcp-router; /etc/init.d/kcp-router start");
    await untilMet(root, "b");
    const transfer = { client: "client", server: "service", address: SERVICE, connections: 8 };
    const years = new Set<number>();
    await during("clock", async () => {
      for (const end = performance.now() + CLOCK_MS; performance.now() < end; ) {
        t.deepEqual((await lab.transfer({ ...transfer, upBytes: 300_000, downBytes: 300_000 })).bad, []);
        const { startTime } = JSON.parse(await root.must("kcp-router status --json")) as {
          startTime: number;
        };
        years.add(new Date(startTime * 1000).getUTCFullYear());
      }
    });
    t.deepEqual([...years].sort(), [1970, new Date().getUTCFullYear()]);
  });
});

/** Address space left to the daemon beyond what it has when it is idle, in KiB: a crowd of connections needs more. */
const SPARE_KIB = 512;
const CROWD = { connections: 400, concurrency: 400, upBytes: 200_000, downBytes: 200_000, seconds: 3 };

test.serial("no memory left: the LAN's internet goes on, and the daemon afterwards", async (t) => {
  await withScene(t.fail, async ({ lab, root, during }) => {
    const first = root.procd.pid("kcp-router");
    const idleKib = Number(/^VmSize:\s+(\d+) kB$/m.exec(await root.must(`cat /proc/${first}/status`))?.[1]);
    await during("no memory", async () => {
      // As the kernel does it to a process that may have no more: every allocation fails from here on.
      await lab.must("routerA", ["prlimit", `--pid=${first}`, `--as=${(idleKib + SPARE_KIB) * 1024}`]);
      await lab.transfer({ client: "client", server: "service", address: SERVICE, ...CROWD });
    });
    if (root.procd.pid("kcp-router") !== first) t.regex(root.log, /kcp-router: The memory is used up/);
    await untilMet(root, "b");
    const transfer = { client: "client", server: "service", address: SERVICE };
    t.deepEqual((await lab.transfer({ ...transfer, upBytes: 100_000, downBytes: 100_000 })).bad, []);
  });
});

test.serial("another WAN address: the mesh is back by itself", async (t) => {
  await withScene(t.fail, async ({ lab, root }) => {
    const rules = await root.otherRules();
    await lab.shell("routerA", "ip addr del 192.0.2.1/24 dev wan; ip addr add 192.0.2.77/24 dev wan");
    const reached = async (): Promise<boolean> =>
      (await lab.exec("client", ["busybox", "ping", "-c", "1", "-W", "1", SERVICE])).status === 0;
    await until("the far LAN", reached, 30_000, 100);
    t.is(await root.otherRules(), rules);
  });
});

test.serial("nothing is written to flash, idle or at work, in a crash or at a stop", async (t) => {
  await withScene(t.fail, async ({ lab, root }) => {
    const before = await root.flash();
    const transfer = { client: "client", server: "service", address: SERVICE };
    t.deepEqual((await lab.transfer({ ...transfer, upBytes: 2 << 20, downBytes: 2 << 20 })).bad, []);
    await root.must("kcp-router proxy; /etc/init.d/kcp-router reload");
    kill(root, "SIGKILL");
    await root.untilTable(false);
    await root.untilTable(true);
    await root.must("/etc/init.d/kcp-router stop");
    t.is(await root.flash(), before);
  });
});
