/**
 * IPv4 header (RFC 791). `checkIpv4` once, then the accessors cannot fail. Addresses are unsigned 32-bit numbers.
 */

import { onesComplementSum } from "./checksum.ts";

export const IPV4_HEADER_BYTES = 20;
/** Most bytes that the 16-bit length field can tell. */
export const IPV4_MAX_BYTES = 0xffff;

export const Ipv4Offset = {
  versionAndLength: 0,
  typeOfService: 1,
  totalLength: 2,
  identification: 4,
  flagsAndFragment: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
} as const;

export const IpProtocol = { icmp: 1, tcp: 6, udp: 17 } as const;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;

/**
 * Header bytes of the IPv4 packet at `offset` (20..60), or 0 when it is none: other version, or its lengths do not fit
 * into the `length` bytes that there are. Bytes behind the total length are link padding and not looked at.
 */
export function checkIpv4(bytes: Uint8Array, offset: number, length: number): number {
  if (length < IPV4_HEADER_BYTES) return 0;
  const first = bytes[offset]!;
  const headerBytes = (first & 15) << 2;
  if (first >> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES) return 0;
  const totalLength = ipv4TotalLength(bytes, offset);
  return totalLength < headerBytes || totalLength > length ? 0 : headerBytes;
}

export function ipv4TotalLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

export function ipv4Protocol(bytes: Uint8Array, offset: number): number {
  return bytes[offset + Ipv4Offset.protocol]!;
}

export function ipv4Source(bytes: Uint8Array, offset: number): number {
  return readAddress(bytes, offset + Ipv4Offset.source);
}

export function ipv4Destination(bytes: Uint8Array, offset: number): number {
  return readAddress(bytes, offset + Ipv4Offset.destination);
}

/** A fragment of a larger packet, the first one included. */
export function ipv4IsFragment(bytes: Uint8Array, offset: number): boolean {
  const field = (bytes[offset + 6]! << 8) | bytes[offset + 7]!;
  return (field & (MORE_FRAGMENTS | FRAGMENT_OFFSET)) !== 0;
}

/** A fragment that does not begin with the transport header. */
export function ipv4IsLaterFragment(bytes: Uint8Array, offset: number): boolean {
  return (((bytes[offset + 6]! << 8) | bytes[offset + 7]!) & FRAGMENT_OFFSET) !== 0;
}

export function ipv4DontFragment(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset + 6]! & (DONT_FRAGMENT >> 8)) !== 0;
}

/** True when the header's own checksum is right. */
export function ipv4ChecksumIsRight(bytes: Uint8Array, offset: number, headerBytes: number): boolean {
  return onesComplementSum(bytes, offset, headerBytes) === 0xffff;
}

/** Address with a meaning for one host: not 0.0.0.0/8, loopback, multicast, reserved or broadcast (RFC 1122 3.2.1.3). */
export function isUnicastAddress(address: number): boolean {
  const top = address >>> 24;
  return top !== 0 && top !== 127 && top < 224;
}

function readAddress(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Writes a header without options, don't-fragment set, checksum filled in. `totalLength` includes the header. */
export function writeIpv4Header(
  bytes: Uint8Array,
  offset: number,
  totalLength: number,
  identification: number,
  timeToLive: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  bytes[offset] = 0x45;
  bytes[offset + 1] = 0;
  bytes[offset + 2] = totalLength >>> 8;
  bytes[offset + 3] = totalLength;
  bytes[offset + 4] = identification >>> 8;
  bytes[offset + 5] = identification;
  bytes[offset + 6] = DONT_FRAGMENT >> 8;
  bytes[offset + 7] = 0;
  bytes[offset + 8] = timeToLive;
  bytes[offset + 9] = protocol;
  bytes[offset + 10] = 0;
  bytes[offset + 11] = 0;
  bytes[offset + 12] = source >>> 24;
  bytes[offset + 13] = source >>> 16;
  bytes[offset + 14] = source >>> 8;
  bytes[offset + 15] = source;
  bytes[offset + 16] = destination >>> 24;
  bytes[offset + 17] = destination >>> 16;
  bytes[offset + 18] = destination >>> 8;
  bytes[offset + 19] = destination;
  const checksum = ~onesComplementSum(bytes, offset, IPV4_HEADER_BYTES);
  bytes[offset + 10] = checksum >>> 8;
  bytes[offset + 11] = checksum;
}
