/**
 * Packets the mesh makes itself, written into two slots of its own and handed to the underlay: SYN and SACK, handshake,
 * ping, RPC. Nothing here is per payload packet.
 *
 * ```
 *  control slot   0         32        64       96      128
 *                 │ endpoint │ header  │ key    │ list  │
 *  packet slot    0
 *                 │ whole datagram or packet
 * ```
 */
import type { SlotPool } from "kcp-ts";
import {
  AEAD_TAIL_BYTES,
  PacketFlag,
  PacketType,
  PEER_HEADER_BYTES,
  writePeerHeader,
  writeU32,
} from "../wire/peer-header.ts";
import {
  SYN_BYTES,
  TUNNEL_HEADER_BYTES,
  TunnelType,
  writeSyn,
  writeTunnelHeader,
} from "../wire/udp-tunnel.ts";
import { TX_WORDS, type Underlay } from "./underlay.ts";

/** The route number under which RPC leaves: set anew for each packet, as peers are many and RPC is rare. */
export const SCRATCH_ROUTE = 0;

const ENDPOINT_AT = 0;
const HEADER_AT = 32;
const KEY_AT = 64;
const LIST_AT = 96;
const PING_BYTES = PEER_HEADER_BYTES + 4;

export class ControlIo {
  readonly underlay: Underlay;
  readonly #pool: SlotPool;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #controlSlot: number;
  readonly #packetSlot: number;
  readonly #control: number;
  readonly #packet: number;
  #scratchSet = false;

  /** `words` is the whole arena as 32-bit words. Throws when the pool has no two slots to give: it is far too small. */
  constructor(underlay: Underlay, pool: SlotPool, words: Int32Array) {
    this.underlay = underlay;
    this.#pool = pool;
    this.#bytes = pool.bytes;
    this.#words = words;
    this.#controlSlot = pool.alloc();
    this.#packetSlot = pool.alloc();
    if (this.#controlSlot < 0 || this.#packetSlot < 0) {
      throw new RangeError("The slot pool has no room for the mesh. Give it more slots.");
    }
    this.#control = this.#controlSlot * pool.slotBytes;
    this.#packet = this.#packetSlot * pool.slotBytes;
  }

  dispose(): void {
    if (this.#scratchSet) this.underlay.routeClear(SCRATCH_ROUTE);
    this.#pool.free(this.#controlSlot);
    this.#pool.free(this.#packetSlot);
  }

  /** Largest RPC packet (without peer header) that `sendRpc` takes. */
  get maxRpcBytes(): number {
    return this.#pool.slotBytes - PEER_HEADER_BYTES - AEAD_TAIL_BYTES - TUNNEL_HEADER_BYTES;
  }

  setIdentity(peerId: number, key: Uint8Array | undefined): void {
    if (key === undefined) {
      this.underlay.identitySet(peerId, -1);
      return;
    }
    const at = this.#control + KEY_AT;
    this.#bytes.set(key, at);
    this.underlay.identitySet(peerId, at);
    this.#bytes.fill(0, at, at + key.length);
  }

  openSocket(endpoint: Uint8Array): ReturnType<Underlay["udpOpen"]> {
    return this.underlay.udpOpen(this.#endpoint(endpoint));
  }

  setLink(link: number, socket: number, endpoint: Uint8Array, connId: number): number {
    return this.underlay.linkSet(link, socket, this.#endpoint(endpoint), connId);
  }

  /** Registers what precedes a payload of `packetType` to `to` (the length is the host's to fill in). */
  setRoute(route: number, link: number, from: number, to: number, packetType: number, flags: number): number {
    const at = this.#control + HEADER_AT;
    writePeerHeader(this.#bytes, at, from, to, packetType, flags, 0);
    return this.underlay.routeSet(route, link, at);
  }

  /** SYN or SACK. */
  sendSyn(
    socket: number,
    endpoint: Uint8Array,
    connId: number,
    type: number,
    magicLow: number,
    magicHigh: number,
  ): number {
    writeSyn(this.#bytes, this.#packet, connId, type, magicLow, magicHigh);
    return this.underlay.sendDatagram(socket, this.#endpoint(endpoint), this.#packet, SYN_BYTES);
  }

  /** A handshake on a link the host knows. */
  sendHandshake(link: number, from: number, body: Uint8Array): number {
    const length = this.#writeHandshake(this.#packet, from, body);
    return this.underlay.sendOnLink(link, this.#packet, length);
  }

  /** A handshake to a session that has no link number (yet). */
  sendHandshakeDatagram(
    socket: number,
    endpoint: Uint8Array,
    connId: number,
    from: number,
    body: Uint8Array,
  ): number {
    const length = this.#writeHandshake(this.#packet + TUNNEL_HEADER_BYTES, from, body);
    writeTunnelHeader(this.#bytes, this.#packet, connId, TunnelType.data, length);
    return this.underlay.sendDatagram(
      socket,
      this.#endpoint(endpoint),
      this.#packet,
      TUNNEL_HEADER_BYTES + length,
    );
  }

  sendPing(link: number, from: number, to: number, sequence: number): number {
    writePeerHeader(this.#bytes, this.#packet, from, to, PacketType.ping, 0, 4);
    writeU32(this.#bytes, this.#packet + PEER_HEADER_BYTES, sequence);
    return this.underlay.sendOnLink(link, this.#packet, PING_BYTES);
  }

  /** One RPC packet; sealed by the host when `encrypted`. Returns bytes of the datagram, negative when it was not sent. */
  sendRpc(
    link: number,
    from: number,
    to: number,
    packetType: number,
    encrypted: boolean,
    body: Uint8Array,
  ): number {
    const payload = this.#packet + PEER_HEADER_BYTES;
    this.#bytes.set(body, payload);
    if (!encrypted) {
      writePeerHeader(this.#bytes, this.#packet, from, to, packetType, 0, body.length);
      const sent = this.underlay.sendOnLink(link, this.#packet, PEER_HEADER_BYTES + body.length);
      return sent < 1 ? -1 : TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES + body.length;
    }
    const failed = this.setRoute(SCRATCH_ROUTE, link, from, to, packetType, PacketFlag.encrypted);
    if (failed < 0) return failed;
    this.#scratchSet = true;
    const list = (this.#control + LIST_AT) >> 2;
    this.#words[list] = payload;
    this.#words[list + 1] = body.length;
    this.#words[list + 2] = SCRATCH_ROUTE;
    this.#words[list + TX_WORDS - 1] = 0;
    if (this.underlay.send(list, 1) < 1) return -1;
    return TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES + body.length + AEAD_TAIL_BYTES;
  }

  #writeHandshake(at: number, from: number, body: Uint8Array): number {
    writePeerHeader(this.#bytes, at, from, 0, PacketType.handshake, 0, body.length);
    this.#bytes.set(body, at + PEER_HEADER_BYTES);
    return PEER_HEADER_BYTES + body.length;
  }

  #endpoint(endpoint: Uint8Array): number {
    const at = this.#control + ENDPOINT_AT;
    this.#bytes.set(endpoint, at);
    return at;
  }
}
