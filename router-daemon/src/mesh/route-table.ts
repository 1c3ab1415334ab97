/**
 * Route numbers: what the host puts in front of a payload for (peer, packet type, flags), registered once and kept true when
 * the next hop or its link changes.
 *
 * A number is good until the next input to the node. Freed numbers wait their turn before they are used again.
 */
import { SCRATCH_ROUTE } from "./control-io.ts";
import { MAX_ROUTES } from "./limits.ts";
import { NO_PEER } from "./types.ts";

/** Where a peer's packets go now, and how their header looks. */
export interface RouteResolver {
  /** Number of the link to the next hop, or -1. */
  linkTo(peerId: number): number;
  /** Registers a route with the host; negative = refused. */
  setRoute(route: number, link: number, peerId: number, packetType: number, flags: number): number;
  clearRoute(route: number): void;
}

/** Packet types and header flags are bytes; together they are a route's kind. */
const TYPES = 256;
const KINDS = TYPES * 256;

export class RouteTable {
  readonly #resolver: RouteResolver;
  /** (peer id * 256 + flags) * 256 + packet type → route number. */
  readonly #numbers = new Map<number, number>();
  readonly #keys = new Float64Array(MAX_ROUTES);
  readonly #links = new Int32Array(MAX_ROUTES).fill(-1);
  /** When a number was asked for last, by a count of askings: the longest unused one makes room. */
  readonly #usedAt = new Float64Array(MAX_ROUTES);
  #uses = 0;
  readonly #free: number[] = [];
  /** Routes given up because the table was full. */
  evictions = 0;

  constructor(resolver: RouteResolver) {
    this.#resolver = resolver;
    for (let route = 0; route < MAX_ROUTES; route++) if (route !== SCRATCH_ROUTE) this.#free.push(route);
  }

  get size(): number {
    return this.#numbers.size;
  }

  /** The route number, or -1 while there is no way to the peer. `flags` are header flags beside those of encryption. */
  find(peerId: number, packetType: number, flags: number): number {
    const key = peerId * KINDS + flags * TYPES + packetType;
    const route = this.#numbers.get(key);
    if (route === undefined) return this.#add(key);
    this.#usedAt[route] = ++this.#uses;
    return route;
  }

  /** The link a route leads over, or -1. */
  linkOf(route: number): number {
    return this.#links[route] ?? -1;
  }

  /** Next hops or links changed: every route is checked, moved or given up. */
  refresh(): void {
    for (const [key, route] of this.#numbers) {
      const link = this.#resolver.linkTo(peerOf(key));
      if (link < 0) this.#remove(key, route);
      else if (link !== this.#links[route] && !this.#set(route, link, key)) this.#remove(key, route);
    }
  }

  /** Gives up every route. */
  clear(): void {
    for (const [key, route] of this.#numbers) this.#remove(key, route);
  }

  #add(key: number): number {
    if (peerOf(key) === NO_PEER) return -1;
    const link = this.#resolver.linkTo(peerOf(key));
    if (link < 0) return -1;
    if (this.#free.length === 0) this.#evict();
    const route = this.#free.shift();
    if (route === undefined) return -1;
    if (!this.#set(route, link, key)) {
      this.#free.push(route);
      return -1;
    }
    this.#numbers.set(key, route);
    this.#keys[route] = key;
    this.#usedAt[route] = ++this.#uses;
    return route;
  }

  #set(route: number, link: number, key: number): boolean {
    const kind = key % KINDS;
    if (this.#resolver.setRoute(route, link, peerOf(key), kind % TYPES, Math.floor(kind / TYPES)) < 0)
      return false;
    this.#links[route] = link;
    return true;
  }

  #remove(key: number, route: number): void {
    this.#resolver.clearRoute(route);
    this.#links[route] = -1;
    this.#numbers.delete(key);
    this.#free.push(route);
  }

  #evict(): void {
    let oldest = -1;
    for (let route = 0; route < MAX_ROUTES; route++) {
      if (this.#links[route]! < 0) continue;
      if (oldest < 0 || this.#usedAt[route]! < this.#usedAt[oldest]!) oldest = route;
    }
    if (oldest < 0) return;
    this.evictions++;
    this.#remove(this.#keys[oldest]!, oldest);
  }
}

function peerOf(key: number): number {
  return Math.floor(key / KINDS);
}
