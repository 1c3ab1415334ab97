/**
 * The links of this node: dialled and accepted, from the first SYN to the last unanswered ping. Sorts what comes in to the
 * parts that know what to do with it, and keeps their time.
 */
import type { Endpoint } from "../wire/endpoint.ts";
import { classifyDatagram, readConnId, STUN, TUNNEL_HEADER_BYTES, TunnelType } from "../wire/udp-tunnel.ts";
import { Acceptor, type Listener, type ListenerFailure } from "./acceptor.ts";
import { Dialer } from "./dialer.ts";
import type { DirectPeers } from "./direct-peers.ts";
import { LinkState, type LinkTable, sessionKey } from "./link-table.ts";
import { type LinkContext, Links } from "./links.ts";

export class LinkLayer {
  readonly table: LinkTable;
  readonly peers: DirectPeers;
  readonly dialer: Dialer;
  readonly #acceptor: Acceptor;
  readonly #links: Links;
  readonly #context: LinkContext;
  /** Cached deadline; NaN = to be computed again. */
  #deadline = Number.NaN;

  constructor(context: LinkContext) {
    this.#context = context;
    this.#links = new Links(context, (link, reason, now) => {
      if (link.role === "client") this.dialer.handleClosed(link, reason, now);
    });
    this.dialer = new Dialer(context, this.#links);
    this.#acceptor = new Acceptor(context, this.#links, (connId, magicLow, magicHigh, now) =>
      this.dialer.handleOwnSyn(connId, magicLow, magicHigh, now),
    );
    this.table = this.#links.table;
    this.peers = this.#links.peers;
  }

  /** True for every socket of ours. */
  hasSocket(handle: number): boolean {
    return this.#acceptor.hasSocket(handle) || this.dialer.hasSocket(handle);
  }

  get sockets(): number[] {
    return [...this.#acceptor.sockets, ...this.dialer.sockets];
  }

  get listeners(): readonly Listener[] {
    return this.#acceptor.listeners;
  }

  get halfOpen(): number {
    return this.#acceptor.halfOpen;
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

  setListeners(urls: readonly string[], now: number): ListenerFailure[] {
    this.#deadline = Number.NaN;
    return this.#acceptor.setListeners(urls, now);
  }

  setPeers(urls: readonly string[], now: number): string[] {
    this.#deadline = Number.NaN;
    return this.dialer.setPeers(urls, now);
  }

  handleResolved(url: string, endpoints: readonly Endpoint[], now: number): void {
    this.#deadline = Number.NaN;
    this.dialer.handleResolved(url, endpoints, now);
  }

  /** The way to the network may have changed: every link is asked at once, and given up soon if it does not answer. */
  probe(now: number): void {
    this.#deadline = Number.NaN;
    this.#links.suspectAll(now);
  }

  /** Something says that this peer no longer exists in this form. Its links must prove otherwise, soon. */
  suspectPeer(peerId: number, now: number): void {
    this.#deadline = Number.NaN;
    this.#links.suspectPeer(peerId, now);
  }

  /** Ends everything: links, dials, sockets. */
  dispose(now: number): void {
    this.setPeers([], now);
    for (const link of [...this.table.values()]) this.#links.close(link, "closed", now);
    this.setListeners([], now);
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A datagram that is no packet of a link known to the host: the whole of it at `offset`, its sender's endpoint at
   * `endpointOffset`. Returns the number of the link it turned out to belong to (it came in the batch in which the link was
   * made; its packet follows the tunnel header), or -1.
   */
  handleDatagram(
    socket: number,
    offset: number,
    length: number,
    endpointOffset: number,
    now: number,
  ): number {
    const { bytes, drops } = this.#context;
    switch (classifyDatagram(bytes, offset, length)) {
      case TunnelType.data: {
        const key = sessionKey(socket, bytes, endpointOffset, readConnId(bytes, offset));
        const link = this.table.find(key);
        if (link !== undefined) return link.number;
        const session = this.#acceptor.findHalfOpen(key);
        if (session === undefined) {
          drops.unknown_session++;
          return -1;
        }
        const packetLength = length - TUNNEL_HEADER_BYTES;
        this.#acceptor.handleFirstPacket(session, offset + TUNNEL_HEADER_BYTES, packetLength, now);
        break;
      }
      case TunnelType.syn:
        if (this.#acceptor.hasSocket(socket)) {
          this.#acceptor.handleSyn(socket, offset, length, endpointOffset, now);
        } else drops.malformed_datagram++;
        break;
      case TunnelType.sack:
        this.dialer.handleSack(socket, offset, length, endpointOffset, now);
        break;
      case TunnelType.holePunch:
        drops.hole_punch++;
        this.dialer.handleHolePunch(socket, endpointOffset, now);
        break;
      case STUN:
        drops.stun++;
        return -1;
      default:
        drops.malformed_datagram++;
        return -1;
    }
    this.#deadline = Number.NaN;
    return -1;
  }

  /** A handshake packet on a link: the answer to ours, or a request repeated because our answer was lost. */
  handleHandshake(number: number, offset: number, length: number, now: number): void {
    const link = this.table.at(number);
    if (link === undefined) return;
    link.handshakes++;
    if (link.role === "server") this.#acceptor.handleRepeatedHandshake(link, offset, length);
    else if (this.table.state[number] === LinkState.handshake) {
      this.dialer.handleReply(link, offset, length, now);
      this.#deadline = Number.NaN;
    } else this.#context.drops.unexpected_handshake++;
  }

  handlePing(number: number, offset: number, length: number): void {
    this.#links.handlePing(number, offset, length);
  }

  handlePong(number: number, offset: number, length: number, now: number): void {
    this.#links.handlePong(number, offset, length, now);
    this.#deadline = Number.NaN;
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get nextTimeout(): number {
    if (Number.isNaN(this.#deadline)) {
      this.#deadline = Math.min(this.#links.nextTimeout, this.dialer.nextTimeout, this.#acceptor.nextTimeout);
    }
    return this.#deadline;
  }

  handleTimeout(now: number): void {
    this.#deadline = Number.NaN;
    this.#acceptor.handleTimeout(now);
    this.#links.handleTimeout(now);
    this.dialer.handleTimeout(now);
  }
}
