/**
 * The peer header in front of every packet (links.md 1.2): 16 bytes, little-endian, never encrypted.
 *
 * ```
 *  0          4          8     9      10       11        12         16
 *  │ from     │ to       │type │flags │counter │reserved │ len      │ payload …
 * ```
 *
 * `len` is the length of the payload before compression and encryption. It delimits nothing: the datagram does.
 */

export const PEER_HEADER_BYTES = 16;

/** Byte offsets from the start of the header. */
export const PeerHeaderOffset = {
  from: 0,
  to: 4,
  type: 8,
  flags: 9,
  counter: 10,
  reserved: 11,
  len: 12,
} as const;

/** links.md 1.4. */
export const PacketType = {
  data: 1,
  handshake: 2,
  ping: 4,
  pong: 5,
  rpcRequest: 8,
  rpcResponse: 9,
  foreignNetwork: 10,
  /** From the source of a TCP-over-KCP connection to its destination. */
  kcpSource: 11,
  kcpDestination: 12,
  noise1: 13,
  noise2: 14,
  noise3: 15,
  quicSource: 16,
  quicDestination: 17,
  dataKcpModified: 18,
  dataQuicModified: 19,
  relayHandshake: 20,
  relayHandshakeAck: 21,
} as const;

/** links.md 1.3. Unknown bits are kept in packets that are handed on. */
export const PacketFlag = {
  encrypted: 0x01,
  latencyFirst: 0x02,
  exitNode: 0x04,
  noProxy: 0x08,
  compressed: 0x10,
  notSendToTun: 0x40,
} as const;

/** Bytes that AES-GCM adds behind the payload: tag 16, nonce 12 (links.md 5.3). */
export const AEAD_TAIL_BYTES = 28;

/** Reads an unsigned little-endian number of four bytes. The caller has checked the length. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>>
    0
  );
}

export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** Writes the 16 bytes of a packet as its originator makes it: counter 1, reserved 0. */
export function writePeerHeader(
  bytes: Uint8Array,
  offset: number,
  from: number,
  to: number,
  type: number,
  flags: number,
  len: number,
): void {
  writeU32(bytes, offset, from);
  writeU32(bytes, offset + 4, to);
  bytes[offset + 8] = type;
  bytes[offset + 9] = flags;
  bytes[offset + 10] = 1;
  bytes[offset + 11] = 0;
  writeU32(bytes, offset + 12, len);
}
