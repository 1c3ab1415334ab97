/** TCP header and options (RFC 9293 3.1, 7323, 2018). `checkTcp` once, then the accessors cannot fail. */

import { onesComplementSum, pseudoHeaderSum, updateChecksum } from "./checksum.ts";
import {
  checkIpv4,
  IpProtocol,
  ipv4Destination,
  ipv4IsLaterFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
} from "./ipv4.ts";
import { VNET_BYTES, VnetFlag, vnetFlags } from "./vnet.ts";

export const TCP_HEADER_BYTES = 20;
export const TCP_MAX_HEADER_BYTES = 60;

export const TcpOffset = {
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgement: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgent: 18,
} as const;

export const TcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

export const TcpOption = {
  end: 0,
  nop: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
} as const;

/** The largest shift that may be used; larger ones count as this (RFC 7323 2.3). */
export const MAX_WINDOW_SHIFT = 14;
/** MSS of a peer that sends no MSS option (RFC 9293 3.7.1). */
export const DEFAULT_MSS = 536;
/** SACK blocks that fit into the options. */
export const MAX_SACK_BLOCKS = 4;

/** Header bytes of the segment at `offset` (20..60), or 0 when it does not fit into `length` bytes. */
export function checkTcp(bytes: Uint8Array, offset: number, length: number): number {
  if (length < TCP_HEADER_BYTES) return 0;
  const headerBytes = (bytes[offset + 12]! >> 4) << 2;
  return headerBytes < TCP_HEADER_BYTES || headerBytes > length ? 0 : headerBytes;
}

export function tcpSourcePort(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

export function tcpDestinationPort(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
}

/** Sequence number as a signed 32-bit number: differences of such numbers, `| 0`, compare modulo 2^32. */
export function tcpSequence(bytes: Uint8Array, offset: number): number {
  return readInt32(bytes, offset + TcpOffset.sequence);
}

/** Acknowledgement number as a signed 32-bit number. */
export function tcpAcknowledgement(bytes: Uint8Array, offset: number): number {
  return readInt32(bytes, offset + TcpOffset.acknowledgement);
}

export function tcpFlags(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TcpOffset.flags]!;
}

/** The window field, unscaled. */
export function tcpWindow(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 14]! << 8) | bytes[offset + 15]!;
}

/** True when the checksum of `length` bytes (header and payload) is right for these addresses. */
export function tcpChecksumIsRight(
  bytes: Uint8Array,
  offset: number,
  length: number,
  source: number,
  destination: number,
): boolean {
  const pseudo = pseudoHeaderSum(source, destination, IpProtocol.tcp, length);
  return onesComplementSum(bytes, offset, length, pseudo) === 0xffff;
}

/** Options of one segment: made once, filled by `parse` again and again. */
export class TcpOptions {
  /** 0 = not there. */
  mss = 0;
  /** -1 = not there. */
  windowShift = -1;
  sackPermitted = false;
  hasTimestamps = false;
  /** Signed 32-bit, like sequence numbers. */
  timestampValue = 0;
  timestampEcho = 0;
  sackBlocks = 0;
  /** Left and right edge of each block, signed 32-bit. */
  readonly sackEdges: Int32Array = new Int32Array(2 * MAX_SACK_BLOCKS);

  /**
   * Reads the options of a segment with `headerBytes` of header. Unknown ones are skipped by their length; at the first
   * that does not fit reading ends, what was read before stays. False = malformed.
   */
  parse(bytes: Uint8Array, offset: number, headerBytes: number): boolean {
    this.mss = 0;
    this.windowShift = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.sackBlocks = 0;
    let at = offset + TCP_HEADER_BYTES;
    const end = offset + headerBytes;
    if (
      headerBytes === 32 &&
      bytes[at + 2] === 8 &&
      bytes[at + 3] === 10 &&
      bytes[at] === 1 &&
      bytes[at + 1] === 1
    ) {
      // NOP NOP timestamps: what nearly every segment of a connection carries (RFC 7323, appendix A).
      this.hasTimestamps = true;
      this.timestampValue = readInt32(bytes, at + 4);
      this.timestampEcho = readInt32(bytes, at + 8);
      return true;
    }
    while (at < end) {
      const kind = bytes[at]!;
      if (kind === TcpOption.end) return true;
      if (kind === TcpOption.nop) {
        at++;
        continue;
      }
      const size = at + 1 < end ? bytes[at + 1]! : 0;
      if (size < 2 || at + size > end) return false;
      this.#option(bytes, at, kind, size);
      at += size;
    }
    return true;
  }

  #option(bytes: Uint8Array, at: number, kind: number, size: number): void {
    if (kind === TcpOption.mss && size === 4) {
      this.mss = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    } else if (kind === TcpOption.windowScale && size === 3) {
      this.windowShift = Math.min(bytes[at + 2]!, MAX_WINDOW_SHIFT);
    } else if (kind === TcpOption.sackPermitted && size === 2) {
      this.sackPermitted = true;
    } else if (kind === TcpOption.timestamps && size === 10) {
      this.hasTimestamps = true;
      this.timestampValue = readInt32(bytes, at + 2);
      this.timestampEcho = readInt32(bytes, at + 6);
    } else if (kind === TcpOption.sack && size >= 10 && (size - 2) % 8 === 0) {
      this.sackBlocks = (size - 2) >> 3;
      for (let word = 0; word < 2 * this.sackBlocks; word++) {
        this.sackEdges[word] = readInt32(bytes, at + 2 + 4 * word);
      }
    }
  }
}

/** Writes the 20 fixed bytes; `headerBytes` counts the options, the caller fills the checksum field in afterwards. */
export function writeTcpHeader(
  bytes: Uint8Array,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgement: number,
  headerBytes: number,
  flags: number,
  window: number,
): void {
  bytes[offset] = sourcePort >>> 8;
  bytes[offset + 1] = sourcePort;
  bytes[offset + 2] = destinationPort >>> 8;
  bytes[offset + 3] = destinationPort;
  writeInt32(bytes, offset + 4, sequence);
  writeInt32(bytes, offset + 8, acknowledgement);
  bytes[offset + 12] = headerBytes << 2;
  bytes[offset + 13] = flags;
  bytes[offset + 14] = window >>> 8;
  bytes[offset + 15] = window;
  bytes[offset + 16] = 0;
  bytes[offset + 17] = 0;
  bytes[offset + 18] = 0;
  bytes[offset + 19] = 0;
}

export function writeTcpChecksum(bytes: Uint8Array, offset: number, checksum: number): void {
  bytes[offset + 16] = checksum >>> 8;
  bytes[offset + 17] = checksum;
}

/** NOP NOP timestamps, 12 bytes. Returns the offset behind them. */
export function writeTimestamps(bytes: Uint8Array, at: number, value: number, echo: number): number {
  bytes[at] = TcpOption.nop;
  bytes[at + 1] = TcpOption.nop;
  bytes[at + 2] = TcpOption.timestamps;
  bytes[at + 3] = 10;
  writeInt32(bytes, at + 4, value);
  writeInt32(bytes, at + 8, echo);
  return at + 12;
}

/** NOP NOP SACK with `blocks` pairs of `edges`, 4 + 8 * blocks bytes. Returns the offset behind them. */
export function writeSackBlocks(bytes: Uint8Array, at: number, edges: Int32Array, blocks: number): number {
  bytes[at] = TcpOption.nop;
  bytes[at + 1] = TcpOption.nop;
  bytes[at + 2] = TcpOption.sack;
  bytes[at + 3] = 2 + 8 * blocks;
  for (let word = 0; word < 2 * blocks; word++) writeInt32(bytes, at + 4 + 4 * word, edges[word]!);
  return at + 4 + 8 * blocks;
}

/** MSS, 4 bytes. Returns the offset behind it. */
export function writeMss(bytes: Uint8Array, at: number, mss: number): number {
  bytes[at] = TcpOption.mss;
  bytes[at + 1] = 4;
  bytes[at + 2] = mss >>> 8;
  bytes[at + 3] = mss;
  return at + 4;
}

/** NOP and window scale, 4 bytes. Returns the offset behind them. */
export function writeWindowShift(bytes: Uint8Array, at: number, shift: number): number {
  bytes[at] = TcpOption.nop;
  bytes[at + 1] = TcpOption.windowScale;
  bytes[at + 2] = 3;
  bytes[at + 3] = shift;
  return at + 4;
}

/** NOP NOP SACK permitted, 4 bytes. Returns the offset behind them. */
export function writeSackPermitted(bytes: Uint8Array, at: number): number {
  bytes[at] = TcpOption.nop;
  bytes[at + 1] = TcpOption.nop;
  bytes[at + 2] = TcpOption.sackPermitted;
  bytes[at + 3] = 2;
  return at + 4;
}

/**
 * Lowers the MSS option of a SYN in an IPv4 packet to `mss`, checksum included, so that both ends of a connection that
 * travels as plain IP send segments which fit the tunnel. True = changed. Everything else is left alone.
 */
export function clampMss(bytes: Uint8Array, offset: number, length: number, mss: number): boolean {
  return clampMssOption(bytes, offset, length, mss, false);
}

/** `clampMss` for a frame with the vnet header in front: a partial checksum does not cover the options yet. */
export function clampMssInFrame(bytes: Uint8Array, offset: number, length: number, mss: number): boolean {
  if (length < VNET_BYTES) return false;
  const partial = (vnetFlags(bytes, offset) & VnetFlag.needsChecksum) !== 0;
  return clampMssOption(bytes, offset + VNET_BYTES, length - VNET_BYTES, mss, partial);
}

function clampMssOption(
  bytes: Uint8Array,
  offset: number,
  length: number,
  mss: number,
  partial: boolean,
): boolean {
  const ipBytes = checkIpv4(bytes, offset, length);
  if (ipBytes === 0 || ipv4Protocol(bytes, offset) !== IpProtocol.tcp || ipv4IsLaterFragment(bytes, offset))
    return false;
  const tcp = offset + ipBytes;
  const headerBytes = checkTcp(bytes, tcp, ipv4TotalLength(bytes, offset) - ipBytes);
  if (headerBytes === 0 || (tcpFlags(bytes, tcp) & TcpFlag.syn) === 0) return false;
  const end = tcp + headerBytes;
  for (let at = tcp + TCP_HEADER_BYTES; at + 1 < end; ) {
    const kind = bytes[at]!;
    if (kind === TcpOption.end) return false;
    if (kind === TcpOption.nop) {
      at++;
      continue;
    }
    const size = bytes[at + 1]!;
    if (size < 2 || at + size > end) return false;
    if (kind === TcpOption.mss && size === 4) return lowerMss(bytes, tcp, at + 2, mss, partial);
    at += size;
  }
  return false;
}

function lowerMss(bytes: Uint8Array, tcp: number, at: number, mss: number, partial: boolean): boolean {
  if (((bytes[at]! << 8) | bytes[at + 1]!) <= mss) return false;
  // The value may lie across two checksum words: then both change, each by one byte.
  const odd = (at - tcp) & 1;
  const first = at - odd;
  const oldHigh = (bytes[first]! << 8) | bytes[first + 1]!;
  const oldLow = odd === 0 ? 0 : (bytes[first + 2]! << 8) | bytes[first + 3]!;
  bytes[at] = mss >>> 8;
  bytes[at + 1] = mss;
  if (partial) return true;
  let checksum = (bytes[tcp + TcpOffset.checksum]! << 8) | bytes[tcp + TcpOffset.checksum + 1]!;
  checksum = updateChecksum(checksum, oldHigh, (bytes[first]! << 8) | bytes[first + 1]!);
  if (odd !== 0) checksum = updateChecksum(checksum, oldLow, (bytes[first + 2]! << 8) | bytes[first + 3]!);
  writeTcpChecksum(bytes, tcp, checksum);
  return true;
}

/** True when source, destination and protocol make this a TCP segment over IPv4 that is no fragment. Checks lengths. */
export function isWholeTcpPacket(bytes: Uint8Array, offset: number, length: number): boolean {
  const ipBytes = checkIpv4(bytes, offset, length);
  if (ipBytes === 0 || ipv4Protocol(bytes, offset) !== IpProtocol.tcp || ipv4IsLaterFragment(bytes, offset))
    return false;
  return checkTcp(bytes, offset + ipBytes, ipv4TotalLength(bytes, offset) - ipBytes) !== 0;
}

/** True when the IPv4 packet's TCP checksum is right. Only for packets that passed `isWholeTcpPacket`. */
export function tcpPacketChecksumIsRight(bytes: Uint8Array, offset: number): boolean {
  const ipBytes = (bytes[offset]! & 15) << 2;
  const length = ipv4TotalLength(bytes, offset) - ipBytes;
  return tcpChecksumIsRight(
    bytes,
    offset + ipBytes,
    length,
    ipv4Source(bytes, offset),
    ipv4Destination(bytes, offset),
  );
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
