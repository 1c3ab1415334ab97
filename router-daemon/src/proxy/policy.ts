import type { PeerInfo } from "../mesh/routes/types.ts";
import type { ReasonCode } from "./reason.ts";
import { matchRule, prefixMask, type Rule } from "./rule.ts";

/** How long a peer that did not take KCP in time is served by plain TCP before KCP is tried again. Doubles up to the maximum. */
export const FAILING_MS = 10_000;
export const MAX_FAILING_MS = 120_000;
/** Peers remembered as failing at most; the one whose time ends first makes room. */
export const MAX_FAILING_PEERS = 256;

/** What the decision needs of the mesh. */
export interface MeshView {
  readonly localPeerId: number;
  /** The peer that owns an address (routes-rpc.md 5.2), ourselves included; 0 = none. */
  ownerOf(ipv4: number): number;
  peer(peerId: number): PeerInfo | undefined;
}

export interface PolicySettings {
  readonly enableKcpProxy: boolean;
  readonly rules: readonly Rule[];
  /** Our virtual address and network; 0 = none. */
  readonly ipv4: number;
  readonly networkLength: number;
  /** Our own networks beside the virtual one (the LAN): never proxied. */
  readonly localNetworks: readonly { readonly network: number; readonly prefixLength: number }[];
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
    if (this.#isLocal(destinationIp)) return plain(this.#mesh.localPeerId, "own_address");
    const owner = this.#mesh.ownerOf(destinationIp);
    if (owner === 0) return plain(0, "no_route");
    if (owner === this.#mesh.localPeerId) return plain(owner, "own_address");
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
    if (ip >>> 28 >= 14 || ip === 0) return true;
    const { ipv4, networkLength } = this.#settings;
    if (ipv4 === 0 || networkLength > 30) return false;
    const mask = prefixMask(networkLength);
    return (ip & mask) >>> 0 === (ipv4 & mask) >>> 0 && (ip | mask) >>> 0 === 0xffffffff;
  }

  #isLocal(ip: number): boolean {
    if (ip === this.#settings.ipv4 || ip >>> 24 === 127) return true;
    for (const { network, prefixLength } of this.#settings.localNetworks) {
      if ((ip & prefixMask(prefixLength)) >>> 0 === network) return true;
    }
    return false;
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
