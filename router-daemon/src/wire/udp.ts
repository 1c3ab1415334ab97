/** UDP header over IPv4 (RFC 768). `checkUdp` once, then the accessors cannot fail. */

import { onesComplementSum, pseudoHeaderSum } from "./checksum.ts";
import { IpProtocol } from "./ipv4.ts";

export const UDP_HEADER_BYTES = 8;

/** Length by the header (8..length), or 0 when it does not fit into the `length` bytes that there are. */
export function checkUdp(bytes: Uint8Array, offset: number, length: number): number {
  if (length < UDP_HEADER_BYTES) return 0;
  const udpLength = (bytes[offset + 4]! << 8) | bytes[offset + 5]!;
  return udpLength < UDP_HEADER_BYTES || udpLength > length ? 0 : udpLength;
}

export function udpSourcePort(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

export function udpDestinationPort(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

/** True when the checksum is right, or absent (0). `length` is what `checkUdp` returned. */
export function udpChecksumIsRight(
  bytes: Uint8Array,
  offset: number,
  length: number,
  source: number,
  destination: number,
): boolean {
  if (bytes[offset + 6] === 0 && bytes[offset + 7] === 0) return true;
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.udp, length);
  return onesComplementSum(bytes, offset, length, pseudo) === 0xffff;
}

/** Writes the header in front of `payloadBytes` that lie behind it already, checksum filled in. */
export function writeUdpHeader(
  bytes: Uint8Array,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  payloadBytes: number,
  source: number,
  destination: number,
): void {
  const length = UDP_HEADER_BYTES + payloadBytes;
  bytes[offset] = sourcePort >>> 8;
  bytes[offset + 1] = sourcePort;
  bytes[offset + 2] = destinationPort >>> 8;
  bytes[offset + 3] = destinationPort;
  bytes[offset + 4] = length >>> 8;
  bytes[offset + 5] = length;
  bytes[offset + 6] = 0;
  bytes[offset + 7] = 0;
  const sum = onesComplementSum(
    bytes,
    offset,
    length,
    pseudoHeaderSum(source, destination, IpProtocol.udp, length),
  );
  // A computed 0 is sent as its other spelling: 0 on the wire means "no checksum".
  const checksum = sum === 0xffff ? 0xffff : ~sum & 0xffff;
  bytes[offset + 6] = checksum >>> 8;
  bytes[offset + 7] = checksum;
}
