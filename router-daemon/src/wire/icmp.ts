/** ICMP (RFC 792): what the plain path must be able to say, "this packet cannot pass and here is why". */

import { onesComplementSum } from "./checksum.ts";
import {
  checkIpv4,
  IPV4_HEADER_BYTES,
  IpProtocol,
  ipv4Destination,
  ipv4IsLaterFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  isUnicastAddress,
  writeIpv4Header,
} from "./ipv4.ts";

export const ICMP_HEADER_BYTES = 8;

export const IcmpType = {
  echoReply: 0,
  unreachable: 3,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const;
/** Codes of `unreachable`. */
export const UnreachableCode = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  prohibited: 13,
} as const;

/** Bytes of the original's payload that an error quotes: enough for every TCP header without options (RFC 1812 4.3.2.3). */
const QUOTED_PAYLOAD_BYTES = 28;
/** Most bytes of a packet that `writeIcmpError` makes. */
export const MAX_ICMP_ERROR_BYTES = IPV4_HEADER_BYTES + ICMP_HEADER_BYTES + 60 + QUOTED_PAYLOAD_BYTES;

const TIME_TO_LIVE = 64;

/** Type of the ICMP message in a checked IPv4 packet, or -1 when it is none or too short. */
export function icmpType(bytes: Uint8Array, offset: number, headerBytes: number): number {
  if (ipv4Protocol(bytes, offset) !== IpProtocol.icmp || ipv4IsLaterFragment(bytes, offset)) return -1;
  if (ipv4TotalLength(bytes, offset) < headerBytes + ICMP_HEADER_BYTES) return -1;
  return bytes[offset + headerBytes]!;
}

/**
 * Writes an IPv4 packet at `at` that tells the sender of the packet at `offset` why it cannot pass; `source` is who tells
 * it, `mtu` the next hop's (for fragmentationNeeded, RFC 1191; else 0). Returns its bytes, or 0 where no error may be sent
 * (RFC 1122 3.2.2): about an ICMP error, a later fragment, or to or about something that is not one host.
 */
export function writeIcmpError(
  bytes: Uint8Array,
  at: number,
  type: number,
  code: number,
  mtu: number,
  source: number,
  offset: number,
  length: number,
): number {
  const headerBytes = checkIpv4(bytes, offset, length);
  if (headerBytes === 0 || ipv4IsLaterFragment(bytes, offset)) return 0;
  const sender = ipv4Source(bytes, offset);
  if (!isUnicastAddress(sender) || !isUnicastAddress(ipv4Destination(bytes, offset))) return 0;
  if (ipv4Protocol(bytes, offset) === IpProtocol.icmp) {
    const original = icmpType(bytes, offset, headerBytes);
    if (original !== IcmpType.echo && original !== IcmpType.echoReply) return 0;
  }
  const quoted = Math.min(ipv4TotalLength(bytes, offset), headerBytes + QUOTED_PAYLOAD_BYTES);
  const icmp = at + IPV4_HEADER_BYTES;
  bytes.copyWithin(icmp + ICMP_HEADER_BYTES, offset, offset + quoted);
  bytes.fill(0, icmp, icmp + ICMP_HEADER_BYTES);
  bytes[icmp] = type;
  bytes[icmp + 1] = code;
  bytes[icmp + 6] = mtu >>> 8;
  bytes[icmp + 7] = mtu;
  const checksum = ~onesComplementSum(bytes, icmp, ICMP_HEADER_BYTES + quoted);
  bytes[icmp + 2] = checksum >>> 8;
  bytes[icmp + 3] = checksum;
  const total = IPV4_HEADER_BYTES + ICMP_HEADER_BYTES + quoted;
  writeIpv4Header(bytes, at, total, 0, TIME_TO_LIVE, IpProtocol.icmp, source, sender);
  return total;
}
