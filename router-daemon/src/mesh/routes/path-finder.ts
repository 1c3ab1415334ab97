/**
 * Shortest paths from this node to all others (routes-rpc.md 3.14).
 *
 * Two tables: *least hop*, which packets take (fewest links, among those the least latency), and *least cost* (least
 * latency). A node that asks not to relay makes its outgoing links so expensive that they are used only when nothing else
 * leads on.
 */
import { NO_PATH, type Path } from "./types.ts";

/** Added to every outgoing link of a node that avoids relaying; path latencies are taken modulo this. */
export const AVOID_RELAY_COST = 2147483647;
/** What such a link counts in hops: more than any path has. */
const AVOID_RELAY_HOPS = 2147483648;

/** The network as it is announced. Indices 0..n-1 stand for nodes; `links[u]` lists the nodes u says it has links to. */
export interface Graph {
  readonly links: readonly (readonly number[])[];
  /** Latency of the link from u to v in milliseconds. */
  readonly latencyMs: (u: number, v: number) => number;
  readonly avoidsRelay: readonly boolean[];
}

export interface PathTables {
  /** By index; next hops are indices + 1, so that 0 = unreachable. The start has a path of length 0. */
  readonly leastHop: readonly Path[];
  readonly leastCost: readonly Path[];
}

export function findPaths(graph: Graph, start: number): PathTables {
  const edges = new Edges(graph);
  const hops = dijkstra(edges, edges.hops, start, () => true);
  // Only links on some path with the fewest hops; among those the cheapest.
  const onShortest = (edge: number, u: number, v: number): boolean =>
    hops.cost[u]! + edges.hops[edge]! === hops.cost[v]!;
  return {
    leastHop: pathsOf(dijkstra(edges, edges.costs, start, onShortest), start),
    leastCost: pathsOf(
      dijkstra(edges, edges.costs, start, () => true),
      start,
    ),
  };
}

/** Edges of node u are `first[u] … first[u + 1] - 1`. */
class Edges {
  readonly nodes: number;
  readonly first: Uint32Array;
  readonly to: Uint32Array;
  readonly costs: Float64Array;
  readonly hops: Float64Array;

  constructor({ links, latencyMs, avoidsRelay }: Graph) {
    this.nodes = links.length;
    const count = links.reduce((sum, row) => sum + row.length, 0);
    this.first = new Uint32Array(links.length + 1);
    this.to = new Uint32Array(count);
    this.costs = new Float64Array(count);
    this.hops = new Float64Array(count);
    let edge = 0;
    for (const [u, row] of links.entries()) {
      for (const v of row) {
        this.to[edge] = v;
        this.costs[edge] = latencyMs(u, v) + (avoidsRelay[u] ? AVOID_RELAY_COST : 0);
        this.hops[edge] = this.costs[edge]! >= AVOID_RELAY_COST ? AVOID_RELAY_HOPS : 1;
        edge++;
      }
      this.first[u + 1] = edge;
    }
  }
}

interface Tree {
  readonly cost: Float64Array;
  /** Predecessor on the cheapest path; the node itself at the start and where nothing leads. */
  readonly previous: Uint32Array;
  /** Nodes in the order they were settled. */
  readonly order: readonly number[];
}

/** Equal costs: the node with the smaller index is settled first, and the first path found stays. */
function dijkstra(
  edges: Edges,
  weights: Float64Array,
  start: number,
  usable: (edge: number, u: number, v: number) => boolean,
): Tree {
  const cost = new Float64Array(edges.nodes).fill(Number.POSITIVE_INFINITY);
  const previous = Uint32Array.from({ length: edges.nodes }, (_, node) => node);
  const settled = new Uint8Array(edges.nodes);
  const order: number[] = [];
  const heap = new NodeHeap();
  cost[start] = 0;
  heap.push(0, start);
  for (let u = heap.pop(); u >= 0; u = heap.pop()) {
    if (settled[u] !== 0) continue;
    settled[u] = 1;
    order.push(u);
    for (let edge = edges.first[u]!; edge < edges.first[u + 1]!; edge++) {
      const v = edges.to[edge]!;
      const through = cost[u]! + weights[edge]!;
      if (through >= cost[v]! || !usable(edge, u, v)) continue;
      cost[v] = through;
      previous[v] = u;
      heap.push(through, v);
    }
  }
  return { cost, previous, order };
}

function pathsOf({ cost, previous, order }: Tree, start: number): Path[] {
  const paths = new Array<Path>(cost.length).fill(NO_PATH);
  for (const node of order) {
    const before = previous[node]!;
    const isFirst = before === start;
    paths[node] =
      node === start
        ? { nextHop: start + 1, pathLength: 0, pathLatencyMs: 0 }
        : {
            nextHop: isFirst ? node + 1 : paths[before]!.nextHop,
            pathLength: paths[before]!.pathLength + 1,
            pathLatencyMs: cost[node]! % AVOID_RELAY_COST,
          };
  }
  return paths;
}

/** Binary heap of (cost, node), least first. */
class NodeHeap {
  readonly #costs: number[] = [];
  readonly #nodes: number[] = [];

  push(cost: number, node: number): void {
    let at = this.#nodes.length;
    this.#costs.push(cost);
    this.#nodes.push(node);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#less(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The node of least cost, or -1. */
  pop(): number {
    if (this.#nodes.length === 0) return -1;
    const top = this.#nodes[0]!;
    const cost = this.#costs.pop()!;
    const node = this.#nodes.pop()!;
    if (this.#nodes.length === 0) return top;
    this.#costs[0] = cost;
    this.#nodes[0] = node;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= this.#nodes.length) return top;
      const child = left + 1 < this.#nodes.length && this.#less(left + 1, left) ? left + 1 : left;
      if (!this.#less(child, at)) return top;
      this.#swap(at, child);
      at = child;
    }
  }

  #less(a: number, b: number): boolean {
    const difference = this.#costs[a]! - this.#costs[b]!;
    return difference < 0 || (difference === 0 && this.#nodes[a]! < this.#nodes[b]!);
  }

  #swap(a: number, b: number): void {
    const cost = this.#costs[a]!;
    this.#costs[a] = this.#costs[b]!;
    this.#costs[b] = cost;
    const node = this.#nodes[a]!;
    this.#nodes[a] = this.#nodes[b]!;
    this.#nodes[b] = node;
  }
}
