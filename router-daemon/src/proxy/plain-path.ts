/**
 * Everything that is not carried: IP packets between the TUN device and the peers (routes-rpc.md 5).
 *
 * ```
 *  TUN frame (up to 64 KiB) ─cut to MTU by the core into─▶ slots ─▶ sealed ─▶ UDP        slots free again after the send
 *  UDP ─opened into a slot─▶ TUN                                                         slot stays the receiver's
 * ```
 */
import type { SlotPool } from "kcp-ts";
import type { MeshNode } from "../mesh/node.ts";
import {
  checkIpv4,
  IpProtocol,
  ipv4Destination,
  ipv4IsLaterFragment,
  ipv4Protocol,
  ipv4Source,
} from "../wire/ipv4.ts";
import { PacketFlag, PacketType } from "../wire/peer-header.ts";
import {
  checkTcp,
  clampMss,
  clampMssInFrame,
  TcpFlag,
  tcpDestinationPort,
  tcpFlags,
  tcpSourcePort,
} from "../wire/tcp.ts";
import { UDP_HEADER_BYTES, udpDestinationPort, udpSourcePort } from "../wire/udp.ts";
import { VNET_BYTES } from "../wire/vnet.ts";
import { AnsweredFlows } from "./answered-flows.ts";
import type { PlainFlows } from "./plain-flows.ts";

/** Packets one TUN frame is cut into at most: 64 KiB at the smallest MTU that IPv4 hosts must take, rounded up. */
export const MAX_SPLIT_PACKETS = 128;

/** The part of the host the plain path uses; results as written in `host/host.ts`. */
export interface PlainHost {
  tunSplit(
    offset: number,
    length: number,
    mtu: number,
    slots: number,
    lengths: number,
    max: number,
    headroom: number,
  ): number;
  tunWrite(handle: number, iov: number, count: number): number;
}

/** Where packets for peers are put; `slot` (or -1) is freed once the batch was handed to the kernel. */
export interface PacketBatch {
  add(offset: number, length: number, route: number, slot: number): void;
}

/** The part of the mesh the plain path uses. */
export type PlainMesh = Pick<MeshNode, "peerId" | "ownerOf" | "isBroadcast" | "broadcastPeers" | "route">;

export interface PlainPathOptions {
  readonly host: PlainHost;
  readonly mesh: PlainMesh;
  readonly pool: SlotPool;
  readonly batch: PacketBatch;
  readonly flows: PlainFlows;
  readonly words: Int32Array;
  /** Index of `PLAIN_WORDS` words of its own. */
  readonly word: number;
  /** Arena offset of `VNET_BYTES` zero bytes. */
  readonly zeroVnet: number;
  /** Random: see `TupleTable`. */
  readonly seed: number;
}

/** Words of the arena the plain path needs: slot numbers and lengths of one cut frame, and one short iov. */
export const PLAIN_WORDS = 2 * MAX_SPLIT_PACKETS + 4;

export interface PlainCounters {
  sent: number;
  delivered: number;
  /** Not IPv4: the network has no IPv6 addresses of its own. */
  droppedNotIpv4: number;
  droppedMalformed: number;
  /** No reachable peer owns the destination. */
  droppedNoRoute: number;
  /** For ourselves or our own exported subnets: it came back to where it was sent from. */
  droppedOwn: number;
  droppedNoSlot: number;
  /** Larger than the MTU and not to be cut. */
  droppedTooBig: number;
  droppedDeviceFull: number;
}

export class PlainPath {
  readonly #host: PlainHost;
  readonly #mesh: PlainMesh;
  readonly #pool: SlotPool;
  readonly #bytes: Uint8Array;
  readonly #batch: PacketBatch;
  readonly #flows: PlainFlows;
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #lengths: number;
  readonly #iov: number;
  readonly #zeroVnet: number;
  readonly #answered: AnsweredFlows;
  #device = -1;
  #mtu = 0;
  readonly counters: PlainCounters = {
    sent: 0,
    delivered: 0,
    droppedNotIpv4: 0,
    droppedMalformed: 0,
    droppedNoRoute: 0,
    droppedOwn: 0,
    droppedNoSlot: 0,
    droppedTooBig: 0,
    droppedDeviceFull: 0,
  };

  constructor(options: PlainPathOptions) {
    this.#host = options.host;
    this.#mesh = options.mesh;
    this.#pool = options.pool;
    this.#bytes = options.pool.bytes;
    this.#batch = options.batch;
    this.#flows = options.flows;
    this.#words = options.words;
    this.#slots = options.word;
    this.#lengths = options.word + MAX_SPLIT_PACKETS;
    this.#iov = options.word + 2 * MAX_SPLIT_PACKETS;
    this.#zeroVnet = options.zeroVnet;
    this.#answered = new AnsweredFlows(options.seed);
  }

  /** The TUN device and its MTU. */
  configure(device: number, mtu: number): void {
    this.#device = device;
    this.#mtu = mtu;
  }

  /** One frame as read from the TUN, vnet header first. */
  handleFrame(offset: number, length: number, now: number): void {
    const ip = offset + VNET_BYTES;
    const ipLength = length - VNET_BYTES;
    if (ipLength < 20 || this.#bytes[ip]! >> 4 !== 4) {
      this.counters.droppedNotIpv4++;
      return;
    }
    const headerBytes = checkIpv4(this.#bytes, ip, ipLength);
    if (headerBytes === 0) {
      this.counters.droppedMalformed++;
      return;
    }
    const destination = ipv4Destination(this.#bytes, ip);
    if (this.#mesh.isBroadcast(destination)) {
      for (const peerId of this.#mesh.broadcastPeers) this.#sendTo(peerId, 0, offset, length);
      return;
    }
    const owner = this.#mesh.ownerOf(destination);
    if (owner === 0) {
      this.counters.droppedNoRoute++;
      return;
    }
    if (owner === this.#mesh.peerId) {
      this.counters.droppedOwn++;
      return;
    }
    if (ipv4Protocol(this.#bytes, ip) === IpProtocol.tcp && !ipv4IsLaterFragment(this.#bytes, ip)) {
      const tcp = ip + headerBytes;
      const tcpBytes = checkTcp(this.#bytes, tcp, ipLength - headerBytes);
      if (tcpBytes !== 0) {
        const flags = tcpFlags(this.#bytes, tcp);
        if ((flags & TcpFlag.syn) !== 0) clampMssInFrame(this.#bytes, offset, length, this.#mtu - 40);
        this.#flows.handleUp(
          ipv4Source(this.#bytes, ip),
          tcpSourcePort(this.#bytes, tcp),
          destination,
          tcpDestinationPort(this.#bytes, tcp),
          flags,
          ipLength - headerBytes - tcpBytes,
          now,
        );
      }
    }
    const flags = this.#isAnswer(ip, ipLength, headerBytes) ? PacketFlag.noProxy : 0;
    this.#sendTo(owner, flags, offset, length);
  }

  /**
   * A UDP datagram that answers one from a peer. It is marked, or a stock node would take it for new traffic to its exported
   * subnet and send it on under its own address, where nobody expects it (routes-rpc.md 7).
   */
  #isAnswer(ip: number, ipLength: number, headerBytes: number): boolean {
    if (!this.#hasUdpPorts(ip, ipLength, headerBytes)) return false;
    const bytes = this.#bytes;
    const udp = ip + headerBytes;
    return this.#answered.handleSent(
      ipv4Destination(bytes, ip),
      udpDestinationPort(bytes, udp),
      ipv4Source(bytes, ip),
      udpSourcePort(bytes, udp),
    );
  }

  #hasUdpPorts(ip: number, ipLength: number, headerBytes: number): boolean {
    return (
      ipv4Protocol(this.#bytes, ip) === IpProtocol.udp &&
      !ipv4IsLaterFragment(this.#bytes, ip) &&
      ipLength - headerBytes >= UDP_HEADER_BYTES
    );
  }

  /** One IP packet from a peer, for our TUN. It is not checked whose it is: the kernel decides (routes-rpc.md 5.5). */
  handlePacket(offset: number, length: number, now: number): void {
    if (this.#device < 0) return;
    const headerBytes = this.#bytes[offset]! >> 4 === 4 ? checkIpv4(this.#bytes, offset, length) : 0;
    if (headerBytes === 0) {
      this.counters.droppedNotIpv4++;
      return;
    }
    if (ipv4Protocol(this.#bytes, offset) === IpProtocol.tcp && !ipv4IsLaterFragment(this.#bytes, offset)) {
      const tcp = offset + headerBytes;
      const tcpBytes = checkTcp(this.#bytes, tcp, length - headerBytes);
      if (tcpBytes !== 0) {
        const flags = tcpFlags(this.#bytes, tcp);
        if ((flags & TcpFlag.syn) !== 0) clampMss(this.#bytes, offset, length, this.#mtu - 40);
        this.#flows.handleDown(
          ipv4Source(this.#bytes, offset),
          tcpSourcePort(this.#bytes, tcp),
          ipv4Destination(this.#bytes, offset),
          tcpDestinationPort(this.#bytes, tcp),
          flags,
          length - headerBytes - tcpBytes,
          now,
        );
      }
    }
    if (this.#hasUdpPorts(offset, length, headerBytes)) {
      const bytes = this.#bytes;
      const udp = offset + headerBytes;
      this.#answered.handleReceived(
        ipv4Source(bytes, offset),
        udpSourcePort(bytes, udp),
        ipv4Destination(bytes, offset),
        udpDestinationPort(bytes, udp),
      );
    }
    const words = this.#words;
    words[this.#iov] = this.#zeroVnet;
    words[this.#iov + 1] = VNET_BYTES;
    words[this.#iov + 2] = offset;
    words[this.#iov + 3] = length;
    if (this.#host.tunWrite(this.#device, this.#iov, 2) > 0) this.counters.delivered++;
    else this.counters.droppedDeviceFull++;
  }

  #sendTo(peerId: number, flags: number, offset: number, length: number): void {
    const route = this.#mesh.route(peerId, PacketType.data, flags);
    if (route < 0) {
      this.counters.droppedNoRoute++;
      return;
    }
    // As many slots as the frame can need, not more: most frames are one packet.
    const wanted = Math.min(MAX_SPLIT_PACKETS, Math.ceil(length / (this.#mtu - 80)) + 1);
    let offered = 0;
    while (offered < wanted) {
      const slot = this.#pool.alloc();
      if (slot < 0) break;
      this.#words[this.#slots + offered++] = slot;
    }
    const used = this.#host.tunSplit(offset, length, this.#mtu, this.#slots, this.#lengths, offered, 0);
    for (let i = Math.max(used, 0); i < offered; i++) this.#pool.free(this.#words[this.#slots + i]!);
    if (used <= 0) {
      if (offered < wanted) this.counters.droppedNoSlot++;
      else this.counters.droppedTooBig++;
      return;
    }
    for (let i = 0; i < used; i++) {
      const slot = this.#words[this.#slots + i]!;
      this.#batch.add(slot * this.#pool.slotBytes, this.#words[this.#lengths + i]!, route, slot);
    }
    this.counters.sent += used;
  }
}
