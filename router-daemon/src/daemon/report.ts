/** What the daemon says of itself: node and status, put together from its parts. */
import type { SlotPool } from "kcp-ts";
import type { NodeInfo, StatusInfo } from "../api/reports.ts";
import { type Config, flagStates, tunMtu } from "../config/config.ts";
import { formatInterfaceAddress, formatPrefix } from "../config/ipv4.ts";
import type { DataPath } from "../data-path.ts";
import type { Host, TunInfo } from "../host/host.ts";
import { type EntryTable, MAX_CLOSED_ENTRIES } from "../proxy/entry.ts";
import type { MemoryBudget } from "../proxy/memory-budget.ts";
import { MAX_PLAIN_FLOWS } from "../proxy/plain-flows.ts";
import type { Session } from "./session.ts";
import { ANNOUNCED_VERSION } from "./settings.ts";
import { problems, summary } from "./status.ts";

/** The parts of the daemon that are looked at. */
export interface Shown {
  readonly config: Config;
  readonly host: Host;
  readonly path: DataPath;
  readonly pool: SlotPool;
  readonly budget: MemoryBudget;
  readonly entries: EntryTable;
  readonly session: Session | undefined;
  readonly tun: TunInfo | undefined;
  readonly startTime: number;
  readonly stopping: boolean;
  readonly residentBytes: number | null;
}

export function nodeInfo({ config, session, tun, startTime }: Shown): NodeInfo {
  return {
    peerId: session?.mesh.peerId ?? 0,
    hostname: config.hostname,
    networkName: config.network_name,
    ipv4: formatInterfaceAddress(config.ipv4),
    announcedVersion: ANNOUNCED_VERSION,
    device: tun?.name ?? "",
    mtu: tunMtu(config),
    listeners: session?.mesh.listeners.map((listener) => listener.url) ?? [],
    exportedSubnets: config.proxy_networks.map(formatPrefix),
    startTime,
  };
}

export function statusInfo(shown: Shown): StatusInfo {
  const { config, budget, entries, session, tun } = shown;
  const condition = {
    config,
    reachablePeers: reachablePeers(session),
    lacksOffload: tun !== undefined && !tun.offload,
    memoryLevel: budget.level,
  };
  const { upRate, downRate } = entries.totals();
  return {
    state: shown.stopping ? "stopping" : condition.reachablePeers > 0 ? "joined" : "alone",
    summary: summary(condition),
    problems: problems(condition),
    startTime: shown.startTime,
    memory: {
      level: budget.level,
      budgetBytes: budget.totalBytes,
      usedBytes: budget.usedBytes,
      usedShare: Math.round(budget.usedShare * 1000) / 1000,
      residentBytes: shown.residentBytes,
    },
    connections: {
      live: entries.liveCount,
      limit: config.max_connections,
      remembered: entries.closedCount,
    },
    upRate: Math.round(upRate),
    downRate: Math.round(downRate),
    flags: flagStates(config),
    limits: {
      max_connections: config.max_connections,
      memory_limit_mib: Math.round(budget.totalBytes / 2 ** 20),
      max_plain_flows: MAX_PLAIN_FLOWS,
      max_closed_entries: MAX_CLOSED_ENTRIES,
    },
    counters: counters(shown),
  };
}

/** Nodes of the network, shared ones left out, to which there is a way. */
export function reachablePeers(session: Session | undefined): number {
  const peers = session?.mesh.peerSnapshots() ?? [];
  return peers.filter(({ shared, info }) => !shared && (info?.pathLength ?? 0) > 0).length;
}

/** Counters of all parts, by part and name. */
function counters({ host, path, pool, entries, session }: Shown): Record<string, number> {
  const all: Record<string, number> = {
    ...path.counters,
    packetsSent: path.batch.sent,
    packetsDropped: path.batch.dropped,
    unlistedConnections: entries.unlisted,
    freeSlots: pool.freeSlots,
  };
  const add = (prefix: string, values: object) => {
    for (const [name, value] of Object.entries(values)) all[`${prefix}_${name}`] = value as number;
  };
  add("host", host.counters());
  if (session !== undefined) {
    add("mesh", session.mesh.counters());
    add("plain", session.plain.counters);
    add("tcp", session.stack.counters);
    add("kcp_source", session.sourceEndpoint.counters);
    add("kcp_destination", session.destinationEndpoint.counters);
    add("quic_source", session.quicSource.counters);
    add("quic_destination", session.quicDestination.counters);
  }
  return all;
}
