/**
 * Words shared by the parts of the mesh (links, RPC, routes) and by those who use it. What is known about a node is in
 * `routes/types.ts`. Data only; no behaviour.
 */

/** 32 random bits as an unsigned number, from the host's strong source. */
export type Random32 = () => number;

/** Nobody's peer id: "no such peer". */
export const NO_PEER = 0;

export { PacketType } from "../wire/peer-header.ts";

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
  /** Types 17 and 16, likewise. */
  quic(
    role: "source" | "destination",
    fromPeerId: number,
    slot: number,
    offset: number,
    length: number,
    now: number,
  ): boolean;
}
