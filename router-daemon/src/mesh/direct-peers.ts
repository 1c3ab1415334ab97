/**
 * The peers at the other end of live links, and which link to each is used for sending (links.md 7): the one with the
 * lowest latency, a fresh one without a measurement first, one that misses answers last.
 */
import { RESELECT_MS } from "./limits.ts";
import type { Link, LinkTable } from "./link-table.ts";
import type { DirectPeer } from "./types.ts";

export interface DirectPeerLinks extends DirectPeer {
  readonly links: Link[];
  /** The link to send on. */
  best: Link;
}

export class DirectPeers {
  readonly #table: LinkTable;
  readonly #peers = new Map<number, DirectPeerLinks>();
  #reselectAtMs = Number.POSITIVE_INFINITY;
  /** Grows when a peer comes or goes. */
  membership = 0;
  /** Grows when the link to send on changes for any peer. */
  revision = 0;

  constructor(table: LinkTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#peers.size;
  }

  find(peerId: number): DirectPeerLinks | undefined {
    return this.#peers.get(peerId);
  }

  values(): IterableIterator<DirectPeerLinks> {
    return this.#peers.values();
  }

  add(link: Link, now: number): void {
    const peer = this.#peers.get(link.peerId);
    if (peer === undefined) {
      this.#peers.set(link.peerId, { peerId: link.peerId, shared: link.shared, links: [link], best: link });
      this.membership++;
      this.revision++;
      return;
    }
    peer.links.push(link);
    this.#reselectAtMs = Math.min(this.#reselectAtMs, now + RESELECT_MS);
    this.reselect(peer);
  }

  remove(link: Link): void {
    const peer = this.#peers.get(link.peerId);
    const at = peer?.links.indexOf(link) ?? -1;
    if (peer === undefined || at < 0) return;
    peer.links.splice(at, 1);
    if (peer.links.length === 0) {
      this.#peers.delete(link.peerId);
      this.membership++;
      this.revision++;
    } else this.reselect(peer);
  }

  /** The link that has been silent longest: the one to give up when there are too many. */
  stalest(peer: DirectPeerLinks): Link {
    let stalest = peer.links[0]!;
    for (const link of peer.links) {
      if (this.#table.lastRxMs[link.number]! < this.#table.lastRxMs[stalest.number]!) stalest = link;
    }
    return stalest;
  }

  /** Chooses the link to send on again. */
  reselect(peer: DirectPeerLinks): void {
    let best = peer.links[0]!;
    for (const link of peer.links) if (link !== best && isBetter(link, best)) best = link;
    if (best === peer.best) return;
    peer.best = best;
    this.revision++;
  }

  get nextTimeout(): number {
    return this.#reselectAtMs;
  }

  handleTimeout(now: number): void {
    if (now < this.#reselectAtMs) return;
    let several = false;
    for (const peer of this.#peers.values()) {
      if (peer.links.length < 2) continue;
      several = true;
      this.reselect(peer);
    }
    this.#reselectAtMs = several ? now + RESELECT_MS : Number.POSITIVE_INFINITY;
  }
}

function isBetter(a: Link, b: Link): boolean {
  const aLosing = (a.pinger?.lossesInARow ?? 0) > 0;
  const bLosing = (b.pinger?.lossesInARow ?? 0) > 0;
  if (aLosing !== bLosing) return bLosing;
  return (a.pinger?.latencyMs ?? 0) < (b.pinger?.latencyMs ?? 0);
}
