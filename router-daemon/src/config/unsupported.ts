/**
 * Options of EasyTier that kcp-router does not have. They are known by name, so that a user who brings a file or a command
 * line from EasyTier is told for each of them what happens, instead of "unknown".
 */
export interface UnsupportedOption {
  /** Name in TOML; on the command line with dashes. */
  readonly key: string;
  /** Section of the TOML file, `flags` for `[flags]`; undefined = only a flag of the command line. */
  readonly section: string | undefined;
  readonly short?: string;
  /**
   * `refuse`: without it the node would not do what the user asks for. `ignore`: it has no meaning here, or only tunes what
   * kcp-router does not do; it is used with a warning.
   */
  readonly treatment: "refuse" | "ignore";
  /** Values that ask for what kcp-router does anyway; they are taken in silence. */
  readonly fits: readonly unknown[] | "any";
  /** Why, and what to do: full sentences. */
  readonly note: string;
}

const TOP = "";
const FLAGS = "flags";
const NO_RELAY = "It relays nothing for others.";
const NO_PUNCHING = "It punches no holes.";

function refuse(
  section: string | undefined,
  key: string,
  note: string,
  fits: readonly unknown[] = [],
): UnsupportedOption {
  return { key, section, treatment: "refuse", fits, note };
}
function ignore(
  section: string | undefined,
  key: string,
  note: string,
  fits: UnsupportedOption["fits"] = [],
): UnsupportedOption {
  return { key, section, treatment: "ignore", fits, note };
}
function short(letter: string, option: UnsupportedOption): UnsupportedOption {
  return { ...option, short: letter };
}

export const UNSUPPORTED: readonly UnsupportedOption[] = [
  // The node and its addresses.
  short("-m", ignore(TOP, "instance_name", "There is one instance per process.", "any")),
  short("-d", refuse(TOP, "dhcp", "Write a fixed address with ipv4.", [false])),
  refuse(TOP, "ipv6", "The virtual network carries IPv4 here. Remove it."),
  refuse(TOP, "netns", "Start kcp-router inside the namespace instead (ip netns exec)."),
  refuse(TOP, "mapped_listeners", "Other nodes learn the addresses that this one listens on. Remove it.", [
    [],
  ]),
  refuse(TOP, "exit_nodes", "Sending internet traffic through another node is not possible. Remove it.", [
    [],
  ]),
  refuse(TOP, "routes", "The subnets that peers export are used as they are. Remove it.", [[]]),
  refuse(TOP, "socks5_proxy", "Remove it."),
  ignore(TOP, "stun_servers", NO_PUNCHING),
  ignore(TOP, "stun_servers_v6", NO_PUNCHING),
  refuse(TOP, "tcp_whitelist", "Limit access with the firewall. Remove it.", [[]]),
  refuse(TOP, "udp_whitelist", "Limit access with the firewall. Remove it.", [[]]),
  short("-r", ignore(TOP, "rpc_portal", "Its API lies on a unix socket: rpc_socket in [kcp_router].")),
  ignore(TOP, "rpc_portal_whitelist", "Its API lies on a unix socket: rpc_socket in [kcp_router]."),
  ignore(TOP, "file_logger", "It prints; the service manager keeps the log."),
  refuse(TOP, "vpn_portal_config", "Remove the section."),
  refuse(TOP, "port_forward", "Remove the section.", [[]]),
  refuse(TOP, "acl", "Limit access with the firewall. Remove the section."),
  refuse(TOP, "secure_mode", "Networks in secure mode cannot be joined. Switch it off in the whole network."),
  refuse(TOP, "credential", "Join with the network's name and secret instead."),
  refuse(TOP, "credential_file", "Join with the network's name and secret instead."),
  // [flags]
  ignore(FLAGS, "default_protocol", "All its links are UDP.", ["udp", ""]),
  ignore(FLAGS, "enable_ipv6", "Listeners and peers are used exactly as they are written.", [true]),
  refuse(FLAGS, "no_tun", "It needs its TUN device. Remove it.", [false]),
  refuse(FLAGS, "enable_exit_node", "Being an exit to the internet is not possible. Remove it.", [false]),
  ignore(FLAGS, "disable_relay_kcp", NO_RELAY, "any"),
  ignore(FLAGS, "disable_relay_quic", NO_RELAY, "any"),
  ignore(FLAGS, "disable_relay_data", NO_RELAY, "any"),
  ignore(FLAGS, "enable_relay_foreign_network_kcp", NO_RELAY, [false]),
  ignore(FLAGS, "enable_relay_foreign_network_quic", NO_RELAY, [false]),
  ignore(FLAGS, "relay_network_whitelist", NO_RELAY, ["*", ""]),
  ignore(FLAGS, "foreign_network_whitelist", NO_RELAY, ["*", ""]),
  ignore(FLAGS, "relay_all_peer_rpc", NO_RELAY, [false]),
  ignore(FLAGS, "foreign_relay_bps_limit", NO_RELAY, "any"),
  refuse(FLAGS, "instance_recv_bps_limit", "Remove it."),
  ignore(FLAGS, "private_mode", "Only nodes of its own network are let in anyway.", "any"),
  ignore(FLAGS, "disable_p2p", NO_PUNCHING, "any"),
  refuse(FLAGS, "p2p_only", "Peers without a link of their own are reached through others. Remove it.", [
    false,
  ]),
  ignore(FLAGS, "latency_first", "It takes the way over the fewest nodes.", [false]),
  ignore(FLAGS, "enable_udp_broadcast_relay", NO_RELAY, [false]),
  ignore(FLAGS, "lazy_p2p", NO_PUNCHING, [false]),
  ignore(FLAGS, "need_p2p", NO_PUNCHING, [false]),
  ignore(FLAGS, "disable_udp_hole_punching", NO_PUNCHING, "any"),
  ignore(FLAGS, "disable_tcp_hole_punching", NO_PUNCHING, "any"),
  ignore(FLAGS, "disable_sym_hole_punching", NO_PUNCHING, "any"),
  ignore(FLAGS, "disable_upnp", "It maps no ports anyway.", "any"),
  ignore(FLAGS, "multi_thread", "It runs on one thread.", "any"),
  ignore(FLAGS, "multi_thread_count", "It runs on one thread.", "any"),
  ignore(FLAGS, "bind_device", "The kernel's routes decide which device its links use.", "any"),
  ignore(FLAGS, "quic_listen_port", "QUIC has no port of its own; EasyTier ignores it, too.", "any"),
  refuse(FLAGS, "data_compress_algo", "Nothing is compressed. Remove it.", ["none", "None", 0, 1]),
  refuse(FLAGS, "accept_dns", "There is no DNS of the virtual network. Remove it.", [false]),
  ignore(FLAGS, "tld_dns_zone", "There is no DNS of the virtual network.", "any"),
  ignore(
    FLAGS,
    "proxy_forward_by_system",
    "Plain packets to exported subnets are always forwarded by the system.",
    "any",
  ),
  refuse(FLAGS, "socket_mark", "Remove it."),
  // Only on the command line.
  short("-w", refuse(undefined, "config_server", "Write the configuration in a file and name it with -c.")),
  refuse(undefined, "config_dir", "Name one file with -c; start one process per network."),
  ignore(undefined, "machine_id", "There is no configuration server."),
  short("-e", refuse(undefined, "external_node", "Name the node with --peers.")),
  refuse(undefined, "compression", "Nothing is compressed. Remove it.", ["none"]),
  refuse(undefined, "vpn_portal", "Remove it."),
  refuse(undefined, "socks5", "Remove it."),
  refuse(undefined, "manual_routes", "The subnets that peers export are used as they are. Remove it."),
  refuse(undefined, "local_private_key", "Networks in secure mode cannot be joined."),
  refuse(undefined, "local_public_key", "Networks in secure mode cannot be joined."),
  ignore(undefined, "file_log_level", "It prints; the service manager keeps the log."),
  ignore(undefined, "file_log_dir", "It prints; the service manager keeps the log."),
  ignore(undefined, "file_log_size", "It prints; the service manager keeps the log."),
  ignore(undefined, "file_log_count", "It prints; the service manager keeps the log."),
  refuse(undefined, "daemon", "Let the service manager start it."),
  refuse(undefined, "check_config", "Use: kcp-router check -c FILE."),
  refuse(undefined, "gen_autocomplete", "Remove it."),
  ignore(undefined, "disable_env_parsing", "Environment variables are not read anyway.", "any"),
];

/** Keys inside list sections of a file: `[[peer]] peer_public_key`. */
export const UNSUPPORTED_ITEM_KEYS: readonly UnsupportedOption[] = [
  refuse("peer", "peer_public_key", "Networks in secure mode cannot be joined. Remove it."),
  refuse("proxy_network", "mapped_cidr", "Subnets are exported under their own addresses. Remove it."),
  refuse("proxy_network", "allow", "Limit access with the firewall. Remove it.", [[]]),
];

/** True when the value asks for what kcp-router does anyway. */
export function fitsAnyway(option: UnsupportedOption, value: unknown): boolean {
  if (option.fits === "any") return true;
  return option.fits.some(
    (fit) => fit === value || (Array.isArray(fit) && Array.isArray(value) && value.length === 0),
  );
}

/** The sentence for a value that does not fit. */
export function unsupportedText(option: UnsupportedOption): string {
  const name = option.key;
  return option.treatment === "refuse"
    ? `${name} is an option of EasyTier that is not supported by kcp-router. ${option.note}`
    : `${name} is an option of EasyTier that has no effect in kcp-router. ${option.note}`;
}
