/**
 * `struct virtio_net_hdr`, the 10 bytes in front of every TUN frame: what the other side left undone (checksum,
 * segmentation). The two flag bytes are followed by four 16-bit little-endian fields, on every machine (the host asks the
 * kernel for little-endian headers).
 */

export const VNET_BYTES = 10;

const VnetOffset = {
  flags: 0,
  gsoType: 1,
  headerLength: 2,
  gsoSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
} as const;

export const VnetFlag = {
  /** The transport checksum field holds the pseudo-header sum only; whoever puts the packet on a wire completes it. */
  needsChecksum: 1,
  /** The checksum was verified already. */
  dataValid: 2,
} as const;

export const GsoType = { none: 0, tcp4: 1, udp: 3, tcp6: 4, udpL4: 5 } as const;

export function vnetFlags(bytes: Uint8Array, offset: number): number {
  return bytes[offset + VnetOffset.flags]!;
}

/** The kind of super-segment, without the ECN bit (0x80). */
export function vnetGsoType(bytes: Uint8Array, offset: number): number {
  return bytes[offset + VnetOffset.gsoType]! & 0x7f;
}

export function vnetGsoSize(bytes: Uint8Array, offset: number): number {
  return bytes[offset + VnetOffset.gsoSize]! | (bytes[offset + VnetOffset.gsoSize + 1]! << 8);
}

/** True when nobody has checked the transport checksum yet and nobody will complete it: it must be verified. */
export function vnetChecksumUnverified(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset + VnetOffset.flags]! & (VnetFlag.needsChecksum | VnetFlag.dataValid)) === 0;
}

/**
 * Writes the header of a packet whose transport checksum holds the pseudo-header sum. `gsoSize` 0 = one packet, else the
 * payload bytes of each of the packets to be cut. Lengths count from the IP header.
 */
export function writeVnetHeader(
  bytes: Uint8Array,
  offset: number,
  gsoType: number,
  headerLength: number,
  gsoSize: number,
  checksumStart: number,
  checksumOffset: number,
): void {
  bytes[offset + VnetOffset.flags] = VnetFlag.needsChecksum;
  bytes[offset + VnetOffset.gsoType] = gsoType;
  writeField(bytes, offset + VnetOffset.headerLength, headerLength);
  writeField(bytes, offset + VnetOffset.gsoSize, gsoSize);
  writeField(bytes, offset + VnetOffset.checksumStart, checksumStart);
  writeField(bytes, offset + VnetOffset.checksumOffset, checksumOffset);
}

function writeField(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** A header that says: complete packet, nothing to do. */
export function writePlainVnetHeader(bytes: Uint8Array, offset: number): void {
  bytes.fill(0, offset, offset + VNET_BYTES);
}
