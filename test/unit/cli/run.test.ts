import test from "ava";
import type { Config } from "../../../router-daemon/src/config/config.ts";
import { FakeView } from "../api/fake-view.ts";
import { MINIMAL } from "../config/sources.ts";
import { FakeTerminal } from "./fake-io.ts";

function terminal(toml = MINIMAL): FakeTerminal {
  const shell = new FakeTerminal(new FakeView());
  shell.files = { "a.toml": toml };
  return shell;
}

test("run hands the verified configuration to the daemon and ends with its outcome", async (t) => {
  const shell = terminal();
  let seen: Config | undefined;
  shell.runDaemon = async (config) => {
    seen = config;
    return { ok: true };
  };
  t.is(await shell.run("run", "-c", "a.toml", "--enable-kcp-proxy"), 0);
  t.true(seen?.enable_kcp_proxy);
  t.is(seen?.network_secret.reveal(), "hunter2");
  t.is(shell.stdout + shell.stderr, "");
});

test("a daemon that cannot start gives its sentence and status 1", async (t) => {
  const shell = terminal();
  shell.runDaemon = async () => ({
    ok: false,
    message: "There is no TUN device. Load the module: modprobe tun",
  });
  t.is(await shell.run("run", "-c", "a.toml"), 1);
  t.is(shell.stderr, "There is no TUN device. Load the module: modprobe tun\n");
});

test("a wrong configuration is refused before anything is started", async (t) => {
  const started: string[] = [];
  const cases: [string, string[], number, RegExp][] = [
    ["[flags]\nmtu = 12", [], 1, /^error: a\.toml, \[flags\] mtu: 12 was found/m],
    ["= =", [], 1, /^error: a\.toml, line 1, column \d+: This is not valid TOML/],
    ["", ["--no-such-flag"], 2, /^error: command line, --no-such-flag: This flag is unknown/m],
    [
      "",
      ["--network-secret", "hunter3"],
      2,
      /^error: command line, --network-secret: The secret is not taken/m,
    ],
  ];
  for (const [toml, args, status, expected] of cases) {
    const shell = terminal(`${MINIMAL}\n${toml}`.replace(`${MINIMAL}\n= =`, "= ="));
    shell.runDaemon = async () => {
      started.push(toml);
      return { ok: true };
    };
    t.is(await shell.run("run", "-c", "a.toml", ...args), status, toml);
    t.regex(shell.stderr, expected);
    t.false(shell.stderr.includes("hunter"));
  }
  t.deepEqual(started, []);
});

test("warnings are printed, and the daemon starts", async (t) => {
  const shell = terminal(`${MINIMAL}\n[flags]\nenable_encryption = false\n`);
  t.is(await shell.run("run", "-c", "a.toml"), 0);
  t.regex(shell.stderr, /^warning: a\.toml, \[flags\] enable_encryption: Encryption is off/);
});

test("the daemon reads its configuration again on request, and is told of signals", async (t) => {
  const shell = terminal();
  const told: string[] = [];
  shell.runDaemon = async (_config, io) => {
    io.onStop(() => told.push("stop"));
    io.onReload(() => told.push("reload"));
    shell.files = { "a.toml": `hostname = "renamed"\n${MINIMAL}` };
    const again = io.loadConfig();
    told.push(again.ok ? again.config.hostname : "refused");
    // `files` of the terminal is read when a command begins; the running daemon sees the file as it was.
    io.print("one\nline \u001b[31m", "warning");
    io.print("good to know", "info");
    return { ok: true };
  };
  await shell.run("run", "-c", "a.toml");
  for (const callback of [...shell.reloadCallbacks, ...shell.stopCallbacks]) callback();
  t.deepEqual(told, ["box", "reload", "stop"]);
  t.is(shell.stderr, "one line \\u{1b}[31m\n");
  t.is(shell.stdout, "good to know\n");
});

test("check says what run would say, and starts nothing", async (t) => {
  const shell = terminal();
  shell.runDaemon = async () => {
    throw new Error("started");
  };
  t.is(await shell.run("check", "-c", "a.toml"), 0);
  t.is(shell.stdout, "The configuration is valid.\n");
  t.is(await shell.run("check", "-c", "a.toml", "--mtu", "12"), 2);
  t.is(shell.stdout, "The configuration is refused.\n");
  t.regex(shell.stderr, /^error: command line, --mtu: "12" was found/);
  t.is(await shell.run("check", "-c", "a.toml", "--json"), 0);
  t.deepEqual(JSON.parse(shell.stdout), { ok: true, problems: [] });
  t.is(await shell.run("check", "--json"), 1);
  const { ok, problems } = JSON.parse(shell.stdout) as {
    ok: boolean;
    problems: { key: string; sentence: string }[];
  };
  t.false(ok);
  t.is(problems[0]?.key, "ipv4");
  t.regex(problems[0]?.sentence ?? "", /^ipv4 is missing/);
});

test("check --json tells a form the section, the option and the line of a uci file", async (t) => {
  const shell = terminal();
  shell.files = { "/tmp/kcp-router": "config network\n\toption mtu '12'\n" };
  t.is(await shell.run("check", "--uci", "/tmp/kcp-router", "--json"), 1);
  const { problems } = JSON.parse(shell.stdout) as { problems: object[] };
  t.like(problems[0], {
    severity: "error",
    source: "/tmp/kcp-router",
    place: "@network[0].mtu, line 2",
    section: "@network[0]",
    option: "mtu",
    line: 2,
    key: "mtu",
  });
});
