/** Paths and addresses, computed from what is announced; at most so often, as their cost grows with the network. */
import { type AddressClaim, AddressTable } from "./address-table.ts";
import { MAX_EXPORTS, rebuildPauseMs, UNKNOWN_LATENCY_MS } from "./limits.ts";
import { findPaths } from "./path-finder.ts";
import type { PeerRecord, PeerTable } from "./peer-table.ts";
import { type LocalInfo, NO_PATH, type Path } from "./types.ts";

/** Latency of the link from one node to another in milliseconds, or undefined when nobody has measured it. */
export type LatencyLookup = (fromPeerId: number, toPeerId: number) => number | undefined;

export interface Reachability {
  readonly joined: readonly number[];
  readonly left: readonly number[];
}

export class RouteTables {
  readonly addresses = new AddressTable();
  readonly #peers: PeerTable;
  #latency: LatencyLookup = () => undefined;
  #isStale = false;
  /** Something that look-ups show has changed since the last computation. */
  #isNews = false;
  #rebuiltAt = Number.NEGATIVE_INFINITY;
  #links = 0;
  #revision = 0;
  #rebuilds = 0;

  constructor(peers: PeerTable) {
    this.#peers = peers;
  }

  /** Goes up with every computation that changed what look-ups show. */
  get revision(): number {
    return this.#revision;
  }

  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** When `rebuild` may be called; Infinity = the tables are current. */
  get nextTimeout(): number {
    return this.#isStale ? this.#rebuiltAt + rebuildPauseMs(this.#links) : Number.POSITIVE_INFINITY;
  }

  /** Announcements or rows have changed. */
  markStale(): void {
    this.#isStale = true;
    this.#isNews = true;
  }

  setLatencies(latency: LatencyLookup): void {
    this.#latency = latency;
    this.#isStale = true;
  }

  /** Computes everything anew; tells who has become reachable and who no longer is. */
  rebuild(local: LocalInfo, now: number): Reachability {
    this.#isStale = false;
    this.#rebuiltAt = now;
    this.#rebuilds++;
    const nodes = [...this.#peers.values()].filter(({ announcement }) => announcement !== undefined);
    nodes.sort((a, b) => a.peerId - b.peerId);
    const reachability = this.#rebuildPaths(nodes, now);
    this.#rebuildAddresses(nodes, local);
    if (this.#isNews) this.#revision++;
    this.#isNews = false;
    return reachability;
  }

  #rebuildPaths(nodes: readonly PeerRecord[], now: number): Reachability {
    const index = new Map(nodes.map(({ peerId }, at) => [peerId, at]));
    const links = nodes.map(({ row }) => {
      const known: number[] = [];
      for (const peerId of row?.peers ?? []) {
        const at = index.get(peerId);
        if (at !== undefined) known.push(at);
      }
      return known;
    });
    this.#links = links.reduce((sum, row) => sum + row.length, 0);
    const id = (at: number): number => nodes[at]!.peerId;
    const start = index.get(this.#peers.local.peerId)!;
    const latencyMs = (u: number, v: number): number =>
      this.#latency(id(u), id(v)) ?? this.#latency(id(v), id(u)) ?? UNKNOWN_LATENCY_MS;
    const avoidsRelay = nodes.map(({ announcement }) => announcement!.announced.featureFlags.avoidRelayData);
    const tables = findPaths({ links, latencyMs, avoidsRelay }, start);
    const named = (path: Path): Path =>
      path.nextHop === 0 ? NO_PATH : { ...path, nextHop: id(path.nextHop - 1) };

    const joined: number[] = [];
    const left: number[] = [];
    for (const [at, record] of nodes.entries()) {
      const path = named(tables.leastHop[at]!);
      const leastCost = named(tables.leastCost[at]!);
      if (at === start || (samePath(record.path, path) && samePath(record.leastCost, leastCost))) continue;
      const wasReachable = record.isReachable;
      record.path = path;
      record.leastCost = leastCost;
      record.view = undefined;
      this.#isNews = true;
      if (record.isReachable && !wasReachable) joined.push(record.peerId);
      if (!record.isReachable && wasReachable) {
        record.unreachableSince = now;
        left.push(record.peerId);
      }
    }
    return { joined, left };
  }

  #rebuildAddresses(nodes: readonly PeerRecord[], local: LocalInfo): void {
    const claims: AddressClaim[] = [];
    const { peerId: localPeerId } = this.#peers.local;
    let exportsLeft = MAX_EXPORTS;
    for (const { peerId, isReachable, announcement, path } of nodes) {
      if (!isReachable || peerId === localPeerId) continue;
      const { ipv4, exports } = announcement!.announced;
      claims.push({ peerId, pathLength: path.pathLength, ipv4, exports: exports.slice(0, exportsLeft) });
      exportsLeft = Math.max(0, exportsLeft - exports.length);
    }
    const { ipv4, networkLength, exports } = local;
    this.addresses.rebuild({ peerId: localPeerId, ipv4, networkLength, exports }, claims);
  }
}

function samePath(a: Path, b: Path): boolean {
  return a.nextHop === b.nextHop && a.pathLength === b.pathLength && a.pathLatencyMs === b.pathLatencyMs;
}
