/**
 * The links that exist, from their number to their end: who is at the other side, pings, death. How they come about is the
 * business of `Dialer` and `Acceptor`.
 */

import { isIpv4Mapped, mappedIpv4 } from "../wire/endpoint.ts";
import { encodeHandshake, type Handshake } from "../wire/handshake.ts";
import { PacketType, PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { TUNNEL_HEADER_BYTES } from "../wire/udp-tunnel.ts";
import type { ControlIo } from "./control-io.ts";
import { DirectPeers } from "./direct-peers.ts";
import type { Drops } from "./drops.ts";
import { type EventQueue, quoted } from "./event.ts";
import type { Identity } from "./handshake-rules.ts";
import { MAX_LINKS_PER_PEER } from "./limits.ts";
import { type Link, LinkState, LinkTable, linkRemote } from "./link-table.ts";
import { Pinger } from "./pinger.ts";
import { LINK_REASONS, type LinkReason } from "./reason.ts";
import type { Random32 } from "./types.ts";

/** The virtual network as far as links must stay out of it; `ipv4` 0 = none. */
export interface Overlay {
  readonly ipv4: number;
  readonly networkLength: number;
}

/** What the parts of the link side share. */
export interface LinkContext {
  readonly identity: Identity;
  readonly io: ControlIo;
  readonly random: Random32;
  /** The arena. */
  readonly bytes: Uint8Array;
  readonly events: EventQueue;
  readonly drops: Drops;
  readonly overlay: () => Overlay;
}

export class Links {
  readonly table = new LinkTable();
  readonly peers = new DirectPeers(this.table);
  readonly #context: LinkContext;
  /** Told of every link that ends, before anything else hears of it. */
  readonly #onClosed: (link: Link, reason: LinkReason, now: number) => void;

  constructor(context: LinkContext, onClosed: (link: Link, reason: LinkReason, now: number) => void) {
    this.#context = context;
    this.#onClosed = onClosed;
  }

  /** A new link, known to the host, waiting for its handshake. Undefined when there is no room. */
  add(
    role: Link["role"],
    socket: number,
    endpoint: Uint8Array,
    connId: number,
    url: string,
    now: number,
  ): Link | undefined {
    const link = this.table.add(role, socket, endpoint, connId, url, now);
    if (link === undefined) return undefined;
    if (this.#context.io.setLink(link.number, socket, endpoint, connId) >= 0) return link;
    this.table.remove(link);
    return undefined;
  }

  /** Takes back a link whose handshake failed. */
  discard(link: Link): void {
    this.#context.io.underlay.linkClear(link.number);
    this.table.remove(link);
  }

  /** The handshake is done. */
  up(link: Link, handshake: Handshake, shared: boolean, now: number): void {
    link.peerId = handshake.peerId;
    link.networkName = handshake.networkName;
    link.shared = shared;
    link.pinger = new Pinger(this.#context.random, now);
    link.upAtMs = now;
    this.table.state[link.number] = LinkState.up;
    this.table.lastRxMs[link.number] = now;
    this.#suspectPredecessors(link, now);
    const peer = this.peers.find(link.peerId);
    if (peer !== undefined && peer.links.length >= MAX_LINKS_PER_PEER) {
      this.close(this.peers.stalest(peer), "too_many_links", now);
    }
    this.peers.add(link, now);
    const remote = linkRemote(link);
    const what = shared ? `shared node of network ${quoted(link.networkName)}` : "peer";
    this.#context.events.push("info", `Link to ${what} ${link.peerId} at ${remote} is up.`, {
      type: "link_up",
      peerId: link.peerId,
      remote,
      url: link.url,
      shared,
    });
  }

  /** Links to the very same port that were there before: their other end has most likely been restarted. */
  #suspectPredecessors(link: Link, now: number): void {
    for (const other of this.table.values()) {
      if (other === link || other.pinger === undefined) continue;
      const sameEnd = other.endpoint.every((byte, at) => byte === link.endpoint[at]);
      if (sameEnd && (other.peerId !== link.peerId || other.socket === link.socket))
        other.pinger.suspect(now);
    }
  }

  /** Ends a link. UDP has no close message: the other side finds out by itself. */
  close(link: Link, reason: LinkReason, now: number): void {
    const wasUp = link.pinger !== undefined;
    this.discard(link);
    this.#onClosed(link, reason, now);
    if (!wasUp) return;
    this.peers.remove(link);
    const remote = linkRemote(link);
    this.#context.events.push(
      reason === "peer_removed" || reason === "closed" ? "info" : "warning",
      `Link to peer ${link.peerId} at ${remote} ended. ${LINK_REASONS[reason]}`,
      { type: "link_down", peerId: link.peerId, remote, url: link.url, reason },
    );
  }

  // ── packets ───────────────────────────────────────────────────────────────────────────────────────────────────────

  sendHandshake(link: Link, digest: Uint8Array): void {
    const { io, identity } = this.#context;
    const body = encodeHandshake({ ...identity, digest });
    const result = io.sendHandshake(link.number, identity.peerId, body);
    this.#sent(link, result, PEER_HEADER_BYTES + body.length);
  }

  /** A ping goes back as it came, with another type (links.md 6). */
  handlePing(number: number, offset: number, length: number): void {
    const link = this.table.at(number);
    if (link === undefined || length < PEER_HEADER_BYTES + 4) {
      // A short pong would end the process of a stock node.
      this.#context.drops.short_ping++;
      return;
    }
    this.#context.bytes[offset + 8] = PacketType.pong;
    this.#sent(link, this.#context.io.underlay.sendOnLink(number, offset, length), length);
  }

  handlePong(number: number, offset: number, length: number, now: number): void {
    const pinger = this.table.at(number)?.pinger;
    const long = length >= PEER_HEADER_BYTES + 4;
    const sequence = long ? readU32(this.#context.bytes, offset + PEER_HEADER_BYTES) : 0;
    if (pinger === undefined || !long || !pinger.handlePong(sequence, now))
      this.#context.drops.unknown_pong++;
  }

  // ── doubt ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Every link is asked at once, and given up soon if it does not answer. */
  suspectAll(now: number): void {
    for (const link of this.table.values()) link.pinger?.suspect(now);
  }

  suspectPeer(peerId: number, now: number): void {
    for (const link of this.peers.find(peerId)?.links ?? []) link.pinger?.suspect(now);
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get nextTimeout(): number {
    let next = this.peers.nextTimeout;
    for (const link of this.table.values()) {
      if (link.pinger !== undefined) next = Math.min(next, link.pinger.nextTimeout);
    }
    return next;
  }

  handleTimeout(now: number): void {
    for (const link of this.table.values()) if (link.pinger !== undefined) this.#tend(link, link.pinger, now);
    this.peers.handleTimeout(now);
  }

  #tend(link: Link, pinger: Pinger, now: number): void {
    const { io, identity } = this.#context;
    const { number } = link;
    if (pinger.expire(now, this.table.rxPackets[link.number]!)) {
      if (pinger.isDead) {
        this.close(link, this.#deathOf(link, pinger), now);
        return;
      }
      const peer = this.peers.find(link.peerId);
      if (peer !== undefined) this.peers.reselect(peer);
    }
    const sequence = pinger.tick(now, this.table.txPackets[number]!, this.table.rxPackets[number]!);
    if (sequence < 0) return;
    const result = io.sendPing(number, identity.peerId, link.peerId, sequence);
    this.#sent(link, result, PEER_HEADER_BYTES + 4);
    if (result > 0 && link.sendFailed) {
      // The network was away and is back, perhaps with another address of ours: find out soon.
      link.sendFailed = false;
      pinger.suspect(now);
    }
  }

  #deathOf(link: Link, pinger: Pinger): LinkReason {
    const unheard = this.table.rxPackets[link.number]! <= link.handshakes;
    if (link.shared && unheard) return "wrong_network_name";
    return pinger.isSuspect ? "superseded" : "ping_timeout";
  }

  #sent(link: Link, result: number, packetBytes: number): void {
    if (result > 0) this.table.countSent(link.number, 1, packetBytes + TUNNEL_HEADER_BYTES);
    else link.sendFailed = true;
  }
}

/** Inside our virtual subnet: a link there would run through the very network it is to carry (links.md 4.2, 8.1). */
export function isOverlay(endpoint: Uint8Array, { ipv4, networkLength }: Overlay): boolean {
  if (ipv4 === 0 || networkLength === 0 || !isIpv4Mapped(endpoint)) return false;
  return (mappedIpv4(endpoint) ^ ipv4) >>> (32 - networkLength) === 0;
}
