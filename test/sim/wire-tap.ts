/** Looks at datagrams on their way: peer headers are never encrypted (links.md 1.2). */
import { PacketType, PEER_HEADER_BYTES } from "../../router-daemon/src/wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES, TunnelType } from "../../router-daemon/src/wire/udp-tunnel.ts";
import type { Datagram } from "./network.ts";

/** Type of the peer packet in a datagram, 0 = it holds none. */
export function packetType({ bytes }: Datagram): number {
  const isPacketDatagram =
    bytes.length >= TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES && bytes[4] === TunnelType.data;
  return isPacketDatagram ? bytes[TUNNEL_HEADER_BYTES + 8]! : 0;
}

export function isPacket(datagram: Datagram, type: number): boolean {
  return packetType(datagram) === type;
}

/** A filter: a path on which KCP does not arrive, and everything else does. */
export function loseKcp(): (datagram: Datagram) => boolean {
  return (datagram) =>
    !isPacket(datagram, PacketType.kcpSource) && !isPacket(datagram, PacketType.kcpDestination);
}
