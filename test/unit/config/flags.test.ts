import test from "ava";
import fc from "fast-check";
import { MAX_ARGUMENTS, SOURCE_FLAGS } from "../../../router-daemon/src/config/flags.ts";
import { formatPrefix } from "../../../router-daemon/src/config/ipv4.ts";
import { loadConfig } from "../../../router-daemon/src/config/load.ts";
import { OPTION_LIST } from "../../../router-daemon/src/config/options.ts";
import { problemSentence } from "../../../router-daemon/src/config/problem.ts";
import { UNSUPPORTED } from "../../../router-daemon/src/config/unsupported.ts";
import { filesOf, load, MINIMAL, outcomeOf } from "./sources.ts";

const BASE = ["--ipv4", "10.126.126.1/24"];

/** What EasyTier's command line looks like, with a secret from a file. */
function loadWithSecret(args: readonly string[], secret = "hunter2\n", mode?: number) {
  const loaded = loadConfig({
    args: [...args, "--network-secret-file", "secret"],
    files: filesOf({ secret, "a.toml": MINIMAL }, mode),
    systemHostname: "box",
  });
  return outcomeOf(loaded);
}

test("EasyTier's flags configure a node without a file", (t) => {
  const { config, errors, warnings } = loadWithSecret([
    "--network-name",
    "lab",
    "-i",
    "10.126.126.1",
    "--hostname=router",
    "--listeners",
    "udp://0.0.0.0:11010",
    "12000",
    "-p",
    "udp://203.0.113.5:11010,udp://203.0.113.6:11010",
    "-p",
    "udp://203.0.113.7:11010",
    "--proxy-networks",
    "192.168.1.0/24",
    "--enable-kcp-proxy",
    "--disable-kcp-input",
    "false",
    "--latency-first=false",
    "--use-smoltcp",
    "--dev-name",
    "kcp1",
    "--mtu",
    "1300",
    "--memory-limit-mib",
    "48",
    "--console-log-level",
    "error",
  ]);
  t.deepEqual(errors, []);
  t.deepEqual(warnings, []);
  t.is(config?.network_name, "lab");
  t.is(config?.network_secret.reveal(), "hunter2");
  t.deepEqual(config?.ipv4, { address: 0x0a7e7e01, prefixLength: 24 });
  t.is(config?.hostname, "router");
  t.deepEqual(
    config?.listeners.map((listener) => listener.url),
    ["udp://0.0.0.0:11010", "udp://0.0.0.0:12000"],
  );
  t.deepEqual(
    config?.peers.map((peer) => peer.host),
    ["203.0.113.5", "203.0.113.6", "203.0.113.7"],
  );
  t.deepEqual(config?.proxy_networks.map(formatPrefix), ["192.168.1.0/24"]);
  t.true(config?.enable_kcp_proxy);
  t.false(config?.disable_kcp_input);
  t.true(config?.use_smoltcp);
  t.is(config?.dev_name, "kcp1");
  t.is(config?.mtu, 1300);
  t.is(config?.memory_limit_mib, 48);
  t.is(config?.log_level, "error");
});

test("a switch takes an optional true or false, also the inverted one", (t) => {
  const read = (...args: string[]) => load([...BASE, ...args]).config;
  t.true(read("--enable-kcp-proxy")?.enable_kcp_proxy);
  t.true(read("--enable-kcp-proxy", "true")?.enable_kcp_proxy);
  t.true(read("--enable-kcp-proxy=true")?.enable_kcp_proxy);
  t.false(read("--enable-kcp-proxy", "false")?.enable_kcp_proxy);
  t.false(read("--enable-kcp-proxy=false")?.enable_kcp_proxy);
  t.true(read("--enable-kcp-proxy", "--mtu", "1300")?.enable_kcp_proxy);
  t.true(read()?.enable_encryption);
  t.false(read("--disable-encryption")?.enable_encryption);
  t.false(read("-u")?.enable_encryption);
  t.true(read("--disable-encryption", "false")?.enable_encryption);
  t.regex(
    load([...BASE, "--enable-kcp-proxy=yes"]).errors.join(),
    /--enable-kcp-proxy: "yes" was found; allowed is true or false/,
  );
});

test("flags replace what the file says, option by option, lists included", (t) => {
  const toml = `${MINIMAL}\n[[peer]]\nuri = "udp://1.1.1.1"\n[[peer]]\nuri = "udp://2.2.2.2"\n[flags]\nmtu = 1300\nenable_kcp_proxy = true\n`;
  const { config } = load(["--peers", "udp://3.3.3.3", "--enable-kcp-proxy=false"], toml);
  t.deepEqual(
    config?.peers.map((peer) => peer.host),
    ["3.3.3.3"],
  );
  t.false(config?.enable_kcp_proxy);
  t.is(config?.mtu, 1300);
});

test("--network-secret is refused with the remedy, and its value is nowhere shown", (t) => {
  for (const args of [
    ["--network-secret", "hunter3"],
    ["--network-secret=hunter3"],
    ["--network-secret", "hunter3", "hunter3"],
    ["--network-secret-fil", "hunter3"],
    ["--netwrk-secret=hunter3"],
    ["--network_secret", "hunter3", "more"],
  ]) {
    const { config, errors } = load([...BASE, ...args]);
    t.is(config, undefined);
    t.is(errors.length, 1, errors.join("\n"));
    t.false(errors.join().includes("hunter3"), errors.join());
  }
  t.regex(
    load(["--network-secret", "x", ...BASE]).errors.join(),
    /^command line, --network-secret: .*--network-secret-file FILE/,
  );
  // What follows the refused value is still read.
  t.is(load(["--network-secret", "x", "--ipv4", "nonsense"]).errors.length, 2);
});

test("the secret's file holds one line, and is reported when everyone may read it", (t) => {
  t.is(loadWithSecret(BASE, "two words\r\n").config?.network_secret.reveal(), "two words");
  t.is(loadWithSecret(BASE, " kept ").config?.network_secret.reveal(), " kept ");
  t.regex(loadWithSecret(BASE, "\n").errors.join(), /^secret: The file is empty/);
  t.regex(loadWithSecret(BASE, "hunter3\nmore\n").errors.join(), /^secret: The file has more than one line/);
  t.false(loadWithSecret(BASE, "hunter3\nmore\n").errors.join().includes("hunter3"));
  t.regex(
    loadWithSecret(BASE, "x".repeat(20_000)).errors.join(),
    /^secret: The secret cannot be read: it is larger/,
  );
  t.regex(
    loadWithSecret(BASE, "x".repeat(5000)).errors.join(),
    /A longer text was found \(it is not shown\)/,
  );

  t.deepEqual(loadWithSecret(BASE, "hunter\ufffd").errors, [
    "secret: It is not in UTF-8. Save the file as UTF-8.",
  ]);

  t.deepEqual(loadWithSecret(BASE, "hunter2", 0o100600).warnings, []);
  t.deepEqual(loadWithSecret(BASE, "hunter2", 0o100640).warnings, []);
  t.deepEqual(loadWithSecret(BASE, "hunter2", 0o100644).warnings, [
    "secret: Every user of this machine can read the network's secret in it. Run: chmod 600 secret",
  ]);
  t.regex(
    load(["--network-secret-file", "missing", ...BASE]).errors.join(),
    /^missing: The secret cannot be read: there is no such file/,
  );
});

test("a configuration that everyone may read is reported only when it holds the secret", (t) => {
  t.regex(load([], MINIMAL, 0o100644).warnings.join(), /^a\.toml: Every user .* chmod 600 a\.toml$/);
  t.false(load([], 'ipv4 = "10.1.1.1"', 0o100644).warnings.join().includes("chmod"));
});

test("--no-listener listens nowhere, and contradicts --listeners", (t) => {
  t.deepEqual(load([...BASE, "--no-listener", "--peers", "udp://1.1.1.1"]).config?.listeners, []);
  t.is(load([...BASE, "--no-listener=false"]).config?.listeners.length, 1);
  t.regex(
    load([...BASE, "--no-listener", "-l", "11010"]).errors.join(),
    /--no-listener: It contradicts --listeners/,
  );
  t.regex(load([...BASE, "--no-listener"]).errors.join(), /neither a listener nor a peer/);
});

test("mistyped, doubled and incomplete flags are sentences", (t) => {
  const cases: [string[], RegExp][] = [
    [
      ["--enable-kpc-proxy"],
      /^command line, --enable-kpc-proxy: This flag is unknown\. Did you mean --enable-kcp-proxy\?/,
    ],
    [["--enable_kcp_proxy"], /Did you mean --enable-kcp-proxy\?/],
    [["-z"], /^command line, -z: This flag is unknown\. "kcp-router help run" lists all\.$/],
    [["--mtu"], /^command line, --mtu: A value is missing after it; allowed is a whole number/],
    [["--mtu", "--hostname", "x"], /^command line, --mtu: A value is missing/],
    [["--mtu", "1300", "--mtu", "1301"], /^command line, --mtu: It was given twice/],
    [["--peers"], /^command line, --peers: A value is missing after it/],
    [["--peers", ","], /^command line, --peers: A value is missing after it/],
    [
      ["--mtu", "13x0"],
      /^command line, --mtu: "13x0" was found; allowed is a whole number from 576 to 1400\.$/,
    ],
    [["stray"], /^command line: "stray" was found where a flag like --ipv4 belongs/],
    [["-c"], /^command line, --config-file: The name of a file is missing/],
    [["-c", "missing"], /^missing: The configuration cannot be read: there is no such file/],
  ];
  for (const [args, expected] of cases) {
    const { config, errors } = load([...BASE, ...args]);
    t.is(config, undefined, args.join(" "));
    t.is(errors.length, 1, errors.join("\n"));
    t.regex(errors[0] ?? "", expected);
  }
});

test("a file named twice is refused", (t) => {
  const { errors } = load(["-c", "b.toml"], MINIMAL);
  t.deepEqual(errors, ["command line, --config-file: It was given twice. Name one file."]);
});

test("flags of EasyTier that are missing here are known by name", (t) => {
  for (const option of UNSUPPORTED) {
    const flag = `--${option.key.replaceAll("_", "-")}`;
    for (const name of option.short === undefined ? [flag] : [flag, option.short]) {
      const { errors, warnings } = load([...BASE, name, "some-value"]);
      const all = [...errors, ...warnings].filter((sentence) => sentence.startsWith("command line"));
      t.false(all.join().includes("This flag is unknown"), all.join());
      if (option.fits !== "any")
        t.regex(all.join(), new RegExp(`^command line, ${name}: ${option.key} is an option of EasyTier`));
    }
  }
  t.deepEqual(load([...BASE, "--dhcp", "false", "--multi-thread"]).errors, []);
});

test("no two options share a flag, and none has the name of one that is missing", (t) => {
  const own = [
    ...OPTION_LIST.flatMap((option) => [option.flag, option.short ?? ""]),
    ...SOURCE_FLAGS.flatMap((source) => [source.flag, source.short]),
    ...UNSUPPORTED.flatMap((option) => [`--${option.key.replaceAll("_", "-")}`, option.short ?? ""]),
  ].filter((flag) => flag !== "");
  t.deepEqual(
    own.filter((flag, at) => own.indexOf(flag) !== at),
    [],
  );
});

test("too many arguments are refused", (t) => {
  const { errors } = load([...BASE, ...Array.from({ length: MAX_ARGUMENTS }, () => "--no-listener")]);
  t.regex(errors.join("\n"), /1026 arguments were found; allowed are 1024/);
});

const word = fc.oneof(
  fc.constantFrom(
    ...OPTION_LIST.map((option) => option.flag),
    "-c",
    "-i",
    "-u",
    "--no-listener",
    "--network-secret",
    "--network-secret-file",
    "true",
    "false",
    "a.toml",
  ),
  fc.constantFrom("10.1.1.1/24", "udp://1.1.1.1:1", "1300", "--", "-", "=", "--=", "--mtu=", "--peers=,"),
  fc.string({ maxLength: 12 }),
);

test("whatever the arguments are, the answer is a configuration or full sentences", (t) => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (args) => {
      const { config, problems, errors } = load(args);
      if ((config === undefined) !== errors.length > 0) return false;
      return problems.every((problem) =>
        /^[\x20-\x7e…]*(\.|\?|all\.)$/.test(
          problemSentence(problem)
            .replace(/chmod 600 .*$/, ".")
            .replace(/"[^"]*"/g, '""')
            .replace(/[^\x20-\x7e]/g, ""),
        ),
      );
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

test("a secret given in any wrong way is never part of an answer", (t) => {
  const around = fc.array(
    word.filter((text) => !text.includes("s3cr3t")),
    { maxLength: 5 },
  );
  const wrongly = fc.oneof(
    fc
      .constantFrom([["--network-secret", "s3cr3t"]], [["--network-secret=s3cr3t"]])
      .map(([args]) => args ?? []),
    fc
      .stringMatching(/^--[a-z-]{3,20}$/)
      .filter(
        (name) =>
          !OPTION_LIST.some((option) => option.flag === name) &&
          !SOURCE_FLAGS.some((source) => source.flag === name),
      )
      .map((name) => [name, "s3cr3t"]),
  );
  fc.assert(
    fc.property(around, wrongly, around, (before, secret, after) => {
      const { problems } = load([...before, ...secret, ...after]);
      return !problems.map(problemSentence).join().includes("s3cr3t");
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
