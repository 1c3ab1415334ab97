/**
 * Naive twins of the codecs in `wire/`: slow, obvious, written from the RFCs without a look at the real ones. Sequence
 * numbers are unsigned here.
 */

export interface NaiveSegment {
  source: number;
  destination: number;
  sourcePort: number;
  destinationPort: number;
  sequence: number;
  acknowledgement: number;
  flags: Set<string>;
  window: number;
  mss?: number;
  windowShift?: number;
  sackPermitted?: boolean;
  timestamps?: { value: number; echo: number };
  sack?: [number, number][];
  payload: Uint8Array;
  /** Of the vnet header. */
  gsoSize?: number;
  identification?: number;
  timeToLive?: number;
}

const FLAG_NAMES = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

/** Of parts that lie one after the other. */
export function naiveSum(...parts: Uint8Array[]): number {
  let sum = 0;
  let weight = 256;
  for (const part of parts) {
    for (let index = 0; index < part.length; index++) {
      sum += part[index]! * weight;
      // 256 and 1 in turns.
      weight = 257 - weight;
    }
  }
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

function pseudoHeader(source: number, destination: number, tcpLength: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, source);
  view.setUint32(4, destination);
  view.setUint8(9, 6);
  view.setUint16(10, tcpLength);
  return bytes;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A frame with vnet header; `checksum`: "full" = complete on the wire, "partial" = pseudo-header sum and NEEDS_CSUM. */
export function encodeFrame(segment: NaiveSegment, checksum: "full" | "partial" = "full"): Uint8Array {
  const options: number[] = [];
  const push32 = (value: number) =>
    options.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  if (segment.mss !== undefined) options.push(2, 4, segment.mss >> 8, segment.mss & 255);
  if (segment.sackPermitted) options.push(4, 2);
  if (segment.timestamps !== undefined) {
    if (segment.sackPermitted === undefined) options.push(1, 1);
    options.push(8, 10);
    push32(segment.timestamps.value);
    push32(segment.timestamps.echo);
  }
  if (segment.windowShift !== undefined) options.push(1, 3, 3, segment.windowShift);
  if (segment.sack !== undefined && segment.sack.length > 0) {
    options.push(1, 1, 5, 2 + 8 * segment.sack.length);
    for (const [left, right] of segment.sack) {
      push32(left);
      push32(right);
    }
  }
  while (options.length % 4 !== 0) options.push(0);
  const tcp = new Uint8Array(20 + options.length);
  const tcpView = new DataView(tcp.buffer);
  tcpView.setUint16(0, segment.sourcePort);
  tcpView.setUint16(2, segment.destinationPort);
  tcpView.setUint32(4, segment.sequence);
  tcpView.setUint32(8, segment.acknowledgement);
  tcpView.setUint8(12, (tcp.length / 4) * 16);
  let flags = 0;
  for (const flag of segment.flags) flags += 2 ** FLAG_NAMES.indexOf(flag);
  tcpView.setUint8(13, flags);
  tcpView.setUint16(14, segment.window);
  tcp.set(options, 20);
  const pseudo = pseudoHeader(segment.source, segment.destination, tcp.length + segment.payload.length);
  const sum = checksum === "full" ? 0xffff - naiveSum(pseudo, tcp, segment.payload) : naiveSum(pseudo);
  tcpView.setUint16(16, sum);
  const ip = new Uint8Array(20);
  const ipView = new DataView(ip.buffer);
  ipView.setUint8(0, 0x45);
  ipView.setUint16(2, 20 + tcp.length + segment.payload.length);
  ipView.setUint16(4, segment.identification ?? 0);
  ipView.setUint16(6, 0x4000);
  ipView.setUint8(8, segment.timeToLive ?? 64);
  ipView.setUint8(9, 6);
  ipView.setUint32(12, segment.source);
  ipView.setUint32(16, segment.destination);
  ipView.setUint16(10, 0xffff - naiveSum(ip));
  const vnet = new Uint8Array(10);
  const vnetView = new DataView(vnet.buffer);
  if (checksum === "partial") {
    vnetView.setUint8(0, 1);
    vnetView.setUint16(6, 20, true);
    vnetView.setUint16(8, 16, true);
  }
  if (segment.gsoSize !== undefined && segment.gsoSize > 0) {
    vnetView.setUint8(1, 1);
    vnetView.setUint16(2, 20 + tcp.length, true);
    vnetView.setUint16(4, segment.gsoSize, true);
  }
  return concat(vnet, ip, tcp, segment.payload);
}

/** Takes a frame apart and throws where anything is not as it must be. */
export function decodeFrame(frame: Uint8Array): NaiveSegment {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const partial = (view.getUint8(0) & 1) !== 0;
  const gsoType = view.getUint8(1);
  if (view.getUint8(10) !== 0x45) throw new Error("not IPv4 without options");
  const total = view.getUint16(12);
  if (total !== frame.length - 10) throw new Error(`total length ${total} of ${frame.length - 10}`);
  if (naiveSum(frame.subarray(10, 30)) !== 0xffff) throw new Error("wrong IP checksum");
  if (view.getUint8(19) !== 6) throw new Error("not TCP");
  const source = view.getUint32(22);
  const destination = view.getUint32(26);
  const headerLength = (view.getUint8(42) >> 4) * 4;
  const tcpBytes = frame.subarray(30);
  const payload = frame.slice(30 + headerLength);
  const pseudo = pseudoHeader(source, destination, tcpBytes.length);
  if (partial) {
    if (view.getUint16(6, true) !== 20 || view.getUint16(8, true) !== 16)
      throw new Error("wrong checksum place");
    if (view.getUint16(46) !== naiveSum(pseudo)) throw new Error("wrong pseudo-header sum");
  } else if (naiveSum(pseudo, tcpBytes) !== 0xffff) {
    throw new Error("wrong TCP checksum");
  }
  const gsoSize = view.getUint16(4, true);
  if (gsoType === 0 ? gsoSize !== 0 : gsoType !== 1 || gsoSize === 0)
    throw new Error("wrong segmentation type");
  if (gsoType === 1 && view.getUint16(2, true) !== 20 + headerLength)
    throw new Error("wrong header length for GSO");
  const flags = new Set(FLAG_NAMES.filter((_, bit) => (view.getUint8(43) >> bit) & 1));
  const segment: NaiveSegment = {
    source,
    destination,
    sourcePort: view.getUint16(30),
    destinationPort: view.getUint16(32),
    sequence: view.getUint32(34),
    acknowledgement: view.getUint32(38),
    flags,
    window: view.getUint16(44),
    payload,
    identification: view.getUint16(14),
    timeToLive: view.getUint8(18),
  };
  if (gsoSize > 0) segment.gsoSize = gsoSize;
  for (let at = 50; at < 30 + headerLength; ) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const size = view.getUint8(at + 1);
    if (kind === 2) segment.mss = view.getUint16(at + 2);
    if (kind === 3) segment.windowShift = view.getUint8(at + 2);
    if (kind === 4) segment.sackPermitted = true;
    if (kind === 8) segment.timestamps = { value: view.getUint32(at + 2), echo: view.getUint32(at + 6) };
    if (kind === 5) {
      segment.sack = [];
      for (let block = at + 2; block < at + size; block += 8) {
        segment.sack.push([view.getUint32(block), view.getUint32(block + 4)]);
      }
    }
    at += size;
  }
  return segment;
}

/** What the kernel does with a super-segment on its way to a wire: packets of `gsoSize`, FIN and PSH on the last only. */
export function cutSuperSegment(segment: NaiveSegment): NaiveSegment[] {
  const size = segment.gsoSize ?? 0;
  if (size === 0) return [segment];
  const packets: NaiveSegment[] = [];
  for (let at = 0; at < segment.payload.length; at += size) {
    const last = at + size >= segment.payload.length;
    const flags = new Set(segment.flags);
    if (!last) {
      flags.delete("fin");
      flags.delete("psh");
    }
    const packet: NaiveSegment = {
      ...segment,
      sequence: (segment.sequence + at) >>> 0,
      flags,
      payload: segment.payload.slice(at, at + size),
    };
    delete packet.gsoSize;
    packets.push(packet);
  }
  return packets;
}

/** What GRO does with neighbours: one super-segment of what follows on each other in the same stream, or null. */
export function coalesce(first: NaiveSegment, second: NaiveSegment): NaiveSegment | null {
  const size = first.gsoSize ?? first.payload.length;
  const plain = (segment: NaiveSegment) =>
    [...segment.flags].every((flag) => flag === "ack" || flag === "psh") && segment.sack === undefined;
  if (first.sourcePort !== second.sourcePort || first.destinationPort !== second.destinationPort) return null;
  if (!plain(first) || !plain(second) || first.flags.has("psh") || first.source !== second.source)
    return null;
  if (size === 0 || first.payload.length % size !== 0 || second.payload.length > size) return null;
  if (second.payload.length === 0 || first.payload.length + second.payload.length > 65_000) return null;
  if ((first.sequence + first.payload.length) >>> 0 !== second.sequence) return null;
  if (first.acknowledgement !== second.acknowledgement || first.window !== second.window) return null;
  if (first.timestamps?.value !== second.timestamps?.value) return null;
  return {
    ...first,
    flags: new Set([...first.flags, ...second.flags]),
    payload: concat(first.payload, second.payload),
    gsoSize: size,
  };
}
