/**
 * Latencies of all links, collected by one node and fetched by all (routes-rpc.md 8). Sans-IO.
 *
 * The *centre* is the node with the smallest peer id, ourselves included, that is no shared server: everybody computes it
 * from the route tables. Two jobs talk to it: every few seconds we report our links when they changed, and fetch the map.
 * When we are the centre both happen at home. What is learned decides between paths of the same length and is shown.
 */
import type {
  GetGlobalPeerMapRequest,
  GetGlobalPeerMapResponse,
  ReportPeersRequest,
} from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import type { RouteSync } from "../routes/route-sync.ts";
import type { RpcEndpoint } from "../rpc/endpoint.ts";
import type { IncomingCall } from "../rpc/incoming-call.ts";
import { callMethod, GET_GLOBAL_PEER_MAP, handler, REPORT_PEERS } from "../rpc/service.ts";
import { LatencyMap } from "./latency-map.ts";
import {
  CALL_TIMEOUT_MS,
  FETCH_AFTER_ERROR_MS,
  FETCH_MS,
  IDLE_MS,
  MAP_STALE_MS,
  REPORT_ANYWAY_MS,
  REPORT_MS,
} from "./limits.ts";

export interface PeerCenterOptions {
  readonly localPeerId: number;
  readonly rpc: RpcEndpoint;
  readonly routes: RouteSync;
  /** When it begins; 0 when left out. */
  readonly now?: number;
}

/** A live neighbour, shared nodes included, with the latency of its best link; undefined = not measured yet. */
export interface DirectLatency {
  readonly peerId: number;
  readonly latencyMs: number | undefined;
}

export class PeerCenter {
  readonly #localPeerId: number;
  readonly #rpc: RpcEndpoint;
  readonly #routes: RouteSync;
  /** What others report to us; asked for when we are the centre. */
  readonly #collected = new LatencyMap();
  /** What the centre told us. */
  #fetched = new LatencyMap();
  #fetchedDigest = 0n;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #direct: ReadonlyMap<number, number> = new Map();
  /** Our own latencies as the routes know them: they stay until there is other news, so that routes do not flutter. */
  #settled: ReadonlyMap<number, number> = new Map();
  #reportedTo = 0;
  #reportedPeers = "";
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reportAt: number;
  #fetchAt: number;

  constructor({ localPeerId, rpc, routes, now = 0 }: PeerCenterOptions) {
    this.#localPeerId = localPeerId;
    this.#rpc = rpc;
    this.#routes = routes;
    this.#reportAt = now;
    this.#fetchAt = now;
    rpc.register(REPORT_PEERS.service, [
      handler(REPORT_PEERS, (request, call, at) => this.#handleReport(request, call, at)),
      handler(GET_GLOBAL_PEER_MAP, (request, _call, at) => this.#handleFetch(request, at)),
    ]);
  }

  get nextTimeout(): number {
    return Math.min(this.#reportAt, this.#fetchAt);
  }

  /** The node that collects, perhaps ourselves: the least peer id among the reachable that are no shared servers. */
  get centre(): number {
    let centre = this.#localPeerId;
    for (const { peerId, nextHop, featureFlags } of this.#routes.peers()) {
      if (nextHop !== 0 && !featureFlags.isPublicServer && peerId < centre) centre = peerId;
    }
    return centre;
  }

  /** Reports that we hold for others. */
  get collectedReports(): number {
    return this.#collected.reporters;
  }

  /** Latency of a link as measured at its beginning; our own links at once, others' as last fetched. */
  latencyMs(fromPeerId: number, toPeerId: number): number | undefined {
    const own = fromPeerId === this.#localPeerId ? this.#direct.get(toPeerId) : undefined;
    return own ?? this.#fetched.latencyMs(fromPeerId, toPeerId);
  }

  /** What our pings measure, all neighbours each time. */
  setDirectLatencies(latencies: readonly DirectLatency[]): void {
    const direct = new Map<number, number>();
    for (const { peerId, latencyMs } of latencies) {
      // A link nobody has measured is not reported: others count it as they count an unknown one.
      if (latencyMs !== undefined)
        direct.set(peerId, Math.min(0x7fffffff, Math.max(1, Math.floor(latencyMs))));
    }
    this.#direct = direct;
  }

  handleTimeout(now: number): void {
    if (now < this.nextTimeout) return;
    const isAlone = !this.#routes.peers().some(({ nextHop }) => nextHop !== 0);
    if (now >= this.#reportAt) {
      this.#reportAt = now + (isAlone ? IDLE_MS : REPORT_MS);
      this.#collected.sweep(now);
      // Also without a centre that answers.
      if (keys(this.#direct) !== keys(this.#settled)) this.#tellRoutes(now);
      if (!isAlone) this.#report(now);
    }
    if (now >= this.#fetchAt) {
      this.#fetchAt = now + (isAlone ? IDLE_MS : FETCH_MS);
      if (!isAlone) this.#fetch(now);
    }
  }

  // ── the centre's side ─────────────────────────────────────────────────────────────────────────────────────────

  #handleReport(request: ReportPeersRequest, call: IncomingCall, now: number): Init<object> | undefined {
    const isKept =
      request.myPeerId === call.fromPeerId &&
      this.#collected.set(request.myPeerId, request.peerInfos ?? { directPeers: new Map() }, now);
    if (isKept) return {};
    call.fail("execute_error", "The report cannot be kept.", now);
    return undefined;
  }

  #handleFetch({ digest }: GetGlobalPeerMapRequest, now: number): Init<GetGlobalPeerMapResponse> {
    this.#collected.sweep(now);
    // Wholly empty = the caller's copy is current.
    return digest !== 0n && digest === this.#collected.digest() ? {} : this.#collected.toMessage();
  }

  // ── our side ──────────────────────────────────────────────────────────────────────────────────────────────────

  #report(now: number): void {
    const centre = this.centre;
    const peers = keys(this.#direct);
    const isDue = now >= this.#reportedAt + REPORT_ANYWAY_MS;
    if (centre === this.#reportedTo && peers === this.#reportedPeers && !isDue) return;
    const directPeers = new Map([...this.#direct].map(([peerId, latencyMs]) => [peerId, { latencyMs }]));
    const request = { myPeerId: this.#localPeerId, peerInfos: { directPeers } };
    this.#reportedTo = centre;
    this.#reportedPeers = peers;
    this.#reportedAt = now;
    if (centre === this.#localPeerId) {
      this.#collected.set(this.#localPeerId, request.peerInfos, now);
      return;
    }
    callMethod(this.#rpc, centre, REPORT_PEERS, request, CALL_TIMEOUT_MS, now, (result) => {
      // Tried again at the next round.
      if (!result.ok) this.#reportedTo = 0;
    });
  }

  #fetch(now: number): void {
    const centre = this.centre;
    const isStale = now >= this.#fetchedAt + MAP_STALE_MS;
    const digest = isStale ? 0n : this.#fetchedDigest;
    if (centre === this.#localPeerId) {
      this.#setFetched(this.#handleFetch({ digest }, now), now);
      return;
    }
    callMethod(this.#rpc, centre, GET_GLOBAL_PEER_MAP, { digest }, CALL_TIMEOUT_MS, now, (result, at) => {
      if (result.ok) this.#setFetched(result.response, at);
      else this.#fetchAt = Math.min(this.#fetchAt, at + FETCH_AFTER_ERROR_MS);
    });
  }

  #setFetched({ globalPeerMap, digest }: Init<GetGlobalPeerMapResponse>, now: number): void {
    if (digest === undefined) return;
    const fetched = new LatencyMap();
    for (const [reporter, report] of (globalPeerMap as
      | GetGlobalPeerMapResponse["globalPeerMap"]
      | undefined) ?? []) {
      fetched.set(reporter, report, now);
    }
    this.#fetched = fetched;
    this.#fetchedDigest = digest;
    this.#fetchedAt = now;
    this.#tellRoutes(now);
  }

  #tellRoutes(now: number): void {
    const settled = this.#direct;
    this.#settled = settled;
    const own = (from: number, to: number): number | undefined =>
      from === this.#localPeerId ? settled.get(to) : undefined;
    this.#routes.setLatencies((from, to) => own(from, to) ?? this.#fetched.latencyMs(from, to), now);
  }
}

function keys(latencies: ReadonlyMap<number, number>): string {
  return [...latencies.keys()].sort((a, b) => a - b).join();
}
