/**
 * Packet headers (RFC 9000, 17; proxies.md 6.5). Nothing of them is protected, so a header is read in one step.
 *
 * ```
 *  long   1 1 t t 0 0 p p │ version 4 │ len dcid │ len scid │ Initial: token │ length │ number p+1 │ payload, tag
 *  short  0 1 s 0 0 k p p │ dcid 8                                                   │ number p+1 │ payload, tag
 * ```
 */
import { TAG_BYTES } from "./checksum.ts";
import { Cursor, varintBytes, writeU32, writeVarint, writeVarint2 } from "./varint.ts";

export const QUIC_VERSION = 1;
/** Connection IDs that an endpoint chooses for itself: short headers do not say how long they are. */
export const LOCAL_CID_BYTES = 8;
export const MAX_CID_BYTES = 20;
/** Payload bytes of the shortest packet sent: the stock node reads at least so many (proxies.md 6.3). */
export const MIN_PAYLOAD_BYTES = 4;

export const PacketKind = { initial: 0, zeroRtt: 1, handshake: 2, retry: 3, short: 4 } as const;

/** A received packet's header; positions are indices into the arena. */
export class PacketHeader {
  kind: number = PacketKind.short;
  headerAt = 0;
  dcidAt = 0;
  dcidBytes = 0;
  scidAt = 0;
  scidBytes = 0;
  tokenBytes = 0;
  version = QUIC_VERSION;
  keyPhase = false;
  /** The two reserved bits, which must be 0 in a packet whose checksum is right. */
  reservedBits = 0;
  numberBytes = 0;
  /** The low bytes of the packet number. */
  truncatedNumber = 0;
  payloadAt = 0;
  payloadBytes = 0;
  /** Where the next packet of the datagram begins. */
  end = 0;
  readonly #cursor = new Cursor(new Uint8Array(0));

  /** Reads the header at `at`. False: no packet that is spoken here; nothing more of the datagram can be read. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    const cursor = this.#cursor;
    cursor.reset(bytes, at, end);
    this.headerAt = at;
    const first = cursor.u8();
    this.reservedBits = (first & 0x80) === 0 ? first & 0x18 : first & 0x0c;
    this.scidBytes = 0;
    this.tokenBytes = 0;
    if ((first & 0x80) === 0) {
      this.kind = PacketKind.short;
      this.keyPhase = (first & 0x04) !== 0;
      this.dcidBytes = LOCAL_CID_BYTES;
      this.dcidAt = cursor.skip(LOCAL_CID_BYTES);
      this.end = end;
    } else {
      this.kind = (first >>> 4) & 3;
      this.version = cursor.u32();
      this.dcidBytes = cursor.u8();
      this.dcidAt = cursor.skip(this.dcidBytes);
      this.scidBytes = cursor.u8();
      this.scidAt = cursor.skip(this.scidBytes);
      if (cursor.failed || this.version !== QUIC_VERSION) return false;
      if (this.dcidBytes > MAX_CID_BYTES || this.scidBytes > MAX_CID_BYTES) return false;
      if (this.kind !== PacketKind.initial && this.kind !== PacketKind.handshake) return false;
      if (this.kind === PacketKind.initial) {
        this.tokenBytes = cursor.varint();
        cursor.skip(this.tokenBytes);
      }
      const length = cursor.varint();
      if (cursor.failed || length > cursor.left) return false;
      this.end = cursor.at + length;
    }
    this.numberBytes = (first & 3) + 1;
    const numberAt = cursor.skip(this.numberBytes);
    this.payloadAt = cursor.at;
    this.payloadBytes = this.end - TAG_BYTES - cursor.at;
    if (cursor.failed || this.payloadBytes < 0) return false;
    let number = 0;
    for (let i = 0; i < this.numberBytes; i++) number = number * 256 + bytes[numberAt + i]!;
    this.truncatedNumber = number;
    return true;
  }

  get headerBytes(): number {
    return this.payloadAt - this.headerAt;
  }
}

/** A datagram with which a client opens a connection: it begins with an Initial packet. */
export function isQuicOpening(bytes: Uint8Array, at: number, length: number): boolean {
  return length > 0 && (bytes[at]! & 0xb0) === (0x80 | (PacketKind.initial << 4));
}

/** The packet number whose low bytes are `truncated`, nearest to the one expected next (RFC 9000, A.3). */
export function expandNumber(truncated: number, numberBytes: number, largest: number): number {
  const window = 256 ** numberBytes;
  const expected = largest + 1;
  const candidate = expected - (expected % window) + truncated;
  if (candidate <= expected - window / 2 && candidate < 2 ** 62 - window) return candidate + window;
  if (candidate > expected + window / 2 && candidate >= window) return candidate - window;
  return candidate;
}

/** Bytes in which `number` is written while `largestAcked` (-1 = none) is known to have arrived (proxies.md 6.5). */
export function numberBytesFor(number: number, largestAcked: number): number {
  const range = 2 * (number - Math.max(largestAcked, 0));
  if (range < 0x100) return 1;
  if (range < 0x1_0000) return 2;
  return range < 0x100_0000 ? 3 : 4;
}

/** Bytes of a short header. */
export function shortHeaderBytes(dcidBytes: number, numberBytes: number): number {
  return 1 + dcidBytes + numberBytes;
}

/** Writes a short header; returns the index of the payload. */
export function writeShortHeader(
  bytes: Uint8Array,
  at: number,
  dcid: Uint8Array,
  keyPhase: boolean,
  number: number,
  numberBytes: number,
): number {
  bytes[at++] = 0x40 | (keyPhase ? 0x04 : 0) | (numberBytes - 1);
  for (let i = 0; i < dcid.length; i++) bytes[at++] = dcid[i]!;
  return writeNumber(bytes, at, number, numberBytes);
}

/** Bytes of a long header with an empty token. */
export function longHeaderBytes(
  kind: number,
  dcidBytes: number,
  scidBytes: number,
  numberBytes: number,
): number {
  return (
    5 + 1 + dcidBytes + 1 + scidBytes + (kind === PacketKind.initial ? varintBytes(0) : 0) + 2 + numberBytes
  );
}

/** Writes a long header for `payloadBytes` of frames; returns the index of the payload. */
export function writeLongHeader(
  bytes: Uint8Array,
  at: number,
  kind: number,
  dcid: Uint8Array,
  scid: Uint8Array,
  number: number,
  numberBytes: number,
  payloadBytes: number,
): number {
  bytes[at++] = 0xc0 | (kind << 4) | (numberBytes - 1);
  writeU32(bytes, at, QUIC_VERSION);
  at += 4;
  bytes[at++] = dcid.length;
  for (let i = 0; i < dcid.length; i++) bytes[at++] = dcid[i]!;
  bytes[at++] = scid.length;
  for (let i = 0; i < scid.length; i++) bytes[at++] = scid[i]!;
  if (kind === PacketKind.initial) at = writeVarint(bytes, at, 0);
  at = writeVarint2(bytes, at, numberBytes + payloadBytes + TAG_BYTES);
  return writeNumber(bytes, at, number, numberBytes);
}

function writeNumber(bytes: Uint8Array, at: number, number: number, numberBytes: number): number {
  for (let i = numberBytes - 1; i >= 0; i--) {
    bytes[at + i] = number;
    number = Math.floor(number / 256);
  }
  return at + numberBytes;
}
