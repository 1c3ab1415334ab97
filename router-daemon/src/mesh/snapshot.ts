/** What the API shows of peers, links and routes. Fresh objects; texts of other nodes are as received. */
import { formatEndpoint } from "../wire/endpoint.ts";
import type { Ipv4Prefix } from "../wire/ipv4-prefix.ts";
import type { LinkLayer } from "./link-layer.ts";
import type { Link } from "./link-table.ts";
import type { PeerInfo } from "./routes/types.ts";

export interface LinkSnapshot {
  readonly type: "udp";
  /** `udp://203.0.113.5:11010`: where the other end really is. */
  readonly remote: string;
  /** The URL it was dialled with; empty for accepted links. */
  readonly url: string;
  readonly isClient: boolean;
  /** Packets to the peer leave here. */
  readonly isDefault: boolean;
  /** Mean of the last 15 pings; null before the first answer. */
  readonly latencyMs: number | null;
  readonly lossShare: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** `now` when its handshake was done. */
  readonly upAtMs: number;
}

export interface PeerSnapshot {
  readonly peerId: number;
  /** Undefined as long as a direct peer has not announced itself. */
  readonly info: PeerInfo | undefined;
  /** A shared node of another network that relays for ours. */
  readonly shared: boolean;
  /** `p2p`, `relay(2)`, or empty when it is not reachable now. */
  readonly cost: string;
  /** Of the default link; null without one, or before its first answer. */
  readonly latencyMs: number | null;
  readonly lossShare: number | null;
  /** Sums over its links. */
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly links: readonly LinkSnapshot[];
}

export interface RouteSnapshot extends Ipv4Prefix {
  readonly kind: "node" | "subnet";
  readonly peerId: number;
  readonly hostname: string;
  readonly nextHop: number;
  readonly pathLength: number;
  readonly cost: string;
  readonly pathLatencyMs: number;
  readonly version: string;
}

/** The part of RouteSync that is looked at. */
export interface KnownPeers {
  peers(): Iterable<PeerInfo>;
}

export function peerSnapshots(known: KnownPeers, links: LinkLayer): PeerSnapshot[] {
  const infos = new Map<number, PeerInfo | undefined>();
  for (const info of known.peers()) infos.set(info.peerId, info);
  for (const { peerId } of links.peers.values()) if (!infos.has(peerId)) infos.set(peerId, undefined);
  return [...infos].map(([peerId, info]) => {
    const direct = links.peers.find(peerId);
    const rows = (direct?.links ?? []).map((link) => linkSnapshot(link, direct?.best === link, links));
    const best = direct?.best.pinger;
    return {
      peerId,
      info,
      shared: direct?.shared ?? info?.featureFlags.isPublicServer ?? false,
      cost: direct !== undefined ? "p2p" : costText(info?.pathLength ?? 0),
      latencyMs: best?.latencyMs ?? null,
      lossShare: best?.lossShare ?? null,
      rxBytes: rows.reduce((sum, row) => sum + row.rxBytes, 0),
      txBytes: rows.reduce((sum, row) => sum + row.txBytes, 0),
      links: rows,
    };
  });
}

function linkSnapshot(link: Link, isDefault: boolean, { table }: LinkLayer): LinkSnapshot {
  return {
    type: "udp",
    remote: `udp://${formatEndpoint(link.endpoint)}`,
    url: link.url,
    isClient: link.role === "client",
    isDefault,
    latencyMs: link.pinger?.latencyMs ?? null,
    lossShare: link.pinger?.lossShare ?? null,
    rxBytes: table.rxBytes[link.number]!,
    txBytes: table.txBytes[link.number]!,
    rxPackets: table.rxPackets[link.number]!,
    txPackets: table.txPackets[link.number]!,
    upAtMs: link.upAtMs,
  };
}

export function routeSnapshots(known: KnownPeers): RouteSnapshot[] {
  const rows: RouteSnapshot[] = [];
  for (const info of known.peers()) {
    const { peerId, hostname, nextHop, pathLength, pathLatencyMs, version } = info;
    const common = {
      peerId,
      hostname,
      nextHop,
      pathLength,
      cost: costText(pathLength),
      pathLatencyMs,
      version,
    };
    if (info.ipv4 !== 0) rows.push({ ...common, kind: "node", network: info.ipv4, prefixLength: 32 });
    for (const { network, prefixLength } of info.exports) {
      rows.push({ ...common, kind: "subnet", network, prefixLength });
    }
  }
  return rows;
}

/** As EasyTier's CLI words it. */
function costText(pathLength: number): string {
  return pathLength === 0 ? "" : pathLength === 1 ? "p2p" : `relay(${pathLength})`;
}
