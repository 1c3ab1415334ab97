import { exportedSubnetKind, interfaceAddressKind, listenerKind, peerKind } from "./address-kinds.ts";
import { loopbackKind, optionalPathKind } from "./api-kinds.ts";
import type { Config, OptionKey } from "./config.ts";
import {
  automaticKind,
  choiceKind,
  deviceKind,
  hostnameKind,
  integerKind,
  type Kind,
  logLevelKind,
  networkNameKind,
  secretKind,
  socketPathKind,
  switchKind,
  uuidKind,
} from "./kind.ts";
import { MAX_RULES, ruleKind } from "./rule.ts";
import type { UciSectionType } from "./uci/sections.ts";

/** Where an option stands in the TOML file. */
export interface TomlPlace {
  /** `flags` for `[flags]`, empty for the top of the file. */
  readonly section: string;
  readonly key: string;
  /** `table`: one `[[section]]` per item holding `key`; `whole`: each `[[section]]` is one item. */
  readonly each?: "table" | "whole";
}

/** Where an option stands in /etc/config/kcp-router. Lists have one section of the type per item. */
export interface UciPlace {
  readonly section: UciSectionType;
  /** Empty = the section as a whole is the item. */
  readonly option: string;
}

interface OptionBase {
  readonly toml: TomlPlace;
  readonly uci: UciPlace;
  /** `--ipv4`; empty = not on the command line. */
  readonly flag: string;
  readonly short?: string;
  /** The flag switches the option off: `--disable-encryption`. */
  readonly inverted?: true;
  /** A new value takes effect on reload, without a restart. */
  readonly live: boolean;
  /** What holds while it is not set, where no default value says it. */
  readonly unset?: string;
  /** What it does, for people. */
  readonly help: string;
}
export interface ScalarOption<T> extends OptionBase {
  readonly kind: Kind<T>;
}
export interface ListOption<T> extends OptionBase {
  readonly item: Kind<T>;
  readonly maxItems: number;
}
export type OptionFor<K extends OptionKey> = Config[K] extends readonly (infer Item)[]
  ? ListOption<Item>
  : ScalarOption<Config[K]>;
/** An option of any type, for code that treats all alike. */
export type AnyOption = ScalarOption<unknown> | ListOption<unknown>;

/** Bounds of the numbers, with the reasons. */
export const LIMITS = Object.freeze({
  /** Below 576 some IPv4 stacks stop working; a full packet has to fit a slot of 1536 bytes with its envelope. */
  mtu: { min: 576, max: 1400 },
  /** One connection with full windows takes about 2 MiB; 2 GiB is far beyond what a window can use. */
  memoryMib: { min: 4, max: 2048 },
  connections: { min: 1, max: 65536 },
  listeners: 16,
  peers: 128,
  exportedSubnets: 128,
});

const FLAGS = "flags";
const OWN = "kcp_router";

/** Every option there is: one row feeds uci, TOML, the command line, help, docs, reload and the page. */
export const OPTIONS: { readonly [K in OptionKey]: OptionFor<K> } = {
  enabled: {
    toml: { section: OWN, key: "enabled" },
    uci: { section: "network", option: "enabled" },
    flag: "",
    kind: switchKind,
    live: false,
    help: "The service as a whole. Off: the init script does not start it.",
  },
  network_name: {
    toml: { section: "network_identity", key: "network_name" },
    uci: { section: "network", option: "name" },
    flag: "--network-name",
    kind: networkNameKind,
    live: false,
    help: "Name of the virtual network. All nodes of a network use the same one.",
  },
  network_secret: {
    toml: { section: "network_identity", key: "network_secret" },
    uci: { section: "network", option: "secret" },
    flag: "",
    kind: secretKind,
    live: false,
    unset: "none",
    help: "Secret of the network, from which the keys are made. On the command line name a file with --network-secret-file.",
  },
  instance_id: {
    toml: { section: "", key: "instance_id" },
    uci: { section: "network", option: "instance_id" },
    flag: "--instance-id",
    kind: uuidKind,
    live: false,
    unset: "a new one at each start",
    help: "Identity of this node that stays the same when it restarts.",
  },
  hostname: {
    toml: { section: "", key: "hostname" },
    uci: { section: "network", option: "hostname" },
    flag: "--hostname",
    kind: hostnameKind,
    live: true,
    unset: "the machine's name",
    help: "Name shown to the other nodes.",
  },
  ipv4: {
    toml: { section: "", key: "ipv4" },
    uci: { section: "network", option: "ipv4" },
    flag: "--ipv4",
    short: "-i",
    kind: interfaceAddressKind,
    live: false,
    unset: "must be given",
    help: "Virtual address of this node with the prefix of the virtual network; /24 if none is written.",
  },
  listeners: {
    toml: { section: "", key: "listeners" },
    uci: { section: "listener", option: "uri" },
    flag: "--listeners",
    short: "-l",
    item: listenerKind,
    maxItems: LIMITS.listeners,
    live: false,
    help: "UDP address on which other nodes may reach this one; also as a port, an address or address:port.",
  },
  peers: {
    toml: { section: "peer", key: "uri", each: "table" },
    uci: { section: "peer", option: "uri" },
    flag: "--peers",
    short: "-p",
    item: peerKind,
    maxItems: LIMITS.peers,
    live: true,
    help: "Node to connect to, again and again until it works.",
  },
  proxy_networks: {
    toml: { section: "proxy_network", key: "cidr", each: "table" },
    uci: { section: "subnet", option: "cidr" },
    flag: "--proxy-networks",
    short: "-n",
    item: exportedSubnetKind,
    maxItems: LIMITS.exportedSubnets,
    live: true,
    help: "Network behind this node that the other nodes may reach through it.",
  },
  enable_kcp_proxy: {
    toml: { section: FLAGS, key: "enable_kcp_proxy" },
    uci: { section: "proxy", option: "enable_kcp_proxy" },
    flag: "--enable-kcp-proxy",
    kind: switchKind,
    live: true,
    help: "Carry TCP connections of this router and of the LAN behind it over KCP to every peer that takes it.",
  },
  disable_kcp_input: {
    toml: { section: FLAGS, key: "disable_kcp_input" },
    uci: { section: "proxy", option: "disable_kcp_input" },
    flag: "--disable-kcp-input",
    kind: switchKind,
    live: true,
    help: "Take no KCP connections from other nodes: they use plain TCP to this one.",
  },
  enable_quic_proxy: {
    toml: { section: FLAGS, key: "enable_quic_proxy" },
    uci: { section: "proxy", option: "enable_quic_proxy" },
    flag: "--enable-quic-proxy",
    kind: switchKind,
    live: true,
    help: "Carry TCP connections over QUIC to peers that take it: more bandwidth on very lossy links, where KCP has the lower latency.",
  },
  disable_quic_input: {
    toml: { section: FLAGS, key: "disable_quic_input" },
    uci: { section: "proxy", option: "disable_quic_input" },
    flag: "--disable-quic-input",
    kind: switchKind,
    live: true,
    help: "Take no QUIC connections from other nodes.",
  },
  proxy_priority: {
    toml: { section: OWN, key: "proxy_priority" },
    uci: { section: "proxy", option: "proxy_priority" },
    flag: "--proxy-priority",
    kind: choiceKind("TRANSPORT", ["kcp", "quic"]),
    live: true,
    help: "With both proxies on: the one that is used where a peer takes both. EasyTier prefers QUIC since 2.6.",
  },
  use_smoltcp: {
    toml: { section: FLAGS, key: "use_smoltcp" },
    uci: { section: "proxy", option: "use_smoltcp" },
    flag: "--use-smoltcp",
    kind: switchKind,
    live: true,
    help: "End the clients' TCP in the user-space stack. Forced on while a proxy is on or a rule forces one.",
  },
  enable_encryption: {
    toml: { section: FLAGS, key: "enable_encryption" },
    uci: { section: "network", option: "enable_encryption" },
    flag: "--disable-encryption",
    short: "-u",
    inverted: true,
    kind: switchKind,
    live: false,
    help: "Encrypt what crosses the network. All nodes of a network must agree.",
  },
  encryption_algorithm: {
    toml: { section: FLAGS, key: "encryption_algorithm" },
    uci: { section: "network", option: "encryption_algorithm" },
    flag: "--encryption-algorithm",
    kind: choiceKind("NAME", ["aes-gcm"]),
    live: false,
    help: "Cipher. All nodes of a network must agree; kcp-router has EasyTier's default.",
  },
  dev_name: {
    toml: { section: FLAGS, key: "dev_name" },
    uci: { section: "network", option: "dev_name" },
    flag: "--dev-name",
    kind: deviceKind,
    live: false,
    help: "Name of the TUN device.",
  },
  mtu: {
    toml: { section: FLAGS, key: "mtu" },
    uci: { section: "network", option: "mtu" },
    flag: "--mtu",
    kind: integerKind("BYTES", LIMITS.mtu.min, LIMITS.mtu.max),
    live: false,
    help: "Largest packet as EasyTier counts it: the TUN device gets 20 bytes less while encryption is on.",
  },
  log_level: {
    toml: { section: "console_logger", key: "level" },
    uci: { section: "daemon", option: "log_level" },
    flag: "--console-log-level",
    kind: logLevelKind,
    live: true,
    help: "Which events are printed: off, error, warn or info.",
  },
  rpc_socket: {
    toml: { section: OWN, key: "rpc_socket" },
    uci: { section: "daemon", option: "rpc_socket" },
    flag: "--rpc-socket",
    kind: socketPathKind,
    live: false,
    help: "Unix socket of the API, readable and writable by its owner only.",
  },
  rpc_listen: {
    toml: { section: OWN, key: "rpc_listen" },
    uci: { section: "daemon", option: "rpc_listen" },
    flag: "--rpc-listen",
    kind: loopbackKind,
    live: false,
    help: "Loopback address and port on which the API is served too, to those who have a token.",
  },
  rpc_token_file: {
    toml: { section: OWN, key: "rpc_token_file" },
    uci: { section: "daemon", option: "rpc_token_file" },
    flag: "--rpc-token-file",
    kind: optionalPathKind,
    live: false,
    help: 'File with lines "write TOKEN" or "read TOKEN", readable by its owner only. Needed with rpc_listen.',
  },
  ubus_socket: {
    toml: { section: OWN, key: "ubus_socket" },
    uci: { section: "daemon", option: "ubus_socket" },
    flag: "--ubus-socket",
    kind: socketPathKind,
    live: false,
    help: "Socket of OpenWrt's ubusd, where the daemon is seen as kcp-router. Where there is none, nothing happens.",
  },
  memory_limit_mib: {
    toml: { section: OWN, key: "memory_limit_mib" },
    uci: { section: "limits", option: "memory_limit_mib" },
    flag: "--memory-limit-mib",
    kind: automaticKind("MIB", LIMITS.memoryMib.min, LIMITS.memoryMib.max),
    live: false,
    help: "Memory for payload on its way; 0 = a quarter of the machine's, at most 64 MiB. When it is used up, senders wait; it never grows.",
  },
  max_connections: {
    toml: { section: OWN, key: "max_connections" },
    uci: { section: "limits", option: "max_connections" },
    flag: "--max-connections",
    kind: integerKind("NUMBER", LIMITS.connections.min, LIMITS.connections.max),
    live: false,
    help: "Connections carried at one time, both roles together; more go as plain TCP.",
  },
  rules: {
    toml: { section: `${OWN}.rule`, key: "", each: "whole" },
    uci: { section: "rule", option: "" },
    flag: "",
    item: ruleKind,
    maxItems: MAX_RULES,
    live: true,
    help: "Connections that never (bypass) or always (force) are carried, by client, destination and port; the first match decides.",
  },
};

/** The same rows with their keys, in the order of help and docs. */
export const OPTION_LIST: readonly (AnyOption & { readonly key: OptionKey })[] = (
  Object.keys(OPTIONS) as OptionKey[]
).map((key) => ({ key, ...(OPTIONS[key] as AnyOption) }));

export function isList(option: AnyOption): option is ListOption<unknown> {
  return "item" in option;
}

/** True for what EasyTier has not. */
export function isOwn({ section }: TomlPlace): boolean {
  return section === OWN || section.startsWith(`${OWN}.`);
}

/** How the option's place in a file is named: `[flags] mtu`, `[[peer]] uri`, `hostname`. */
export function placeText(place: TomlPlace): string {
  if (place.section === "") return place.key;
  const section = place.each === undefined ? `[${place.section}]` : `[[${place.section}]]`;
  return place.key === "" ? section : `${section} ${place.key}`;
}
