import type { Ipv4Prefix } from "../wire/ipv4-prefix.ts";
import type { UdpUrl } from "../wire/udp-url.ts";
import type { InterfaceAddress } from "./ipv4.ts";
import { Secret } from "./secret.ts";

/**
 * The configuration of one node, verified. Field names are EasyTier's option names, the same word in TOML, on the command
 * line (with dashes), in the API and on the page; where each comes from, what is allowed and what it does is in the table of
 * `options.ts`.
 */
export interface Config {
  /** Off: `run` says so and ends. */
  readonly enabled: boolean;
  readonly network_name: string;
  readonly network_secret: Secret;
  /** UUID text; empty = a new one at every start. */
  readonly instance_id: string;
  readonly hostname: string;
  readonly ipv4: InterfaceAddress;
  readonly listeners: readonly UdpUrl[];
  readonly peers: readonly UdpUrl[];
  readonly proxy_networks: readonly Ipv4Prefix[];
  readonly dev_name: string;
  /** EasyTier's value: the TUN device gets less, see {@link tunMtu}. */
  readonly mtu: number;
  readonly enable_encryption: boolean;
  readonly encryption_algorithm: "aes-gcm";
  readonly enable_kcp_proxy: boolean;
  readonly disable_kcp_input: boolean;
  readonly enable_quic_proxy: boolean;
  readonly disable_quic_input: boolean;
  /** Which is used where both proxies are on and the peer takes both. */
  readonly proxy_priority: "kcp" | "quic";
  /** As written. What is in force is {@link effectiveSmoltcp}. */
  readonly use_smoltcp: boolean;
  readonly log_level: LogLevel;
  readonly rpc_socket: string;
  /** Loopback address and port of the API over TCP, or empty. */
  readonly rpc_listen: string;
  /** Who may use it; needed with `rpc_listen`. */
  readonly rpc_token_file: string;
  /** Socket of ubusd. */
  readonly ubus_socket: string;
  /** 0 = chosen by the machine's size. */
  readonly memory_limit_mib: number;
  readonly max_connections: number;
  readonly rules: readonly Rule[];
}

export type OptionKey = keyof Config;
export type LogLevel = "off" | "error" | "warn" | "info";

/** A rule of the user: which connections never, or always, ride KCP (or QUIC). The first that matches decides. */
export interface Rule {
  readonly action: "bypass" | "force";
  /** The client's network; absent = any. */
  readonly source?: Ipv4Prefix;
  readonly destination?: Ipv4Prefix;
  /** Destination ports, inclusive; absent = any. */
  readonly ports?: readonly PortRange[];
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Options without which a node cannot be: they have no default. */
export type RequiredKey = "ipv4";

/** Where the API's socket lies unless the configuration says otherwise. */
export const DEFAULT_RPC_SOCKET = "/var/run/kcp-router.sock";

/** Every option's value when nothing is written; complete but for the required ones. */
export const DEFAULTS: Readonly<Omit<Config, RequiredKey>> = Object.freeze({
  enabled: true,
  network_name: "default",
  network_secret: new Secret(""),
  instance_id: "",
  hostname: "",
  listeners: Object.freeze([
    Object.freeze({ url: "udp://0.0.0.0:11010", host: "0.0.0.0", port: 11010, family: 4 as const }),
  ]),
  peers: Object.freeze([]),
  proxy_networks: Object.freeze([]),
  dev_name: "kcp0",
  mtu: 1380,
  enable_encryption: true,
  encryption_algorithm: "aes-gcm",
  enable_kcp_proxy: false,
  disable_kcp_input: false,
  enable_quic_proxy: false,
  disable_quic_input: false,
  proxy_priority: "kcp",
  use_smoltcp: false,
  log_level: "info",
  rpc_socket: DEFAULT_RPC_SOCKET,
  rpc_listen: "",
  rpc_token_file: "",
  ubus_socket: "/var/run/ubus/ubus.sock",
  memory_limit_mib: 0,
  max_connections: 1024,
  rules: Object.freeze([]),
});

/** Bytes by which the TUN device's MTU is below `mtu` while encryption is on (links.md 1.8). */
const ENCRYPTION_RESERVE_BYTES = 20;

/** MTU of the TUN device. */
export function tunMtu(config: Pick<Config, "mtu" | "enable_encryption">): number {
  return config.enable_encryption ? config.mtu - ENCRYPTION_RESERVE_BYTES : config.mtu;
}

type ProxySwitches = Pick<Config, "enable_kcp_proxy" | "enable_quic_proxy" | "rules">;

/** True when some connection may be carried: a proxy is on, or a rule forces it. */
export function mayCarry(config: ProxySwitches): boolean {
  const { enable_kcp_proxy, enable_quic_proxy, rules } = config;
  return enable_kcp_proxy || enable_quic_proxy || rules.some((rule) => rule.action === "force");
}

/** The user-space stack is forced on while something may be carried: without it the LAN's connections could not be. */
export function effectiveSmoltcp(config: ProxySwitches & Pick<Config, "use_smoltcp">): boolean {
  return config.use_smoltcp || mayCarry(config);
}

/** A switch as configured and as it is in force; the status of the daemon shows these. */
export interface FlagState {
  readonly name: string;
  readonly configured: boolean;
  readonly effective: boolean;
  /** Why the two differ; empty when they agree. */
  readonly note: string;
}

export function flagStates(config: Config): readonly FlagState[] {
  const plain = (
    name:
      | "enable_kcp_proxy"
      | "disable_kcp_input"
      | "enable_quic_proxy"
      | "disable_quic_input"
      | "enable_encryption",
  ) => ({
    name,
    configured: config[name],
    effective: config[name],
    note: "",
  });
  const smoltcp = effectiveSmoltcp(config);
  return [
    plain("enable_kcp_proxy"),
    plain("disable_kcp_input"),
    plain("enable_quic_proxy"),
    plain("disable_quic_input"),
    {
      name: "use_smoltcp",
      configured: config.use_smoltcp,
      effective: smoltcp,
      note:
        smoltcp === config.use_smoltcp
          ? ""
          : "use_smoltcp is forced on while a proxy is on or a rule forces one: only the user-space stack can carry the LAN's connections.",
    },
    plain("enable_encryption"),
  ];
}
