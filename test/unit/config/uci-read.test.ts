/** /etc/config/kcp-router: what it means, and how each mistake is told. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { diffConfig } from "../../../router-daemon/src/config/diff.ts";
import { formOf, loadConfig } from "../../../router-daemon/src/config/load.ts";
import { OPTION_LIST } from "../../../router-daemon/src/config/options.ts";
import { UCI_SCHEMA } from "../../../router-daemon/src/config/schema.ts";
import { isUciText } from "../../../router-daemon/src/config/uci/document.ts";
import { DEFAULT_UCI_FILE } from "../../../router-daemon/src/config/uci/sections.ts";
import { writeUci } from "../../../router-daemon/src/config/uci/writer.ts";
import { filesOf, load, loadUci, MINIMAL } from "./sources.ts";

const ROOT = join(import.meta.dirname, "../../..");

/** Complete and free of warnings; six lines, so that what is added begins on line 7. */
const BASE = `config network 'network'
	option name 'lab'
	option secret 'hunter2'
	option ipv4 '10.126.126.1/24'
config listener
	option uri 'udp://0.0.0.0:11010'
`;

test("a whole file is understood, and means what the same TOML means", (t) => {
  const uci = loadUci(`${BASE}
config proxy 'proxy'
	option enable_kcp_proxy '1'
	option disable_kcp_input 'on'
	option use_smoltcp 'yes'

config peer 'office'
	option name 'the office'
	option uri 'udp://203.0.113.5:11010'

config peer
	list uri 'udp://vpn.example.org'
	option enabled '1'

config subnet
	option cidr '192.168.1.0/24'

config rule
	option name 'ssh'
	option action 'bypass'
	option source '192.168.1.20'
	list ports '22'
	list ports '5900-5910'

config limits 'limits'
	option memory_limit_mib '64'
	option max_connections '500'

config daemon 'daemon'
	option log_level 'warn'
	option rpc_socket '/tmp/k.sock'
`);
  const toml = load(
    [],
    `ipv4 = "10.126.126.1/24"
listeners = ["udp://0.0.0.0:11010"]
[network_identity]
network_name = "lab"
network_secret = "hunter2"
[[peer]]
uri = "udp://203.0.113.5:11010"
[[peer]]
uri = "udp://vpn.example.org"
[[proxy_network]]
cidr = "192.168.1.0/24"
[flags]
enable_kcp_proxy = true
disable_kcp_input = true
use_smoltcp = true
[console_logger]
level = "warn"
[kcp_router]
memory_limit_mib = 64
max_connections = 500
rpc_socket = "/tmp/k.sock"
[[kcp_router.rule]]
ports = "22,5900-5910"
action = "bypass"
source = "192.168.1.20"
`,
  );
  t.deepEqual(uci.problems, []);
  t.deepEqual(toml.problems, []);
  t.deepEqual(uci.config, toml.config);
  t.is(JSON.stringify(uci.config), JSON.stringify(toml.config));
  t.is(uci.config?.network_secret.reveal(), "hunter2");
});

test("what is not written is as everywhere, but lists are what the file shows", (t) => {
  const { config } = loadUci(`${BASE}config peer\n\toption uri 'udp://203.0.113.5'\n`);
  t.deepEqual(
    { ...config, network_name: "", network_secret: "", ipv4: "", hostname: "", peers: [] },
    {
      ...DEFAULTS,
      network_name: "",
      network_secret: "",
      ipv4: "",
      hostname: "",
    },
  );
  const silent = loadUci(
    BASE.replace(/config listener\n.*\n/, "config peer\n\toption uri 'udp://203.0.113.5'\n"),
  );
  t.deepEqual(silent.config?.listeners, []);
});

test("what is switched off is as if it were not there, whatever stands in it", (t) => {
  const { config, problems } = loadUci(`${BASE}config peer
	option uri 'tcp://not.ours:1'
	option enabled '0'
config rule
	option enabled 'off'
config listener
	option uri 'udp://0.0.0.0:5'
	option enabled 'disabled'
`);
  t.deepEqual(problems, []);
  t.is(config?.peers.length, 0);
  t.is(config?.rules.length, 0);
  t.is(config?.listeners.length, 1);
});

test("every option has its one place in the file", (t) => {
  const places = OPTION_LIST.map(({ uci }) => `${uci.section}.${uci.option}`);
  t.is(new Set(places).size, places.length);
});

for (const [word, means] of [
  ...["1", "on", "true", "yes", "enabled", "ON"].map((word) => [word, true] as const),
  ...["0", "off", "false", "no", "disabled"].map((word) => [word, false] as const),
]) {
  test(`a switch may be ${word}`, (t) => {
    const { config } = loadUci(`${BASE}config proxy\n\toption enable_kcp_proxy ${word}\n`);
    t.is(config?.enable_kcp_proxy, means);
  });
}

// ── mistakes ────────────────────────────────────────────────────────────────────────────────────────────────────────

const MISTAKES: readonly [added: string, sentence: string | RegExp][] = [
  [
    "config proxy 'proxy'\n\toption enable_kcp_proxy '2'",
    'proxy.enable_kcp_proxy, line 8: "2" was found; allowed is 1 or 0 (also on, off, yes, no, true, false, enabled, disabled).',
  ],
  [
    "config limits 'my_limits'\n\toption max_connections 'many'",
    'my_limits.max_connections, line 8: "many" was found; allowed is a whole number from 1 to 65536.',
  ],
  [
    "config limits\n\toption memory_limit_mib '1'",
    /^@limits\[0\]\.memory_limit_mib, line 8: "1" was found; allowed is 0 \(automatic\) or a whole number from 4 to 2048\.$/,
  ],
  [
    "config peer\n\toption uri 'udp://a'\nconfig peer\n\toption uri 'tcp://a:1'",
    /^@peer\[1\]\.uri, line 10: "tcp:\/\/a:1" was found/,
  ],
  ["config peer 'x'", "x, line 7: uri is missing. Write it, or remove the section."],
  [
    "config subnet\n\toption cidr '192.168.1.1/24'",
    /^@subnet\[0\]\.cidr, line 8: .* Write 192\.168\.1\.0\/24\.$/,
  ],
  [
    "config peer\n\toption uri 'udp://a'\n\toption enabled '2'",
    /^@peer\[0\]\.enabled, line 9: "2" was found; allowed is 1 or 0/,
  ],
  [
    "config peer\n\toption uri 'udp://a'\n\toption name '\u202e'",
    /^@peer\[0\]\.name, line 9: .* was found; allowed is a name/,
  ],
  [
    "config rule\n\toption action 'bypass'\n\tlist ports '80'\n\tlist ports '443x'",
    /^@rule\[0\]\.ports, line 9: "443x" was found/,
  ],
  [
    "config rule\n\toption action 'drop'\n\tlist ports '80'",
    '@rule[0].action, line 8: "drop" was found; allowed is "bypass", "force".',
  ],
  ["config rule\n\toption ports '80'", /^@rule\[0\], line 7: The action is missing/],
  ["config rule\n\toption action 'force'", /^@rule\[0\], line 7: The rule would match every connection/],
  [
    "config rule\n\toption action 'force'\n\tlist source '1.1.1.1'\n\tlist source '2.2.2.2'\n\toption ports 1",
    "@rule[0].source, line 9: A list of 2 was found; allowed is one value. Write it as: option source.",
  ],
  [
    "config proxy\n\tlist use_smoltcp '1'\n\tlist use_smoltcp '0'",
    /^@proxy\[0\]\.use_smoltcp, line 8: A list of 2 was found; allowed is one value/,
  ],
  [
    "config proxy\n\toption enable_kpc_proxy '1'",
    "@proxy[0].enable_kpc_proxy, line 8: This option is unknown. Did you mean enable_kcp_proxy? Allowed are enable_kcp_proxy, disable_kcp_input, enable_quic_proxy, disable_quic_input, proxy_priority, use_smoltcp.",
  ],
  [
    "config proxy\n\toption mtu '1300'",
    "@proxy[0].mtu, line 8: This option does not stand here. Write mtu in a section of type network.",
  ],
  ["config proxy\n\toption uri 'x'", /Write uri in a section of type listener\.$/],
  [
    "config peer\n\toption uri 'udp://a'\n\toption action 'x'",
    /^@peer\[0\]\.action, line 9: This option is unknown\..* Allowed are uri, enabled, name\.$/,
  ],
  [
    "config proxy\n\toption enable_exit_node '0'",
    /^@proxy\[0\]\.enable_exit_node, line 8: enable_exit_node is an option of EasyTier that is not supported/,
  ],
  [
    "config network 'second'\n\toption mtu '1300'",
    "second, line 7: There is a section of type network already (line 1). Write all its options into one.",
  ],
  [
    "config pear",
    /^@pear\[0\], line 7: Sections of type "pear" are unknown\. Did you mean peer\? There are network, proxy/,
  ],
  ["optoin x", /^line 7, column 1: A line begins with config/],
];
for (const [added, sentence] of MISTAKES) {
  test(`${JSON.stringify(added)} is told`, (t) => {
    const { config, errors } = loadUci(`${BASE}${added}\n`);
    t.is(config, undefined);
    t.is(errors.length, 1, errors.join("\n"));
    const [told = ""] = errors;
    const prefix = `${DEFAULT_UCI_FILE}, `;
    t.true(told.startsWith(prefix));
    if (typeof sentence === "string") t.is(told.slice(prefix.length), sentence);
    else t.regex(told.slice(prefix.length), sentence);
  });
}

test("a form is told the section, the option and the line", (t) => {
  const { problems } = loadUci(`${BASE}config peer\n\toption uri 'nonsense'\n`);
  t.like(problems[0], { severity: "error", key: "peers", section: "@peer[0]", option: "uri", line: 8 });
  const missing = loadUci(
    "config network 'network'\n\toption name 'x'\nconfig listener\n\toption uri 'udp'\n",
  );
  t.like(missing.problems[0], { key: "ipv4", section: "network", option: "ipv4" });
  t.regex(missing.errors[0] ?? "", /uci set kcp-router\.network\.ipv4=/);
});

test("EasyTier's own name of an option is answered with the name it has here", (t) => {
  const { errors } = loadUci(BASE.replace("option name", "option network_name"));
  t.is(errors[0], `${DEFAULT_UCI_FILE}, network.network_name, line 2: Here it is called name.`);
});

test("a secret is in no sentence, wherever it was put", (t) => {
  const secret = "hunter2-hunter2";
  const texts = [
    `config network\n\toption sceret '${secret}'\n`,
    `config network\n\tlist secret '${secret}'\n\tlist secret 'b'\n`,
    `config network\n\toption secret ${secret} x\n`,
    `config network\n\toption secret '${secret}\n`,
    `config peer\n\toption secret '${secret}'\n`,
    `config network\n\toption secret '${secret.repeat(400)}'\n`,
  ];
  for (const text of texts) {
    const { errors, warnings } = loadUci(text);
    t.not(errors.length, 0);
    t.false([...errors, ...warnings].join("\n").includes(secret), text);
  }
});

// ── where it is read ────────────────────────────────────────────────────────────────────────────────────────────────

test("the file of OpenWrt is read when no other is named, and where it is not there flags suffice", (t) => {
  t.is(loadUci(BASE).config?.network_name, "lab");
  t.is(load(["--ipv4", "10.1.1.1/24"]).config?.network_name, "default");
});

test("flags replace what the uci file says", (t) => {
  const { config } = loadUci(BASE, ["--mtu", "1300", "--listeners", "12000"]);
  t.is(config?.mtu, 1300);
  t.deepEqual(
    config?.listeners.map(({ url }) => url),
    ["udp://0.0.0.0:12000"],
  );
});

test("--uci names another file, or none for OpenWrt's; -c knows the form by the text", (t) => {
  const files = filesOf({
    "/tmp/a": BASE,
    "/tmp/b": MINIMAL,
    [DEFAULT_UCI_FILE]: BASE.replace("lab", "router"),
  });
  const name = (...args: string[]) => {
    const loaded = loadConfig({ args, files, systemHostname: "box" });
    return loaded.ok ? loaded.config.network_name : loaded.problems[0]?.text;
  };
  t.is(name("--uci", "/tmp/a"), "lab");
  t.is(name("--uci=/tmp/a"), "lab");
  t.is(name("--uci"), "router");
  t.is(name("-c", "/tmp/a"), "lab");
  t.is(name("-c", "/tmp/b", "--hostname", "x"), "lab");
  t.regex(name("--uci", "/tmp/b") ?? "", /A line begins with config/);
  t.regex(name("--uci", "/tmp/a", "-c", "/tmp/b") ?? "", /given together/);
  t.regex(name("--uci", "/tmp/none") ?? "", /no such file/);
});

test("a form is known by the first line that says something", (t) => {
  for (const text of [
    "config network\n",
    "\n# x\n\tconfig network 'a'",
    "package kcp-router\n",
    "config\t'network'",
  ])
    t.is(formOf(text), "uci", text);
  for (const text of [
    "",
    "# config network\n",
    "[flags]\n",
    'config = 3\nhostname = "x"',
    "config.x = 1",
    "hostname = 'config x'",
  ])
    t.is(formOf(text), "toml", text);
});

test("a file with the secret that everyone may read is reported", (t) => {
  t.regex(loadUci(BASE, [], 0o100644).warnings[0] ?? "", /chmod 600 \/etc\/config\/kcp-router/);
  t.deepEqual(loadUci(BASE, [], 0o100600).warnings, []);
});

test("what changed in the file is in force after a reload, or waits for a restart", (t) => {
  const added =
    "config peer\n\toption uri 'udp://a'\nconfig proxy\n\toption enable_kcp_proxy 1\nconfig rule\n\toption action force\n\toption ports 1\n";
  const before = loadUci(BASE).config;
  const after = loadUci(BASE.replace("hunter2", "hunter3").replace("11010", "11011") + added).config;
  t.truthy(before);
  t.truthy(after);
  if (before === undefined || after === undefined) return;
  t.deepEqual(diffConfig(before, after), {
    live: ["peers", "enable_kcp_proxy", "rules"],
    needsRestart: ["network_secret", "listeners"],
  });
  t.deepEqual(diffConfig(before, loadUci(`# a comment\n${BASE.replaceAll("'", '"')}`).config ?? after), {
    live: [],
    needsRestart: [],
  });
});

// ── files of others ─────────────────────────────────────────────────────────────────────────────────────────────────

test("the file that the package brings lacks nothing but an address, also with its examples taken", (t) => {
  const shipped = readFileSync(join(ROOT, "feeds/kcp-router/files/kcp-router.config"), "utf8");
  const { errors } = loadUci(shipped);
  t.is(errors.length, 1, errors.join("\n"));
  t.regex(errors[0] ?? "", /ipv4 is missing/);
  const whole = loadUci(shipped.replace(/^#(?=config|\toption|\tlist)/gm, ""));
  t.deepEqual(whole.problems, []);
  t.is(whole.config?.peers.length, 1);
});

test("the file that the package brings shows every option there is", (t) => {
  const shipped = readFileSync(join(ROOT, "feeds/kcp-router/files/kcp-router.config"), "utf8");
  for (const { type, options } of UCI_SCHEMA) {
    const section = new RegExp(`^#?config ${type}\\b.*\n(?:#?\\t.*\n)*`, "m").exec(shipped)?.[0] ?? "";
    for (const { name } of options) {
      // Of listeners there is one that needs neither a name nor a switch.
      if (type === "listener" && name !== "uri") continue;
      t.regex(section, new RegExp(`^#?\\t(?:option|list) ${name} `, "m"), `${type}.${name}`);
    }
  }
});

test("the example of the documents is valid and free of warnings", (t) => {
  const text = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
  const [, uci = ""] = /```\n(# \/etc\/config\/kcp-router.*?)```/s.exec(text) ?? [];
  const [, toml = ""] = /```toml\n(.*?)```/s.exec(text) ?? [];
  const both = [loadUci(uci), load([], toml)];
  for (const { problems, config } of both) {
    t.deepEqual(problems, []);
    t.is(config?.rules.length, 1);
  }
});

test("whatever stands in the options, it is taken or told, and never more", (t) => {
  const types = UCI_SCHEMA.map(({ type }) => type);
  const names = UCI_SCHEMA.flatMap(({ options }) => options.map(({ name }) => name));
  const word = fc.oneof(
    fc.constantFrom(
      "1",
      "0",
      "",
      "force",
      "443",
      "10.1.1.1/24",
      "udp://a",
      "192.168.0.0/16",
      "\u202e",
      "__proto__",
    ),
    fc.string({ unit: "binary", maxLength: 30 }).filter(isUciText),
  );
  const option = fc.record({
    name: fc.constantFrom(...names, "constructor", "toString"),
    value: fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 3 })),
    lines: fc.constant([]),
  });
  const section = fc.record({
    type: fc.constantFrom(...types, "pear", "__proto__"),
    name: fc.constantFrom("", "network", "a"),
    options: fc.uniqueArray(option, { selector: ({ name }) => name, maxLength: 6 }),
    line: fc.constant(0),
  });
  fc.assert(
    fc.property(fc.array(section, { maxLength: 8 }), (sections) => {
      const { config, errors } = loadUci(writeUci({ sections }));
      assert.equal(config === undefined, errors.length > 0);
      for (const sentence of errors)
        assert.match(sentence, /^\/etc\/config\/kcp-router, .*[.?)']$|ipv4 is missing/s);
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
