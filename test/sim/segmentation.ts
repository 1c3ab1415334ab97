/**
 * What a kernel (or the core in its place) does with a frame that is larger than a wire takes: RFC 791 fragments, TCP and
 * UDP segmentation with complete checksums. Frames have the host's vnet header in front.
 */
import { VNET_HEADER_BYTES } from "../../router-daemon/src/host/host.ts";
import { Errno } from "./errno.ts";

const TCP = 6;
const UDP = 17;
const NEEDS_CHECKSUM = 1;
const DATA_VALID = 2;
const GSO_TCP4 = 1;
const GSO_TCP6 = 4;
const GSO_UDP = 5;
const DONT_FRAGMENT = 0x40;
const MORE_FRAGMENTS = 0x20;
const FIN_PSH = 0x09;
const CWR = 0x80;

/** An IP packet and where its parts are. */
interface Parsed {
  readonly packet: Uint8Array;
  readonly version: 4 | 6;
  readonly protocol: number;
  /** Where the transport header begins. */
  readonly l4: number;
  readonly isFragment: boolean;
  readonly mayFragment: boolean;
}

/**
 * IP packets of at most `mtu` bytes. -EINVAL when the frame does not add up, -EMSGSIZE when it cannot be cut, -EBADMSG when
 * it would be cut and its checksum is wrong.
 */
export function cutFrame(frame: Uint8Array, mtu: number): Uint8Array[] | number {
  if (frame.length <= VNET_HEADER_BYTES) return Errno.invalid;
  const ip = parse(frame.subarray(VNET_HEADER_BYTES));
  if (ip === undefined || ip.packet.length > 0xffff) return Errno.invalid;
  const flags = frame[0]!;
  const gsoType = frame[1]! & 0x7f;
  const gsoSize = le16(frame, 4);
  const { packet, protocol, l4 } = ip;
  let checksumStart = 0;
  let checksumAt = 0;
  if ((flags & NEEDS_CHECKSUM) !== 0) {
    checksumStart = le16(frame, 6);
    checksumAt = checksumStart + le16(frame, 8);
    if (checksumStart < 20 || checksumAt + 2 > packet.length) return Errno.invalid;
  }
  const isWhole = gsoType === 0 && packet.length <= mtu;
  const l4Bytes = packet.length - l4;
  if (
    !isWhole &&
    protocol === TCP &&
    !ip.isFragment &&
    (gsoType === 0 || gsoType === GSO_TCP4 || gsoType === GSO_TCP6)
  ) {
    if (l4Bytes < 20) return Errno.invalid;
    const header = (packet[l4 + 12]! >> 4) * 4;
    if (header < 20 || header > l4Bytes || (gsoType !== 0 && gsoSize === 0)) return Errno.invalid;
    const isChecked = (flags & (NEEDS_CHECKSUM | DATA_VALID)) !== 0;
    if (!isChecked && fold(sum(packet, l4, l4Bytes, pseudoSum(ip, TCP, l4Bytes))) !== 0xffff) {
      return Errno.badMessage;
    }
    const step = Math.min(gsoType === 0 ? packet.length : gsoSize, mtu - l4 - header);
    return step <= 0 ? Errno.messageSize : segments(ip, l4 + header, step);
  }
  if (gsoType === GSO_UDP) {
    if (protocol !== UDP || ip.isFragment || l4Bytes < 8 || gsoSize === 0) return Errno.invalid;
    return l4 + 8 + gsoSize > mtu ? Errno.messageSize : segments(ip, l4 + 8, gsoSize);
  }
  if (gsoType !== 0) return Errno.invalid;
  const whole = packet.slice();
  if (checksumAt !== 0) {
    const value = ~fold(sum(packet, checksumStart, packet.length - checksumStart)) & 0xffff;
    put16(whole, checksumAt, value === 0 && protocol === UDP ? 0xffff : value);
  }
  if (isWhole) return [whole];
  if (ip.version !== 4 || !ip.mayFragment || l4 !== 20 || mtu < 28) return Errno.messageSize;
  const step = (mtu - 20) & ~7;
  // A checksum that lies behind the first fragment could not be completed there.
  if (checksumAt + 2 > 20 + step) return Errno.messageSize;
  return fragments(whole, step);
}

function parse(bytes: Uint8Array): Parsed | undefined {
  const version = bytes[0]! >> 4;
  if (version === 4) {
    if (bytes.length < 20) return undefined;
    const l4 = (bytes[0]! & 15) * 4;
    const total = be16(bytes, 2) || bytes.length;
    if (l4 < 20 || total < l4 || total > bytes.length) return undefined;
    const packet = bytes.subarray(0, total);
    const fragment = be16(bytes, 6);
    return {
      packet,
      version,
      protocol: bytes[9]!,
      l4,
      isFragment: (fragment & 0x3fff) !== 0,
      mayFragment: (bytes[6]! & DONT_FRAGMENT) === 0,
    };
  }
  if (version !== 6 || bytes.length < 40) return undefined;
  const payload = be16(bytes, 4);
  if (40 + payload > bytes.length) return undefined;
  const packet = payload === 0 ? bytes : bytes.subarray(0, 40 + payload);
  let protocol = packet[6]!;
  let l4 = 40;
  // Hop-by-hop, routing, destination options.
  while (protocol === 0 || protocol === 43 || protocol === 60) {
    if (l4 + 8 > packet.length) return undefined;
    protocol = packet[l4]!;
    l4 += (packet[l4 + 1]! + 1) * 8;
    if (l4 > packet.length) return undefined;
  }
  return { packet, version, protocol, l4, isFragment: protocol === 44, mayFragment: false };
}

/** TCP or UDP: the headers in front of every `step` bytes of payload. */
function segments(ip: Parsed, headerBytes: number, step: number): Uint8Array[] | number {
  const { packet, l4, protocol, version } = ip;
  if (headerBytes > packet.length) return Errno.invalid;
  const payload = packet.subarray(headerBytes);
  const cut: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += step) {
    const piece = payload.subarray(at, at + step);
    const out = new Uint8Array(headerBytes + piece.length);
    out.set(packet.subarray(0, headerBytes));
    out.set(piece, headerBytes);
    const isFirst = at === 0;
    const isLast = at + step >= payload.length;
    if (protocol === TCP) {
      const view = new DataView(out.buffer);
      view.setUint32(l4 + 4, view.getUint32(l4 + 4) + at);
      if (!isLast) out[l4 + 13]! &= ~FIN_PSH;
      if (!isFirst) out[l4 + 13]! &= ~CWR;
    } else put16(out, l4 + 4, out.length - l4);
    if (version === 4) put16(out, 4, be16(packet, 4) + cut.length);
    setIpLength(out, version);
    const field = l4 + (protocol === TCP ? 16 : 6);
    put16(out, field, 0);
    const l4Bytes = out.length - l4;
    const value = ~fold(sum(out, l4, l4Bytes, pseudoSum({ ...ip, packet: out }, protocol, l4Bytes))) & 0xffff;
    put16(out, field, value === 0 && protocol === UDP ? 0xffff : value);
    cut.push(out);
  }
  return cut;
}

function fragments(whole: Uint8Array, step: number): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0; 20 + at < whole.length; at += step) {
    const piece = whole.subarray(20 + at, 20 + at + step);
    const out = new Uint8Array(20 + piece.length);
    out.set(whole.subarray(0, 20));
    out.set(piece, 20);
    const isLast = 20 + at + step >= whole.length;
    put16(out, 6, be16(whole, 6) + at / 8);
    if (!isLast) out[6]! |= MORE_FRAGMENTS;
    setIpLength(out, 4);
    cut.push(out);
  }
  return cut;
}

function setIpLength(packet: Uint8Array, version: 4 | 6): void {
  if (version === 6) {
    put16(packet, 4, packet.length - 40);
    return;
  }
  put16(packet, 2, packet.length);
  put16(packet, 10, 0);
  put16(packet, 10, ~fold(sum(packet, 0, (packet[0]! & 15) * 4)) & 0xffff);
}

function pseudoSum({ packet, version }: Parsed, protocol: number, l4Bytes: number): number {
  return protocol + l4Bytes + (version === 4 ? sum(packet, 12, 8) : sum(packet, 8, 32));
}

function sum(bytes: Uint8Array, from: number, length: number, start = 0): number {
  let total = start;
  for (let at = from; at < from + length; at += 2) {
    total += (bytes[at]! << 8) | (at + 1 < from + length ? bytes[at + 1]! : 0);
  }
  return total;
}

function fold(total: number): number {
  let sum = total;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

function le16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function be16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
