import test from "ava";
import fc from "fast-check";
import { formatPrefix } from "../../../router-daemon/src/config/ipv4.ts";
import { checkToml } from "../../../router-daemon/src/config/load.ts";
import { MAX_PROBLEMS, problemSentence } from "../../../router-daemon/src/config/problem.ts";
import { MAX_CONFIG_BYTES } from "../../../router-daemon/src/config/toml.ts";
import { load, MINIMAL, withToml } from "./sources.ts";

test("a file as EasyTier writes it is understood whole", (t) => {
  const { config, errors, warnings } = load(
    [],
    `
instance_name = "default"
instance_id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
hostname = "router"
ipv4 = "10.126.126.1"
dhcp = false
listeners = ["udp://0.0.0.0:11010", "udp://[::]:11010"]
exit_nodes = []

[network_identity]
network_name = "lab"
network_secret = "hunter2"

[[peer]]
uri = "udp://203.0.113.5:11010"

[[peer]]
uri = "udp://vpn.example.org:12000"

[[proxy_network]]
cidr = "192.168.1.0/24"

[[proxy_network]]
cidr = "172.16.5.4/32"

[console_logger]
level = "warn"

[flags]
dev_name = "kcp1"
enable_encryption = true
enable_ipv6 = true
mtu = 1300
latency_first = false
enable_kcp_proxy = true
disable_kcp_input = true
use_smoltcp = true
no_tun = false
multi_thread = true
bind_device = true

[kcp_router]
rpc_socket = "/run/other.sock"
memory_limit_mib = 48
max_connections = 99

[[kcp_router.rule]]
action = "force"
ports = 443
`,
  );
  t.deepEqual(errors, []);
  t.deepEqual(warnings, []);
  t.is(config?.instance_id, "6ba7b810-9dad-41d1-80b4-00c04fd430c8");
  t.is(config?.hostname, "router");
  t.deepEqual(config?.ipv4, { address: 0x0a7e7e01, prefixLength: 24 });
  t.deepEqual(
    config?.listeners.map((listener) => listener.url),
    ["udp://0.0.0.0:11010", "udp://[::]:11010"],
  );
  t.deepEqual(
    config?.peers.map((peer) => peer.url),
    ["udp://203.0.113.5:11010", "udp://vpn.example.org:12000"],
  );
  t.deepEqual(config?.proxy_networks.map(formatPrefix), ["192.168.1.0/24", "172.16.5.4/32"]);
  t.is(config?.network_name, "lab");
  t.is(config?.network_secret.reveal(), "hunter2");
  t.is(config?.log_level, "warn");
  t.is(config?.dev_name, "kcp1");
  t.is(config?.mtu, 1300);
  t.true(config?.enable_kcp_proxy);
  t.true(config?.disable_kcp_input);
  t.true(config?.use_smoltcp);
  t.is(config?.rpc_socket, "/run/other.sock");
  t.is(config?.memory_limit_mib, 48);
  t.is(config?.max_connections, 99);
  t.deepEqual(config?.rules, [{ action: "force", ports: [{ first: 443, last: 443 }] }]);
});

test("what is not written has its default", (t) => {
  const { config } = load([], MINIMAL);
  t.is(config?.hostname, "box");
  t.deepEqual(
    config?.listeners.map((listener) => listener.url),
    ["udp://0.0.0.0:11010"],
  );
  t.deepEqual(config?.peers, []);
  t.is(config?.mtu, 1380);
  t.true(config?.enable_encryption);
  t.false(config?.enable_kcp_proxy);
  t.is(config?.rpc_socket, "/var/run/kcp-router.sock");
});

test("a wrong value names file, section, key, what was found and what is allowed", (t) => {
  const cases: [string, string, string][] = [
    [
      "",
      "[flags]\nmtu = 12",
      "a.toml, [flags] mtu: 12 was found; allowed is a whole number from 576 to 1400.",
    ],
    [
      "",
      '[flags]\nmtu = "1380"',
      'a.toml, [flags] mtu: "1380" was found; allowed is a whole number from 576 to 1400. Write it without quotes.',
    ],
    [
      "",
      '[flags]\nenable_kcp_proxy = "true"',
      'a.toml, [flags] enable_kcp_proxy: "true" was found; allowed is true or false. Write it without quotes.',
    ],
    ["hostname = 5", "", "a.toml, hostname: 5 was found; allowed is a name of 1 to 64 printable characters."],
    [
      'listeners = "11010"',
      "",
      'a.toml, listeners: "11010" was found; allowed is a list, each item an address like udp://0.0.0.0:11010, or a port.',
    ],
    [
      "",
      '[[proxy_network]]\ncidr = "192.168.1.0/24"\n[[proxy_network]]\ncidr = "192.168.2.7/24"',
      'a.toml, [[proxy_network]] number 2, cidr: "192.168.2.7/24" was found; allowed is an IPv4 network like 192.168.1.0/24. It names a host inside the network. Write 192.168.2.0/24.',
    ],
    [
      "",
      "[kcp_router]\nrpc_socket = 'x.sock'",
      'a.toml, [kcp_router] rpc_socket: "x.sock" was found; allowed is an absolute path',
    ],
  ];
  for (const [top, sections, expected] of cases) {
    const { config, errors } = withToml(top, sections);
    t.is(config, undefined);
    t.is(errors.length, 1, errors.join("\n"));
    t.true(errors[0]?.startsWith(expected), errors[0]);
  }
});

test("names that are mistyped or in the wrong section are reported with the right one", (t) => {
  const cases: [string, string, RegExp][] = [
    ["hostnme = 'x'", "", /^a\.toml, hostnme: This key is unknown\. Did you mean hostname\?/],
    [
      "",
      "[flags]\nenable-kcp-proxy = true",
      /^a\.toml, \[flags\] enable-kcp-proxy: .*Did you mean enable_kcp_proxy\?/,
    ],
    [
      "enable_kcp_proxy = true",
      "",
      /^a\.toml, enable_kcp_proxy: This key does not stand here\. Write it under \[flags\]\./,
    ],
    ["", "[flags]\nhostname = 'x'", /Write hostname at the top of the file, before the first section/],
    [
      "peers = ['udp://1.2.3.4']",
      "",
      /^a\.toml, peers: This key does not stand here\. Write \[\[peer\]\] and under it uri\./,
    ],
    ["", "[flgs]\nmtu = 1300", /^a\.toml, flgs: This section is unknown\. Did you mean flags\?/],
    ["", "[peer]\nuri = 'udp://1.2.3.4'", /^a\.toml, \[\[peer\]\]: .*Write \[\[peer\]\] in double brackets/],
    [
      "",
      "[[peer]]\nurl = 'udp://1.2.3.4'",
      /^a\.toml, \[\[peer\]\] number 1, url: This key is unknown\. Did you mean uri\?/,
    ],
    ["", "[[peer]]", /^a\.toml, \[\[peer\]\] number 1: uri is missing/],
    ["flags = 1", "", /^a\.toml, flags: flags is a section\. Write \[flags\] on a line of its own\./],
    ["", "[kcp_router]\nrules = 1", /^a\.toml, \[kcp_router\] rules: .*Write it as \[\[kcp_router\.rule\]\]/],
  ];
  for (const [top, sections, expected] of cases) {
    const { config, errors } = withToml(top, sections);
    t.is(config, undefined);
    t.regex(errors.join("\n"), new RegExp(expected.source, "m"));
  }
});

test("options of EasyTier that are missing here are refused or ignored by name, unless they ask for what is done anyway", (t) => {
  const refused = withToml(
    'dhcp = true\nipv6 = "fd00::1/64"\n',
    "[flags]\np2p_only = true\nno_tun = true\n[vpn_portal_config]\nclient_cidr = 'x'",
  );
  t.is(refused.config, undefined);
  t.is(refused.errors.length, 5, refused.errors.join("\n"));
  for (const error of refused.errors)
    t.regex(error, /is an option of EasyTier that is not supported by kcp-router\. ./);

  const ignored = withToml("rpc_portal = '0.0.0.0:0'", "[flags]\nlazy_p2p = true\nrelay_all_peer_rpc = true");
  t.not(ignored.config, undefined);
  t.is(ignored.warnings.length, 3, ignored.warnings.join("\n"));
  for (const warning of ignored.warnings) t.regex(warning, /has no effect in kcp-router\. ./);

  const silent = withToml(
    "dhcp = false",
    "[flags]\nenable_quic_proxy = false\nno_tun = false\ndisable_udp_hole_punching = true",
  );
  t.not(silent.config, undefined);
  t.deepEqual([...silent.warnings, ...silent.errors], []);
});

test("text that is no TOML gives one sentence with the line, and never repeats the file", (t) => {
  const { errors, problems } = load([], '[network_identity]\nnetwork_secret = "hunter2\n');
  t.is(problems.length, 1);
  t.regex(
    errors[0] ?? "",
    /^a\.toml, line 2, column \d+: This is not valid TOML: .+\. Mend the line; the form is TOML\.$/,
  );
  t.false(errors.join().includes("hunter2"));
});

test("no part of a broken file is ever repeated, wherever it breaks", (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: MINIMAL.length }),
      fc.constantFrom('"', "=", "[", "]]", "\u0000", "\\", "'''", "1_", "\n="),
      (at, piece) => {
        const broken = MINIMAL.slice(0, at) + piece + MINIMAL.slice(at);
        const shown = checkToml(broken, "a.toml", { systemHostname: "box" }).map(problemSentence).join("\n");
        return !shown.includes("hunter");
      },
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test("values of unknown keys are not shown: they may be a secret under a mistyped name", (t) => {
  const { errors } = withToml('network_secrt = "hunter3"', '[network_identify]\nnetwork_secret = "hunter3"');
  t.is(errors.length, 2);
  t.false(errors.join().includes("hunter3"));
});

test("a secret of the wrong type is refused without being shown", (t) => {
  const { errors } = load([], 'ipv4 = "10.1.1.1"\n[network_identity]\nnetwork_secret = 12345678\n');
  t.regex(errors.join(), /Something that is not a text was found \(it is not shown\)/);
  t.false(errors.join().includes("12345678"));
});

test("a file too large to be a configuration is refused without being parsed", (t) => {
  const problems = checkToml("#".repeat(MAX_CONFIG_BYTES + 1), "a.toml", { systemHostname: "" });
  t.is(problems.length, 1);
  t.regex(problems[0]?.text ?? "", /larger than 256 KiB/);
});

test("a file of nonsense gives a bounded number of sentences", (t) => {
  const nonsense = Array.from({ length: 500 }, (_, at) => `nonsense_${at} = ${at}`).join("\n");
  const { problems } = withToml(nonsense);
  t.is(problems.length, MAX_PROBLEMS);
  t.regex(problems[problems.length - 1]?.text ?? "", /^451 more problems are not shown\./);
});

const scalar = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.integer().map(String),
  fc.constantFrom(
    "true",
    "false",
    "1.5",
    "1979-05-27",
    "inf",
    "[]",
    "{}",
    '["a"]',
    "{ a = 1 }",
    "-0",
    "9007199254740993",
  ),
);
const key = fc.oneof(
  fc.constantFrom(
    "ipv4",
    "hostname",
    "listeners",
    "mtu",
    "uri",
    "cidr",
    "rule",
    "action",
    "ports",
    "level",
    "__proto__",
    "constructor",
    "toString",
  ),
  fc.string({ minLength: 1, maxLength: 10 }).map((text) => JSON.stringify(text)),
);
const section = fc.oneof(
  fc.constantFrom(
    "",
    "[flags]",
    "[[peer]]",
    "[[proxy_network]]",
    "[kcp_router]",
    "[[kcp_router.rule]]",
    "[network_identity]",
    "[a.b]",
    "[console_logger]",
    "[__proto__]",
  ),
);
const document = fc
  .array(
    fc.oneof(
      section,
      fc.tuple(key, scalar).map(([name, value]) => `${name} = ${value}`),
    ),
    { maxLength: 15 },
  )
  .map((lines) => lines.join("\n"));

test("whatever the file says, the answer is a configuration or full sentences", (t) => {
  fc.assert(
    fc.property(fc.oneof(document, fc.string({ maxLength: 200 })), (text) => {
      const { config, problems, errors } = load([], text);
      if ((config === undefined) !== errors.length > 0) return false;
      return problems.every((problem) => /^[\S ]+[.!?)]$|chmod 600 a\.toml$/.test(problemSentence(problem)));
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test("a text that is not UTF-8 is refused: a secret in it would silently be another one", (t) => {
  const { errors } = load([], MINIMAL.replace("hunter2", "hunter\ufffd"));
  t.deepEqual(errors, ["a.toml, line 4: It is not in UTF-8. Save the file as UTF-8."]);
});
