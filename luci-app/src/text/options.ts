/** What the form calls the options. What they do is said by the options themselves (`help` in config/options.ts). */
import type { OptionKey } from "../../../router-daemon/src/config/config.ts";
import type { SchemaOption, SchemaSection } from "../../../router-daemon/src/config/schema.ts";
import type { UciSectionType } from "../../../router-daemon/src/config/uci/sections.ts";

const OPTION_TITLES: Readonly<Partial<Record<OptionKey, () => string>>> = {
  enabled: () => _("Run the service"),
  network_name: () => _("Network name"),
  network_secret: () => _("Network secret"),
  instance_id: () => _("Instance id"),
  hostname: () => _("Host name"),
  ipv4: () => _("Virtual address"),
  listeners: () => _("Address"),
  peers: () => _("Address"),
  proxy_networks: () => _("Network"),
  enable_kcp_proxy: () => _("Carry TCP over KCP"),
  disable_kcp_input: () => _("Take no KCP from others"),
  enable_quic_proxy: () => _("Carry TCP over QUIC"),
  disable_quic_input: () => _("Take no QUIC from others"),
  proxy_priority: () => _("Preferred transport"),
  use_smoltcp: () => _("User-space TCP stack"),
  enable_encryption: () => _("Encryption"),
  encryption_algorithm: () => _("Cipher"),
  dev_name: () => _("Device name"),
  mtu: () => _("MTU"),
  log_level: () => _("Log level"),
  rpc_socket: () => _("API socket"),
  rpc_listen: () => _("API on loopback"),
  rpc_token_file: () => _("Tokens of the API"),
  ubus_socket: () => _("ubus socket"),
  memory_limit_mib: () => _("Memory for payload (MiB)"),
  max_connections: () => _("Connections at one time"),
};

const RULE_TITLES: Readonly<Record<string, () => string>> = {
  action: () => _("Action"),
  source: () => _("LAN device or network"),
  destination: () => _("Destination"),
  ports: () => _("Ports"),
};

const ITEM_TITLES: Readonly<Record<string, () => string>> = {
  enabled: () => _("Enabled"),
  name: () => _("Name"),
};

export const SECTION_TITLES: Readonly<Record<UciSectionType, () => string>> = {
  network: () => _("Network"),
  proxy: () => _("Proxy"),
  listener: () => _("Listeners"),
  peer: () => _("Peers to connect to"),
  subnet: () => _("Exported subnets"),
  rule: () => _("Rules"),
  limits: () => _("Limits"),
  daemon: () => _("Service"),
};

/** Parts of an item have names of their own; everything else is called as the option that it is. */
export function optionTitle({ count, type }: SchemaSection, { key, name }: SchemaOption): string {
  const part =
    count === "many" ? (ITEM_TITLES[name] ?? (type === "rule" ? RULE_TITLES[name] : undefined)) : undefined;
  return (part ?? OPTION_TITLES[key])?.() ?? name;
}

/** One of the sections of which there are many. */
export const ITEM_NAMES: Readonly<Partial<Record<UciSectionType, () => string>>> = {
  listener: () => _("Listener %s"),
  peer: () => _("Peer %s"),
  subnet: () => _("Subnet %s"),
  rule: () => _("Rule %s"),
};

/** Rarely needed: folded away. */
export const ADVANCED: readonly OptionKey[] = [
  "instance_id",
  "dev_name",
  "mtu",
  "enable_encryption",
  "encryption_algorithm",
  "rpc_socket",
  "rpc_listen",
  "rpc_token_file",
  "ubus_socket",
  "use_smoltcp",
];
