/**
 * What the mesh knows about a node, in the words of the rest of the daemon. The wire's form of the same things is
 * `RoutePeerInfo` (messages.md 5); `RouteSync` translates.
 *
 * Peer ids and IPv4 addresses are unsigned 32-bit numbers (addresses most significant octet first); 0 = none.
 */
import type { Ipv4Prefix } from "../../wire/ipv4-prefix.ts";

/** Capabilities a node announces (routes-rpc.md 4). */
export interface FeatureFlags {
  /** A shared node, on its entry inside a network it hosts for others. */
  readonly isPublicServer: boolean;
  /** Do not route through it if another path exists. */
  readonly avoidRelayData: boolean;
  /** Accepts TCP over KCP. */
  readonly kcpInput: boolean;
  /** As next hop it does not forward KCP. */
  readonly noRelayKcp: boolean;
  /** Understands connection rows in list form. */
  readonly supportConnListSync: boolean;
  /** Accepts TCP over QUIC. */
  readonly quicInput: boolean;
  /** As next hop it does not forward QUIC. */
  readonly noRelayQuic: boolean;
  readonly isCredentialPeer: boolean;
  /** Asks others to open direct links even when they are lazy about it. */
  readonly needP2p: boolean;
  /** Asks others not to try direct links. */
  readonly disableP2p: boolean;
  readonly ipv6PublicAddrProvider: boolean;
}

/** STUN results as `common.NatType` numbers; 0 = unknown, 1 = open internet. */
interface NatTypes {
  readonly udp: number;
  readonly tcp: number;
}

/** How packets get to a peer. */
export interface Path {
  /** The directly connected peer that packets are handed to; 0 = unreachable. */
  readonly nextHop: number;
  /** Links on the way: 1 = direct; 0 = unreachable. */
  readonly pathLength: number;
  /** Sum of the links' latencies; a link nobody measured counts 500 ms. 0 when unreachable. */
  readonly pathLatencyMs: number;
}

/** One node of the network as the route tables know it. Objects are frozen snapshots: hold them, compare them, never write. */
export interface PeerInfo extends Path {
  readonly peerId: number;
  readonly hostname: string;
  /** Virtual address; 0 = it has none. */
  readonly ipv4: number;
  /** Prefix length of its virtual network, 0..32. */
  readonly networkLength: number;
  /** Exported subnets as announced (the mapped form), canonical IPv4 ones only. */
  readonly exports: readonly Ipv4Prefix[];
  /** Version text, e.g. "2.6.4-8428a89d". For display only. */
  readonly version: string;
  readonly featureFlags: FeatureFlags;
  /** UUID text in lower case; "" = it announced none. */
  readonly instanceId: string;
  readonly natTypes: NatTypes;
  /** The path by least latency, for display (`Path` itself is the least-hop one that packets take). */
  readonly leastCost: Path;
  /** Announcement number of its owner, +1 per change. */
  readonly infoVersion: number;
  /** Random number of its process run. */
  readonly routeId: bigint;
  /** `now` when its announcement last changed here. */
  readonly updatedAtMs: number;
  /** Peers it says it has links to. */
  readonly directPeers: readonly number[];
}

/** Our own announcement. Everything may change while running except the instance id. */
export interface LocalInfo {
  /** UUID text. */
  readonly instanceId: string;
  readonly hostname: string;
  /** Virtual address; 0 = none. */
  readonly ipv4: number;
  /** Prefix length of the virtual network, 0..32. Announced as 24 while there is no address. */
  readonly networkLength: number;
  /** Exported subnets, in the mapped form when they are mapped. */
  readonly exports: readonly Ipv4Prefix[];
  /** Version text for others' displays. */
  readonly version: string;
  readonly featureFlags: FeatureFlags;
  readonly natTypes: NatTypes;
}

/** A subnet that is reached through a peer. */
export interface RoutedPrefix extends Ipv4Prefix {
  readonly peerId: number;
}

/** What happened, in order. */
export type RouteEvent =
  /** A node became reachable. */
  | { readonly type: "peer_joined"; readonly peerId: number }
  /** A node is no longer reachable (or gone). */
  | { readonly type: "peer_left"; readonly peerId: number }
  /** Another process uses our peer id: the node must start over with a new one (routes-rpc.md 3.12). */
  | { readonly type: "duplicate_peer_id" };

/** No capability at all: what counts for a peer whose announcement is unknown. */
export const NO_FEATURES: FeatureFlags = Object.freeze({
  isPublicServer: false,
  avoidRelayData: false,
  kcpInput: false,
  noRelayKcp: false,
  supportConnListSync: false,
  quicInput: false,
  noRelayQuic: false,
  isCredentialPeer: false,
  needP2p: false,
  disableP2p: false,
  ipv6PublicAddrProvider: false,
});

/** Unreachable. */
export const NO_PATH: Path = Object.freeze({ nextHop: 0, pathLength: 0, pathLatencyMs: 0 });
