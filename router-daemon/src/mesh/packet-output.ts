/**
 * Ways out: which link a packet to a peer takes first, whether it is sealed, and the route numbers under which the host knows
 * both. RPC leaves here too.
 */
import { AEAD_TAIL_BYTES, PacketFlag, PacketType, PEER_HEADER_BYTES } from "../wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import type { ControlIo } from "./control-io.ts";
import type { Drops } from "./drops.ts";
import type { LinkLayer } from "./link-layer.ts";
import { RouteTable } from "./route-table.ts";
import { TX_WORDS } from "./underlay.ts";

/** What the route tables say about a peer. */
export interface Guide {
  /** The direct peer to hand packets to; 0 = unreachable. */
  nextHop(peerId: number): number;
  /** Shared nodes have no key; undefined = nothing is known about the peer. */
  isPublicServer(peerId: number): boolean | undefined;
}

export interface PacketOutputOptions {
  readonly localPeerId: number;
  readonly encryption: boolean;
  readonly words: Int32Array;
  readonly io: ControlIo;
  readonly links: LinkLayer;
  readonly drops: Drops;
  readonly guide: Guide;
}

/** links.md 5.5. */
const NEVER_ENCRYPTED = new Set<number>([PacketType.handshake, PacketType.ping, PacketType.pong]);

export class PacketOutput {
  readonly routes: RouteTable;
  readonly #localPeerId: number;
  readonly #encryption: boolean;
  readonly #words: Int32Array;
  readonly #io: ControlIo;
  readonly #links: LinkLayer;
  readonly #drops: Drops;
  readonly #guide: Guide;
  /** Bytes that a payload gains on its way into a datagram. */
  readonly #addedBytes: number;

  constructor(options: PacketOutputOptions) {
    this.#localPeerId = options.localPeerId;
    this.#encryption = options.encryption;
    this.#words = options.words;
    this.#io = options.io;
    this.#links = options.links;
    this.#drops = options.drops;
    this.#guide = options.guide;
    this.#addedBytes = TUNNEL_HEADER_BYTES + PEER_HEADER_BYTES + (options.encryption ? AEAD_TAIL_BYTES : 0);
    this.routes = new RouteTable({
      linkTo: (peerId) => this.linkTo(peerId),
      setRoute: (route, link, peerId, packetType, flags) => {
        const sealed = this.#isSealed(peerId, packetType) ? PacketFlag.encrypted : 0;
        return this.#io.setRoute(route, link, this.#localPeerId, peerId, packetType, flags | sealed);
      },
      clearRoute: (route) => this.#io.underlay.routeClear(route),
    });
  }

  /** Number of the link that packets to this peer take first, or -1 (routes-rpc.md 5.4). */
  linkTo(peerId: number): number {
    const { peers } = this.#links;
    const direct = peers.find(peerId) ?? peers.find(this.#guide.nextHop(peerId));
    return direct?.best.number ?? -1;
  }

  /** Counts what is handed to the host's `send`, by the links it leaves on. */
  noteSent(list: number, count: number): void {
    const words = this.#words;
    const end = list + count * TX_WORDS;
    for (let at = list; at < end; ) {
      // Neighbours mostly take the same way.
      const route = words[at + 2]!;
      const first = at;
      let bytes = 0;
      for (; at < end && words[at + 2] === route; at += TX_WORDS) bytes += words[at + 1]!;
      const packets = (at - first) / TX_WORDS;
      const link = this.routes.linkOf(route);
      if (link >= 0) this.#links.table.countSent(link, packets, bytes + packets * this.#addedBytes);
    }
  }

  sendRpc(toPeerId: number, packetType: number, bytes: Uint8Array): void {
    if (bytes.length > this.#io.maxRpcBytes) {
      this.#drops.rpc_too_long++;
      return;
    }
    const link = this.linkTo(toPeerId);
    if (link < 0) {
      this.#drops.rpc_no_route++;
      return;
    }
    const sealed = this.#isSealed(toPeerId, packetType);
    const sent = this.#io.sendRpc(link, this.#localPeerId, toPeerId, packetType, sealed, bytes);
    if (sent < 0) this.#drops.rpc_send_failed++;
    else this.#links.table.countSent(link, 1, sent);
  }

  /** Whether a packet of ours to this peer is encrypted (links.md 5.5): RPC to a shared node must not be. */
  #isSealed(peerId: number, packetType: number): boolean {
    if (!this.#encryption || NEVER_ENCRYPTED.has(packetType)) return false;
    if (packetType !== PacketType.rpcRequest && packetType !== PacketType.rpcResponse) return true;
    const isPublicServer = this.#guide.isPublicServer(peerId);
    if (isPublicServer !== undefined) return !isPublicServer;
    const direct = this.#links.peers.find(peerId);
    return direct !== undefined && !direct.shared;
  }
}
