/** The daemon's state as rows of the API: pure translations, nothing is decided here. */
import type { ConnectionRow, PeerRow, RouteRow } from "../api/rows.ts";
import { formatIpv4, formatPrefix } from "../config/ipv4.ts";
import type { PeerInfo } from "../mesh/routes/types.ts";
import type { PeerSnapshot, RouteSnapshot } from "../mesh/snapshot.ts";
import type { Entry } from "../proxy/entry.ts";
import type { Decision } from "../proxy/policy.ts";
import { REASONS } from "../proxy/reason.ts";
import type { WallClock } from "./wall-clock.ts";

/** Looks a peer up; undefined = nothing is known of it. */
export type FindPeer = (peerId: number) => PeerInfo | undefined;

export function connectionRow(entry: Entry, now: number, clock: WallClock, find: FindPeer): ConnectionRow {
  const { key } = entry;
  const { stats } = entry;
  return {
    id: entry.id,
    role: key.role,
    src: `${formatIpv4(key.sourceIp)}:${key.sourcePort}`,
    dst: `${formatIpv4(key.destinationIp)}:${key.destinationPort}`,
    peerId: key.peerId,
    peerName: find(key.peerId)?.hostname ?? "",
    transport: entry.transport,
    reason: entry.reason,
    reasonText: REASONS[entry.reason],
    state: entry.state,
    startTime: clock.timeOf(entry.startedAt),
    upBytes: entry.upBytes,
    downBytes: entry.downBytes,
    upRate: Math.round(entry.upRate),
    downRate: Math.round(entry.downRate),
    rttMs: stats === undefined || stats.srttMs === 0 ? null : stats.srttMs,
    retransmittedShare: stats?.retransmittedShare ?? null,
    ageMs: Math.round((entry.endedAt ?? now) - entry.startedAt),
  };
}

export function peerRow(peer: PeerSnapshot, decision: Decision): PeerRow {
  const { info } = peer;
  return {
    peerId: peer.peerId,
    hostname: info?.hostname ?? "",
    ipv4: info === undefined || info.ipv4 === 0 ? "" : `${formatIpv4(info.ipv4)}/${info.networkLength}`,
    pathLength: peer.links.length > 0 ? 1 : (info?.pathLength ?? 0),
    nextHopPeerId: peer.links.length > 0 ? peer.peerId : (info?.nextHop ?? 0),
    latencyMs: peer.latencyMs ?? info?.pathLatencyMs ?? null,
    lossShare: peer.lossShare,
    rxBytes: peer.rxBytes,
    txBytes: peer.txBytes,
    links: peer.links.map((link) => ({
      type: link.type,
      remote: link.remote,
      isClient: link.isClient,
      latencyMs: link.latencyMs,
      lossShare: link.lossShare,
      rxBytes: link.rxBytes,
      txBytes: link.txBytes,
    })),
    version: info?.version ?? "",
    kcpInput: info?.featureFlags.kcpInput ?? false,
    quicInput: info?.featureFlags.quicInput ?? false,
    exportedSubnets: info?.exports.map(formatPrefix) ?? [],
    choice: { transport: decision.transport, reason: decision.reason, reasonText: REASONS[decision.reason] },
  };
}

export function routeRow(route: RouteSnapshot, find: FindPeer): RouteRow {
  const next = find(route.nextHop);
  return {
    destination: formatPrefix(route),
    kind: route.kind,
    peerId: route.peerId,
    hostname: route.hostname,
    nextHopPeerId: route.nextHop,
    nextHopHostname: next?.hostname ?? "",
    nextHopIpv4: next === undefined || next.ipv4 === 0 ? "" : formatIpv4(next.ipv4),
    pathLength: route.pathLength,
    pathLatencyMs: route.pathLength === 0 ? null : route.pathLatencyMs,
    version: route.version,
  };
}
