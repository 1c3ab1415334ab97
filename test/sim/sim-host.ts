/** The host of a simulated router: `Host` over a `Kernel`, on the world's clock. */
import { RUN_WORDS } from "kcp-ts";
import {
  END_OF_STREAM,
  ENDPOINT_BYTES,
  EVENT_WORDS,
  type Host,
  type HostFailure,
  MAX_DATAGRAM_BYTES,
  PollEvent,
  RX_PACKET_OFFSET,
  RX_WORDS,
  type TcpHandle,
  TIMER_HANDLE,
  TUN_READ_WORDS,
  type TunInfo,
  TX_WORDS,
  type UdpInfo,
  VNET_HEADER_BYTES,
} from "../../router-daemon/src/host/host.ts";
import { ArenaMemory } from "../../router-daemon/src/host/memory.ts";
import { findFollowers } from "../../router-daemon/src/kcp/followers.ts";
import { SeaHash } from "../../router-daemon/src/quic/seahash.ts";
import { endpointPort, formatAddress } from "../../router-daemon/src/wire/endpoint.ts";
import { ArenaView } from "./arena-view.ts";
import { checkArguments } from "./argument-check.ts";
import { Errno, errorSentence } from "./errno.ts";
import { Faults } from "./faults.ts";
import { HostCounters } from "./host-counters.ts";
import type { Kernel } from "./kernel.ts";
import type { Random } from "./random.ts";
import { eventsOf, type Pipe, type Resource } from "./resource.ts";
import { AesSeal, StandInSeal } from "./seal.ts";
import { cutFrame } from "./segmentation.ts";
import { SimLinks } from "./sim-links.ts";
import type { TunDevice } from "./tun-device.ts";
import { Turns } from "./turns.ts";
import { UdpSocket } from "./udp-socket.ts";

const TUN_FRAME_BYTES = 65_536 + 64;
const TUN_RING_FRAMES = 4;
/** Puts the IP header on a 16-byte boundary, as the native core does. */
const FRAME_SHIFT = 6;
const WALL_CLOCK_S = 1_790_000_000;

export interface SimHostOptions {
  readonly slotCount: number;
  readonly slotBytes?: number;
  readonly scratchBytes?: number;
  /** True wire bytes, or a stand-in for large worlds. */
  readonly cipher?: "aes-gcm" | "stand-in";
}

export class SimHost implements Host {
  readonly memory: ArenaMemory;
  readonly faults: Faults;
  readonly kernel: Kernel;
  /** Seconds that the wall clock is off. */
  clockErrorS = 0;
  readonly #counters = new HostCounters();
  #random: Random;
  readonly #view: ArenaView;
  readonly #turns: Turns;
  readonly #links: SimLinks;
  readonly #ring: number;
  readonly #udp = new Map<number, UdpSocket>();
  readonly #tuns = new Map<number, TunDevice>();
  readonly #pipes = new Map<number, Pipe>();
  #nextHandle = 1;
  #isDisposed = false;

  constructor(kernel: Kernel, random: Random, options: SimHostOptions) {
    const ringBytes = TUN_RING_FRAMES * TUN_FRAME_BYTES;
    this.memory = new ArenaMemory(
      options.slotCount,
      options.slotBytes ?? 1536,
      ringBytes + (options.scratchBytes ?? 128 * 1024),
    );
    this.kernel = kernel;
    this.#view = new ArenaView(this.memory);
    this.#turns = new Turns(kernel.clock);
    this.#random = random;
    this.faults = new Faults(random.fork());
    this.#ring = this.memory.reserve(ringBytes);
    const makeSeal = (key: Uint8Array) =>
      options.cipher === "stand-in" ? new StandInSeal(key) : new AesSeal(key);
    this.#links = new SimLinks(
      this.memory.bytes,
      this.memory.slotBytes,
      this.#counters,
      random.fork(),
      makeSeal,
      (socket, to, port, bytes) => this.#transmit(socket, to, port, bytes),
    );
    checkArguments(this);
  }

  /** Another stream of randomness from now on: for nodes that began as twins. */
  reseed(random: Random): void {
    this.#random = random;
  }

  // ── clock, randomness, words ──────────────────────────────────────────────────────────────────────────────────

  now(): number {
    return this.kernel.clock.now;
  }

  unixTime(): number {
    return WALL_CLOCK_S + Math.floor(this.kernel.clock.now / 1000) + this.clockErrorS;
  }

  random(offset: number, length: number): void {
    if (!this.#view.hasBytes(offset, length))
      throw new RangeError(`random(${offset}, ${length}) leaves the arena.`);
    this.#random.bytes(this.memory.bytes.subarray(offset, offset + length));
  }

  describeError(code: number): string {
    return errorSentence(code);
  }

  // ── events ────────────────────────────────────────────────────────────────────────────────────────────────────

  poll(out: number, max: number): number {
    if (this.#isDisposed) return Errno.badHandle;
    if (!this.#view.hasWords(out, max, EVENT_WORDS)) return Errno.invalid;
    const turns = this.#turns;
    let count = 0;
    if (max > 0 && turns.takeTimer()) this.#event(out + EVENT_WORDS * count++, TIMER_HANDLE, PollEvent.timer);
    for (const handle of turns.ready) {
      if (count >= max) break;
      turns.unmark(handle);
      const resource = this.#resource(handle);
      const events = resource === undefined ? 0 : eventsOf(resource);
      if (events === 0) continue;
      this.#event(out + EVENT_WORDS * count++, handle, events);
      turns.work++;
    }
    return count;
  }

  #event(word: number, handle: number, events: number): void {
    this.memory.words[word] = handle;
    this.memory.words[word + 1] = events;
  }

  onReady(wake: () => void): void {
    if (!this.#isDisposed) this.#turns.setWake(wake);
  }

  setTimer(atMs: number): void {
    if (!this.#isDisposed) this.#turns.setTimer(atMs);
  }

  /** Times that the process had its turn. */
  get wakes(): number {
    return this.#turns.count;
  }

  close(handle: number): void {
    const udp = this.#udp.get(handle);
    if (udp !== undefined) {
      this.#udp.delete(handle);
      this.#links.forgetSocket(handle);
      this.kernel.unbind(udp);
    }
    const tun = this.#tuns.get(handle);
    if (tun !== undefined) {
      this.#tuns.delete(handle);
      this.kernel.closeTun(tun);
    }
    const pipe = this.#takePipe(handle);
    pipe?.end.close();
    this.#turns.unmark(handle);
  }

  #takePipe(handle: number): Pipe | undefined {
    const pipe = this.#pipes.get(handle);
    if (pipe === undefined) return undefined;
    this.#pipes.delete(handle);
    this.#turns.unmark(handle);
    pipe.end.onChange = () => undefined;
    return pipe;
  }

  dispose(): void {
    for (const handles of [this.#udp, this.#tuns, this.#pipes]) {
      for (const handle of [...handles.keys()]) this.close(handle);
    }
    this.#isDisposed = true;
    this.#turns.stop();
  }

  /** Devices and sockets open. */
  get openHandles(): number {
    return this.#udp.size + this.#tuns.size + this.#pipes.size;
  }

  get openConnections(): number {
    return this.#pipes.size;
  }

  // ── TUN ───────────────────────────────────────────────────────────────────────────────────────────────────────

  tunOpen(name: string): TunInfo | HostFailure {
    if (this.#isDisposed) return { error: Errno.badHandle, message: "The host is disposed." };
    if (this.faults.hits("tunOpen")) return { error: -1, message: "No permission to create the device." };
    const device = this.kernel.openTun(name);
    const handle = this.#nextHandle++;
    this.#tuns.set(handle, device);
    device.onReady = () => this.#turns.mark(handle);
    return { handle, name, offload: true, udpOffload: true };
  }

  tunConfigure(handle: number, ipv4: number, prefixLength: number, mtu: number): number {
    const device = this.#tuns.get(handle);
    if (device === undefined) return Errno.badHandle;
    if (!isPrefix(prefixLength) || !(mtu >= 68 && mtu <= 0xffff)) return Errno.invalid;
    if (this.faults.hits("tunConfigure")) return Errno.invalid;
    device.address = ipv4 >>> 0;
    device.prefixLength = prefixLength;
    device.mtu = mtu;
    device.isUp = true;
    return 0;
  }

  tunRoute(handle: number, add: boolean, network: number, prefixLength: number): number {
    if (!this.#tuns.has(handle)) return Errno.badHandle;
    if (!isPrefix(prefixLength)) return Errno.invalid;
    const mask = prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0;
    if ((network & ~mask) !== 0) return Errno.invalid;
    if (this.faults.hits("tunRoute")) return Errno.networkUnreachable;
    this.kernel.setTunRoute(add, { network: network >>> 0, prefixLength });
    return 0;
  }

  tunRead(handle: number, out: number, max: number): number {
    const device = this.#tuns.get(handle);
    if (device === undefined) return Errno.badHandle;
    if (!this.#view.hasWords(out, max, TUN_READ_WORDS)) return Errno.invalid;
    const { bytes, words } = this.memory;
    // What the last call gave is no longer valid.
    if (device.waiting > 0) bytes.fill(0x5a, this.#ring, this.#ring + 4096);
    let count = 0;
    while (count < Math.min(max, TUN_RING_FRAMES)) {
      const frame = device.dequeue();
      if (frame === undefined) break;
      const at = this.#ring + count * TUN_FRAME_BYTES + FRAME_SHIFT;
      bytes.set(frame, at);
      words[out + TUN_READ_WORDS * count] = at;
      words[out + TUN_READ_WORDS * count + 1] = frame.length;
      count++;
    }
    this.#counters.tunFramesRead += count;
    this.#turns.work += count;
    return count;
  }

  tunWrite(handle: number, iov: number, count: number): number {
    const device = this.#tuns.get(handle);
    if (device === undefined) return Errno.badHandle;
    const frame = this.#view.gather(iov, count);
    if (frame === undefined) return Errno.invalid;
    if (frame.length <= VNET_HEADER_BYTES || frame.length > VNET_HEADER_BYTES + 0xffff) return Errno.invalid;
    if (device.isFull || this.faults.hits("tunWrite")) {
      this.#counters.tunQueueFull++;
      return 0;
    }
    this.#counters.tunFramesWritten++;
    this.#turns.work++;
    this.kernel.handleFrame(frame);
    return frame.length;
  }

  tunSplit(
    offset: number,
    length: number,
    mtu: number,
    slots: number,
    lengths: number,
    max: number,
    headroom: number,
  ): number {
    const { bytes, words, slotBytes, slotCount } = this.memory;
    if (!this.#view.hasBytes(offset, length) || !(mtu > 0) || !(headroom >= 0)) return Errno.invalid;
    if (!this.#view.hasWords(slots, max, 1) || !this.#view.hasWords(lengths, max, 1)) return Errno.invalid;
    const packets = cutFrame(bytes.slice(offset, offset + length), mtu);
    if (typeof packets === "number") return packets;
    if (packets.length > max) return Errno.noBuffers;
    for (const [i, packet] of packets.entries()) {
      const slot = words[slots + i]!;
      if (slot < 0 || slot >= slotCount) return Errno.invalid;
      if (headroom + packet.length > slotBytes) return Errno.messageSize;
      bytes.set(packet, slot * slotBytes + headroom);
      words[lengths + i] = packet.length;
    }
    return packets.length;
  }

  seahash(front: number, frontBytes: number, rest: number, restBytes: number, out: number): number {
    const { bytes } = this.memory;
    if (!this.#view.hasBytes(front, frontBytes) || !this.#view.hasBytes(rest, restBytes))
      return Errno.invalid;
    if (!this.#view.hasBytes(out, 8) || (restBytes > 0 && frontBytes % 8 !== 0)) return Errno.invalid;
    const text = new Uint8Array(frontBytes + restBytes + 8);
    text.set(bytes.subarray(front, front + frontBytes));
    text.set(bytes.subarray(rest, rest + restBytes), frontBytes);
    const length = frontBytes + restBytes;
    const hash = new SeaHash();
    hash.begin();
    hash.words(text, 0, length >>> 3);
    hash.finish(text, length & ~7, length & 7);
    new DataView(bytes.buffer, bytes.byteOffset + out).setInt32(0, hash.high);
    new DataView(bytes.buffer, bytes.byteOffset + out).setInt32(4, hash.low);
    return 0;
  }

  udpFollowers(out: number, slots: number, count: number, run: number): number {
    const view = this.#view;
    if (!view.hasWords(out, count, RX_WORDS) || !view.hasWords(slots, count, 1)) return Errno.invalid;
    if (!view.hasWords(run, count, RUN_WORDS)) return Errno.invalid;
    const { bytes, words, slotBytes } = this.memory;
    return findFollowers(bytes, words, slotBytes, out, slots, count, run);
  }

  // ── UDP links ─────────────────────────────────────────────────────────────────────────────────────────────────

  udpOpen(endpoint: number): UdpInfo | HostFailure {
    if (this.#isDisposed) return { error: Errno.badHandle, message: "The host is disposed." };
    if (!this.#view.hasBytes(endpoint, ENDPOINT_BYTES)) {
      return { error: Errno.invalid, message: "The endpoint lies outside the arena." };
    }
    if (this.faults.hits("udpOpen"))
      return { error: Errno.tooManyFiles, message: "Too many sockets are open." };
    const socket = new UdpSocket(formatAddress(this.memory.bytes, endpoint));
    const port = endpointPort(this.memory.bytes, endpoint);
    const error = this.kernel.bind(socket, port);
    if (error < 0) {
      const what = error === Errno.addressInUse ? "is in use" : "cannot be opened";
      return { error, message: `UDP port ${port} on ${socket.address} ${what}. Choose another port.` };
    }
    const handle = this.#nextHandle++;
    this.#udp.set(handle, socket);
    socket.onReady = () => this.#turns.mark(handle);
    return { handle, port: socket.port, segmentation: true, coalescing: true };
  }

  linkSet(link: number, socket: number, endpoint: number, connId: number): number {
    const udp = this.#udp.get(socket);
    if (udp === undefined) return Errno.badHandle;
    if (!this.#view.hasBytes(endpoint, ENDPOINT_BYTES)) return Errno.invalid;
    return this.#links.linkSet(link | 0, socket, udp, endpoint, connId >>> 0);
  }

  linkClear(link: number): void {
    this.#links.linkClear(link);
  }

  identitySet(peerId: number, key: number): number {
    if (key >= 0 && !this.#view.hasBytes(key, 16)) return Errno.invalid;
    this.#links.identitySet(peerId >>> 0, key < 0 ? undefined : this.memory.bytes.slice(key, key + 16));
    return 0;
  }

  routeSet(route: number, link: number, header: number): number {
    if (!this.#view.hasBytes(header, 16)) return Errno.invalid;
    return this.#links.routeSet(route | 0, link | 0, header);
  }

  routeClear(route: number): void {
    this.#links.routeClear(route);
  }

  udpReceive(handle: number, slots: number, max: number, out: number): number {
    const socket = this.#udp.get(handle);
    if (socket === undefined) return Errno.badHandle;
    if (!this.#view.hasWords(slots, max, 1) || !this.#view.hasWords(out, max, RX_WORDS)) return Errno.invalid;
    const { words, slotBytes, slotCount } = this.memory;
    let used = 0;
    while (used < max) {
      const datagram = socket.peek();
      if (datagram === undefined) break;
      const slot = words[slots + used]!;
      if (slot < 0 || slot >= slotCount) return used > 0 ? used : Errno.invalid;
      socket.shift();
      this.#turns.work++;
      this.#counters.udpDatagramsReceived++;
      const delivered = this.#links.deliver(handle, datagram, slot);
      if (delivered === undefined) continue;
      const word = out + RX_WORDS * used++;
      words[word] = slot * slotBytes + RX_PACKET_OFFSET;
      words[word + 1] = delivered.length;
      words[word + 2] = delivered.link;
      words[word + 3] = delivered.flags;
    }
    return used;
  }

  send(list: number, count: number): number {
    if (this.#isDisposed) return Errno.badHandle;
    if (!this.#view.hasWords(list, count, TX_WORDS)) return Errno.invalid;
    const isFull = count > 0 && this.faults.hits("send");
    const { words } = this.memory;
    let sent = 0;
    for (let at = list; at < list + count * TX_WORDS; at += TX_WORDS) {
      const offset = words[at]!;
      const length = words[at + 1]!;
      if (!this.#view.hasBytes(offset, length)) return Errno.invalid;
      if (isFull) this.#counters.txQueueFull++;
      else if (this.#links.sendPayload(offset, length, words[at + 2]!)) sent++;
    }
    return sent;
  }

  sendOnLink(link: number, offset: number, length: number): number {
    if (!this.#view.hasBytes(offset, length)) return Errno.invalid;
    if (this.faults.hits("sendOnLink")) {
      this.#counters.txQueueFull++;
      return 0;
    }
    return this.#links.sendPacket(link, offset, length);
  }

  sendDatagram(socket: number, endpoint: number, offset: number, length: number): number {
    const udp = this.#udp.get(socket);
    if (udp === undefined) return Errno.badHandle;
    const { bytes } = this.memory;
    if (!this.#view.hasBytes(endpoint, ENDPOINT_BYTES) || !this.#view.hasBytes(offset, length))
      return Errno.invalid;
    if (length > MAX_DATAGRAM_BYTES) {
      this.#counters.txTooLarge++;
      return Errno.messageSize;
    }
    const to = formatAddress(bytes, endpoint);
    if (to.includes(":") && !udp.isV6) return Errno.familyNotSupported;
    if (this.faults.hits("sendDatagram")) {
      this.#counters.txQueueFull++;
      return 0;
    }
    return this.#transmit(udp, to, endpointPort(bytes, endpoint), bytes.slice(offset, offset + length));
  }

  #transmit(socket: UdpSocket, to: string, port: number, bytes: Uint8Array): number {
    const result = this.kernel.sendDatagram(socket, to, port, bytes);
    if (result > 0) this.#counters.udpDatagramsSent++;
    else this.#counters.txFailed++;
    this.#turns.work++;
    return result;
  }

  // ── TCP ───────────────────────────────────────────────────────────────────────────────────────────────────────

  tcpConnect(ipv4: number, port: number): number {
    if (this.#isDisposed) return Errno.badHandle;
    if (!(port >= 1 && port <= 0xffff)) return Errno.invalid;
    if (this.faults.hits("tcpConnect")) return Errno.tooManyFiles;
    const end = this.kernel.connectPipe(ipv4 >>> 0, port);
    if (typeof end === "number") return end;
    const handle = this.#nextHandle++;
    this.#pipes.set(handle, { end });
    end.onChange = () => this.#turns.mark(handle);
    this.#counters.tcpConnects++;
    return handle;
  }

  tcpError(handle: TcpHandle): number {
    const end = this.#pipes.get(handle)?.end;
    if (end === undefined) return Errno.badHandle;
    if (end.error !== 0) return end.error;
    return end.isConnected ? 0 : Errno.inProgress;
  }

  tcpRead(handle: TcpHandle, iov: number, count: number): number {
    const end = this.#pipes.get(handle)?.end;
    if (end === undefined) return Errno.badHandle;
    if (!this.#view.hasPieces(iov, count)) return Errno.invalid;
    const { total, wanted } = this.#view.scatter(iov, count, (into) => end.read(into));
    if (total > 0 || wanted === 0) {
      this.#counters.tcpBytesRead += total;
      this.#turns.work++;
      return total;
    }
    // What came before a reset can still be read.
    if (end.error !== 0 && !end.isErrorTold) return end.error;
    return end.finArrived || end.error !== 0 ? END_OF_STREAM : 0;
  }

  tcpWrite(handle: TcpHandle, iov: number, count: number): number {
    const end = this.#pipes.get(handle)?.end;
    if (end === undefined) return Errno.badHandle;
    const bytes = this.#view.gather(iov, count);
    if (bytes === undefined) return Errno.invalid;
    if (bytes.length === 0) return 0;
    if (!end.isConnected && end.error === 0) return 0;
    const written = end.write(bytes);
    if (written > 0) {
      this.#counters.tcpBytesWritten += written;
      this.#turns.work++;
    }
    return written;
  }

  tcpShutdown(handle: TcpHandle): number {
    const end = this.#pipes.get(handle)?.end;
    if (end === undefined) return Errno.badHandle;
    end.shutdown();
    return 0;
  }

  tcpAbort(handle: TcpHandle): void {
    this.#takePipe(handle)?.end.reset();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  // ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────

  #resource(handle: number): Resource | undefined {
    return this.#udp.get(handle) ?? this.#tuns.get(handle) ?? this.#pipes.get(handle);
  }
}

function isPrefix(length: number): boolean {
  return length >= 0 && length <= 32;
}
