/** Valid configurations of every kind. */
import fc from "fast-check";
import { type Config, DEFAULTS, type OptionKey } from "../../../router-daemon/src/config/config.ts";
import type { Kind } from "../../../router-daemon/src/config/kind.ts";
import { isList, LIMITS, OPTIONS } from "../../../router-daemon/src/config/options.ts";
import { Secret } from "../../../router-daemon/src/config/secret.ts";
import { isUciText } from "../../../router-daemon/src/config/uci/document.ts";

/** The value of an option, or of one item of a list, from its text. */
function readAs(key: OptionKey, written: unknown): unknown {
  const option = OPTIONS[key];
  const kind = (isList(option) ? option.item : option.kind) as Kind<unknown>;
  const parsed = kind.parse(written, "typed");
  if (!parsed.ok) throw new Error(`The generator made a bad ${key}: ${parsed.text}`);
  return parsed.value;
}

const octet = fc.integer({ min: 0, max: 255 });
const port = fc.integer({ min: 1, max: 65535 });
const label = fc.string({ unit: fc.constantFrom(..."abcXYZ019'\" #;\\é漢="), minLength: 1, maxLength: 12 });
const name = label.filter((text) => text.trim() === text);
const address = fc
  .tuple(fc.integer({ min: 1, max: 126 }), octet, octet, octet)
  .map((parts) => parts.join("."));
/** Outside 10.0.0.0/8, where the virtual network lies. */
const subnet = fc
  .tuple(fc.constantFrom("172.16", "192.168"), octet, fc.integer({ min: 17, max: 30 }))
  .map(([start, third, length]) => {
    const bits = length <= 24 ? third & (256 - 2 ** (24 - length)) : third;
    return `${start}.${bits}.0/${length}`;
  });
const url = fc
  .tuple(fc.oneof(address, fc.constantFrom("vpn.example.org", "[2001:db8::1]", "my_host")), port)
  .map(([host, at]) => `udp://${host}:${at}`);
const listener = fc
  .tuple(fc.constantFrom("0.0.0.0", "[::]", "192.168.1.1"), port)
  .map(([host, at]) => `udp://${host}:${at}`);
const range = fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
const rule = fc.record(
  {
    action: fc.constantFrom("bypass", "force"),
    source: fc.oneof(address, subnet),
    destination: fc.oneof(address, subnet),
    ports: fc
      .array(fc.oneof(range, port.map(String)), { minLength: 1, maxLength: 4 })
      .map((list) => list.join(",")),
  },
  { requiredKeys: ["action", "ports"] },
);

function list<K extends "listeners" | "peers" | "proxy_networks" | "rules">(
  key: K,
  item: fc.Arbitrary<unknown>,
) {
  return fc
    .uniqueArray(
      item.map((written) => readAs(key, written)),
      { selector: (value) => JSON.stringify(value), maxLength: 4 },
    )
    .map((items) => items as unknown as Config[K]);
}
function choice<T>(value: T): fc.Arbitrary<T> {
  return fc.constant(value);
}

/** Secrets that a uci file can keep: any text but control characters. */
const secret = fc.string({ unit: "binary", maxLength: 30 }).filter(isUciText);

/** Options that were written, and what they say; the rest are defaults. */
export const WRITTEN: fc.Arbitrary<Partial<Config>> = fc
  .record(
    {
      enabled: fc.boolean(),
      network_name: name,
      network_secret: secret.map((text) => new Secret(text)),
      instance_id: fc.constantFrom("6ba7b810-9dad-41d1-80b4-00c04fd430c8"),
      hostname: name,
      ipv4: fc
        .tuple(octet, fc.integer({ min: 1, max: 254 }))
        .map(([third, last]) => readAs("ipv4", `10.1.${third}.${last}/24`) as Config["ipv4"]),
      listeners: list("listeners", listener),
      peers: list("peers", url),
      proxy_networks: list("proxy_networks", subnet),
      enable_kcp_proxy: fc.boolean(),
      disable_kcp_input: fc.boolean(),
      enable_quic_proxy: fc.boolean(),
      disable_quic_input: fc.boolean(),
      proxy_priority: fc.constantFrom("kcp" as const, "quic" as const),
      use_smoltcp: fc.boolean(),
      enable_encryption: fc.boolean(),
      encryption_algorithm: choice("aes-gcm" as const),
      dev_name: fc.stringMatching(/^[a-z0-9_-]{1,15}$/),
      mtu: fc.integer(LIMITS.mtu),
      log_level: fc.constantFrom("off" as const, "error" as const, "warn" as const, "info" as const),
      rpc_listen: port.map((at) => `127.0.0.1:${at}`),
      rpc_token_file: fc.constant("/etc/kcp-router.tokens"),
      ubus_socket: fc.constant("/tmp/ubus.sock"),
      rpc_socket: fc.stringMatching(/^\/[a-z0-9/]{0,20}[a-z]$/),
      memory_limit_mib: fc.integer(LIMITS.memoryMib),
      max_connections: fc.integer(LIMITS.connections),
      rules: list("rules", rule),
    } satisfies { readonly [K in OptionKey]: fc.Arbitrary<Config[K]> },
    { requiredKeys: ["ipv4"] },
  )
  .filter(
    ({ listeners, peers, rpc_listen, rpc_token_file }) =>
      (listeners ?? DEFAULTS.listeners).length + (peers ?? []).length > 0 &&
      (rpc_listen === undefined || rpc_token_file !== undefined),
  ) as fc.Arbitrary<Partial<Config>>;
