/** Who has measured what: reporter → neighbour → latency. */
import type { GetGlobalPeerMapResponse, PeerInfoForGlobalMap } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import { MAX_LINKS, MAX_REPORTED_LINKS, MAX_REPORTERS, REPORT_LIFE_MS } from "./limits.ts";

interface Report {
  readonly latencies: ReadonlyMap<number, number>;
  readonly arrivedAt: number;
}

export class LatencyMap {
  readonly #reports = new Map<number, Report>();
  #links = 0;

  get reporters(): number {
    return this.#reports.size;
  }

  get links(): number {
    return this.#links;
  }

  latencyMs(fromPeerId: number, toPeerId: number): number | undefined {
    return this.#reports.get(fromPeerId)?.latencies.get(toPeerId);
  }

  /** Replaces a node's report; false when there is no room for it. */
  set(reporter: number, { directPeers }: PeerInfoForGlobalMap, now: number): boolean {
    const held = this.#reports.get(reporter);
    const links = this.#links - (held?.latencies.size ?? 0) + directPeers.size;
    if (directPeers.size > MAX_REPORTED_LINKS || links > MAX_LINKS) return false;
    if (held === undefined && this.#reports.size >= MAX_REPORTERS) return false;
    // The protocol's least is 1; what a peer says of negative latencies is not believed.
    const latencies = new Map<number, number>();
    for (const [peerId, { latencyMs }] of directPeers) latencies.set(peerId, Math.max(1, latencyMs));
    this.#reports.set(reporter, { latencies, arrivedAt: now });
    this.#links = links;
    return true;
  }

  /** Forgets old reports. */
  sweep(now: number): void {
    for (const [reporter, { latencies, arrivedAt }] of this.#reports) {
      if (now - arrivedAt <= REPORT_LIFE_MS) continue;
      this.#reports.delete(reporter);
      this.#links -= latencies.size;
    }
  }

  /**
   * A number that changes when a pair (reporter, neighbour) comes or goes, whatever the order; never 0. The sum of a hash of
   * each pair, modulo 2^64.
   */
  digest(): bigint {
    let high = 0;
    let low = 0;
    for (const [reporter, { latencies }] of this.#reports) {
      for (const peerId of latencies.keys()) {
        const first = mix(reporter ^ 0x9e3779b9);
        high = (high + mix(first ^ peerId)) >>> 0;
        low = (low + mix((first + Math.imul(peerId, 0x85ebca6b)) | 0)) >>> 0;
      }
    }
    const digest = (BigInt(high) << 32n) | BigInt(low);
    return digest === 0n ? 1n : digest;
  }

  toMessage(): Init<GetGlobalPeerMapResponse> {
    const globalPeerMap = new Map<number, Init<PeerInfoForGlobalMap>>();
    for (const [reporter, { latencies }] of this.#reports) {
      const directPeers = new Map([...latencies].map(([peerId, latencyMs]) => [peerId, { latencyMs }]));
      globalPeerMap.set(reporter, { directPeers });
    }
    return { globalPeerMap, digest: this.digest() };
  }
}

/** Spreads 32 bits over 32 bits. */
function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
