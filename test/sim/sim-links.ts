/** Links, routes, identity: what the host does with tunnel datagrams (links.md 1, 2, 5), byte for byte. */
import {
  ENDPOINT_BYTES,
  MAX_DATAGRAM_BYTES,
  MAX_LINKS,
  MAX_ROUTES,
  RX_PACKET_OFFSET,
  RxFlag,
} from "../../router-daemon/src/host/host.ts";
import { endpointPort, formatAddress, parseEndpoint } from "../../router-daemon/src/wire/endpoint.ts";
import {
  PacketFlag,
  PEER_HEADER_BYTES,
  readU32,
  writeU32,
} from "../../router-daemon/src/wire/peer-header.ts";
import {
  classifyDatagram,
  NOT_TUNNEL,
  readConnId,
  TUNNEL_HEADER_BYTES,
  TunnelType,
  writeTunnelHeader,
} from "../../router-daemon/src/wire/udp-tunnel.ts";
import { Errno } from "./errno.ts";
import type { HostCounters } from "./host-counters.ts";
import type { Datagram } from "./network.ts";
import type { Random } from "./random.ts";
import { NONCE_BYTES, type Seal, TAG_BYTES } from "./seal.ts";
import type { UdpSocket } from "./udp-socket.ts";

const TAIL_BYTES = TAG_BYTES + NONCE_BYTES;
const PEER_TO = 4;
const PEER_FLAGS = 9;
const PEER_LEN = 12;

interface Link {
  readonly handle: number;
  readonly socket: UdpSocket;
  readonly address: string;
  readonly port: number;
  readonly connId: number;
  readonly key: string;
}

interface Route {
  readonly link: number;
  readonly header: Uint8Array;
}

/** Puts one datagram on its way; 1, 0 = the socket's buffer is full, or a negative error. */
export type SendDatagram = (socket: UdpSocket, to: string, toPort: number, bytes: Uint8Array) => number;

/** One received datagram, as `udpReceive` tells it. */
export interface Delivered {
  readonly length: number;
  readonly link: number;
  readonly flags: number;
}

export class SimLinks {
  readonly #bytes: Uint8Array;
  readonly #slotBytes: number;
  readonly #counters: HostCounters;
  readonly #random: Random;
  readonly #makeSeal: (key: Uint8Array) => Seal;
  readonly #sendDatagram: SendDatagram;
  readonly #links = new Map<number, Link>();
  readonly #byKey = new Map<string, number>();
  readonly #routes = new Map<number, Route>();
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  #peerId = 0;
  #seal: Seal | undefined;

  constructor(
    bytes: Uint8Array,
    slotBytes: number,
    counters: HostCounters,
    random: Random,
    makeSeal: (key: Uint8Array) => Seal,
    sendDatagram: SendDatagram,
  ) {
    this.#bytes = bytes;
    this.#slotBytes = slotBytes;
    this.#counters = counters;
    this.#random = random;
    this.#makeSeal = makeSeal;
    this.#sendDatagram = sendDatagram;
  }

  // ── registration ──────────────────────────────────────────────────────────────────────────────────────────────

  linkSet(number: number, handle: number, socket: UdpSocket, endpoint: number, connId: number): number {
    if (number < 0 || number >= MAX_LINKS) return Errno.invalid;
    const address = formatAddress(this.#bytes, endpoint);
    if (address.includes(":") && !socket.isV6) return Errno.familyNotSupported;
    const port = endpointPort(this.#bytes, endpoint);
    const key = linkKey(handle, address, port, connId);
    const other = this.#byKey.get(key);
    if (other !== undefined && other !== number) return Errno.exists;
    this.linkClear(number);
    this.#links.set(number, { handle, socket, address, port, connId, key });
    this.#byKey.set(key, number);
    return 0;
  }

  linkClear(number: number): void {
    const link = this.#links.get(number);
    if (link === undefined) return;
    this.#links.delete(number);
    this.#byKey.delete(link.key);
  }

  forgetSocket(handle: number): void {
    for (const [number, link] of this.#links) if (link.handle === handle) this.linkClear(number);
  }

  identitySet(peerId: number, key: Uint8Array | undefined): void {
    this.#peerId = peerId;
    this.#seal = key === undefined ? undefined : this.#makeSeal(key);
  }

  routeSet(number: number, link: number, header: number): number {
    if (number < 0 || number >= MAX_ROUTES || link < 0 || link >= MAX_LINKS) return Errno.invalid;
    this.#routes.set(number, { link, header: this.#bytes.slice(header, header + PEER_HEADER_BYTES) });
    return 0;
  }

  routeClear(number: number): void {
    this.#routes.delete(number);
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One payload on a route. True = it left. */
  sendPayload(offset: number, length: number, number: number): boolean {
    const counters = this.#counters;
    const route = this.#routes.get(number);
    const link = route === undefined ? undefined : this.#links.get(route.link);
    if (route === undefined || link === undefined) {
      counters.txNoRoute++;
      return false;
    }
    const isSealed = (route.header[PEER_FLAGS]! & PacketFlag.encrypted) !== 0;
    const size = TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES + length + (isSealed ? TAIL_BYTES : 0);
    if (size > MAX_DATAGRAM_BYTES) {
      counters.txTooLarge++;
      return false;
    }
    if (isSealed && this.#seal === undefined) {
      counters.txNoKey++;
      return false;
    }
    const datagram = new Uint8Array(size);
    writeTunnelHeader(datagram, 0, link.connId, TunnelType.data, size - TUNNEL_HEADER_BYTES);
    datagram.set(route.header, TUNNEL_HEADER_BYTES);
    writeU32(datagram, TUNNEL_HEADER_BYTES + PEER_LEN, length);
    const payload = this.#bytes.subarray(offset, offset + length);
    const body = datagram.subarray(TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES);
    if (isSealed) {
      this.#random.bytes(this.#nonce);
      this.#seal?.seal(payload, this.#nonce, body);
      counters.txSealed++;
    } else body.set(payload);
    return this.#transmit(link, datagram) > 0;
  }

  sendPacket(number: number, offset: number, length: number): number {
    const link = this.#links.get(number);
    if (link === undefined) {
      this.#counters.txNoRoute++;
      return Errno.noEntry;
    }
    if (TUNNEL_HEADER_BYTES + length > MAX_DATAGRAM_BYTES) {
      this.#counters.txTooLarge++;
      return Errno.messageSize;
    }
    const datagram = new Uint8Array(TUNNEL_HEADER_BYTES + length);
    writeTunnelHeader(datagram, 0, link.connId, TunnelType.data, length);
    datagram.set(this.#bytes.subarray(offset, offset + length), TUNNEL_HEADER_BYTES);
    return Math.max(0, this.#transmit(link, datagram));
  }

  #transmit(link: Link, datagram: Uint8Array): number {
    return this.#sendDatagram(link.socket, link.address, link.port, datagram);
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a datagram into a slot; undefined = it was dropped, and counted. */
  deliver(handle: number, datagram: Datagram, slot: number): Delivered | undefined {
    const { bytes } = datagram;
    if (bytes.length < TUNNEL_HEADER_BYTES || bytes[4] !== TunnelType.data) {
      return this.#deliverControl(datagram, slot);
    }
    const kind = classifyDatagram(bytes, 0, bytes.length);
    if (kind === NOT_TUNNEL) {
      this.#counters.rxMalformed++;
      return undefined;
    }
    const key = linkKey(handle, datagram.from, datagram.fromPort, readConnId(bytes, 0));
    const link = this.#byKey.get(key);
    if (link !== undefined) return this.#deliverPacket(bytes.subarray(TUNNEL_HEADER_BYTES), link, slot);
    // A handshake comes before its link, in clear text.
    const isClear =
      bytes.length >= TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES &&
      (bytes[TUNNEL_HEADER_BYTES + PEER_FLAGS]! & PacketFlag.encrypted) === 0;
    if (isClear) return this.#deliverControl(datagram, slot);
    this.#counters.rxUnknownLink++;
    return undefined;
  }

  #deliverControl({ bytes, from, fromPort }: Datagram, slot: number): Delivered | undefined {
    if (classifyDatagram(bytes, 0, bytes.length) === NOT_TUNNEL) {
      this.#counters.rxMalformed++;
      return undefined;
    }
    if (RX_PACKET_OFFSET + bytes.length + ENDPOINT_BYTES > this.#slotBytes) {
      this.#counters.rxTooLarge++;
      return undefined;
    }
    const start = slot * this.#slotBytes;
    this.#bytes.set(bytes, start + RX_PACKET_OFFSET);
    const endpoint = parseEndpoint({ address: from, port: fromPort });
    this.#bytes.set(endpoint!, start + this.#slotBytes - ENDPOINT_BYTES);
    return { length: bytes.length, link: -1, flags: RxFlag.datagram };
  }

  #deliverPacket(packet: Uint8Array, link: number, slot: number): Delivered | undefined {
    const counters = this.#counters;
    if (packet.length < PEER_HEADER_BYTES) {
      counters.rxMalformed++;
      return undefined;
    }
    const isSealed =
      (packet[PEER_FLAGS]! & PacketFlag.encrypted) !== 0 && readU32(packet, PEER_TO) === this.#peerId;
    if (isSealed && this.#seal === undefined) {
      counters.rxNoKey++;
      return undefined;
    }
    if (isSealed && packet.length < PEER_HEADER_BYTES + TAIL_BYTES) {
      counters.rxMalformed++;
      return undefined;
    }
    const length = packet.length - (isSealed ? TAIL_BYTES : 0);
    if (RX_PACKET_OFFSET + length > this.#slotBytes) {
      counters.rxTooLarge++;
      return undefined;
    }
    const at = slot * this.#slotBytes + RX_PACKET_OFFSET;
    if (!isSealed) {
      this.#bytes.set(packet, at);
      return { length, link, flags: RxFlag.untouched };
    }
    const out = this.#bytes.subarray(at + PEER_HEADER_BYTES, at + length);
    if (this.#seal?.open(packet.subarray(PEER_HEADER_BYTES), out) !== true) {
      counters.rxBadTag++;
      return undefined;
    }
    this.#bytes.set(packet.subarray(0, PEER_HEADER_BYTES), at);
    this.#bytes[at + PEER_FLAGS]! &= ~PacketFlag.encrypted;
    counters.rxOpened++;
    return { length, link, flags: RxFlag.opened };
  }
}

function linkKey(handle: number, address: string, port: number, connId: number): string {
  return `${handle} ${address} ${port} ${connId}`;
}
