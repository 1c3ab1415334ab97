/**
 * A router's life with the packages, by what they contain: installed, configured by uci, started, reloaded, upgraded,
 * stopped and removed, with opkg's format and with apk's.
 */
import { readFileSync } from "node:fs";
import test from "ava";
import { buildApk } from "../../tools/package/apk.ts";
import { FileTree } from "../../tools/package/file-tree.ts";
import { buildIpk } from "../../tools/package/ipk.ts";
import type { Manifest } from "../../tools/package/manifest.ts";
import { daemonPackage } from "../../tools/package/packages.ts";
import { Lab } from "../netns/lab.ts";
import { until } from "../netns/namespace.ts";
import { rssMB } from "../netns/process.ts";
import { twoRouters } from "../netns/topology.ts";
import { routerExecutable } from "./executable.ts";
import { OpenWrtRoot } from "./openwrt-root.ts";
import { Apk, Opkg, type PackageManager } from "./package-manager.ts";
import { FIREWALL_CONFIG, NETWORK_CONFIG } from "./router-with-package.ts";

const PROGRAM = "/usr/sbin/kcp-router";
const SECRET = "only-for-the-nodes";
/** Of the resident set: the smallest routers have 64 in all. */
const MAX_IDLE_MB = 6;

interface Story {
  readonly root: OpenWrtRoot;
  readonly manager: PackageManager;
  /** Installs a release of the daemon. */
  install(release: number): Promise<void>;
}

const FORMATS = {
  ipk: { manager: (root: OpenWrtRoot): PackageManager => new Opkg(root), build: buildIpk },
  apk: {
    manager: (root: OpenWrtRoot): PackageManager => new Apk(root),
    build: (manifest: Manifest) => buildApk(manifest).bytes,
  },
};

async function withRouter(
  format: keyof typeof FORMATS,
  story: (story: Story) => Promise<void>,
): Promise<void> {
  const lab = await Lab.create(twoRouters());
  let root: OpenWrtRoot | undefined;
  try {
    const router = await OpenWrtRoot.create(lab, "routerA");
    root = router;
    router.write("/etc/config/network", NETWORK_CONFIG);
    router.write("/etc/config/firewall", FIREWALL_CONFIG);
    await router.must("/etc/init.d/firewall start");
    const { manager, build } = FORMATS[format];
    const daemon = daemonPackage("x86_64", routerExecutable());
    const packages = manager(router);
    await story({
      root: router,
      manager: packages,
      install: (release) => packages.install(build(releaseOf(daemon, release))),
    });
  } finally {
    await root?.stop();
    await lab.stop();
  }
}

/** Another release has another program; what stands behind the end of an executable does not matter to it. */
function releaseOf(daemon: Manifest, release: number): Manifest {
  const tree = new FileTree();
  for (const entry of daemon.tree.entries) {
    if (entry.kind === "file" && entry.path === PROGRAM) {
      tree.add({ ...entry, content: Buffer.concat([entry.content, Buffer.from(`\n# ${release}\n`)]) });
    } else tree.add(entry);
  }
  return { ...daemon, version: daemon.version.replace(/-r\d+$/, `-r${release}`), tree };
}

/** Three lines of uci and a start. */
async function configure(root: OpenWrtRoot): Promise<void> {
  await root.uci(
    "kcp-router.network.name=home",
    `kcp-router.network.secret=${SECRET}`,
    "kcp-router.network.ipv4=10.91.0.1/24",
  );
  await root.must("/etc/init.d/kcp-router start");
  await root.untilDevice(true);
  await root.untilTable(true);
}

/** What a 16 MB router can spare, compressed. */
const MAX_PACKAGE_BYTES = 1_000_000;

for (const format of ["ipk", "apk"] as const) {
  test.serial(`${format}: the daemon's package is small enough for a router with little flash`, (t) => {
    const { length } = FORMATS[format].build(daemonPackage("x86_64", routerExecutable()));
    t.true(length <= MAX_PACKAGE_BYTES, `${length} bytes`);
  });

  test.serial(
    `${format}: fresh from the package nothing runs, and the log says what is missing`,
    async (t) => {
      await withRouter(format, async ({ root, install }) => {
        await install(1);
        t.is((await root.must("/etc/init.d/kcp-router status")).trim(), "inactive");
        t.regex(root.log, /daemon.notice kcp-router: not started: .*kcp-router\.network\.ipv4 not set/);
        t.true(root.has("/etc/rc.d/S95kcp-router"));
        t.false(root.has("/etc/uci-defaults/60-kcp-router"));
        t.regex(root.read("tmp/ubus-calls"), /call network reload/);
        t.is(
          await root.must("uci get network.kcp.device; uci get firewall.kcp_router_zone.network"),
          "kcp0\nkcp\n",
        );
      });
    },
  );

  test.serial(
    `${format}: installed, configured, started, stopped, removed: the router is as before`,
    async (t) => {
      await withRouter(format, async ({ root, manager, install }) => {
        const before = {
          files: await root.fileNames(),
          network: await root.networkState(),
          rules: await root.ruleset(),
        };
        await install(1);
        const rules = await root.otherRules();
        const idle = await root.networkState();
        await configure(root);
        t.is(await root.otherRules(), rules);
        t.regex(root.log.concat(await root.must("ps w")), /./);
        t.false(root.log.includes(SECRET));
        t.false((await root.must("ps w")).includes(SECRET));

        await root.must("/etc/init.d/kcp-router stop");
        await root.untilDevice(false);
        t.regex(root.log, /^daemon\.info kcp-router: info: kcp-router \S+ runs as 10\.91\.0\.1/m);
        t.notRegex(root.log, /^daemon\.err/m, "nothing went wrong");
        t.is(await root.ruleset(), rules);
        t.is(await root.networkState(), idle);

        await root.must("/etc/init.d/kcp-router start");
        await root.untilTable(true);
        await manager.remove("kcp-router");
        await root.untilDevice(false);
        t.is(await root.ruleset(), before.rules);
        t.is(await root.networkState(), before.network);
        t.is(root.read("/etc/config/network"), NETWORK_CONFIG);
        t.is(root.read("/etc/config/firewall"), FIREWALL_CONFIG);
        // What the user wrote stays, and nothing else.
        t.deepEqual(await root.fileNames(), [...before.files, "./etc/config/kcp-router"].sort());
        t.is(root.procd.pid("kcp-router"), undefined);
      });
    },
  );

  test.serial(`${format}: an upgrade keeps the configuration and runs the new program`, async (t) => {
    await withRouter(format, async ({ root, manager, install }) => {
      await install(1);
      await configure(root);
      const config = root.read("/etc/config/kcp-router");
      const network = root.read("/etc/config/network");
      const firewall = root.read("/etc/config/firewall");
      const first = root.procd.pid("kcp-router");
      const files = await root.fileNames();
      // The user has changed what the package made: that, too, is kept.
      await root.uci("firewall.kcp_router_zone.input=REJECT");
      await install(2);
      await until("another process", () => ![undefined, first].includes(root.procd.pid("kcp-router")));
      await root.untilTable(true);
      t.is(root.read("/etc/config/kcp-router"), config);
      t.is(root.read("/etc/config/network"), network);
      t.is(root.read("/etc/config/firewall"), firewall.replace("input 'ACCEPT'", "input 'REJECT'"));
      // The new release's configuration lies beside the user's, as the package manager does it.
      const beside = (await root.fileNames()).filter((name) => !files.includes(name));
      t.deepEqual(beside, [`./etc/config/kcp-router${format === "ipk" ? "-opkg" : ".apk-new"}`]);
      await manager.remove("kcp-router");
      t.is(root.read("/etc/config/firewall"), FIREWALL_CONFIG);
    });
  });
}

test.serial(
  "a change of the configuration is made in the running daemon, or by a restart that says so",
  async (t) => {
    await withRouter("ipk", async ({ root, install }) => {
      await install(1);
      await configure(root);
      const first = root.procd.pid("kcp-router");
      await root.uci(
        "kcp-router.proxy.enable_kcp_proxy=0",
        "kcp-router.lan=subnet",
        "kcp-router.lan.cidr=10.81.0.0/24",
      );
      await root.procd.event("config.change", "kcp-router");
      t.is(root.procd.pid("kcp-router"), first);
      t.regex(await root.ruleset(), /set exported \{[^}]*10\.81\.0\.0\/24/);

      await root.uci("kcp-router.network.ipv4=10.91.0.9/24");
      await root.procd.event("config.change", "kcp-router");
      await until("another process", () => ![undefined, first].includes(root.procd.pid("kcp-router")));
      t.regex(root.log, /daemon.notice kcp-router: restarting/);
      await root.untilTable(true);
      t.regex(await root.networkState(), /10\.91\.0\.9\/24/);
    });
  },
);

test.serial(
  "a configuration that cannot be used is refused with a sentence, and the old one keeps running",
  async (t) => {
    await withRouter("ipk", async ({ root, install }) => {
      await install(1);
      await configure(root);
      const first = root.procd.pid("kcp-router");
      await root.uci("kcp-router.network.mtu=99999");
      await root.procd.event("config.change", "kcp-router");
      t.not((await root.shell("/etc/init.d/kcp-router reload")).status, 0);
      t.is(root.procd.pid("kcp-router"), first);
      t.regex(root.log, /daemon.err kcp-router: error: .*mtu/);
      t.regex(root.log, /the old configuration stays in force/);
      // A start is no way around it either: the daemon that runs is left alone.
      await root.shell("/etc/init.d/kcp-router start");
      t.not((await root.shell("/etc/init.d/kcp-router restart")).status, 0);
      t.is(root.procd.pid("kcp-router"), first);
      t.regex(await root.ruleset(), /table inet kcp_router/);

      await root.must("/etc/init.d/kcp-router stop");
      await root.shell("/etc/init.d/kcp-router start");
      t.is(root.procd.pid("kcp-router"), undefined);
      t.regex(root.log, /not started: the configuration is refused/);
    });
  },
);

test.serial(
  "a firewall that was stopped, which deletes every table, brings ours back when it starts",
  async (t) => {
    await withRouter("ipk", async ({ root, install }) => {
      await install(1);
      await configure(root);
      const rules = await root.ruleset();
      await root.must("/etc/init.d/firewall stop");
      t.is(await root.ruleset(), "");
      await root.must("/etc/init.d/firewall start");
      t.is(await root.ruleset(), rules);
      // Without the device there is nothing to bring back.
      await root.must("/etc/init.d/kcp-router stop");
      await root.untilDevice(false);
      await root.must("/etc/init.d/firewall stop; /etc/init.d/firewall start");
      t.notRegex(await root.ruleset(), /kcp_router/);
    });
  },
);

test.serial("idle, the daemon takes little of a small router's memory", async (t) => {
  await withRouter("ipk", async ({ root, install }) => {
    await install(1);
    await configure(root);
    const megabytes = rssMB(root.procd.pid("kcp-router") as number);
    t.log(`${megabytes.toFixed(2)} MB resident`);
    t.true(megabytes <= MAX_IDLE_MB, `${megabytes} MB`);
  });
});

test.serial("the daemon runs with the capabilities it needs, and with no other", async (t) => {
  await withRouter("ipk", async ({ root, install }) => {
    await install(1);
    await configure(root);
    const status = readFileSync(`/proc/${root.procd.pid("kcp-router")}/status`, "utf8");
    // CAP_NET_BIND_SERVICE is 10, CAP_NET_ADMIN 12.
    for (const kind of ["CapEff", "CapPrm", "CapBnd"])
      t.regex(status, new RegExp(`^${kind}:\\t0000000000001400$`, "m"));
    t.regex(status, /^NoNewPrivs:\t1$/m);
  });
});

test.serial("switched off in the configuration, it stops", async (t) => {
  await withRouter("ipk", async ({ root, install }) => {
    await install(1);
    await configure(root);
    await root.uci("kcp-router.network.enabled=0");
    await root.procd.event("config.change", "kcp-router");
    await root.untilDevice(false);
    await root.untilTable(false);
    t.is((await root.must("/etc/init.d/kcp-router status")).trim(), "inactive");
  });
});
