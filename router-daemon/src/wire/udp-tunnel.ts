/**
 * The UDP tunnel header (links.md 2.1): 8 bytes in front of every datagram between nodes, little-endian.
 *
 * ```
 *  0          4     5     6     8
 *  │ conn_id  │type │ pad │ len │ body …        len = bytes of the body, exactly
 * ```
 */
import { readU32, writeU32 } from "./peer-header.ts";

export const TUNNEL_HEADER_BYTES = 8;
/** SYN and SACK carry a number of 8 bytes that ties the answer to the question. */
export const MAGIC_BYTES = 8;
export const SYN_BYTES = TUNNEL_HEADER_BYTES + MAGIC_BYTES;

export const TunnelType = {
  syn: 1,
  sack: 2,
  data: 3,
  /** A number only: no version sends it, nobody acts on it. */
  fin: 4,
  holePunch: 5,
  holePunch4: 6,
  holePunch6: 7,
} as const;

/** What a datagram is: a `TunnelType`, or why it is none. */
export const NOT_TUNNEL = 0;
/** STUN shares the sockets of the network (links.md 2.6). */
export const STUN = -1;

/**
 * The type of the message in `bytes[offset, offset + length)`; `STUN`, or `NOT_TUNNEL` when it is too short, its length
 * field lies or its type is unknown. The padding byte is ignored: old nodes leave garbage in it.
 */
export function classifyDatagram(bytes: Uint8Array, offset: number, length: number): number {
  if (length < TUNNEL_HEADER_BYTES) return NOT_TUNNEL;
  if (
    bytes[offset + 4] === 0x21 &&
    bytes[offset + 5] === 0x12 &&
    bytes[offset + 6] === 0xa4 &&
    bytes[offset + 7] === 0x42 &&
    (bytes[offset]! & 0xc0) === 0
  ) {
    return STUN;
  }
  if ((bytes[offset + 6]! | (bytes[offset + 7]! << 8)) !== length - TUNNEL_HEADER_BYTES) return NOT_TUNNEL;
  const type = bytes[offset + 4]!;
  return type >= TunnelType.syn && type <= TunnelType.holePunch6 ? type : NOT_TUNNEL;
}

export function readConnId(bytes: Uint8Array, offset: number): number {
  return readU32(bytes, offset);
}

export function writeTunnelHeader(
  bytes: Uint8Array,
  offset: number,
  connId: number,
  type: number,
  bodyBytes: number,
): void {
  writeU32(bytes, offset, connId);
  bytes[offset + 4] = type;
  bytes[offset + 5] = 0;
  bytes[offset + 6] = bodyBytes;
  bytes[offset + 7] = bodyBytes >>> 8;
}

/** Writes a SYN or SACK of `SYN_BYTES`; the magic is given as its low and high half. */
export function writeSyn(
  bytes: Uint8Array,
  offset: number,
  connId: number,
  type: number,
  magicLow: number,
  magicHigh: number,
): void {
  writeTunnelHeader(bytes, offset, connId, type, MAGIC_BYTES);
  writeU32(bytes, offset + 8, magicLow);
  writeU32(bytes, offset + 12, magicHigh);
}
