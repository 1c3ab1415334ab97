import type { MeshNode } from "../mesh/node.ts";
import type { PeerInfo } from "../mesh/routes/types.ts";
import { type Ipv4Prefix, inPrefix } from "../wire/ipv4-prefix.ts";
import type { ReasonCode } from "./reason.ts";
import { matchRule, type Rule } from "./rule.ts";

/** How long a peer that did not take KCP (or QUIC) in time is not asked again. Doubles up to the maximum. */
export const FAILING_MS = 10_000;
export const MAX_FAILING_MS = 120_000;
/** Peers remembered as failing at most; the one whose time ends first makes room. */
export const MAX_FAILING_PEERS = 256;

/** What the decision needs of the mesh. */
export type MeshView = Pick<MeshNode, "peerId" | "ownerOf" | "isBroadcast" | "peer">;

/** What carries a connection when it does not go as plain TCP. */
export type Carrying = "kcp" | "quic";

export interface PolicySettings {
  readonly enableKcpProxy: boolean;
  readonly enableQuicProxy: boolean;
  /** Which of the two is asked first where both are on. */
  readonly proxyPriority: Carrying;
  readonly rules: readonly Rule[];
  /** Our virtual address; 0 = none. */
  readonly ipv4: number;
  /** Our own networks beside the virtual one (the LAN): never proxied. */
  readonly localNetworks: readonly Ipv4Prefix[];
}

export interface Decision {
  readonly transport: "tcp" | Carrying;
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
    const { enableKcpProxy, enableQuicProxy, proxyPriority } = this.#settings;
    // A rule that forces asks for KCP where no proxy is switched on.
    const kcp = enableKcpProxy || (forced && !enableQuicProxy);
    if (!kcp && !enableQuicProxy) return plain(peerId, "kcp_proxy_disabled");
    const peer = this.#mesh.peer(peerId);
    if (peer === undefined) return plain(peerId, "peer_unknown");
    if (peer.nextHop === 0) return plain(peerId, "no_route");
    const first: Carrying = kcp && !(enableQuicProxy && proxyPriority === "quic") ? "kcp" : "quic";
    const obstacle = this.#obstacle(first, peer, peerId, now);
    if (obstacle === undefined) return carried(first, peerId, forced);
    const second: Carrying = first === "kcp" ? "quic" : "kcp";
    if (
      (second === "kcp" ? kcp : enableQuicProxy) &&
      this.#obstacle(second, peer, peerId, now) === undefined
    ) {
      return carried(second, peerId, forced);
    }
    return plain(peerId, obstacle);
  }

  /** Why a peer is not reached this way; undefined = nothing speaks against it. */
  #obstacle(carrying: Carrying, peer: PeerInfo, peerId: number, now: number): ReasonCode | undefined {
    const isKcp = carrying === "kcp";
    const { kcpInput, quicInput } = peer.featureFlags;
    if (isKcp && !kcpInput) {
      return knows(peer.version, KCP_SINCE) ? "peer_kcp_input_disabled" : "peer_without_kcp";
    }
    if (!isKcp && !quicInput) {
      return knows(peer.version, QUIC_SINCE) ? "peer_quic_input_disabled" : "peer_without_quic";
    }
    if (peer.nextHop !== peerId) {
      // Only the first hop is asked, as stock nodes do (proxies.md 2.2).
      const relay = this.#mesh.peer(peer.nextHop)?.featureFlags;
      if (isKcp ? relay?.noRelayKcp !== false : relay?.noRelayQuic !== false) {
        return isKcp ? "relay_forbids_kcp" : "relay_forbids_quic";
      }
    }
    const failing = this.#failing.get(failingKey(peerId, carrying));
    return failing !== undefined && now < failing.until ? "peer_failing" : undefined;
  }

  /** The peer was tried this way and did not take it: not again for a while, for longer each time in a row. */
  noteFailure(peerId: number, carrying: Carrying, now: number): void {
    const key = failingKey(peerId, carrying);
    const before = this.#failing.get(key);
    const inARow = before !== undefined && now < before.until + MAX_FAILING_MS;
    const periodMs = inARow ? Math.min(before.periodMs * 2, MAX_FAILING_MS) : FAILING_MS;
    this.#failing.delete(key);
    if (this.#failing.size >= MAX_FAILING_PEERS) this.#forgetOne();
    this.#failing.set(key, { until: now + periodMs, periodMs });
  }

  noteSuccess(peerId: number, carrying: Carrying): void {
    this.#failing.delete(failingKey(peerId, carrying));
  }

  get failingPeers(): number {
    return this.#failing.size;
  }

  #forgetOne(): void {
    let first: number | undefined;
    let firstUntil = Number.POSITIVE_INFINITY;
    for (const [key, { until }] of this.#failing) {
      if (until < firstUntil) [first, firstUntil] = [key, until];
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

function carried(transport: Carrying, peerId: number, forced: boolean): Decision {
  return { transport, peerId, reason: forced ? "rule_force" : `${transport}_allowed` };
}

/** A peer may fail one way and not the other. */
function failingKey(peerId: number, carrying: Carrying): number {
  return 2 * peerId + (carrying === "kcp" ? 0 : 1);
}

/** Versions of EasyTier that had each proxy first, as major and minor number. */
const KCP_SINCE = [2, 2] as const;
const QUIC_SINCE = [2, 6] as const;

/** A version text that says nothing is taken as new (it is display text). */
function knows(version: string, since: readonly [number, number]): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (match === null) return true;
  const major = Number(match[1]);
  return major > since[0] || (major === since[0] && Number(match[2]) >= since[1]);
}
