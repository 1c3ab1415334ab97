import { PacketType } from "../wire/peer-header.ts";

/** Packets that were not handed on, by reason. Plain fields, because some are counted per packet. */
export class Drops {
  // Datagrams that are no packet of a link.
  malformed_datagram = 0;
  stun = 0;
  hole_punch = 0;
  unknown_session = 0;
  bad_syn = 0;
  syn_refused = 0;
  handshake_refused = 0;
  half_open_expired = 0;
  // Packets of links.
  unknown_link = 0;
  short_packet = 0;
  before_handshake = 0;
  unexpected_handshake = 0;
  short_ping = 0;
  unknown_pong = 0;
  not_for_us = 0;
  from_ourselves = 0;
  unreadable_encryption = 0;
  clear_data = 0;
  clear_rpc = 0;
  compressed = 0;
  not_for_tun = 0;
  exit_node = 0;
  secure_mode = 0;
  internal_type = 0;
  foreign_network = 0;
  unknown_type = 0;
  // Own packets.
  rpc_too_long = 0;
  rpc_no_route = 0;
  rpc_send_failed = 0;

  /** A packet for us of a type that nobody here takes (links.md 1.4). */
  countType(type: number): void {
    switch (type) {
      case PacketType.foreignNetwork:
        this.foreign_network++;
        break;
      case PacketType.noise1:
      case PacketType.noise2:
      case PacketType.noise3:
      case PacketType.relayHandshake:
      case PacketType.relayHandshakeAck:
        this.secure_mode++;
        break;
      case PacketType.dataKcpModified:
      case PacketType.dataQuicModified:
        this.internal_type++;
        break;
      default:
        this.unknown_type++;
    }
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(Object.entries(this));
  }
}
