import test from "ava";
import { METHOD_NAMES } from "../../../router-daemon/src/api/methods.ts";
import { COMMANDS } from "../../../router-daemon/src/cli/commands.ts";
import { COMMAND_NAMES } from "../../../router-daemon/src/cli/help.ts";
import { DEFAULTS, flagStates } from "../../../router-daemon/src/config/config.ts";
import { OPTION_LIST } from "../../../router-daemon/src/config/options.ts";
import { connectionRow, FakeView, peerRow, routeRow, START_TIME, statusInfo } from "../api/fake-view.ts";
import { MINIMAL } from "../config/sources.ts";
import { DEAD_SOCKET, FakeTerminal } from "./fake-io.ts";

// Times are shown in the viewer's zone; every worker runs in this one.
process.env.TZ = "UTC";

function terminal(view = new FakeView()): FakeTerminal {
  return new FakeTerminal(view);
}

test("proxy prints exactly EasyTier's columns", async (t) => {
  const view = new FakeView();
  view.connectionRows = [
    connectionRow(1, { src: "10.126.126.7:51838", dst: "10.126.126.1:22" }),
    connectionRow(2, {
      src: "192.168.1.20:443",
      transport: "tcp",
      state: "SynReceived",
      startTime: START_TIME + 3600,
    }),
    connectionRow(3, {
      src: "192.168.1.21:1",
      transport: "quic",
      state: "Closed",
      startTime: START_TIME + 7200,
    }),
  ];
  const shell = terminal(view);
  t.is(await shell.run("proxy"), 0);
  t.is(
    shell.stdout,
    `┌────────────────────┬───────────────────┬─────────────────────┬─────────────┬────────────────┐
│ src                │ dst               │ start_time          │ state       │ transport_type │
├────────────────────┼───────────────────┼─────────────────────┼─────────────┼────────────────┤
│ 10.126.126.7:51838 │ 10.126.126.1:22   │ 2026-11-24 10:02:07 │ Connected   │ Kcp            │
│ 192.168.1.20:443   │ 10.126.126.7:5201 │ 2026-11-24 11:02:07 │ SynReceived │ Tcp            │
│ 192.168.1.21:1     │ 10.126.126.7:5201 │ 2026-11-24 12:02:07 │ Closed      │ Quic           │
└────────────────────┴───────────────────┴─────────────────────┴─────────────┴────────────────┘
`,
  );
  t.is(shell.stderr, "");
});

test("an empty table keeps its head", async (t) => {
  const view = new FakeView();
  view.connectionRows = [];
  const shell = terminal(view);
  t.is(await shell.run("proxy"), 0);
  t.is(
    shell.stdout,
    `┌─────┬─────┬────────────┬───────┬────────────────┐
│ src │ dst │ start_time │ state │ transport_type │
├─────┼─────┼────────────┼───────┼────────────────┤
└─────┴─────┴────────────┴───────┴────────────────┘
`,
  );
});

test("proxy --wide adds reason, bytes, rate, RTT, retransmitted share and age", async (t) => {
  const shell = terminal();
  t.is(await shell.run("proxy", "--wide"), 0);
  const [, head = "", , row = ""] = shell.stdout.split("\n");
  const cells = (line: string) =>
    line
      .split("│")
      .map((cell) => cell.trim())
      .slice(1, -1);
  t.deepEqual(
    cells(head).map((title, at) => [title, cells(row)[at]]),
    [
      ["id", "1"],
      ["src", "192.168.1.20:51838"],
      ["dst", "10.126.126.7:5201"],
      ["start_time", "2026-11-24 10:02:07"],
      ["state", "Connected"],
      ["transport_type", "Kcp"],
      ["role", "source"],
      ["peer", "server"],
      ["reason", "kcp_allowed"],
      ["up", "1.5 KiB"],
      ["down", "20.0 MiB"],
      ["up_rate", "1.0 kbit/s"],
      ["down_rate", "93.4 Mbit/s"],
      ["rtt_ms", "41.3"],
      ["retransmitted", "5.2%"],
      ["age", "3m 12s"],
    ],
  );
});

test("--json prints every field of every row, also of proxy", async (t) => {
  const view = new FakeView();
  view.connectionRows = Array.from({ length: 2500 }, (_, at) => connectionRow(at));
  const shell = terminal(view);
  t.is(await shell.run("proxy", "--json"), 0);
  t.deepEqual(JSON.parse(shell.stdout), view.connectionRows);
  t.deepEqual(
    shell.asked,
    Array.from({ length: 3 }, () => "/var/run/kcp-router.sock connections"),
  );

  for (const [command, value] of [
    ["peer", view.peerRows],
    ["route", view.routeRows],
    ["node", view.node()],
    ["status", view.statusRow],
    ["events", view.eventRows],
    ["reload", view.reloadResult],
  ] as const) {
    t.is(await shell.run(command, "--json"), 0, command);
    t.deepEqual(JSON.parse(shell.stdout), JSON.parse(JSON.stringify(value)), command);
  }
  t.is(await shell.run("close", "1", "--json"), 0);
  t.deepEqual(JSON.parse(shell.stdout), { closed: 1 });
});

test("the proxy table is filtered, sorted and paged by the method's own arguments", async (t) => {
  const view = new FakeView();
  view.connectionRows = [
    connectionRow(1),
    connectionRow(2, { transport: "tcp" }),
    connectionRow(3, { upBytes: 9 }),
  ];
  const shell = terminal(view);
  const ids = async (...args: string[]) => {
    t.is(await shell.run("proxy", "--json", ...args), 0, shell.stderr);
    return (JSON.parse(shell.stdout) as { id: number }[]).map((row) => row.id);
  };
  t.deepEqual(await ids("--transport", "kcp", "--sort", "upBytes"), [3, 1]);
  t.deepEqual(await ids("--limit=1", "--offset", "1"), [2]);
  t.deepEqual(await ids("--live", "--descending", "--sort=id"), [3, 2, 1]);
});

test("peer tells how each node is reached and what a connection would use", async (t) => {
  const view = new FakeView();
  view.peerRows = [
    peerRow(7),
    peerRow(8, {
      hostname: "relayed",
      pathLength: 2,
      latencyMs: null,
      lossShare: null,
      links: [],
      choice: { transport: "tcp", reason: "peer_without_kcp", reasonText: "x" },
    }),
    peerRow(9, { pathLength: 0 }),
  ];
  const shell = terminal(view);
  t.is(await shell.run("peer"), 0);
  t.is(
    shell.stdout,
    `┌─────────────────┬──────────┬─────────────┬────────┬──────┬─────────┬───────┬────────┬──────────┬────┬────────────────┐
│ ipv4            │ hostname │ cost        │ lat_ms │ loss │ rx      │ tx    │ tunnel │ tcp_uses │ id │ version        │
├─────────────────┼──────────┼─────────────┼────────┼──────┼─────────┼───────┼────────┼──────────┼────┼────────────────┤
│ 10.126.126.7/24 │ peer-7   │ p2p         │   40.5 │ 5.0% │ 2.0 KiB │ 512 B │ udp    │ Kcp      │  7 │ 2.6.4-8428a89d │
│ 10.126.126.7/24 │ relayed  │ relay(2)    │      - │    - │ 2.0 KiB │ 512 B │        │ Tcp      │  8 │ 2.6.4-8428a89d │
│ 10.126.126.7/24 │ peer-9   │ unreachable │   40.5 │ 5.0% │ 2.0 KiB │ 512 B │ udp    │ Kcp      │  9 │ 2.6.4-8428a89d │
└─────────────────┴──────────┴─────────────┴────────┴──────┴─────────┴───────┴────────┴──────────┴────┴────────────────┘
`,
  );
  t.is(await shell.run("peer", "--wide"), 0);
  t.regex(shell.stdout, /peer_without_kcp/);
  t.regex(shell.stdout, /udp:\/\/203\.0\.113\.5:11010/);
});

test("route tells where addresses lead", async (t) => {
  const view = new FakeView();
  view.routeRows = [
    routeRow("10.126.126.7/32"),
    routeRow("192.168.2.0/24", {
      kind: "subnet",
      pathLength: 2,
      nextHopHostname: "hub",
      nextHopIpv4: "10.126.126.9",
    }),
  ];
  const shell = terminal(view);
  t.is(await shell.run("route"), 0);
  t.is(
    shell.stdout,
    `┌─────────────────┬────────┬──────────┬───────────────┬───────────────────┬──────────┬──────────────┬────────────────┐
│ destination     │ kind   │ hostname │ next_hop_ipv4 │ next_hop_hostname │ path_len │ path_latency │ version        │
├─────────────────┼────────┼──────────┼───────────────┼───────────────────┼──────────┼──────────────┼────────────────┤
│ 10.126.126.7/32 │ node   │ server   │ DIRECT        │ DIRECT            │        1 │         40.5 │ 2.6.4-8428a89d │
│ 192.168.2.0/24  │ subnet │ server   │ 10.126.126.9  │ hub               │        2 │         40.5 │ 2.6.4-8428a89d │
└─────────────────┴────────┴──────────┴───────────────┴───────────────────┴──────────┴──────────────┴────────────────┘
`,
  );
});

test("node shows this node", async (t) => {
  const shell = terminal();
  t.is(await shell.run("node"), 0);
  t.is(
    shell.stdout,
    `┌─────────────────┬─────────────────────┐
│ peer id         │ 287454020           │
│ hostname        │ router              │
│ network name    │ lab                 │
│ ipv4            │ 10.126.126.1/24     │
│ device          │ kcp0, mtu 1360      │
│ listener        │ udp://0.0.0.0:11010 │
│ exported subnet │ 192.168.1.0/24      │
│ version         │ 2.6.4-kcp-router    │
│ started         │ 2026-11-24 10:02:07 │
└─────────────────┴─────────────────────┘
`,
  );
});

test("status says in words what is and what is wrong, and that use_smoltcp is forced on", async (t) => {
  const view = new FakeView();
  view.statusRow = statusInfo({
    state: "alone",
    summary: "No peer of network lab is reachable.",
    problems: [
      { code: "no_peer", message: "udp://203.0.113.5 does not answer.", remedy: "Look at its firewall." },
    ],
    flags: flagStates({ ...DEFAULTS, enable_kcp_proxy: true, ipv4: { address: 1, prefixLength: 24 } }),
  });
  const shell = terminal(view);
  t.is(await shell.run("status"), 0);
  t.true(
    shell.stdout.startsWith(`No peer of network lab is reachable.
Problem: udp://203.0.113.5 does not answer.
  Remedy: Look at its firewall.
Note: use_smoltcp is forced on while`),
    shell.stdout,
  );
  const line = (name: string) =>
    shell.stdout
      .split("\n")
      .find((text) => text.startsWith(`│ ${name} `))
      ?.split("│")[2]
      ?.trim();
  t.is(line("state"), "alone");
  t.is(line("running for"), "3h 02m");
  t.is(line("memory"), "1.0 MiB of 32.0 MiB (normal), process 60.0 MiB");
  t.is(line("connections"), "1 of at most 1024, 0 closed ones remembered");
  t.is(line("use_smoltcp"), "on (forced)");
  t.is(line("enable_kcp_proxy"), "on");
  t.is(line("limit max_connections"), "1024");
  t.is(line("packets_sent"), "12");
  t.is(line("opened_failed"), undefined);
});

test("events are lines, one each", async (t) => {
  const view = new FakeView();
  view.eventRows = [
    { sequence: 1, time: START_TIME, level: "info", code: "link_up", message: "The link to server is up." },
    { sequence: 2, time: START_TIME + 1, level: "warning", code: "link_down", message: "a\nb\u001b[2J" },
  ];
  const shell = terminal(view);
  t.is(await shell.run("events"), 0);
  t.is(
    shell.stdout,
    `2026-11-24 10:02:07 info    link_up: The link to server is up.
2026-11-24 10:02:08 warning link_down: a b\\u{1b}[2J
`,
  );
  view.eventRows = [];
  t.is(await shell.run("events"), 0);
  t.is(shell.stdout, "No events yet.\n");
});

test("close ends one connection, by number or flag", async (t) => {
  const view = new FakeView();
  view.connectionRows = [connectionRow(5), connectionRow(6)];
  const shell = terminal(view);
  t.is(await shell.run("close", "5"), 0);
  t.is(shell.stdout, "Connection 5 was closed.\n");
  t.is(await shell.run("close", "--id", "6"), 0);
  t.deepEqual(view.closed, [5, 6]);
  t.is(await shell.run("close", "7"), 1);
  t.regex(shell.stderr, /^There is no live connection with id 7\./);
  t.is(await shell.run("close"), 2);
  t.regex(shell.stderr, /^close_connection: id is missing/);
  t.is(await shell.run("close", "5", "6"), 2);
  t.regex(shell.stderr, /^"6" does not belong here/);
});

test("reload says what is in force and what waits, or why nothing changed", async (t) => {
  const view = new FakeView();
  const shell = terminal(view);
  t.is(await shell.run("reload"), 0);
  t.is(shell.stdout, "In force now: peers.\nNeeds a restart: mtu.\n");
  view.reloadResult = { ok: true, applied: [], needsRestart: [] };
  t.is(await shell.run("reload"), 0);
  t.is(shell.stdout, "Nothing changed.\n");
  view.reloadResult = { ok: false, problems: ["a.toml, [flags] mtu: 12 was found."] };
  t.is(await shell.run("reload"), 1);
  t.is(shell.stderr, "The old configuration keeps running. a.toml, [flags] mtu: 12 was found.\n");
});

test("without a daemon every command says so in one sentence, status 1", async (t) => {
  const shell = terminal();
  for (const command of Object.keys(COMMANDS)) {
    const args = command === "close" ? ["close", "1"] : [command];
    t.is(await shell.run(...args, "--socket", DEAD_SOCKET), 1, command);
    t.is(shell.stderr, "kcp-router is not running. Start it.\n");
    t.is(shell.stdout, "");
  }
});

test("the socket is said by a flag or a configuration, or is the default", async (t) => {
  const shell = terminal();
  shell.files = { "a.toml": `${MINIMAL}\n[kcp_router]\nrpc_socket = "/run/other.sock"\n`, "b.toml": "= =" };
  await shell.run("node");
  await shell.run("node", "--socket", "/run/x.sock");
  await shell.run("node", "-c", "a.toml");
  await shell.run("node", "--config-file=a.toml");
  t.deepEqual(shell.asked, [
    "/var/run/kcp-router.sock node",
    "/run/x.sock node",
    "/run/other.sock node",
    "/run/other.sock node",
  ]);
  t.is(await shell.run("node", "-c", "b.toml"), 1);
  t.regex(shell.stderr, /^b\.toml, line 1/);
  t.is(await shell.run("node", "-c", "missing"), 1);
});

test("wrong usage is one sentence with a suggestion, status 2", async (t) => {
  const shell = terminal();
  const cases: [string[], RegExp][] = [
    [["prxy"], /^"prxy" is not a command\. Did you mean proxy\? "kcp-router help" lists all\.\n$/],
    [["\u001b[31m"], /^"\\u001b\[31m" is not a command\./],
    [["proxy", "--wid"], /^"--wid" is unknown here\. Did you mean --wide\?/],
    [["proxy", "stray"], /^"stray" does not belong here/],
    [["proxy", "--socket"], /^--socket needs a value after it: PATH\./],
    [["proxy", "--limit", "x"], /^connections: limit is "x"; allowed is a whole number from 1 to 1000\./],
    [["peer", "--transport", "kcp"], /^"--transport" is unknown here/],
    [["help", "prxy"], /^"prxy" is not a command/],
    [["version", "--wide"], /^"--wide" is unknown here/],
  ];
  for (const [args, expected] of cases) {
    t.is(await shell.run(...args), 2, args.join(" "));
    t.regex(shell.stderr, expected);
    t.is(shell.stdout, "");
  }
  t.is(await shell.run(), 2);
  t.regex(shell.stderr, /^kcp-router: a node of an EasyTier network/);
});

test("version names the program, and the daemon if one runs", async (t) => {
  const shell = terminal();
  t.is(await shell.run("version"), 0);
  t.is(shell.stdout, "kcp-router 0.1.0 (node 20.20.2)\nrunning daemon: 0.1.0 (node 20.20.2)\n");
  t.is(await shell.run("version", "--socket", DEAD_SOCKET), 0);
  t.is(shell.stdout, "kcp-router 0.1.0 (node 20.20.2)\n");
  t.is(await shell.run("version", "--json", "--socket", DEAD_SOCKET), 0);
  t.deepEqual(JSON.parse(shell.stdout), { version: "0.1.0", engine: "node 20.20.2", daemon: null });
});

test("help comes from the tables: every command, every flag, in at most 100 columns", async (t) => {
  const shell = terminal();
  t.is(await shell.run("help"), 0);
  for (const name of COMMAND_NAMES) t.regex(shell.stdout, new RegExp(`^ {2}${name} `, "m"));
  for (const name of COMMAND_NAMES) {
    t.is(await shell.run("help", name), 0, name);
    const first = shell.stdout;
    t.regex(first, new RegExp(`^Usage: kcp-router ${name}`));
    t.is(await shell.run(name, "--help"), 0);
    t.is(shell.stdout, first);
    for (const line of first.split("\n")) t.true(line.length <= 110, `${name}: ${line}`);
  }
  t.is(await shell.run("help", "run"), 0);
  for (const option of OPTION_LIST)
    if (option.flag !== "") t.true(shell.stdout.includes(option.flag), option.key);
  t.is(await shell.run("help", "proxy"), 0);
  for (const flag of [
    "--wide",
    "--transport TEXT",
    "--sort TEXT",
    "--limit NUMBER",
    "--live",
    "--json",
    "--socket PATH",
  ]) {
    t.true(shell.stdout.includes(`\n  ${flag} `), flag);
  }
});

test("every method of the table is reachable by a command", (t) => {
  const reached = new Set<string>([
    ...Object.values(COMMANDS).map((command) => command.method),
    "version",
    "config_check",
    "config_export",
  ]);
  t.deepEqual(
    METHOD_NAMES.filter((name) => !reached.has(name)),
    [],
  );
});

test("names of other nodes cannot act on the terminal or break the table", async (t) => {
  const view = new FakeView();
  const evil = "\u001b]0;pwned\u0007\u009b31m\r\nroot \u202eevil <b>x</b> │ 路由器😀";
  view.peerRows = [
    peerRow(1, { hostname: evil, version: evil }),
    peerRow(2, { hostname: "x".repeat(10_000) }),
  ];
  view.connectionRows = [connectionRow(1, { peerName: evil })];
  view.statusRow = statusInfo({
    summary: `Hello ${evil}`,
    problems: [{ code: "x", message: evil, remedy: evil }],
  });
  view.hostname = evil;
  const shell = terminal(view);
  for (const args of [
    ["peer"],
    ["peer", "--wide"],
    ["proxy", "--wide"],
    ["node"],
    ["status"],
    ["peer", "--json"],
    ["status", "--json"],
  ]) {
    t.is(await shell.run(...args), 0);
    t.notRegex(shell.stdout.replaceAll("\n", ""), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, args.join(" "));
    if (args.includes("--json")) t.notThrows(() => JSON.parse(shell.stdout));
  }
  t.is(await shell.run("peer", "--json"), 0);
  t.deepEqual(JSON.parse(shell.stdout), view.peerRows);
  t.is(await shell.run("peer"), 0);
  const lengths = new Set(
    shell.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("│").length),
  );
  t.true(lengths.size <= 3, "rules, head and rows only");
});
