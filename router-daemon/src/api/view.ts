import type { FlagState } from "../config/config.ts";

/**
 * What the API may see of the daemon, and the rows it shows.
 *
 * The daemon implements {@link DaemonView}; every method of the table in `methods.ts` is answered from it alone, so ubus,
 * HTTP, CLI and page never reach into mesh or proxy. Tests hand in a small fake.
 *
 * Obligations of the implementation: a call answers from memory at once and neither blocks nor changes anything, except
 * `closeConnection` and `reload`. Rows are fresh objects which the caller may keep. Texts that come from other nodes (host
 * names, versions) are handed on as they were received: whoever shows them makes them safe for its medium.
 *
 * Units are in the names; `…Time` is in whole seconds since 1970, `…Ms` in milliseconds, `…Share` from 0 to 1, a rate in
 * bytes per second over about the last second. `null` = not known (yet).
 */
export interface DaemonView {
  /** Version of the software and the engine it runs on. */
  version(): VersionInfo;
  /** This node. */
  node(): NodeInfo;
  /** Every other node that is known, direct or reached through others. */
  peers(): readonly PeerRow[];
  /** Where addresses lead: one row per virtual address or exported subnet of another node. */
  routes(): readonly RouteRow[];
  /** The proxy table: live entries and the recently closed ones that are still remembered, in any order. */
  connections(): readonly ConnectionRow[];
  /** Is it working, and if not, why not. */
  status(): StatusInfo;
  /** The ring of recent events, oldest first. */
  events(): readonly EventRow[];
  /** Ends a live entry with a reset to both sides. False = there is no live entry with that id. */
  closeConnection(id: number): boolean;
  /** Reads the configuration again and applies what can change live. On problems nothing changes. */
  reload(): Promise<ReloadResult>;
}

export interface VersionInfo {
  /** Version of kcp-router, `0.1.0`. */
  readonly version: string;
  /** What executes it, `node 20.20.2`. */
  readonly engine: string;
}

/** How one TCP connection crosses the virtual network. */
export type Transport = "tcp" | "kcp" | "quic";
/** `source`: a client's packets enter here. `destination`: the real connection is made here. */
export type Role = "source" | "destination";
/** States of an entry, in the words of EasyTier's table (proxies.md 9). */
export type EntryState =
  | "SynReceived"
  | "ConnectingDst"
  | "Connected"
  | "ClosingSrc"
  | "ClosingDst"
  | "Closed";

export interface NodeInfo {
  readonly peerId: number;
  readonly hostname: string;
  readonly networkName: string;
  /** Virtual address with prefix, `10.126.126.1/24`; empty when the node has none. */
  readonly ipv4: string;
  /** Version text announced to peers. */
  readonly announcedVersion: string;
  /** Name of the TUN device; empty while there is none. */
  readonly device: string;
  readonly mtu: number;
  /** URLs that are really being listened on. */
  readonly listeners: readonly string[];
  /** Exported subnets, `192.168.1.0/24`. */
  readonly exportedSubnets: readonly string[];
  readonly startTime: number;
}

/** One underlay connection to a direct peer. */
export interface LinkRow {
  /** `udp` */
  readonly type: string;
  /** URL of the other end, `udp://203.0.113.5:11010`. */
  readonly remote: string;
  /** True when we dialled. */
  readonly isClient: boolean;
  readonly latencyMs: number | null;
  readonly lossShare: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** What a new TCP connection would use, and why: visible before any traffic. */
export interface Choice {
  readonly transport: Transport;
  /** Reason code, `peer_kcp_input_disabled`. */
  readonly reason: string;
  /** The same as a sentence. */
  readonly reasonText: string;
}

export interface PeerRow {
  readonly peerId: number;
  readonly hostname: string;
  /** Virtual address with prefix, or empty. */
  readonly ipv4: string;
  /** Links on the way: 1 = direct, 0 = known but not reachable now. */
  readonly pathLength: number;
  readonly nextHopPeerId: number;
  readonly latencyMs: number | null;
  readonly lossShare: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly links: readonly LinkRow[];
  readonly version: string;
  /** Announced by the peer: takes KCP (QUIC) connections. */
  readonly kcpInput: boolean;
  readonly quicInput: boolean;
  readonly exportedSubnets: readonly string[];
  readonly choice: Choice;
}

export interface RouteRow {
  /** `10.126.126.2/32` for a node, `192.168.2.0/24` for an exported subnet. */
  readonly destination: string;
  readonly kind: "node" | "subnet";
  readonly peerId: number;
  readonly hostname: string;
  readonly nextHopPeerId: number;
  readonly nextHopHostname: string;
  /** Virtual address of the next hop, without prefix, or empty. */
  readonly nextHopIpv4: string;
  /** Links on the way; 0 = not reachable now. */
  readonly pathLength: number;
  readonly pathLatencyMs: number | null;
  readonly version: string;
}

export interface ConnectionRow {
  /** Names the entry for `close_connection`; unique while the daemon runs. */
  readonly id: number;
  readonly role: Role;
  /** `10.126.126.7:51838` */
  readonly src: string;
  readonly dst: string;
  /** The node at the other end of the transport. */
  readonly peerId: number;
  readonly peerName: string;
  readonly transport: Transport;
  readonly reason: string;
  readonly reasonText: string;
  readonly state: EntryState;
  readonly startTime: number;
  /** Up = from the client, down = to the client, at both ends. */
  readonly upBytes: number;
  readonly downBytes: number;
  readonly upRate: number;
  readonly downRate: number;
  readonly rttMs: number | null;
  readonly retransmittedShare: number | null;
  /** Since the SYN; stands still once closed. */
  readonly ageMs: number;
}

/** Something that is wrong or limited now, and what to do about it. */
export interface Problem {
  /** Stable code, `no_peer_reachable`. */
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export interface StatusInfo {
  readonly state: "starting" | "joined" | "alone" | "stopping";
  /** The state in words: "Joined network lab as 10.126.126.1/24; 2 peers are reachable." */
  readonly summary: string;
  readonly problems: readonly Problem[];
  readonly startTime: number;
  readonly memory: {
    /** Everything payload may ever occupy. */
    readonly budgetBytes: number;
    readonly usedBytes: number;
    /** Resident size of the process. */
    readonly residentBytes: number | null;
  };
  readonly connections: {
    readonly live: number;
    readonly limit: number;
    /** Closed entries that are still shown. */
    readonly remembered: number;
  };
  readonly upRate: number;
  readonly downRate: number;
  readonly flags: readonly FlagState[];
  /** Named bounds in force, `max_connections: 4096`. */
  readonly limits: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<string, number>>;
}

export interface EventRow {
  /** Counts up by one per event; a gap tells a reader that it missed some. */
  readonly sequence: number;
  readonly time: number;
  readonly level: "info" | "warning" | "error";
  /** Stable code, `link_up`. */
  readonly code: string;
  readonly message: string;
}

export type ReloadResult =
  | {
      readonly ok: true;
      /** Keys whose new value is in force now. */
      readonly applied: readonly string[];
      /** Keys whose new value waits for a restart. */
      readonly needsRestart: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };
