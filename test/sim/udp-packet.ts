import { sum16 } from "../unit/host/naive-ip.ts";

/** An IPv4 packet with a UDP datagram, checksums complete. */
export function udpPacket(
  source: { readonly address: number; readonly port: number },
  destination: { readonly address: number; readonly port: number },
  payload: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(28 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint16(4, 7);
  view.setUint8(8, 64);
  view.setUint8(9, 17);
  view.setUint32(12, source.address);
  view.setUint32(16, destination.address);
  view.setUint16(10, ~sum16(packet.subarray(0, 20)) & 0xffff);
  view.setUint16(20, source.port);
  view.setUint16(22, destination.port);
  view.setUint16(24, 8 + payload.length);
  packet.set(payload, 28);
  const pseudo = sum16(Uint8Array.of(0, 17, (8 + payload.length) >> 8, (8 + payload.length) & 255));
  const sum = ~sum16(packet.subarray(20), sum16(packet.subarray(12, 20), pseudo)) & 0xffff;
  view.setUint16(26, sum === 0 ? 0xffff : sum);
  return packet;
}
