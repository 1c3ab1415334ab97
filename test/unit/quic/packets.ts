/** Reads and re-seals whole datagrams, for tests that look at what crosses the wire. */
import { Checksum, ChecksumForm, TAG_BYTES } from "../../../router-daemon/src/quic/checksum.ts";
import { FrameReader, FrameType } from "../../../router-daemon/src/quic/frames.ts";
import { PacketHeader, PacketKind } from "../../../router-daemon/src/quic/packet.ts";
import { toHex } from "./vectors.ts";

const KIND_NAMES: Readonly<Record<number, string>> = {
  [PacketKind.initial]: "Initial",
  [PacketKind.handshake]: "Handshake",
  [PacketKind.short]: "1RTT",
};

const FRAME_NAMES = new Map<number, string>(
  Object.entries(FrameType).map(([name, type]) => [type, name] as const),
);

export interface ReadFrame {
  name: string;
  streamId?: number;
  offset?: number;
  data?: string;
  fin?: boolean;
  ranges?: [number, number][];
  delay?: number;
  value?: number;
  code?: number;
}

export interface ReadPacket {
  kind: string;
  firstByte: string;
  dcid: string;
  scid: string;
  number: number;
  numberBytes: number;
  headerBytes: number;
  payloadBytes: number;
  keyPhase: boolean;
  form: ChecksumForm | 0;
  frames: ReadFrame[];
}

/** The packets of a datagram; throws when it cannot be read to its end. */
export function readDatagram(bytes: Uint8Array): ReadPacket[] {
  const packets: ReadPacket[] = [];
  const header = new PacketHeader();
  const checksum = new Checksum();
  for (let at = 0; at < bytes.length; at = header.end) {
    if (!header.read(bytes, at, bytes.length)) throw new Error(`No packet at byte ${at}.`);
    const { headerBytes, payloadBytes, payloadAt } = header;
    const form = ([ChecksumForm.wide, ChecksumForm.narrow] as const).find((candidate) =>
      checksum.verify(bytes, at, headerBytes, payloadBytes, candidate),
    );
    packets.push({
      kind: KIND_NAMES[header.kind]!,
      firstByte: toHex(bytes, at, 1),
      dcid: toHex(bytes, header.dcidAt, header.dcidBytes),
      scid: header.scidBytes === 0 ? "" : toHex(bytes, header.scidAt, header.scidBytes),
      number: header.truncatedNumber,
      numberBytes: header.numberBytes,
      headerBytes,
      payloadBytes,
      keyPhase: header.keyPhase,
      form: form ?? 0,
      frames: readFrames(bytes, payloadAt, payloadBytes),
    });
  }
  return packets;
}

function readFrames(bytes: Uint8Array, at: number, length: number): ReadFrame[] {
  const reader = new FrameReader();
  reader.reset(bytes, at, length);
  const frames: ReadFrame[] = [];
  for (;;) {
    const type = reader.next();
    if (type === -1) return frames;
    if (type < 0) {
      frames.push({ name: "unknown" });
      return frames;
    }
    const frame: ReadFrame = { name: FRAME_NAMES.get(type)! };
    frames.push(frame);
    switch (type) {
      case FrameType.stream:
        frame.streamId = reader.streamId;
        frame.fin = reader.fin;
        frame.offset = reader.offset;
        frame.data = toHex(bytes, reader.dataAt, reader.dataBytes);
        break;
      case FrameType.crypto:
        frame.offset = reader.offset;
        frame.data = toHex(bytes, reader.dataAt, reader.dataBytes);
        break;
      case FrameType.newToken:
      case FrameType.newConnectionId:
        frame.data = toHex(bytes, reader.dataAt, reader.dataBytes);
        frame.value = reader.value;
        break;
      case FrameType.ack:
        frame.delay = reader.ackDelay;
        frame.ranges = [];
        while (reader.nextRange()) frame.ranges.push([reader.rangeLow, reader.rangeHigh]);
        break;
      case FrameType.resetStream:
      case FrameType.stopSending:
        frame.streamId = reader.streamId;
        frame.code = reader.errorCode;
        break;
      case FrameType.connectionClose:
      case FrameType.applicationClose:
        frame.code = reader.errorCode;
        break;
      case FrameType.retireConnectionId:
      case FrameType.maxData:
      case FrameType.maxStreamData:
      case FrameType.maxStreamsBidi:
        frame.value = reader.value;
        break;
      default:
    }
  }
}

/** The datagram with `change` made to each packet's bytes (header and payload keep their length), and checksums that fit again. */
export function reseal(
  datagram: Uint8Array,
  form: ChecksumForm,
  change: (bytes: Uint8Array, header: PacketHeader) => void = () => {},
): Uint8Array {
  const bytes = datagram.slice();
  const header = new PacketHeader();
  const checksum = new Checksum();
  for (let at = 0; at < bytes.length; at = header.end) {
    if (!header.read(bytes, at, bytes.length)) return bytes;
    change(bytes, header);
    checksum.write(bytes, at, header.headerBytes, header.payloadBytes, form);
  }
  return bytes;
}

/** A 1-RTT packet with this payload. */
export function shortPacket(
  dcid: Uint8Array,
  number: number,
  payload: Uint8Array,
  options: { keyPhase?: boolean; form?: ChecksumForm; firstByte?: number } = {},
): Uint8Array {
  const { keyPhase = false, form = ChecksumForm.wide, firstByte = 0x41 } = options;
  const headerBytes = 1 + dcid.length + 2;
  const packet = new Uint8Array(headerBytes + payload.length + TAG_BYTES);
  packet[0] = firstByte | (keyPhase ? 4 : 0);
  packet.set(dcid, 1);
  packet[headerBytes - 2] = number >>> 8;
  packet[headerBytes - 1] = number;
  packet.set(payload, headerBytes);
  new Checksum().write(packet, 0, headerBytes, payload.length, form);
  return packet;
}
