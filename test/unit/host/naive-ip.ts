/**
 * Naive twins of the core's segmentation: slow, obvious, written from the RFCs. Frames are what a kernel would hand over
 * (vnet header in front); `naiveSplit` is what must come out.
 */
import { E } from "./desk.ts";

export interface FrameFields {
  readonly version: 4 | 6;
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly payload: Uint8Array;
  /** gso_size; 0 = no segmentation asked for. */
  readonly gsoSize: number;
  /** Leaves the pseudo-header sum only in the checksum field and says so. */
  readonly partial: boolean;
  readonly tcpFlags?: number;
  /** Bytes of TCP options, a multiple of 4. */
  readonly tcpOptions?: number;
  readonly ipOptions?: number;
  readonly dontFragment?: boolean;
  readonly id?: number;
  readonly sequence?: number;
  readonly ecn?: boolean;
}

export function sum16(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum;
}

/** Sum of the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1). */
function pseudoSum(packet: Uint8Array, protocol: number, l4Bytes: number): number {
  const addresses = packet[0]! >> 4 === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
  return sum16(Uint8Array.of(0, protocol, l4Bytes >> 8, l4Bytes & 255), sum16(addresses));
}

/** Where the transport header begins. These frames have no IPv6 extension header but destination options. */
export function transportAt(packet: Uint8Array): { at: number; protocol: number } {
  if (packet[0]! >> 4 === 4) return { at: (packet[0]! & 15) * 4, protocol: packet[9]! };
  if (packet[6] !== 60) return { at: 40, protocol: packet[6]! };
  return { at: 40 + (packet[41]! + 1) * 8, protocol: packet[40]! };
}

/** Everything that a receiver would check: lengths, the header's checksum, the transport's checksum. */
export function checksumsOk(packet: Uint8Array): boolean {
  const { at, protocol } = transportAt(packet);
  const total =
    packet[0]! >> 4 === 4 ? (packet[2]! << 8) | packet[3]! : 40 + ((packet[4]! << 8) | packet[5]!);
  if (total !== packet.length) return false;
  if (packet[0]! >> 4 === 4 && sum16(packet.subarray(0, at)) !== 0xffff) return false;
  const l4 = packet.subarray(at);
  if (protocol === 17) {
    if (((l4[4]! << 8) | l4[5]!) !== l4.length) return false;
    if (l4[6] === 0 && l4[7] === 0) return packet[0]! >> 4 === 4;
  }
  if (protocol === 1) return sum16(l4) === 0xffff;
  return sum16(l4, pseudoSum(packet, protocol, l4.length)) === 0xffff;
}

function setChecksum(packet: Uint8Array): void {
  const { at, protocol } = transportAt(packet);
  const l4 = packet.subarray(at);
  const field = protocol === 6 ? 16 : protocol === 17 ? 6 : 2;
  if (protocol === 17) l4.set([l4.length >> 8, l4.length & 255], 4);
  l4[field] = l4[field + 1] = 0;
  let sum = ~sum16(l4, protocol === 1 ? 0 : pseudoSum(packet, protocol, l4.length)) & 0xffff;
  if (protocol === 17 && sum === 0) sum = 0xffff;
  l4[field] = sum >> 8;
  l4[field + 1] = sum & 255;
}

function setIpHeader(packet: Uint8Array): void {
  if (packet[0]! >> 4 === 6) {
    packet.set([(packet.length - 40) >> 8, (packet.length - 40) & 255], 4);
    return;
  }
  packet.set([packet.length >> 8, packet.length & 255], 2);
  packet[10] = packet[11] = 0;
  const sum = ~sum16(packet.subarray(0, (packet[0]! & 15) * 4)) & 0xffff;
  packet.set([sum >> 8, sum & 255], 10);
}

/** One frame as a TUN with offload gives it. */
export function makeFrame(fields: FrameFields): Uint8Array {
  const ipOptions = fields.ipOptions ?? 0;
  const l3 = fields.version === 4 ? 20 + ipOptions : 40 + ipOptions;
  const protocol = { tcp: 6, udp: 17, icmp: 1 }[fields.protocol];
  const l4 = fields.protocol === "tcp" ? 20 + (fields.tcpOptions ?? 0) : 8;
  const frame = new Uint8Array(10 + l3 + l4 + fields.payload.length);
  const packet = frame.subarray(10);
  if (fields.version === 4) {
    const id = fields.id ?? 0;
    packet.set([
      0x40 | (l3 / 4),
      0,
      0,
      0,
      id >> 8,
      id & 255,
      fields.dontFragment ? 0x40 : 0,
      0,
      64,
      protocol,
      0,
      0,
    ]);
    packet.set([10, 144, 0, 1, 10, 144, 0, 2], 12);
    packet.fill(1, 20, l3);
  } else {
    packet.set([0x60, 0, 0, 0, 0, 0, ipOptions > 0 ? 60 : protocol, 64]);
    packet.set([0xfd, 1, 2, 3], 8);
    packet.set([0xfd, 1, 2, 4], 24);
    // Destination options: one PadN over the whole header.
    if (ipOptions > 0) packet.set([protocol, ipOptions / 8 - 1, 1, ipOptions - 4], 40);
  }
  const transport = packet.subarray(l3);
  transport.set([0xc0, 1, 0x14, 0xeb]);
  if (fields.protocol === "tcp") {
    const sequence = fields.sequence ?? 0;
    transport.set(
      [sequence >>> 24, (sequence >>> 16) & 255, (sequence >>> 8) & 255, sequence & 255, 1, 2, 3, 4],
      4,
    );
    transport.set([(l4 / 4) << 4, fields.tcpFlags ?? 0x18, 0xff, 0xff, 0, 0, 0, 0], 12);
    transport.fill(1, 20, l4);
  }
  if (fields.protocol === "icmp") transport.set([8, 0, 0, 0, 0, 1, 0, 1]);
  transport.set(fields.payload, l4);
  setChecksum(packet);
  setIpHeader(packet);
  if (fields.partial && fields.protocol !== "icmp") {
    const at = fields.protocol === "tcp" ? 16 : 6;
    const sum = pseudoSum(packet, protocol, packet.length - l3);
    transport.set([sum >> 8, sum & 255], at);
    frame[0] = 1;
    frame.set([l3 & 255, l3 >> 8, at, 0], 6);
  }
  if (fields.gsoSize > 0) {
    frame[1] = (fields.protocol === "udp" ? 5 : fields.version === 4 ? 1 : 4) | (fields.ecn ? 0x80 : 0);
    frame.set([(l3 + l4) & 255, (l3 + l4) >> 8, fields.gsoSize & 255, fields.gsoSize >> 8], 2);
  }
  return frame;
}

/** The packets of at most `mtu` bytes that `tunSplit` must make of the frame, or the error it must give. */
export function naiveSplit(frame: Uint8Array, mtu: number): Uint8Array[] | number {
  const gsoType = frame[1]! & 0x7f;
  const gsoSize = frame[4]! | (frame[5]! << 8);
  const whole = frame.slice(10);
  const { at, protocol } = transportAt(whole);
  if (frame[0]! & 1) setChecksum(whole);
  if (gsoType === 0 && whole.length <= mtu) return [whole];
  if (protocol === 6) {
    const header = at + (whole[at + 12]! >> 4) * 4;
    const step = Math.min(gsoType === 0 ? whole.length : gsoSize, mtu - header);
    return step <= 0 ? E.MSGSIZE : cut(whole, header, step, at, tcpSegment);
  }
  if (gsoType === 5)
    return at + 8 + gsoSize > mtu ? E.MSGSIZE : cut(whole, at + 8, gsoSize, at, () => undefined);
  const mayFragment = whole[0]! >> 4 === 4 && (whole[6]! & 0x40) === 0 && at === 20 && mtu >= 28;
  return mayFragment ? fragments(whole, (mtu - 20) & ~7) : E.MSGSIZE;
}

function tcpSegment(packet: Uint8Array, at: number, offset: number, isFirst: boolean, isLast: boolean): void {
  const view = new DataView(packet.buffer);
  view.setUint32(at + 4, view.getUint32(at + 4) + offset);
  if (!isLast) packet[at + 13]! &= ~0x09;
  if (!isFirst) packet[at + 13]! &= ~0x80;
}

function cut(
  whole: Uint8Array,
  header: number,
  step: number,
  at: number,
  fix: (packet: Uint8Array, at: number, offset: number, isFirst: boolean, isLast: boolean) => void,
): Uint8Array[] {
  const payload = whole.subarray(header);
  const packets: Uint8Array[] = [];
  for (let offset = 0; offset < Math.max(payload.length, 1); offset += step) {
    const piece = payload.subarray(offset, offset + step);
    const packet = new Uint8Array(header + piece.length);
    packet.set(whole.subarray(0, header));
    packet.set(piece, header);
    if (packet[0]! >> 4 === 4) {
      const id = (((whole[4]! << 8) | whole[5]!) + packets.length) & 0xffff;
      packet.set([id >> 8, id & 255], 4);
    }
    fix(packet, at, offset, offset === 0, offset + step >= payload.length);
    setIpHeader(packet);
    setChecksum(packet);
    packets.push(packet);
  }
  return packets;
}

function fragments(whole: Uint8Array, step: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let offset = 20; offset < whole.length; offset += step) {
    const piece = whole.subarray(offset, offset + step);
    const packet = new Uint8Array(20 + piece.length);
    packet.set(whole.subarray(0, 20));
    packet.set(piece, 20);
    const field = ((offset - 20) / 8) | (offset + step < whole.length ? 0x2000 : 0);
    packet.set([field >> 8, field & 255], 6);
    setIpHeader(packet);
    packets.push(packet);
  }
  return packets;
}
