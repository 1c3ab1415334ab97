/** The lab's own promises: what is reachable, what load tools notice, and that nothing stays behind, however it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, connect as dial } from "node:net";
import { join } from "node:path";
import test from "ava";
import { Lab } from "./lab.ts";
import { until } from "./namespace.ts";
import { buildTools, ROOT, toolPath } from "./paths.ts";
import { LabProcess } from "./process.ts";
import { SERVICE, SERVICE_BY_KERNEL, twoRouters, withRelay } from "./topology.ts";

const BY_KERNEL = { client: "client", server: "service", address: SERVICE_BY_KERNEL };

test.serial("the routers' kernels forward the reference subnets and nothing else", async (t) => {
  const lab = await Lab.create(twoRouters());
  try {
    const answered = async (address: string): Promise<number> =>
      (await lab.udpPing({ client: "client", server: "service", address, count: 5, gapUs: 1000 })).answered;
    t.is(await answered(SERVICE_BY_KERNEL), 5);
    t.is(await answered(SERVICE), 0);
  } finally {
    await lab.stop();
  }
});

test.serial("hosts use the congestion control asked for", async (t) => {
  for (const congestion of ["cubic", "bbr"] as const) {
    const lab = await Lab.create(twoRouters({ congestion }));
    try {
      const server = lab.spawn("service", [toolPath("transfer"), "serve", "7000"]);
      await server.waitForLine(/^ready$/);
      lab.spawn("client", [
        toolPath("transfer"),
        "client",
        SERVICE_BY_KERNEL,
        "7000",
        "--stall-at",
        "1",
        "--stall-ms",
        "5000",
      ]);
      for (const host of ["client", "service"]) {
        const words = async (): Promise<string> => lab.must(host, ["ss", "-tin"]);
        await until(`a connection on ${host}`, async () => /\b(cubic|bbr)\b/.test(await words()));
        t.regex(await words(), new RegExp(`\\b${congestion}\\b`));
      }
    } finally {
      await lab.stop();
    }
  }
});

test.serial("a veth loses what it is told to, and counts it", async (t) => {
  const lab = await Lab.create(twoRouters({ wan: { loss: 0.1 } }));
  try {
    const { distinct } = await lab.probe({ ...BY_KERNEL, count: 5000, gapUs: 20 });
    t.true(Math.abs(distinct - 4500) < 100, `${distinct} of 5000 arrived`);
    const { ab } = await lab.link().statistics();
    t.is(ab.received, 5000);
    t.is(ab.delivered, distinct);
    await lab.link().set({ loss: 0 });
    t.is((await lab.probe({ ...BY_KERNEL, count: 1000, gapUs: 20 })).distinct, 1000);
    await t.throwsAsync(lab.link().set({ delayMs: 5 }), { message: /emulated/ });
  } finally {
    await lab.stop();
  }
});

test.serial("through the relay's kernel there is no way", async (t) => {
  const lab = await Lab.create(withRelay());
  try {
    const ping = (client: string, server: string, address: string): Promise<{ answered: number }> =>
      lab.udpPing({ client, server, address, count: 3, gapUs: 1000 });
    t.like(await ping("routerA", "relay", "192.0.2.3"), { answered: 3 });
    t.like(await ping("relay", "routerB", "198.51.100.2"), { answered: 3 });
    await lab.shell("routerA", "ip route add 198.51.100.0/24 via 192.0.2.3");
    await lab.shell("routerB", "ip route add 192.0.2.0/24 via 198.51.100.3");
    t.like(await ping("routerA", "routerB", "198.51.100.2"), { answered: 0 });
  } finally {
    await lab.stop();
  }
});

test.serial("kernel TCP passes every way of ending a connection, over a bad link", async (t) => {
  const wan = { delayMs: 2, loss: 0.02, duplicate: 0.02, reorder: 0.05, reorderDelayMs: 3 };
  const lab = await Lab.create(twoRouters({ wan }));
  try {
    const load = { ...BY_KERNEL, connections: 120, upBytes: 60_000, downBytes: 60_000, randomSize: true };
    const result = await lab.transfer({ ...load, mode: "mixed", seconds: 40 });
    t.deepEqual(result.bad, []);
    t.is(result.ok, 120);
    t.is(new Set(result.clientReports.map((report) => report.mode)).size, 6);
    // A reset that stays unseen would make its mode the same as duplex.
    t.true(result.serverReports.some((report) => report.outcome === "cut-by-peer"));
  } finally {
    await lab.stop();
  }
});

/** A TCP relay on the loopback that spoils what the server sends. */
async function throughSpoiler(spoil: (chunk: Buffer) => Buffer): Promise<LabProcess> {
  await buildTools();
  const server = new LabProcess([], [toolPath("transfer"), "serve", "28761"]);
  await server.waitForLine(/^ready$/);
  const relay = createServer((inbound) => {
    const outbound = dial(28_761, "127.0.0.1");
    for (const socket of [inbound, outbound]) socket.on("error", () => {});
    inbound.pipe(outbound);
    outbound.on("data", (chunk) => inbound.write(spoil(chunk)));
    outbound.on("end", () => inbound.end());
  });
  await new Promise<void>((resolve) => relay.listen(28_762, "127.0.0.1", resolve));
  const client = new LabProcess(
    [],
    [toolPath("transfer"), "client", "127.0.0.1", "28762", "--mode", "download"],
  );
  await client.exited;
  relay.close();
  await server.stop("SIGKILL");
  return client;
}

test.serial("the checking tool notices one wrong byte, and a missing one", async (t) => {
  let seen = 0;
  const flipped = await throughSpoiler((chunk) => {
    const at = 700_000 - seen;
    seen += chunk.length;
    if (at >= 0 && at < chunk.length) chunk[at] = (chunk[at] as number) ^ 1;
    return chunk;
  });
  t.regex(flipped.stdout, /"outcome":"corrupt"/);
  t.not(await flipped.exited, 0);
  let first = true;
  const cut = await throughSpoiler((chunk) => {
    const rest = first ? chunk.subarray(1) : chunk;
    first = false;
    return rest;
  });
  t.regex(cut.stdout, /"outcome":"(corrupt|short)"/);
});

test.serial("two labs beside each other do not meet", async (t) => {
  const labs = await Promise.all([Lab.create(twoRouters()), Lab.create(twoRouters())]);
  try {
    await labs[0].link().set({ loss: 1 });
    const answers = await Promise.all(
      labs.map((lab) => lab.udpPing({ ...BY_KERNEL, count: 3, gapUs: 1000 })),
    );
    t.deepEqual(
      answers.map((answer) => answer.answered),
      [0, 3],
    );
  } finally {
    await Promise.all(labs.map((lab) => lab.stop()));
  }
});

function exists(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

/** A process that makes a lab, tells the pids that belong to it, and then does what `ending` says. */
function labInChild(ending: string, prefix: readonly string[] = []): ChildProcess {
  const script = `
    import { Lab } from ${JSON.stringify(join(ROOT, "test/netns/lab.ts"))};
    import { twoRouters } from ${JSON.stringify(join(ROOT, "test/netns/topology.ts"))};
    const lab = await Lab.create(twoRouters({ kind: process.env.LAB_KIND }));
    const load = lab.spawn("client", ["sleep", "1000"]);
    const holders = ["client", "routerA", "routerB", "service"].map((host) => lab.namespace(host).holderPid);
    const ping = await lab.udpPing({ client: "routerA", server: "routerB", address: "192.0.2.2", count: 3, gapUs: 1000 });
    console.log(JSON.stringify({ pids: [load.pid, ...holders], directory: lab.directory, answered: ping.answered, rootless: lab.rootless }));
    ${ending}`;
  const argv = [...prefix, process.execPath, "--import=tsx", "--input-type=module", "--eval", script];
  const env = { ...process.env, LAB_KIND: prefix.length > 0 ? "veth" : "emulated" };
  return spawn(argv[0] as string, argv.slice(1), { stdio: ["ignore", "pipe", "inherit"], env, cwd: ROOT });
}

interface ChildLab {
  readonly pids: readonly number[];
  readonly directory: string;
  readonly answered: number;
  readonly rootless: boolean;
}

function announcement(child: ChildProcess): Promise<ChildLab> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(JSON.parse(text) as ChildLab);
    });
    child.on("exit", () => reject(new Error(`ended early: ${text}`)));
  });
}

const ENDINGS = {
  "stop()": { code: "await lab.stop();", signal: undefined },
  "an exception": { code: 'throw new Error("on purpose");', signal: undefined },
  "process.exit()": { code: "process.exit(3);", signal: undefined },
  SIGINT: { code: "await new Promise(() => setInterval(() => {}, 1000));", signal: "SIGINT" },
  SIGKILL: { code: "await new Promise(() => setInterval(() => {}, 1000));", signal: "SIGKILL" },
} as const;

for (const [name, { code, signal }] of Object.entries(ENDINGS)) {
  test.serial(`nothing stays behind after ${name}`, async (t) => {
    const child = labInChild(name === "an exception" ? `process.stderr.write = () => true; ${code}` : code);
    const { pids, directory, answered } = await announcement(child);
    t.is(answered, 3);
    if (signal !== undefined) child.kill(signal);
    await until("the lab's processes are gone", () => !pids.some(exists), 10_000);
    // After kill -9 the next lab clears it away.
    if (signal === "SIGKILL") await (await Lab.create(twoRouters())).stop();
    await until("the scratch folder is gone", () => !existsSync(directory), 5000);
    t.pass();
  });
}

test.serial("without root the lab lives in a user namespace", async (t) => {
  const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const child = labInChild("await lab.stop();", process.getuid?.() === 0 ? asNobody : []);
  const { pids, answered, rootless } = await announcement(child);
  t.true(rootless);
  t.is(answered, 3);
  await until("the lab's processes are gone", () => !pids.some(exists), 10_000);
});
