import type { NaiveSegment } from "../unit/tcp/naive.ts";

/** An IPv4 packet on its way through a simulated kernel. Addresses are unsigned numbers. */
export type IpPacket = TcpPacket | RawPacket;

/** TCP is kept decoded; `gsoSize` set = a super-segment. */
export interface TcpPacket {
  readonly source: number;
  readonly destination: number;
  readonly segment: NaiveSegment;
}

/** Anything else: the whole packet with complete checksums. */
export interface RawPacket {
  readonly source: number;
  readonly destination: number;
  readonly bytes: Uint8Array;
}

export function tcpPacket(segment: NaiveSegment): TcpPacket {
  return { source: segment.source, destination: segment.destination, segment };
}

/** Bytes of the largest packet on a wire. */
export function wireBytes(packet: IpPacket): number {
  if ("bytes" in packet) return packet.bytes.length;
  const { payload, gsoSize, timestamps, sack, flags } = packet.segment;
  let options = timestamps === undefined ? 0 : 12;
  if (sack !== undefined && sack.length > 0) options += 4 + 8 * sack.length;
  if (flags.has("syn")) options = 20;
  return 40 + options + (gsoSize === undefined ? payload.length : Math.min(gsoSize, payload.length));
}
