import type { MeshNode } from "../mesh/node.ts";
import { type Ipv4Prefix, inPrefix } from "../wire/ipv4-prefix.ts";
import type { ReasonCode } from "./reason.ts";
import { matchRule, type Rule } from "./rule.ts";

/** How long a peer that did not take KCP in time is served by plain TCP before KCP is tried again. Doubles up to the maximum. */
export const FAILING_MS = 10_000;
export const MAX_FAILING_MS = 120_000;
/** Peers remembered as failing at most; the one whose time ends first makes room. */
export const MAX_FAILING_PEERS = 256;

/** What the decision needs of the mesh. */
export type MeshView = Pick<MeshNode, "peerId" | "ownerOf" | "isBroadcast" | "peer">;

export interface PolicySettings {
  readonly enableKcpProxy: boolean;
  readonly rules: readonly Rule[];
  /** Our virtual address; 0 = none. */
  readonly ipv4: number;
  /** Our own networks beside the virtual one (the LAN): never proxied. */
  readonly localNetworks: readonly Ipv4Prefix[];
}

export interface Decision {
  readonly transport: "tcp" | "kcp";
  /** Owner of the destination, 0 = none. */
  readonly peerId: number;
  readonly reason: ReasonCode;
}

/**
 * Which transport a TCP connection gets, and why; asked once per SYN (proxies.md 2.2). Nothing is cached but the memory of
 * peers that failed: the answer follows flags, routes and rules at once.
 */
export class Policy {
  readonly #mesh: MeshView;
  #settings: PolicySettings;
  readonly #failing = new Map<number, { until: number; periodMs: number }>();

  constructor(mesh: MeshView, settings: PolicySettings) {
    this.#mesh = mesh;
    this.#settings = settings;
  }

  configure(settings: PolicySettings): void {
    this.#settings = settings;
  }

  decide(sourceIp: number, destinationIp: number, destinationPort: number, now: number): Decision {
    if (this.#isNotUnicast(destinationIp)) return plain(0, "not_unicast");
    if (this.#isLocal(destinationIp)) return plain(this.#mesh.peerId, "own_address");
    const owner = this.#mesh.ownerOf(destinationIp);
    if (owner === 0) return plain(0, "no_route");
    if (owner === this.#mesh.peerId) return plain(owner, "own_address");
    const rule = matchRule(this.#settings.rules, sourceIp, destinationIp, destinationPort);
    if (rule?.action === "bypass") return plain(owner, "rule_bypass");
    return this.#decideForPeer(owner, rule !== undefined, now);
  }

  /** What a connection to the peer would use now if no rule spoke: shown before there is any traffic. */
  preview(peerId: number, now: number): Decision {
    return this.#decideForPeer(peerId, false, now);
  }

  #decideForPeer(peerId: number, forced: boolean, now: number): Decision {
    if (!forced && !this.#settings.enableKcpProxy) return plain(peerId, "kcp_proxy_disabled");
    const peer = this.#mesh.peer(peerId);
    if (peer === undefined) return plain(peerId, "peer_unknown");
    if (peer.nextHop === 0) return plain(peerId, "no_route");
    if (!peer.featureFlags.kcpInput) {
      return plain(peerId, knowsKcp(peer.version) ? "peer_kcp_input_disabled" : "peer_without_kcp");
    }
    if (peer.nextHop !== peerId) {
      // Only the first hop is asked, as stock nodes do (proxies.md 2.2).
      const relay = this.#mesh.peer(peer.nextHop);
      if (relay === undefined || relay.featureFlags.noRelayKcp) return plain(peerId, "relay_forbids_kcp");
    }
    const failing = this.#failing.get(peerId);
    if (failing !== undefined && now < failing.until) return plain(peerId, "peer_failing");
    return { transport: "kcp", peerId, reason: forced ? "rule_force" : "kcp_allowed" };
  }

  /** KCP was tried and the peer did not take it: plain TCP for a while, for longer each time in a row. */
  noteFailure(peerId: number, now: number): void {
    const before = this.#failing.get(peerId);
    const inARow = before !== undefined && now < before.until + MAX_FAILING_MS;
    const periodMs = inARow ? Math.min(before.periodMs * 2, MAX_FAILING_MS) : FAILING_MS;
    this.#failing.delete(peerId);
    if (this.#failing.size >= MAX_FAILING_PEERS) this.#forgetOne();
    this.#failing.set(peerId, { until: now + periodMs, periodMs });
  }

  noteSuccess(peerId: number): void {
    this.#failing.delete(peerId);
  }

  get failingPeers(): number {
    return this.#failing.size;
  }

  #forgetOne(): void {
    let first: number | undefined;
    let firstUntil = Number.POSITIVE_INFINITY;
    for (const [peerId, { until }] of this.#failing) {
      if (until < firstUntil) [first, firstUntil] = [peerId, until];
    }
    if (first !== undefined) this.#failing.delete(first);
  }

  #isNotUnicast(ip: number): boolean {
    return ip >>> 28 >= 14 || ip === 0 || this.#mesh.isBroadcast(ip);
  }

  #isLocal(ip: number): boolean {
    if (ip === this.#settings.ipv4 || ip >>> 24 === 127) return true;
    return this.#settings.localNetworks.some((prefix) => inPrefix(ip, prefix));
  }
}

function plain(peerId: number, reason: ReasonCode): Decision {
  return { transport: "tcp", peerId, reason };
}

/** EasyTier has the KCP proxy since 2.2.0; a version text that says nothing is taken as new (it is display text). */
function knowsKcp(version: string): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (match === null) return true;
  const major = Number(match[1]);
  return major > 2 || (major === 2 && Number(match[2]) >= 2);
}
