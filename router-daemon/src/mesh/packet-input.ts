/**
 * What becomes of a packet that a link received: the hot path of receiving. The order of the checks is that of links.md 1.6;
 * every packet that goes no further is counted under its reason.
 */
import { AEAD_TAIL_BYTES, PacketFlag, PacketType, PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import type { Drops } from "./drops.ts";
import { MAX_LINKS } from "./limits.ts";
import type { LinkLayer } from "./link-layer.ts";
import { LinkState } from "./link-table.ts";
import { NO_PEER, type PacketConsumer } from "./types.ts";
import { RxFlag } from "./underlay.ts";

/** The rare packets, and what they bring about. */
export interface ControlSink {
  /** An RPC packet's payload, a copy. */
  rpc(packetType: number, fromPeerId: number, payload: Uint8Array, now: number): void;
  /** True for peers that have no key and so may speak in clear text: shared nodes. */
  isKeyless(peerId: number): boolean;
  compressed(fromPeerId: number): void;
  /** A handshake was handled: links may have changed. */
  linksTouched(now: number): void;
}

export interface PacketInputOptions {
  readonly localPeerId: number;
  readonly encryption: boolean;
  /** The arena. */
  readonly bytes: Uint8Array;
  readonly links: LinkLayer;
  readonly drops: Drops;
  readonly consumer: PacketConsumer;
  readonly control: ControlSink;
}

export class PacketInput {
  readonly #localPeerId: number;
  readonly #encryption: boolean;
  readonly #bytes: Uint8Array;
  readonly #links: LinkLayer;
  readonly #drops: Drops;
  readonly #consumer: PacketConsumer;
  readonly #control: ControlSink;

  constructor(options: PacketInputOptions) {
    this.#localPeerId = options.localPeerId;
    this.#encryption = options.encryption;
    this.#bytes = options.bytes;
    this.#links = options.links;
    this.#drops = options.drops;
    this.#consumer = options.consumer;
    this.#control = options.control;
  }

  /** A packet (peer header first) of a link, with the host's `RxFlag`s. True = the slot was taken. */
  handle(slot: number, offset: number, length: number, link: number, rxFlags: number, now: number): boolean {
    const drops = this.#drops;
    const { table } = this.#links;
    if (link < 0 || link >= MAX_LINKS || table.state[link] === LinkState.free) {
      drops.unknown_link++;
      return false;
    }
    if (length < PEER_HEADER_BYTES) {
      drops.short_packet++;
      return false;
    }
    const isOpened = (rxFlags & RxFlag.opened) !== 0;
    this.#count(link, 1, length, isOpened);
    table.lastRxMs[link] = now;
    const bytes = this.#bytes;
    const type = bytes[offset + 8]!;
    if (this.#isOfLink(type, link, offset, length, now)) return false;
    if (readU32(bytes, offset + 4) !== this.#localPeerId) {
      drops.not_for_us++;
      return false;
    }
    const from = readU32(bytes, offset);
    if (from === this.#localPeerId || from === NO_PEER) {
      drops.from_ourselves++;
      return false;
    }
    const flags = bytes[offset + 9]!;
    if ((flags & (PacketFlag.encrypted | PacketFlag.compressed)) !== 0) {
      this.#dropUnreadable(from, flags);
      return false;
    }
    const payload = offset + PEER_HEADER_BYTES;
    const payloadLength = length - PEER_HEADER_BYTES;
    switch (type) {
      case PacketType.data:
        if (this.#isForged(isOpened) || this.#isNotForUse(flags)) return false;
        return this.#consumer.data(from, slot, payload, payloadLength, now);
      case PacketType.kcpSource:
        if (this.#isForged(isOpened)) return false;
        return this.#consumer.kcp("destination", from, slot, payload, payloadLength, now);
      case PacketType.kcpDestination:
        if (this.#isForged(isOpened)) return false;
        return this.#consumer.kcp("source", from, slot, payload, payloadLength, now);
      case PacketType.quicSource:
        if (this.#isForged(isOpened)) return false;
        return this.#consumer.quic("destination", from, slot, payload, payloadLength, now);
      case PacketType.quicDestination:
        if (this.#isForged(isOpened)) return false;
        return this.#consumer.quic("source", from, slot, payload, payloadLength, now);
      case PacketType.rpcRequest:
      case PacketType.rpcResponse:
        if (!isOpened && !this.#mayBeClear(link, from)) {
          drops.clear_rpc++;
          return false;
        }
        this.#control.rpc(type, from, bytes.slice(payload, payload + payloadLength), now);
        return false;
      default:
        drops.countType(type);
        return false;
    }
  }

  /** `count` packets of `bytes` in all were taken because they follow one that `handle` took (`Host.udpFollowers`). */
  noteFollowers(link: number, rxFlags: number, count: number, bytes: number): void {
    this.#count(link, count, bytes, (rxFlags & RxFlag.opened) !== 0);
  }

  #count(link: number, packets: number, bytes: number, isOpened: boolean): void {
    const { rxPackets, rxBytes } = this.#links.table;
    const cutOff = isOpened ? TUNNEL_HEADER_BYTES + AEAD_TAIL_BYTES : TUNNEL_HEADER_BYTES;
    rxPackets[link] = rxPackets[link]! + packets;
    rxBytes[link] = rxBytes[link]! + bytes + packets * cutOff;
  }

  /** Packets that concern the link alone, whatever ids they name; and all others before its handshake. */
  #isOfLink(type: number, link: number, offset: number, length: number, now: number): boolean {
    if (type === PacketType.handshake) {
      this.#links.handleHandshake(link, offset, length, now);
      this.#control.linksTouched(now);
      return true;
    }
    if (this.#links.table.state[link] !== LinkState.up) {
      this.#drops.before_handshake++;
      return true;
    }
    if (type === PacketType.ping) {
      this.#links.handlePing(link, offset, length);
      return true;
    }
    if (type === PacketType.pong) {
      this.#links.handlePong(link, offset, length, now);
      return true;
    }
    return false;
  }

  /**
   * Payload in clear text although this network encrypts: anybody on the way could have made it. Stock nodes that do not
   * encrypt cannot read us either (links.md 5.6), so nothing is lost by not reading them.
   */
  #isForged(isOpened: boolean): boolean {
    if (!this.#encryption || isOpened) return false;
    this.#drops.clear_data++;
    return true;
  }

  /** NOT_SEND_TO_TUN says so itself (links.md 1.3); and we are nobody's exit to the internet. */
  #isNotForUse(flags: number): boolean {
    if ((flags & PacketFlag.notSendToTun) !== 0) this.#drops.not_for_tun++;
    else if ((flags & PacketFlag.exitNode) !== 0) this.#drops.exit_node++;
    else return false;
    return true;
  }

  /**
   * Only shared nodes have no key (links.md 5.5). From anybody else a call in clear text would let everybody on the way
   * announce routes.
   */
  #mayBeClear(link: number, from: number): boolean {
    return !this.#encryption || this.#links.table.at(link)?.shared === true || this.#control.isKeyless(from);
  }

  #dropUnreadable(from: number, flags: number): void {
    if ((flags & PacketFlag.encrypted) !== 0) this.#drops.unreadable_encryption++;
    else {
      this.#drops.compressed++;
      this.#control.compressed(from);
    }
  }
}
