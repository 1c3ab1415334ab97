import test from "ava";
import { DEFAULTS, effectiveSmoltcp, flagStates, tunMtu } from "../../../router-daemon/src/config/config.ts";
import { applyLive, diffConfig } from "../../../router-daemon/src/config/diff.ts";
import { loadConfig, socketOfConfig } from "../../../router-daemon/src/config/load.ts";
import { LIMITS, OPTION_LIST } from "../../../router-daemon/src/config/options.ts";
import { didYouMean, nearest } from "../../../router-daemon/src/config/suggest.ts";
import { filesOf, load, MINIMAL, withToml } from "./sources.ts";

test("the virtual address must be one that a node can have", (t) => {
  const found = (ipv4: string) => load(["--ipv4", ipv4]).errors.join();
  t.is(found("10.126.126.1/24"), "");
  t.is(found("10.0.0.0/31"), "");
  t.is(found("10.0.0.255/32"), "");
  t.is(found("10.0.0.255/16"), "");
  t.regex(found("10.126.126.0/24"), /It is the network itself/);
  t.regex(found("10.126.126.255/24"), /It is the broadcast address/);
  t.regex(found("10.126.126.1/0"), /The prefix is from 1 to 32/);
  for (const ipv4 of ["0.1.2.3/8", "127.0.0.1/8", "224.0.0.1/24", "255.255.255.255/32"]) {
    t.regex(found(ipv4), /This range is not for nodes/, ipv4);
  }
  for (const ipv4 of ["10.1.1.1/33", "fd00::1/64", "router", ""])
    t.regex(found(ipv4), /allowed is an IPv4 address/, ipv4);
  t.regex(load([]).errors.join(), /^ipv4 is missing: .*--ipv4 10\.126\.126\.1\/24/);
});

test("exported subnets lie behind the node, not in the virtual network, and map to nothing", (t) => {
  const found = (cidr: string) => load(["--ipv4", "10.126.126.1/24", "--proxy-networks", cidr]).errors.join();
  t.is(found("192.168.1.0/24"), "");
  t.is(found("10.0.0.0/8"), "");
  t.regex(found("10.126.126.0/24"), /lies inside the virtual network 10\.126\.126\.0\/24/);
  t.regex(found("10.126.126.128/25"), /lies inside the virtual network/);
  t.regex(found("0.0.0.0/0"), /exit for the whole internet is not supported/);
  t.regex(found("192.168.1.0/24->10.1.1.0/24"), /Mapping to other addresses is not supported/);
  t.regex(found("127.0.0.0/8"), /cannot be exported/);
});

test("names are short, printable and without tricks", (t) => {
  const hostname = (name: string) => withToml(`hostname = ${JSON.stringify(name)}`).errors.length === 0;
  t.true(hostname("router"));
  t.true(hostname("路由器 1"));
  t.true(hostname("x".repeat(64)));
  for (const name of ["", "x".repeat(65), "a\nb", "a\u001b[31m", "a\u202eb", "a\u200bb", " a", "a "])
    t.false(hostname(name), JSON.stringify(name));
  const device = (name: string) => load(["--ipv4", "10.1.1.1", "--dev-name", name]).errors.length === 0;
  t.true(device("kcp0"));
  t.true(device("abcdefghijklmno"));
  for (const name of ["abcdefghijklmnop", "a/b", "a b", ".", "..", "a%d"]) t.false(device(name), name);
});

test("numbers have their bounds, inclusive", (t) => {
  const bounds: [string, { min: number; max: number }][] = [
    ["--mtu", LIMITS.mtu],
    ["--memory-limit-mib", LIMITS.memoryMib],
    ["--max-connections", LIMITS.connections],
  ];
  for (const [flag, { min, max }] of bounds) {
    const good = (value: number) => load(["--ipv4", "10.1.1.1", flag, String(value)]).errors.length === 0;
    t.deepEqual([min - 1, min, max, max + 1].map(good), [false, true, true, false], flag);
  }
});

test("lists have their bounds", (t) => {
  const subnets = (count: number) => Array.from({ length: count }, (_, at) => `10.${at}.0.0/16`).join(",");
  const peers = (count: number) => Array.from({ length: count }, (_, at) => `udp://1.1.1.${at}`).join(",");
  const ports = (count: number) => Array.from({ length: count }, (_, at) => String(at + 1)).join(",");
  const good = (...args: string[]) => load(["--ipv4", "192.168.0.1/24", ...args]).errors.length === 0;
  t.true(good("--proxy-networks", subnets(LIMITS.exportedSubnets)));
  t.false(good("--proxy-networks", subnets(LIMITS.exportedSubnets + 1)));
  t.true(good("--peers", peers(LIMITS.peers)));
  t.false(good("--peers", peers(LIMITS.peers + 1)));
  t.true(good("--listeners", ports(LIMITS.listeners)));
  t.false(good("--listeners", ports(LIMITS.listeners + 1)));
});

test("what stands twice in a list is used once, with a warning", (t) => {
  const { config, warnings } = withToml(
    "",
    '[[peer]]\nuri = "udp://1.1.1.1"\n[[peer]]\nuri = "udp://1.1.1.1:11010"\n',
  );
  t.is(config?.peers.length, 1);
  t.deepEqual(warnings, [
    "a.toml, [[peer]] number 2, uri: It stands there twice; the second is ignored. Remove one.",
  ]);
});

test("a network without secret or encryption is used, with a warning", (t) => {
  t.regex(load(["--ipv4", "10.1.1.1"]).warnings.join(), /The network has no secret/);
  t.regex(
    withToml("", "[flags]\nenable_encryption = false").warnings.join(),
    /^a\.toml, \[flags\] enable_encryption: Encryption is off/,
  );
});

test("use_smoltcp is forced on while KCP may be used, and the state says so", (t) => {
  const on = withToml("", "[flags]\nenable_kcp_proxy = true\nuse_smoltcp = false");
  t.true(on.config !== undefined && effectiveSmoltcp(on.config));
  t.regex(on.warnings.join(), /use_smoltcp = false has no effect/);
  const state =
    on.config === undefined ? undefined : flagStates(on.config).find((flag) => flag.name === "use_smoltcp");
  t.like(state, { configured: false, effective: true });
  t.regex(state?.note ?? "", /forced on/);

  const rule = withToml("", "[[kcp_router.rule]]\naction = 'force'\nports = 1");
  t.true(rule.config !== undefined && effectiveSmoltcp(rule.config));
  const bypass = withToml("", "[[kcp_router.rule]]\naction = 'bypass'\nports = 1");
  t.false(bypass.config === undefined || effectiveSmoltcp(bypass.config));
  t.deepEqual(
    bypass.config === undefined ? undefined : flagStates(bypass.config).filter((flag) => flag.note !== ""),
    [],
  );
  t.deepEqual(on.config === undefined ? [] : flagStates(on.config).map((flag) => flag.name), [
    "enable_kcp_proxy",
    "disable_kcp_input",
    "enable_quic_proxy",
    "disable_quic_input",
    "use_smoltcp",
    "enable_encryption",
  ]);
});

test("the TUN device gets 20 bytes less than mtu while encryption is on", (t) => {
  t.is(tunMtu({ mtu: 1380, enable_encryption: true }), 1360);
  t.is(tunMtu({ mtu: 1380, enable_encryption: false }), 1380);
});

test("defaults are complete but for the address, and cannot be changed", (t) => {
  const missing = OPTION_LIST.filter((option) => !Object.hasOwn(DEFAULTS, option.key)).map(
    (option) => option.key,
  );
  t.deepEqual(missing, ["ipv4"]);
  t.true(
    Object.isFrozen(DEFAULTS) &&
      Object.isFrozen(DEFAULTS.listeners) &&
      Object.isFrozen(DEFAULTS.listeners[0]),
  );
  t.true(Object.isFrozen(load([], MINIMAL).config));
});

test("the machine's own name is used as far as it can be shown", (t) => {
  const named = (systemHostname: string) => {
    const loaded = loadConfig({ args: ["--ipv4", "10.1.1.1"], files: filesOf({}), systemHostname });
    return loaded.ok ? loaded.config.hostname : undefined;
  };
  t.is(named("OpenWrt"), "OpenWrt");
  t.is(named("a\u001b[2Jb"), "a[2Jb");
  t.is(named(""), "kcp-router");
  t.is(named("x".repeat(300))?.length, 64);
});

test("a changed option takes effect at once or waits for a restart, as its table says", (t) => {
  const before = withToml("", "[flags]\nmtu = 1300").config;
  const after = load(
    ["--hostname", "other", "--enable-kcp-proxy"],
    `${MINIMAL.replace("hunter2", "hunter3")}\n[[peer]]\nuri = "udp://1.1.1.1"\n[flags]\nmtu = 1301\n`,
  ).config;
  if (before === undefined || after === undefined) return t.fail();
  t.deepEqual(diffConfig(before, before), { live: [], needsRestart: [] });
  t.deepEqual(diffConfig(before, after), {
    live: ["hostname", "peers", "enable_kcp_proxy"],
    needsRestart: ["network_secret", "mtu"],
  });
  const inForce = applyLive(before, after);
  t.is(inForce.hostname, "other");
  t.true(inForce.enable_kcp_proxy);
  t.is(inForce.mtu, 1300);
  t.is(inForce.network_secret.reveal(), "hunter2");
  t.deepEqual(diffConfig(inForce, after), { live: [], needsRestart: ["network_secret", "mtu"] });
});

test("the socket of a configuration is found whatever else is wrong in it", (t) => {
  const socket = (toml: string) => socketOfConfig("a.toml", filesOf({ "a.toml": toml }));
  t.deepEqual(socket(""), { ok: true, path: "/var/run/kcp-router.sock" });
  t.deepEqual(socket("nonsense = 1\n[kcp_router]\nrpc_socket = '/run/x.sock'"), {
    ok: true,
    path: "/run/x.sock",
  });
  t.like(socket("[kcp_router]\nrpc_socket = 'x'"), { ok: false });
  t.like(socket("= ="), { ok: false });
  t.like(socketOfConfig("missing", filesOf({})), { ok: false });
});

test("a suggestion is made for a slip of the fingers, not for another word", (t) => {
  const names = ["hostname", "listeners", "mtu", "enable_kcp_proxy"];
  t.is(nearest("hostnmae", names), "hostname");
  t.is(nearest("Host-Name", names), "hostname");
  t.is(nearest("listener", names), "listeners");
  t.is(nearest("mut", names), "mtu");
  t.is(nearest("enablekcpproxy", names), "enable_kcp_proxy");
  t.is(nearest("dns", names), undefined);
  t.is(nearest("x".repeat(100_000), names), undefined);
  t.is(didYouMean("mtuu", names), " Did you mean mtu?");
  t.is(didYouMean("zebra", names), "");
});
