/** Starting, stopping, dying, being misconfigured: what the daemon says, and what it leaves behind. */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Lab } from "./lab.ts";
import { until } from "./namespace.ts";
import type { ExecResult } from "./process.ts";
import { KcpRouter, kcpRouter, routerToml } from "./router.ts";
import { SERVICE_BY_KERNEL, SERVICE_LAN, twoRouters } from "./topology.ts";
import { CONFIG_A, CONFIG_B, joined, LAN_TO_LAN, PORT, withPair } from "./two-routers.ts";

/** Everything of a router's kernel that the daemon touches, as text. */
async function kernelState(lab: Lab, host: string): Promise<string> {
  const parts = [
    "ip -o link show | sed 's/@.*//'",
    "ip route show table all | grep -v '^local\\|^broadcast'",
    "nft list ruleset",
    "ss -Hunlp | wc -l",
  ];
  return lab.shell(host, parts.map((part) => `${part} || true`).join("\n"));
}

async function withLab(story: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.create(twoRouters());
  try {
    await story(lab);
  } finally {
    await lab.stop();
  }
}

/** Runs a daemon that is expected to give up by itself. */
async function failing(lab: Lab, toml: string, prefix: readonly string[] = []): Promise<ExecResult> {
  const path = join(lab.directory, "failing.toml");
  writeFileSync(path, toml, { mode: 0o600 });
  return lab.exec("routerA", [...prefix, ...kcpRouter("routerA"), "run", "-c", path], { timeoutMs: 10_000 });
}

function assertOneSentence(
  t: {
    regex(text: string, expected: RegExp): void;
    is<T>(a: T, b: T): void;
    true(v: boolean, m?: string): void;
  },
  result: ExecResult,
  expected: RegExp,
): void {
  t.true(result.status !== 0 && result.status !== 124, `status ${result.status}`);
  t.regex(result.stderr, expected);
  t.true(!/\n\s+at |Error:/.test(result.stderr), `a stack trace: ${result.stderr}`);
}

test.serial(
  "SIGTERM leaves nothing behind: no device, no route, no socket, and ends with status 0",
  async (t) => {
    await withLab(async (lab) => {
      const before = await kernelState(lab, "routerA");
      const b = await KcpRouter.start(lab, "routerB", CONFIG_B);
      const a = await KcpRouter.start(lab, "routerA", CONFIG_A);
      await joined({ lab, a, b });
      t.not(await kernelState(lab, "routerA"), before);
      t.is(statSync(a.socket).mode & 0o777, 0o600);
      t.is(await a.stop(), 0);
      t.is(await kernelState(lab, "routerA"), before);
      t.false(existsSync(a.socket));
    });
  },
);

test.serial(
  "kill -9 takes device and routes along; the LAN's other traffic does not notice; the next start works",
  async (t) => {
    await withPair({}, {}, async ({ lab, a, b }) => {
      const other = lab.probe({
        client: "client",
        server: "service",
        address: SERVICE_BY_KERNEL,
        count: 2000,
        gapUs: 1000,
      });
      const { bad } = await lab.transfer({
        ...LAN_TO_LAN,
        upBytes: 500 << 20,
        downBytes: 500 << 20,
        seconds: 4,
        meanwhile: async () => {
          await until("a live entry", async () =>
            (await a.connections()).some((row) => row.state === "Connected"),
          );
          a.process.kill("SIGKILL");
          await a.process.exited;
        },
      });
      t.true(bad.length > 0, "connections through it end");
      t.is((await other).distinct, 2000);
      const left = await lab.shell("routerA", `ip link show kcp0 2>&1 || true; ip route show ${SERVICE_LAN}`);
      t.regex(left, /does not exist/);
      t.true(existsSync(a.socket), "the dead daemon's socket is still there");
      const again = await KcpRouter.start(lab, "routerA", CONFIG_A);
      await joined({ lab, a: again, b });
      const after = await lab.transfer({ ...LAN_TO_LAN, upBytes: 100_000, downBytes: 100_000 });
      t.deepEqual(after.bad, []);
    });
  },
);

test.serial("a wrong secret and a wrong network name are told apart, on both sides", async (t) => {
  await withLab(async (lab) => {
    const b = await KcpRouter.start(lab, "routerB", CONFIG_B);
    const events = async (router: KcpRouter): Promise<string> =>
      (await router.call("events", {})).rows.map(({ code, message }) => `${code}: ${message}`).join("\n");
    const wrongSecret = await KcpRouter.start(lab, "routerA", { ...CONFIG_A, networkSecret: "not it" });
    await until("word of the wrong secret", async () => /different secrets/.test(await events(wrongSecret)));
    t.regex(await events(b), /different secrets/);
    const { problems } = await wrongSecret.call("status");
    t.true(problems.some(({ code }) => code === "no_peer_reachable"));
    await wrongSecret.stop();
    const wrongName = await KcpRouter.start(lab, "routerA", {
      ...CONFIG_A,
      hostname: "a2",
      networkName: "other",
    });
    await until("word of the wrong name", async () => /another network/.test(await events(wrongName)));
    t.regex(await events(b), /another network/);
    t.false(/the lab's secret|not it/.test((await events(b)) + (await events(wrongName)) + b.process.stderr));
  });
});

test.serial("what prevents a start is one sentence with the remedy, and status not 0", async (t) => {
  await withLab(async (lab) => {
    const socket = join(lab.directory, "x.sock");
    const good = routerToml(CONFIG_A, socket);

    assertOneSentence(t, await failing(lab, 'hostname = "a\nipv4 ='), /line 1/i);
    assertOneSentence(
      t,
      await failing(lab, good.replace("[flags]", "[flags]\nenable_kpc_proxy = true")),
      /enable_kpc_proxy.*enable_kcp_proxy/,
    );
    const flag = await lab.exec("routerA", [...kcpRouter("routerA"), "run", "--enable-kpc-proxy"]);
    assertOneSentence(t, flag, /--enable-kpc-proxy.*--enable-kcp-proxy/);
    const secret = await lab.exec("routerA", [
      ...kcpRouter("routerA"),
      "run",
      "--network-secret",
      "hush-hush",
    ]);
    assertOneSentence(t, secret, /--network-secret-file/);
    t.false(/hush-hush/.test(secret.stderr + secret.stdout));

    const holder = lab.spawn("routerA", [
      "python3",
      "-c",
      `import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(("0.0.0.0",${PORT})); print("held",flush=True); time.sleep(60)`,
    ]);
    await holder.waitForLine(/^held$/);
    const listening = routerToml({ ...CONFIG_A, listeners: [`udp://0.0.0.0:${PORT}`] }, socket);
    assertOneSentence(t, await failing(lab, listening), new RegExp(`${PORT}.*(in use|already)`, "i"));
    await holder.stop("SIGKILL");

    // No device node: a mount namespace in which /dev is empty of it.
    const noTun = await failing(lab, good, [
      "unshare",
      "--mount",
      "sh",
      "-ec",
      'mount -t tmpfs none /dev/net; exec "$@"',
      "sh",
    ]);
    assertOneSentence(t, noTun, /\/dev\/net\/tun.*(modprobe|kmod-tun)/s);

    const noPermission = await failing(lab, good, ["setpriv", "--bounding-set", "-net_admin"]);
    assertOneSentence(t, noPermission, /CAP_NET_ADMIN|root/);

    const running = await KcpRouter.start(lab, "routerB", CONFIG_B);
    writeFileSync(
      join(lab.directory, "second.toml"),
      routerToml({ ...CONFIG_B, hostname: "second" }, running.socket),
      { mode: 0o600 },
    );
    const second = await lab.exec(
      "routerB",
      [...kcpRouter("routerA"), "run", "-c", join(lab.directory, "second.toml")],
      { timeoutMs: 10_000 },
    );
    assertOneSentence(t, second, /in use.*running already/s);
    t.like(await running.call("status"), { state: "alone" });
  });
});

test.serial("a reload with a bad file is refused with a sentence and changes nothing", async (t) => {
  await withPair({}, {}, async ({ lab, a }) => {
    writeFileSync(a.configPath, "this is not toml [", { mode: 0o600 });
    const refused = await a.cli("reload");
    t.not(refused.status, 0);
    a.process.kill("SIGHUP");
    await until("the refusal", async () =>
      (await a.call("events", {})).rows.some(({ code }) => code === "reload_refused"),
    );
    a.rewriteConfig({ ...CONFIG_A, flags: { enable_kcp_proxy: "maybe" } });
    t.not((await a.cli("reload")).status, 0);
    const { bad } = await lab.transfer({ ...LAN_TO_LAN, upBytes: 10_000, downBytes: 10_000 });
    t.deepEqual(bad, []);
    t.like((await a.connections())[0], { transport: "kcp" });
  });
});

test.serial("the secret appears in no argument, log, answer or event", async (t) => {
  const networkSecret = "tell-nobody-51ab";
  await withPair({}, { a: { networkSecret }, b: { networkSecret } }, async ({ lab, a }) => {
    const seen = [
      await lab.must("routerA", ["cat", `/proc/${a.pid}/cmdline`]),
      a.process.stderr,
      ...(await Promise.all(
        (["node", "status", "peers", "routes", "connections", "events"] as const).map(async (name) =>
          JSON.stringify(await a.call(name)),
        ),
      )),
    ];
    t.false(seen.join("\n").includes(networkSecret));
  });
});
