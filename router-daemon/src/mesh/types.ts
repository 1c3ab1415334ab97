/**
 * Words shared by the parts of the mesh (links, RPC, routes) and by those who use it. Data only; no behaviour.
 */

/** 32 random bits as an unsigned number, from the host's strong source. */
export type Random32 = () => number;

/** Nobody's peer id: "no such peer". */
export const NO_PEER = 0;

export { PacketType } from "../wire/peer-header.ts";

/** Capabilities a node announces (routes-rpc.md 4). A flag of a peer whose information is unknown counts as false. */
export interface FeatureFlags {
  readonly isPublicServer: boolean;
  readonly avoidRelayData: boolean;
  readonly kcpInput: boolean;
  readonly noRelayKcp: boolean;
  readonly supportConnListSync: boolean;
  readonly quicInput: boolean;
  readonly noRelayQuic: boolean;
  readonly needP2p: boolean;
  readonly disableP2p: boolean;
}

/** A subnet in canonical form: no host bits. `network` is the big-endian value of the address, unsigned. */
export interface Subnet {
  readonly network: number;
  readonly prefixLength: number;
}

/** What this node tells the others about itself. */
export interface LocalInfo {
  readonly hostname: string;
  /** 16 bytes, the same at every start of one configured node. */
  readonly instanceId: Uint8Array;
  /** Virtual address as big-endian value, 0 = none. */
  readonly ipv4: number;
  readonly prefixLength: number;
  readonly exportedSubnets: readonly Subnet[];
  readonly version: string;
  readonly features: FeatureFlags;
}

/** What is known about another node. Host name and version are the other node's words: unchecked text. */
export interface PeerInfo {
  readonly peerId: number;
  readonly hostname: string;
  /** 16 bytes, or empty when the peer tells none. */
  readonly instanceId: Uint8Array;
  /** Virtual address as big-endian value, 0 = none. */
  readonly ipv4: number;
  readonly prefixLength: number;
  readonly exportedSubnets: readonly Subnet[];
  readonly version: string;
  readonly features: FeatureFlags;
  /** NAT type of its UDP as it announces it (`common.NatType`), 0 = unknown. */
  readonly udpNatType: number;
  /** First hop on the way, `NO_PEER` when it is not reachable now. */
  readonly nextHop: number;
  /** Links on the way: 1 = direct, 0 = not reachable now. */
  readonly pathLength: number;
  /** Sum of the latencies on the way as far as known; null = unknown. */
  readonly pathLatencyMs: number | null;
}

/** A node at the other end of a live link. `shared` = it belongs to another network and relays for ours (links.md 10.2). */
export interface DirectPeer {
  readonly peerId: number;
  readonly shared: boolean;
}

/** Who gets the packets that were sent to this node. */
export interface PacketConsumer {
  /** Type 1: one IP packet. True = the slot is taken. */
  data(fromPeerId: number, slot: number, offset: number, length: number, now: number): boolean;
  /** Types 12 and 11: `source` = we opened the connection, `destination` = the other side did. True = the slot is taken. */
  kcp(
    role: "source" | "destination",
    fromPeerId: number,
    slot: number,
    offset: number,
    length: number,
    now: number,
  ): boolean;
}
