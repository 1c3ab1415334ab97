/**
 * A network in memory under a virtual clock: seeded loss, delay and jitter between hosts with IPv4 addresses, and an
 * `Underlay` for each host that does what the native core does, AES-GCM included, so that the bytes on it are true wire
 * bytes.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { FixedSlotPool } from "../../../router-daemon/kcp-ts/src/pool.ts";
import {
  ENDPOINT_BYTES,
  RxFlag,
  TX_WORDS,
  type UdpSocket,
  type Underlay,
  type UnderlayFailure,
} from "../../../router-daemon/src/mesh/underlay.ts";
import { formatAddress, parseEndpoint } from "../../../router-daemon/src/wire/endpoint.ts";

/** xorshift32: small, seeded, good enough for tests. */
export class Seeded {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0 || 0x9e3779b9;
  }
  u32 = (): number => {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  };
  /** In [0, 1). */
  unit = (): number => this.u32() / 2 ** 32;
  below = (limit: number): number => this.u32() % limit;
}

export interface Datagram {
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly bytes: Uint8Array;
}

/** Anything that has an address: gets datagrams, wants to be called at times. */
export interface FakeHost {
  deliver(datagram: Datagram, now: number): void;
  readonly nextTimeout: number;
  handleTimeout(now: number): void;
}

export class FakeNetwork {
  now = 1000;
  delayMs = 5;
  jitterMs = 0;
  lossShare = 0;
  readonly random: Seeded;
  readonly hosts = new Map<string, FakeHost>();
  /** False = the datagram is lost. Runs before the seeded loss. */
  filter: (datagram: Datagram) => boolean = () => true;
  /** What becomes of a datagram on the way. */
  rewrite: (datagram: Datagram) => Datagram = (datagram) => datagram;
  /** Everything that was sent, lost or not, while it is an array. */
  log: Datagram[] | undefined;
  sent = 0;
  readonly #queue: { atMs: number; order: number; datagram: Datagram }[] = [];
  #order = 0;

  constructor(seed = 1) {
    this.random = new Seeded(seed);
  }

  send(original: Datagram): void {
    const datagram = this.rewrite(original);
    this.sent++;
    this.log?.push(datagram);
    if (!this.filter(datagram)) return;
    if (this.lossShare > 0 && this.random.unit() < this.lossShare) return;
    const atMs = this.now + this.delayMs + (this.jitterMs > 0 ? this.random.unit() * this.jitterMs : 0);
    const entry = { atMs, order: this.#order++, datagram };
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1]!.atMs > atMs) at--;
    this.#queue.splice(at, 0, entry);
  }

  /** Lets `ms` pass. Throws when the hosts do not come to rest at one instant: that is a busy loop. */
  run(ms: number): void {
    const end = this.now + ms;
    let turnsAtOnce = 0;
    for (;;) {
      let next = this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY;
      for (const host of this.hosts.values()) next = Math.min(next, host.nextTimeout);
      if (next > end) break;
      turnsAtOnce = next > this.now ? 0 : turnsAtOnce + 1;
      if (turnsAtOnce > 10_000) throw new Error(`Busy loop at ${this.now} ms.`);
      this.now = Math.max(this.now, next);
      while (this.#queue.length > 0 && this.#queue[0]!.atMs <= this.now) {
        const { datagram } = this.#queue.shift()!;
        this.hosts.get(datagram.to)?.deliver(datagram, this.now);
      }
      for (const host of [...this.hosts.values()]) {
        if (host.nextTimeout <= this.now) host.handleTimeout(this.now);
      }
    }
    this.now = end;
  }

  /** Lets time pass until the condition holds; false when it does not within `ms`. */
  runUntil(condition: () => boolean, ms: number, stepMs = 10): boolean {
    for (let spent = 0; spent < ms; spent += stepMs) {
      if (condition()) return true;
      this.run(stepMs);
    }
    return condition();
  }
}

interface Socket {
  readonly port: number;
}
interface FakeLink {
  readonly socket: number;
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly connId: number;
}

/** What `udpReceive` would hand to the node. */
export type Receiver = (
  slot: number,
  offset: number,
  length: number,
  link: number,
  flags: number,
  now: number,
  socket: number,
) => boolean;

const EADDRINUSE = -98;
const EINVAL = -22;
const EEXIST = -17;
const ENETUNREACH = -101;

export class FakeUnderlay implements Underlay {
  readonly pool: FixedSlotPool;
  readonly words: Int32Array;
  readonly counters = { openFailed: 0, noSlot: 0, noSocket: 0 };
  /** Sends fail, as without a route to anywhere. */
  unplugged = false;
  /** True: no socket can be opened. */
  outOfSockets = false;
  /** Bind attempts on these ports fail. */
  readonly busyPorts = new Set<number>();
  receiver: Receiver = () => false;
  /** Told every payload that leaves through `send`, in clear text. */
  onSend: (payload: Uint8Array) => void = () => {};
  readonly #network: FakeNetwork;
  #address: string;
  #nextHandle = 1;
  #nextPort = 40000;
  readonly sockets = new Map<number, Socket>();
  readonly links = new Map<number, FakeLink>();
  readonly routes = new Map<number, { link: number; header: Uint8Array }>();
  #peerId = 0;
  #key: Uint8Array | undefined;

  constructor(network: FakeNetwork, address: string, slots = 64) {
    this.#network = network;
    this.#address = address;
    this.pool = new FixedSlotPool(slots);
    this.words = new Int32Array(this.pool.bytes.buffer);
  }

  get address(): string {
    return this.#address;
  }

  /** From now on everything leaves from another address, as behind a NAT that forgot us. */
  move(address: string): void {
    const host = this.#network.hosts.get(this.#address);
    this.#network.hosts.delete(this.#address);
    if (host !== undefined) this.#network.hosts.set(address, host);
    this.#address = address;
  }

  udpOpen(endpointOffset: number): UdpSocket | UnderlayFailure {
    if (this.outOfSockets) return { error: -24, message: "Too many open files." };
    const asked = readPort(this.pool.bytes, endpointOffset);
    const taken = (port: number): boolean =>
      [...this.sockets.values()].some((socket) => socket.port === port);
    if (asked !== 0 && (taken(asked) || this.busyPorts.has(asked))) {
      return { error: EADDRINUSE, message: "Address already in use." };
    }
    const port = asked === 0 ? this.#nextPort++ : asked;
    const handle = this.#nextHandle++;
    this.sockets.set(handle, { port });
    return { handle, port };
  }

  close(handle: number): void {
    if (!this.sockets.delete(handle)) throw new Error(`Socket ${handle} was closed twice.`);
    for (const [number, link] of this.links) {
      if (link.socket === handle) throw new Error(`Socket ${handle} was closed before link ${number}.`);
    }
  }

  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number {
    const bytes = this.pool.bytes;
    const address = formatAddress(bytes, endpointOffset);
    const port = readPort(bytes, endpointOffset);
    if (!this.sockets.has(socket)) return EINVAL;
    const key = linkKey(socket, address, port, connId);
    for (const [number, other] of this.links) if (other.key === key && number !== link) return EEXIST;
    this.links.set(link, { socket, key, address, port, connId });
    return 0;
  }

  linkClear(link: number): void {
    if (!this.links.delete(link)) throw new Error(`Link ${link} was cleared and not set.`);
  }

  identitySet(peerId: number, keyOffset: number): void {
    this.#peerId = peerId;
    this.#key = keyOffset < 0 ? undefined : this.pool.bytes.slice(keyOffset, keyOffset + 16);
  }

  routeSet(route: number, link: number, headerOffset: number): number {
    this.routes.set(route, { link, header: this.pool.bytes.slice(headerOffset, headerOffset + 16) });
    return 0;
  }

  routeClear(route: number): void {
    if (!this.routes.delete(route)) throw new Error(`Route ${route} was cleared and not set.`);
  }

  send(list: number, count: number): number {
    let sent = 0;
    for (let at = list; at < list + count * TX_WORDS; at += TX_WORDS) {
      const offset = this.words[at]!;
      const length = this.words[at + 1]!;
      const route = this.routes.get(this.words[at + 2]!);
      if (route === undefined) continue;
      const header = route.header.slice();
      new DataView(header.buffer).setUint32(12, length, true);
      const payload = this.pool.bytes.slice(offset, offset + length);
      this.onSend(payload);
      const body = (header[9]! & 1) !== 0 ? this.#seal(payload) : payload;
      if (body !== undefined && this.#sendPacket(route.link, concat(header, body)) > 0) sent++;
    }
    return sent;
  }

  sendOnLink(link: number, offset: number, length: number): number {
    // As the native core: an error of the socket is counted there and told as "not sent".
    return Math.max(0, this.#sendPacket(link, this.pool.bytes.slice(offset, offset + length)));
  }

  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number {
    const { bytes } = this.pool;
    return this.#sendTo(
      socket,
      formatAddress(bytes, endpointOffset),
      readPort(bytes, endpointOffset),
      bytes.slice(offset, offset + length),
    );
  }

  describeError(code: number): string {
    return code === ENETUNREACH ? "Network is unreachable." : `error ${-code}`;
  }

  /** One datagram from the network, through what the native core does with it. */
  deliver(datagram: Datagram, now: number): void {
    const entry = [...this.sockets].find(([, socket]) => socket.port === datagram.toPort);
    if (entry === undefined) {
      this.counters.noSocket++;
      return;
    }
    const slot = this.pool.alloc();
    if (slot < 0) {
      this.counters.noSlot++;
      return;
    }
    if (!this.#receive(slot, entry[0], datagram, now)) this.pool.free(slot);
  }

  #receive(slot: number, socket: number, { bytes, from, fromPort }: Datagram, now: number): boolean {
    const start = slot * this.pool.slotBytes;
    const link = this.#findLink(socket, from, fromPort, bytes);
    if (link < 0) {
      const room = this.pool.slotBytes - ENDPOINT_BYTES;
      if (bytes.length > room) return false;
      this.pool.bytes.set(bytes, start);
      const endpoint = parseEndpoint({ address: from, port: fromPort })!;
      this.pool.bytes.set(endpoint, start + room);
      return this.receiver(slot, start, bytes.length, -1, RxFlag.datagram, now, socket);
    }
    let packet = bytes.subarray(8);
    let flags: number = RxFlag.untouched;
    if (packet.length >= 16 && (packet[9]! & 1) !== 0 && readU32(packet, 4) === this.#peerId && this.#key) {
      const opened = this.#open(packet.subarray(16));
      if (opened === undefined) {
        this.counters.openFailed++;
        return false;
      }
      packet = concat(packet.subarray(0, 16), opened);
      packet[9] = packet[9]! & ~1;
      flags = RxFlag.opened;
    }
    if (packet.length > this.pool.slotBytes - 2) return false;
    this.pool.bytes.set(packet, start + 2);
    return this.receiver(slot, start + 2, packet.length, link, flags, now, socket);
  }

  #findLink(socket: number, address: string, port: number, bytes: Uint8Array): number {
    if (bytes.length < 8 || bytes[4] !== 3 || (bytes[6]! | (bytes[7]! << 8)) !== bytes.length - 8) return -1;
    const key = linkKey(socket, address, port, readU32(bytes, 0));
    for (const [number, link] of this.links) if (link.key === key) return number;
    return -1;
  }

  #sendPacket(number: number, packet: Uint8Array): number {
    const link = this.links.get(number);
    if (link === undefined) return EINVAL;
    const header = new Uint8Array(8);
    const view = new DataView(header.buffer);
    view.setUint32(0, link.connId, true);
    header[4] = 3;
    view.setUint16(6, packet.length, true);
    return this.#sendTo(link.socket, link.address, link.port, concat(header, packet));
  }

  #sendTo(socket: number, to: string, toPort: number, bytes: Uint8Array): number {
    const from = this.sockets.get(socket);
    if (from === undefined) return EINVAL;
    if (this.unplugged) return ENETUNREACH;
    this.#network.send({ from: this.#address, fromPort: from.port, to, toPort, bytes });
    return 1;
  }

  #seal(payload: Uint8Array): Uint8Array | undefined {
    return this.#key === undefined ? undefined : seal(this.#key, payload, this.#network.random);
  }

  #open(body: Uint8Array): Uint8Array | undefined {
    return this.#key === undefined ? undefined : open(this.#key, body);
  }
}

/** ciphertext, tag, nonce (links.md 5.3). */
export function seal(key: Uint8Array, payload: Uint8Array, random: Seeded): Uint8Array {
  const nonce = Uint8Array.from({ length: 12 }, () => random.below(256));
  const cipher = createCipheriv("aes-128-gcm", key, nonce);
  const text = concat(cipher.update(payload), cipher.final());
  return concat(concat(text, cipher.getAuthTag()), nonce);
}

export function open(key: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  if (body.length < 28) return undefined;
  const decipher = createDecipheriv("aes-128-gcm", key, body.subarray(body.length - 12));
  decipher.setAuthTag(body.subarray(body.length - 28, body.length - 12));
  try {
    return concat(decipher.update(body.subarray(0, body.length - 28)), decipher.final());
  } catch {
    return undefined;
  }
}

export function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function linkKey(socket: number, address: string, port: number, connId: number): string {
  return `${socket} ${address} ${port} ${connId}`;
}

function readPort(bytes: Uint8Array, endpointOffset: number): number {
  return (bytes[endpointOffset + 16]! << 8) | bytes[endpointOffset + 17]!;
}

function readU32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
