/** The schema of the uci file: whole, true to the verifier, and good enough for a form. */
import test from "ava";
import { DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { OPTION_LIST } from "../../../router-daemon/src/config/options.ts";
import { checkUciOption, UCI_SCHEMA } from "../../../router-daemon/src/config/schema.ts";
import { loadUci } from "./sources.ts";

/** Something valid for what has no default. */
const SAMPLES: Readonly<Record<string, string>> = {
  "network.ipv4": "10.126.126.1/24",
  "listener.uri": "udp://0.0.0.0:11010",
  "peer.uri": "udp://203.0.113.5",
  "subnet.cidr": "192.168.1.0/24",
  "rule.action": "bypass",
};

test("every option of the configuration is in the schema once, under its place", (t) => {
  const places = UCI_SCHEMA.flatMap(({ type, options }) =>
    options.map(({ name, key }) => `${key} ${type}.${name}`),
  );
  t.is(new Set(places).size, places.length);
  for (const { key, uci } of OPTION_LIST) {
    if (uci.option !== "") t.true(places.includes(`${key} ${uci.section}.${uci.option}`), key);
    else
      t.true(
        places.some((place) => place.startsWith(`${key} ${uci.section}.`)),
        key,
      );
  }
});

test("a file of all defaults is taken, and means the defaults", (t) => {
  const sections = UCI_SCHEMA.map(({ type, options }) => {
    const lines = options.flatMap(({ name, default: preset, required }) => {
      const value = required ? SAMPLES[`${type}.${name}`] : preset;
      return value === undefined || value === "" ? [] : [`\toption ${name} '${value}'`];
    });
    return [`config ${type}`, ...lines].join("\n");
  });
  const text = sections
    .join("\n")
    .replace("option action 'bypass'", "option action 'bypass'\n\toption ports '22'");
  const { config, errors } = loadUci(text);
  t.deepEqual(errors, []);
  const { ipv4, hostname, peers, proxy_networks, rules, network_secret, ...rest } = config ?? {
    ...DEFAULTS,
    ipv4: "",
  };
  t.deepEqual([peers.length, proxy_networks.length, rules.length], [1, 1, 1]);
  const { hostname: _, peers: _p, proxy_networks: _s, rules: _r, network_secret: _n, ...defaults } = DEFAULTS;
  t.deepEqual(rest as object, defaults);
  t.truthy(ipv4);
  t.is(hostname, "box");
  t.true(network_secret.isEmpty);
});

test("the verifier misses what the schema calls required", (t) => {
  for (const { type, options } of UCI_SCHEMA) {
    const { errors } = loadUci(`config ${type}\n`);
    for (const { name, required } of options)
      t.is(
        errors.some((error) => new RegExp(`\\b${name} is missing`).test(error)),
        required,
        `${type}.${name}`,
      );
  }
});

test("a value is judged as in the file", (t) => {
  t.is(checkUciOption("peer", "uri", "udp://a"), "");
  t.regex(checkUciOption("peer", "uri", "tcp://a"), /^"tcp:\/\/a" was found; allowed is/);
  t.is(checkUciOption("rule", "ports", ["22", "80-90"]), "");
  t.regex(checkUciOption("rule", "ports", ["22", "x"]), /^"x" was found/);
  t.is(checkUciOption("rule", "enabled", "off"), "");
  t.regex(checkUciOption("network", "mtu", "1"), /from 576 to 1400/);
});

test("what is no option is not taken for one", (t) => {
  const names = ["", "uri", "ports", "__proto__", "constructor", "name"];
  for (const name of names) t.is(checkUciOption("limits", name, "1"), "This option is unknown.", name);
  t.is(checkUciOption("nowhere", "enabled", "1"), "This option is unknown.");
});

test("a secret that is refused is not shown", (t) => {
  const sentence = checkUciOption("network", "secret", "hunter2".repeat(1000));
  t.regex(sentence, /is not shown/);
  t.false(sentence.includes("hunter2"));
});

test("every option speaks: help and what is allowed", (t) => {
  for (const { options, help } of UCI_SCHEMA) {
    t.regex(help, /^[A-Z].*\.$/);
    for (const option of options) {
      t.regex(option.help, /^[A-Za-z].*\.$/, option.name);
      t.not(option.allowed, "", option.name);
    }
  }
});
