/** Nodes with route sync (and peer centre) on a network in memory, with links that can be cut. */
import { PeerCenter } from "../../../router-daemon/src/mesh/peer-center/peer-center.ts";
import { RouteSync } from "../../../router-daemon/src/mesh/routes/route-sync.ts";
import type { LocalInfo } from "../../../router-daemon/src/mesh/routes/types.ts";
import { NO_FEATURES, type RouteEvent } from "../../../router-daemon/src/mesh/routes/types.ts";
import type { RpcEndpoint } from "../../../router-daemon/src/mesh/rpc/endpoint.ts";
import { SYNC_ROUTE_INFO } from "../../../router-daemon/src/mesh/rpc/service.ts";
import type { Ipv4Prefix } from "../../../router-daemon/src/wire/ipv4-prefix.ts";
import { parseIpv4 } from "../../../router-daemon/src/wire/messages/address.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import {
  RpcPacket,
  RpcRequest,
  SyncRouteInfoRequest,
} from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import type { Init } from "../../../router-daemon/src/wire/messages/schema.ts";
import { RpcNetwork } from "./rpc-network.ts";

export interface TestNode {
  readonly peerId: number;
  readonly rpc: RpcEndpoint;
  readonly routes: RouteSync;
  readonly centre: PeerCenter | undefined;
}

export function ip(text: string): number {
  return parseIpv4(text)!;
}

export function prefix(text: string): Ipv4Prefix {
  const [address, length] = text.split("/");
  return { network: ip(address!), prefixLength: Number(length) };
}

export function localInfo(peerId: number, change: Partial<LocalInfo> = {}): LocalInfo {
  return {
    instanceId: `00000000-0000-4000-8000-0000${peerId.toString(16).padStart(8, "0")}`,
    hostname: `node-${peerId}`,
    ipv4: ip("10.144.144.0") + (peerId & 0xff),
    networkLength: 24,
    exports: [],
    version: "test-1.0",
    featureFlags: { ...NO_FEATURES, kcpInput: true },
    natTypes: { udp: 0, tcp: 0 },
    ...change,
  };
}

export class World {
  readonly network: RpcNetwork;
  readonly nodes = new Map<number, TestNode>();
  /** Latency that a link's pings measure. */
  linkLatencyMs: (a: number, b: number) => number = () => 10;
  readonly #links = new Set<string>();
  readonly #withCentre: boolean;

  constructor(seed: number, { withCentre = false } = {}) {
    this.network = new RpcNetwork(seed);
    this.#withCentre = withCentre;
    // RPC travels over the network's links only, hop by hop in no time.
    this.network.connected = (from, to) => this.distances(from).has(to);
  }

  add(peerId: number, info: Partial<LocalInfo> = {}): TestNode {
    const rpc = this.network.addEndpoint(peerId);
    const options = { localPeerId: peerId, rpc, random: this.network.random, now: this.network.now };
    const routes = new RouteSync({ ...options, localInfo: localInfo(peerId, info) });
    const centre = this.#withCentre ? new PeerCenter({ ...options, routes }) : undefined;
    const node = { peerId, rpc, routes, centre };
    this.nodes.set(peerId, node);
    this.network.addTimed(routes);
    if (centre !== undefined) this.network.addTimed(centre);
    return node;
  }

  remove(peerId: number): void {
    const node = this.nodes.get(peerId)!;
    for (const other of this.nodes.keys()) this.#links.delete(linkKey(peerId, other));
    this.nodes.delete(peerId);
    this.network.removeEndpoint(peerId);
    this.network.removeTimed(node.routes);
    if (node.centre !== undefined) this.network.removeTimed(node.centre);
    this.#tellAll();
  }

  link(a: number, b: number): void {
    this.#links.add(linkKey(a, b));
    this.#tellAll();
  }

  cut(a: number, b: number): void {
    this.#links.delete(linkKey(a, b));
    this.#tellAll();
  }

  isLinked(a: number, b: number): boolean {
    return this.#links.has(linkKey(a, b));
  }

  neighbours(peerId: number): number[] {
    return [...this.nodes.keys()].filter((other) => other !== peerId && this.isLinked(peerId, other));
  }

  run(milliseconds: number): void {
    this.network.run(milliseconds);
  }

  events(peerId: number): RouteEvent[] {
    const events: RouteEvent[] = [];
    const { routes } = this.nodes.get(peerId)!;
    for (let event = routes.pollEvent(); event !== undefined; event = routes.pollEvent()) events.push(event);
    return events;
  }

  /** Links from a node to every other it can reach, by breadth-first search on the true graph: the naive twin. */
  distances(start: number): Map<number, number> {
    const distance = new Map([[start, 0]]);
    for (const [node, steps] of distance) {
      for (const next of this.neighbours(node)) if (!distance.has(next)) distance.set(next, steps + 1);
    }
    return distance;
  }

  /** What is wrong with the route tables, measured against the true graph; empty = all agree. */
  disagreements(): string[] {
    const wrong: string[] = [];
    for (const node of this.nodes.values()) {
      const distance = this.distances(node.peerId);
      for (const other of this.nodes.keys()) {
        if (other === node.peerId) continue;
        const peer = node.routes.peer(other);
        const expected = distance.get(other) ?? 0;
        if ((peer?.pathLength ?? 0) !== expected) {
          wrong.push(`${node.peerId} → ${other}: ${peer?.pathLength} links instead of ${expected}`);
        } else if (expected !== 0) {
          const hop = node.routes.nextHop(other);
          const rest = this.distances(hop).get(other);
          if (!this.isLinked(node.peerId, hop) || rest !== expected - 1)
            wrong.push(`${node.peerId} → ${other}: hop ${hop}`);
        }
        const info = this.nodes.get(other)!.routes.localInfo;
        if (expected !== 0 && peer?.hostname !== info.hostname)
          wrong.push(`${node.peerId}: name of ${other}`);
        if (expected !== 0 && node.routes.ownerOf(info.ipv4) !== other)
          wrong.push(`${node.peerId}: owner of ${other}`);
      }
      for (const peer of node.routes.peers()) {
        if (peer.nextHop !== 0 && !this.nodes.has(peer.peerId))
          wrong.push(`${node.peerId}: ${peer.peerId} is gone`);
      }
    }
    return wrong;
  }

  #tellAll(): void {
    for (const node of this.nodes.values()) {
      const peers = this.neighbours(node.peerId);
      node.routes.setDirectPeers(
        peers.map((peerId) => ({ peerId, shared: false })),
        this.network.now,
      );
      node.centre?.setDirectLatencies(
        peers.map((peerId) => ({ peerId, latencyMs: this.linkLatencyMs(node.peerId, peerId) })),
      );
    }
  }
}

function linkKey(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

/** A packet with a sync request, as a peer would send it. */
export function encodeSync(from: number, to: number, request: Init<SyncRouteInfoRequest>): Uint8Array {
  const { service } = SYNC_ROUTE_INFO;
  return encode(RpcPacket, {
    fromPeer: from,
    toPeer: to,
    transactionId: 1n,
    descriptor: { domainName: "testnet", protoName: service, serviceName: service, methodIndex: 1 },
    body: encode(RpcRequest, { request: encode(SyncRouteInfoRequest, request), timeoutMs: 1000 }),
    isRequest: true,
    totalPieces: 1,
  });
}
