import {
  ENDPOINT_BYTES,
  EVENT_WORDS,
  type Host,
  RX_WORDS,
  TX_WORDS,
  type UdpInfo,
} from "../../../router-daemon/src/host/host.ts";

export const LOOPBACK = "127.0.0.1";
export const LOOPBACK_NUMBER = 0x7f00_0001;

/** errno values of Linux, as results. */
export const E = {
  NOENT: -2,
  BADF: -9,
  EXIST: -17,
  MFILE: -24,
  INVAL: -22,
  MSGSIZE: -90,
  AFNOSUPPORT: -97,
  ADDRINUSE: -98,
  NOBUFS: -105,
  CONNRESET: -104,
  CONNREFUSED: -111,
  INPROGRESS: -115,
  BADMSG: -74,
} as const;

export interface Received {
  readonly slot: number;
  readonly bytes: Uint8Array;
  readonly link: number;
  readonly flags: number;
}

/** A host with places for lists and small things, so that a test reads as what it does. */
export class Desk {
  readonly host: Host;
  readonly #small: number;
  readonly list: number;
  readonly slots: number;
  readonly out: number;
  readonly events: number;
  /** Bytes for whatever a test wants to hand over, `SCRATCH_BYTES` long. */
  readonly scratch: number;
  static readonly SCRATCH_BYTES = 200_000;
  static readonly MAX = 1024;
  readonly #seen = new Map<number, number>();

  constructor(host: Host) {
    this.host = host;
    const { memory } = host;
    this.#small = memory.reserve(256);
    this.list = memory.reserve(Desk.MAX * TX_WORDS * 4) / 4;
    this.slots = memory.reserve(Desk.MAX * 4) / 4;
    this.out = memory.reserve(Desk.MAX * RX_WORDS * 4) / 4;
    this.events = memory.reserve(256 * EVENT_WORDS * 4) / 4;
    this.scratch = memory.reserve(Desk.SCRATCH_BYTES);
  }

  get bytes(): Uint8Array {
    return this.host.memory.bytes;
  }

  get words(): Int32Array {
    return this.host.memory.words;
  }

  /** Writes an endpoint; returns its offset, good until the next call. */
  endpoint(address: string, port: number): number {
    const at = this.#small;
    this.bytes.fill(0, at, at + ENDPOINT_BYTES);
    if (address.includes(".")) {
      this.bytes.set([0xff, 0xff, ...address.split(".").map(Number)], at + 10);
    } else if (address === "::1") {
      this.bytes[at + 15] = 1;
    }
    this.bytes[at + 16] = port >> 8;
    this.bytes[at + 17] = port & 255;
    return at;
  }

  udp(address = LOOPBACK, port = 0): UdpInfo {
    const info = this.host.udpOpen(this.endpoint(address, port));
    if ("error" in info) throw new Error(info.message);
    return info;
  }

  link(link: number, socket: UdpInfo, peerPort: number, connId: number, address = LOOPBACK): number {
    return this.host.linkSet(link, socket.handle, this.endpoint(address, peerPort), connId);
  }

  identity(peerId: number, key: Uint8Array | undefined): number {
    if (key === undefined) return this.host.identitySet(peerId, -1);
    const at = this.#small + 64;
    this.bytes.set(key, at);
    const result = this.host.identitySet(peerId, at);
    this.bytes.fill(0, at, at + 16);
    return result;
  }

  route(route: number, link: number, header: Uint8Array): number {
    const at = this.#small + 96;
    this.bytes.set(header, at);
    return this.host.routeSet(route, link, at);
  }

  /** Puts payloads into the scratch space and their entries into the list. */
  put(payloads: readonly { readonly bytes: Uint8Array; readonly route: number }[]): number {
    let offset = this.scratch;
    payloads.forEach(({ bytes, route }, i) => {
      this.bytes.set(bytes, offset);
      this.words.set([offset, bytes.length, route, 0], this.list + i * TX_WORDS);
      offset += bytes.length;
    });
    if (offset > this.scratch + Desk.SCRATCH_BYTES)
      throw new RangeError("The test's payloads do not fit the desk.");
    return payloads.length;
  }

  send(payloads: readonly { readonly bytes: Uint8Array; readonly route: number }[]): number {
    return this.host.send(this.list, this.put(payloads));
  }

  datagram(socket: UdpInfo, port: number, bytes: Uint8Array, address = LOOPBACK): number {
    this.bytes.set(bytes, this.scratch);
    return this.host.sendDatagram(socket.handle, this.endpoint(address, port), this.scratch, bytes.length);
  }

  /** One call of udpReceive that offers slots `first …`; throws on an error. */
  receive(socket: UdpInfo, max = Desk.MAX / 2, first = 0): Received[] {
    for (let i = 0; i < max; i++) this.words[this.slots + i] = first + i;
    const count = this.host.udpReceive(socket.handle, this.slots, max, this.out);
    if (count < 0) throw new Error(`udpReceive: ${this.host.describeError(count)}`);
    return Array.from({ length: count }, (_, i) => {
      const [offset, length, link, flags] = this.words.subarray(this.out + i * RX_WORDS);
      return {
        slot: first + i,
        bytes: this.bytes.slice(offset!, offset! + length!),
        link: link!,
        flags: flags!,
      };
    });
  }

  /** Collects what poll reports; `saw` asks whether a handle was reported with all of these events since. */
  look(): void {
    const count = this.host.poll(this.events, 256);
    for (let i = 0; i < count; i++) {
      const handle = this.words[this.events + i * EVENT_WORDS]!;
      this.#seen.set(handle, (this.#seen.get(handle) ?? 0) | this.words[this.events + i * EVENT_WORDS + 1]!);
    }
  }

  saw(handle: number, events: number): boolean {
    this.look();
    return ((this.#seen.get(handle) ?? 0) & events) === events;
  }

  forget(): void {
    this.look();
    this.#seen.clear();
  }

  /** All that arrives until a datagram-free call, after `poll` has announced the socket. */
  drain(socket: UdpInfo, into: Received[] = []): Received[] {
    this.look();
    for (;;) {
      const some = this.receive(socket);
      if (some.length === 0) return into;
      into.push(...some);
    }
  }

  count(name: string): number {
    const value = this.host.counters()[name];
    if (value === undefined) throw new Error(`There is no counter ${name}.`);
    return value;
  }

  /** Writes (offset, length) pairs to the list; returns the word index. */
  iov(pairs: readonly (readonly [number, number])[]): number {
    this.words.set(pairs.flat(), this.list);
    return this.list;
  }
}

/** A peer header (links.md 1.2). */
export function peerHeader(fields: {
  from?: number;
  to: number;
  type?: number;
  flags?: number;
  length?: number;
}): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, fields.from ?? 0x1111, true);
  view.setUint32(4, fields.to, true);
  header[8] = fields.type ?? 1;
  header[9] = fields.flags ?? 0;
  header[10] = 1;
  view.setUint32(12, fields.length ?? 0, true);
  return header;
}

/** A tunnel datagram (links.md 2.1). */
export function tunnel(connId: number, type: number, body: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(8 + body.length);
  const view = new DataView(datagram.buffer);
  view.setUint32(0, connId, true);
  datagram[4] = type;
  view.setUint16(6, body.length, true);
  datagram.set(body, 8);
  return datagram;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31 + (i >> 8) * 13) & 255);
}
