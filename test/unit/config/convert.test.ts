/** uci and TOML into each other: meaning is kept, what cannot be kept is said, secrets stay where they are. */
import assert from "node:assert/strict";
import test from "ava";
import fc from "fast-check";
import { type Config, DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { importToml } from "../../../router-daemon/src/config/convert.ts";
import { problemSentence } from "../../../router-daemon/src/config/problem.ts";
import { Secret } from "../../../router-daemon/src/config/secret.ts";
import { exportToml } from "../../../router-daemon/src/config/toml-writer.ts";
import { mergeUci, uciOf } from "../../../router-daemon/src/config/uci/from-config.ts";
import { parseUci } from "../../../router-daemon/src/config/uci/parser.ts";
import { writeUci } from "../../../router-daemon/src/config/uci/writer.ts";
import { WRITTEN } from "./generators.ts";
import { load, loadUci, MINIMAL } from "./sources.ts";

const SECRETS = { secrets: true };
const CONTEXT = { source: "a.toml", systemHostname: "box" };

/** A configuration as comparable text; `JSON.stringify` masks secrets, so that is beside it. */
function meaning(config: Config | undefined): string {
  return `${JSON.stringify(config)} ${config?.network_secret.reveal()}`;
}

/** The same with everything that was not written at its default. */
function complete(written: Partial<Config>): string {
  return meaning(load([], exportToml(written, SECRETS)).config);
}

// ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("every configuration survives being written as TOML", (t) => {
  fc.assert(
    fc.property(WRITTEN, (written) => {
      const { config, errors } = load([], exportToml(written, SECRETS));
      assert.deepEqual(errors, []);
      for (const [key, value] of Object.entries(written))
        assert.equal(JSON.stringify(config?.[key as keyof Config]), JSON.stringify(value), key);
      if (written.network_secret !== undefined)
        assert.ok(config?.network_secret.equals(written.network_secret));
    }),
  );
  t.pass();
});

test("every configuration survives being written as uci", (t) => {
  fc.assert(
    fc.property(WRITTEN, (written) => {
      const { config, errors } = loadUci(writeUci(uciOf(written)));
      assert.deepEqual(errors, []);
      assert.equal(meaning(config), complete(written));
    }),
  );
  t.pass();
});

test("uci that was generated comes back as the same text", (t) => {
  fc.assert(
    fc.property(WRITTEN, (written) => {
      const text = writeUci(uciOf(written));
      const again = loadUci(text).written;
      assert.equal(again === undefined ? "" : writeUci(uciOf(again)), text);
    }),
  );
  t.pass();
});

test("TOML that becomes uci and TOML again means the same", (t) => {
  fc.assert(
    fc.property(WRITTEN, (written) => {
      const toml = exportToml(written, SECRETS);
      const imported = importToml(toml, CONTEXT);
      assert.ok(imported.ok, imported.problems.map(problemSentence).join("\n"));
      assert.deepEqual(imported.leftOut, []);
      const back = exportToml(loadUci(imported.uci).written ?? {}, SECRETS);
      assert.equal(meaning(load([], back).config), meaning(load([], toml).config));
      assert.equal(back, toml);
    }),
  );
  t.pass();
});

test("what is put into a file that says it already changes nothing", (t) => {
  fc.assert(
    fc.property(WRITTEN, (written) => {
      const document = uciOf(written);
      assert.equal(writeUci(mergeUci(document, written)), writeUci(document));
    }),
  );
  t.pass();
});

test("a file into which a configuration was put means that configuration", (t) => {
  fc.assert(
    fc.property(WRITTEN, WRITTEN, (before, after) => {
      const both = { ...DEFAULTS, ...before, ...after };
      fc.pre(both.listeners.length + both.peers.length > 0);
      const merged = loadUci(writeUci(mergeUci(uciOf(before), after)));
      assert.deepEqual(merged.errors, []);
      assert.equal(meaning(merged.config), complete({ ...before, ...after }));
    }),
  );
  t.pass();
});

test("no secret leaves unless it is asked for", (t) => {
  const text = fc.stringMatching(/^[a-zA-Z0-9]{12,20}$/);
  fc.assert(
    fc.property(WRITTEN, text, (written, secret) => {
      const values = { ...written, network_secret: new Secret(secret) };
      assert.ok(!exportToml(values, { secrets: false }).includes(secret));
      assert.ok(exportToml(values, SECRETS).includes(secret));
    }),
    { numRuns: 20 },
  );
  t.pass();
});

// ── examples ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a small TOML becomes a file that one would write by hand", (t) => {
  const { uci, ok } = importToml(
    `hostname = "home"
ipv4 = "10.126.126.1/24"
[network_identity]
network_name = "lab"
network_secret = "it's"
[[peer]]
uri = "udp://203.0.113.5"
[flags]
enable_kcp_proxy = true
mtu = 1380
[[kcp_router.rule]]
action = "bypass"
ports = [22, 5900]
`,
    CONTEXT,
  );
  t.true(ok);
  t.is(
    uci,
    `
config network 'network'
	option name 'lab'
	option secret 'it'\\''s'
	option hostname 'home'
	option ipv4 '10.126.126.1/24'

config proxy 'proxy'
	option enable_kcp_proxy '1'

config listener
	option uri 'udp://0.0.0.0:11010'

config peer
	option uri 'udp://203.0.113.5:11010'

config rule
	option action 'bypass'
	option ports '22,5900'

config limits 'limits'

config daemon 'daemon'

`,
  );
});

test("what kcp-router has not is left out and told, the rest is taken", (t) => {
  const { uci, ok, leftOut } = importToml(
    `instance_name = "default"
ipv4 = "10.126.126.1"
dhcp = false
listeners = ["tcp://0.0.0.0:11010", "udp://0.0.0.0:11010", "wg://0.0.0.0:11011"]
[network_identity]
network_name = "lab"
network_secret = "hunter2"
[[peer]]
uri = "tcp://public.example.org:11010"
[flags]
enable_exit_node = true
enabel_kcp_proxy = true
latency_first = true
`,
    CONTEXT,
  );
  t.true(ok);
  t.regex(uci, /option uri 'udp:\/\/0\.0\.0\.0:11010'/);
  t.notRegex(uci, /tcp|wg|exit/);
  const told = leftOut.map((problem) => `${problem.severity} ${problem.place}`);
  t.deepEqual(told.sort(), [
    "error [[peer]] number 1, uri",
    "error [flags] enabel_kcp_proxy",
    "error [flags] enable_exit_node",
    "error listeners number 1",
    "error listeners number 3",
    "warning [flags] latency_first",
  ]);
});

test("TOML that is no configuration becomes uci with what is missing", (t) => {
  const { uci, ok, problems } = importToml("dhcp = true\n[network_identity]\nnetwork_name = 'x'\n", CONTEXT);
  t.false(ok);
  t.regex(uci, /option name 'x'/);
  t.regex(problems.map(problemSentence).join("\n"), /ipv4 is missing/);
});

test("what is no TOML, or no uci to put it into, becomes nothing", (t) => {
  const broken = importToml("[", CONTEXT);
  t.like(broken, { ok: false, uci: "" });
  t.regex(
    broken.leftOut.map(problemSentence).join("\n"),
    /^a\.toml, line 1, column 2: This is not valid TOML/,
  );
  const base = importToml(MINIMAL, { ...CONTEXT, base: { text: "optoin x", source: "b" } });
  t.like(base, { ok: false, uci: "" });
  t.regex(base.problems.map(problemSentence).join("\n"), /^b, line 1, column 1: A line begins with config/);
});

test("a secret that uci cannot keep is left out, and not shown", (t) => {
  const { uci, leftOut } = importToml(MINIMAL.replace("hunter2", "hunter2\\u0001"), CONTEXT);
  t.notRegex(uci, /hunter2|option secret/);
  const told = leftOut.map(problemSentence).join("\n");
  t.regex(told, /control characters, which a uci file cannot keep/);
  t.notRegex(told, /hunter2/);
});

test("putting into a file keeps names, what is switched off, and what the TOML does not speak of", (t) => {
  const base = `config network 'mine'
	option name 'old'
	option ipv4 '10.126.126.1/24'
	option mtu '1300'
	option hostname 'home'
config peer 'office'
	option name 'the office'
	list uri 'udp://203.0.113.5'
	option enabled '0'
config peer
	option uri 'udp://203.0.113.9'
config peer
	option name 'asleep'
	option uri 'udp://203.0.113.10'
	option enabled '0'
config subnet
	option cidr '192.168.7.0/24'
config listener
	option uri '11010'
config proxy
	option enable_kcp_proxy '1'
`;
  const toml = `${MINIMAL}[flags]
enable_kcp_proxy = false
mtu = 1380
[[peer]]
uri = "udp://203.0.113.20"
[[peer]]
uri = "udp://203.0.113.5:11010"
`;
  const { uci, ok } = importToml(toml, { ...CONTEXT, base: { text: base, source: "b" } });
  t.true(ok);
  const parsed = parseUci(uci);
  t.deepEqual(
    parsed.ok &&
      parsed.document.sections.map(({ type, name, options }) => [
        type,
        name,
        ...options.map((o) => `${o.name}=${o.value}`),
      ]),
    [
      ["network", "mine", "name=lab", "ipv4=10.126.126.1/24", "hostname=home", "secret=hunter2"],
      ["peer", "", "uri=udp://203.0.113.20:11010"],
      ["peer", "office", "name=the office", "uri=udp://203.0.113.5"],
      ["peer", "", "name=asleep", "uri=udp://203.0.113.10", "enabled=0"],
      ["subnet", "", "cidr=192.168.7.0/24"],
      ["listener", "", "uri=11010"],
      ["proxy", ""],
      ["limits", "limits"],
      ["daemon", "daemon"],
    ],
  );
});
