/**
 * A router's kernel, as far as the daemon sees it: UDP sockets on underlay addresses, one TUN device, LANs with stations, a
 * routing table, and TCP connections from the daemon to services.
 *
 * ```
 *   Network ─ datagrams ─▶ UDP sockets ─▶ ┐
 *                                         ├─ SimHost ─ daemon
 *   stations ─ LAN ─▶ route() ─▶ TUN ───▶ ┤
 *        ▲              │  ▲              │
 *        └──────────────┘  └── frames ◀───┘        pipes ─▶ services on stations
 * ```
 */

import { formatIpv4 } from "../../router-daemon/src/config/ipv4.ts";
import { type Ipv4Prefix, inPrefix, prefixMask } from "../../router-daemon/src/wire/ipv4-prefix.ts";
import { checksumsOk } from "../unit/host/naive-ip.ts";
import { cutSuperSegment, decodeFrame } from "../unit/tcp/naive.ts";
import type { Clock } from "./clock.ts";
import { Errno } from "./errno.ts";
import { type IpPacket, tcpPacket, wireBytes } from "./ip-packet.ts";
import type { Lan, Seat } from "./lan.ts";
import type { Datagram, DatagramTarget, Network } from "./network.ts";
import { Path, type PathOptions } from "./path.ts";
import { PipeEnd } from "./pipe.ts";
import type { Random } from "./random.ts";
import { Station } from "./station.ts";
import { TunDevice } from "./tun-device.ts";
import type { UdpSocket } from "./udp-socket.ts";

/** How long a kernel looks for a LAN machine that does not answer, and for a host anywhere else. */
export const ARP_FAILURE_MS = 3000;
export const CONNECT_FAILURE_MS = 130_000;
const FIRST_EPHEMERAL_PORT = 40_000;

const LAN_PATH: Partial<PathOptions> = { delayMs: 0.3 };

export class Kernel implements DatagramTarget {
  readonly clock: Clock;
  /** The router's own programs. */
  readonly local: Station;
  tun: TunDevice | undefined;
  /** Packets without a route, and frames of the daemon that were no packets. */
  unrouted = 0;
  readonly #random: Random;
  readonly #network: Network;
  /** Underlay addresses, the first of each family is the source of what is sent. */
  #addresses: string[];
  readonly #sockets = new Set<UdpSocket>();
  readonly #lans: Lan[] = [];
  readonly #tunRoutes = new Map<string, Ipv4Prefix>();
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor(clock: Clock, random: Random, network: Network, addresses: readonly string[]) {
    this.clock = clock;
    this.#random = random;
    this.#network = network;
    this.#addresses = [...addresses];
    for (const address of addresses) network.attach(address, this);
    // A program's packets are routed after it has had its turn, like those of any other machine.
    const send = (packet: IpPacket) => clock.after(0.01, () => this.route(packet));
    this.local = new Station(clock, random.fork(), 0, send);
  }

  // ── underlay ──────────────────────────────────────────────────────────────────────────────────────────────────

  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** The provider gives another address; datagrams to the old one are lost. */
  setAddress(address: string): void {
    for (const old of this.#addresses) this.#network.detach(old);
    this.#addresses = [address];
    this.#network.attach(address, this);
  }

  /** Gives the socket its port; 0, or a negative error. */
  bind(socket: UdpSocket, port: number): number {
    if (!socket.isAny && !isLoopback(socket.address) && !this.#addresses.includes(socket.address)) {
      return Errno.addressNotAvailable;
    }
    const isTaken = (wanted: number) =>
      [...this.#sockets].some(
        (other) => other.port === wanted && (other.isAny || socket.isAny || other.address === socket.address),
      );
    if (port !== 0 && isTaken(port)) return Errno.addressInUse;
    let chosen = port;
    while (chosen === 0 || (port === 0 && isTaken(chosen))) {
      chosen = this.#nextPort;
      this.#nextPort = this.#nextPort < 0xffff ? this.#nextPort + 1 : FIRST_EPHEMERAL_PORT;
    }
    socket.port = chosen;
    this.#sockets.add(socket);
    return 0;
  }

  unbind(socket: UdpSocket): void {
    this.#sockets.delete(socket);
  }

  sendDatagram(socket: UdpSocket, to: string, toPort: number, bytes: Uint8Array): number {
    if (isLoopback(to) || this.#addresses.includes(to)) {
      const from = socket.isAny ? to : socket.address;
      this.handleDatagram({ from, fromPort: socket.port, to, toPort, bytes });
      return 1;
    }
    const from = socket.isAny ? this.#sourceFor(to) : socket.address;
    if (from === undefined) return Errno.networkUnreachable;
    this.#network.send({ from, fromPort: socket.port, to, toPort, bytes });
    return 1;
  }

  #sourceFor(to: string): string | undefined {
    return this.#addresses.find((address) => address.includes(":") === to.includes(":"));
  }

  handleDatagram(datagram: Datagram): void {
    const isV6 = datagram.to.includes(":");
    let best: UdpSocket | undefined;
    for (const socket of this.#sockets) {
      if (socket.port !== datagram.toPort) continue;
      if (socket.address === datagram.to) best = socket;
      else if (socket.isAny && (socket.isDual || !isV6)) best ??= socket;
    }
    best?.enqueue(datagram);
  }

  // ── IP ────────────────────────────────────────────────────────────────────────────────────────────────────────

  addLan(prefix: Ipv4Prefix, gateway: number): Lan {
    const lan: Lan = { prefix, gateway, seats: new Map() };
    this.#lans.push(lan);
    return lan;
  }

  get lans(): readonly Lan[] {
    return this.#lans;
  }

  addStation(lan: Lan, address: number, options: Partial<PathOptions> = {}): Seat {
    const path = () => new Path(this.clock, this.#random.fork(), { ...LAN_PATH, ...options });
    const up = path();
    const send = (packet: IpPacket) => up.send(wireBytes(packet), () => this.route(packet));
    const station = new Station(this.clock, this.#random.fork(), address, send);
    const seat = { station, up, down: path() };
    lan.seats.set(address, seat);
    return seat;
  }

  /** Opens a connection of the router's own programs, from the address that the kernel would choose. */
  connect(targetAddress: number, targetPort: number) {
    const lan = this.#lanOf(targetAddress);
    const address = lan?.gateway ?? this.tun?.address ?? 0;
    return this.local.connect(targetAddress, targetPort, { address });
  }

  /** A packet from a station or out of the TUN finds its way. Broadcasts that came in are for this machine. */
  route(packet: IpPacket, cameIn = false): void {
    const { destination } = packet;
    if (this.#isOwn(destination) || (cameIn && this.#isBroadcast(destination))) {
      this.local.handlePacket(packet);
      return;
    }
    const lan = this.#lanOf(destination);
    if (lan !== undefined) {
      const seat = lan.seats.get(destination);
      if (seat === undefined) {
        this.unrouted++;
        return;
      }
      const parts = "bytes" in packet ? [packet] : cutSuperSegment(packet.segment).map(tcpPacket);
      for (const part of parts) {
        seat.down.send(wireBytes(part), () => seat.station.handlePacket(part));
      }
      return;
    }
    if (this.#leadsToTun(destination)) this.tun?.enqueue(packet);
    else this.unrouted++;
  }

  #isOwn(address: number): boolean {
    return (
      (this.tun !== undefined && this.tun.address === address && address !== 0) ||
      this.#lans.some(({ gateway }) => gateway === address) ||
      this.#addresses.includes(formatIpv4(address))
    );
  }

  #isBroadcast(address: number): boolean {
    if (address >>> 28 === 14 || address === 0xffff_ffff) return true;
    const mask = prefixMask(this.tun?.prefixLength ?? 32);
    return this.tun !== undefined && address === (this.tun.address | ~mask) >>> 0;
  }

  #lanOf(address: number): Lan | undefined {
    return this.#lans.find(({ prefix }) => inPrefix(address, prefix));
  }

  #leadsToTun(address: number): boolean {
    const { tun } = this;
    if (tun === undefined || !tun.isUp) return false;
    const mask = prefixMask(tun.prefixLength);
    if ((address & mask) >>> 0 === (tun.address & mask) >>> 0) return true;
    for (const prefix of this.#tunRoutes.values()) if (inPrefix(address, prefix)) return true;
    return false;
  }

  // ── TUN ───────────────────────────────────────────────────────────────────────────────────────────────────────

  openTun(name: string): TunDevice {
    this.tun = new TunDevice(name, this.#random.fork());
    return this.tun;
  }

  /** The device goes, and with it the routes through it. */
  closeTun(device: TunDevice): void {
    if (this.tun !== device) return;
    device.isUp = false;
    this.tun = undefined;
    this.#tunRoutes.clear();
  }

  setTunRoute(add: boolean, prefix: Ipv4Prefix): void {
    const key = `${prefix.network}/${prefix.prefixLength}`;
    if (add) this.#tunRoutes.set(key, prefix);
    else this.#tunRoutes.delete(key);
  }

  get tunRoutes(): readonly string[] {
    return [...this.#tunRoutes.values()].map((p) => `${formatIpv4(p.network)}/${p.prefixLength}`).sort();
  }

  /** A frame that the daemon has written. Throws where it is not as a kernel demands: that is a bug of the daemon. */
  handleFrame(frame: Uint8Array): void {
    const protocol = frame[10 + 9];
    const view = new DataView(frame.buffer, frame.byteOffset);
    this.#network.note("tun", frame);
    if (frame[10]! >> 4 !== 4) throw new Error("The daemon wrote something that is no IPv4 packet.");
    if (protocol === 6) {
      this.route(tcpPacket(decodeFrame(frame)), true);
      return;
    }
    const bytes = frame.slice(10);
    const isFragment = (view.getUint16(16) & 0x3fff) !== 0;
    if (frame[0] !== 0 || (!isFragment && !checksumsOk(bytes))) {
      throw new Error("The daemon wrote an IP packet whose checksums are wrong.");
    }
    this.route({ source: view.getUint32(22), destination: view.getUint32(26), bytes }, true);
  }

  // ── TCP of the daemon ─────────────────────────────────────────────────────────────────────────────────────────

  /** The daemon connects: its end, which tells the outcome later; or a negative error at once. */
  connectPipe(address: number, port: number): PipeEnd | number {
    const target = this.#target(address);
    if (target === undefined) return Errno.networkUnreachable;
    const [near, far] = PipeEnd.pair(this.clock, target.delayMs);
    const { station } = target;
    if (station === undefined || station.isOff) {
      const [ms, error] =
        station === undefined && target.isLan
          ? [ARP_FAILURE_MS, Errno.hostUnreachable]
          : [CONNECT_FAILURE_MS, Errno.timedOut];
      this.clock.after(ms, () => near.fail(error));
      return near;
    }
    this.clock.after(2 * target.delayMs + 0.05, () => {
      if (near.isClosed) return;
      far.isConnected = true;
      if (station.acceptPipe(port, far) === undefined) near.fail(Errno.connectionRefused);
      else near.connect();
    });
    return near;
  }

  #target(address: number): { station: Station | undefined; delayMs: number; isLan: boolean } | undefined {
    if (this.#isOwn(address) || address >>> 24 === 127) {
      return { station: this.local, delayMs: 0.02, isLan: false };
    }
    const lan = this.#lanOf(address);
    if (lan !== undefined) {
      const seat = lan.seats.get(address);
      return { station: seat?.station, delayMs: seat?.down.options.delayMs ?? 0.3, isLan: true };
    }
    if (this.#leadsToTun(address)) return undefined;
    return { station: undefined, delayMs: 5, isLan: false };
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
