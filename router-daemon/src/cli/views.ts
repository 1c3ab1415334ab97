import type { Diagnosis, NodeInfo, StatusInfo } from "../api/reports.ts";
import type { ConnectionRow, EventRow, PeerRow, RouteRow, TransportRow } from "../api/rows.ts";
import {
  capitalized,
  formatAge,
  formatBytes,
  formatCost,
  formatMs,
  formatRate,
  formatShare,
  formatTime,
} from "./format.ts";
import { safeMessage } from "./safe-text.ts";
import { type Column, renderPairs, renderTable } from "./table.ts";

/** The columns of EasyTier's proxy table, and nothing else (proxies.md 9). */
const PROXY_COLUMNS: readonly Column<ConnectionRow>[] = [
  { title: "src", text: (row) => row.src },
  { title: "dst", text: (row) => row.dst },
  { title: "start_time", text: (row) => formatTime(row.startTime) },
  { title: "state", text: (row) => row.state },
  { title: "transport_type", text: (row) => capitalized(row.transport) },
];

const PROXY_WIDE_COLUMNS: readonly Column<ConnectionRow>[] = [
  { title: "id", align: "right", text: (row) => String(row.id) },
  ...PROXY_COLUMNS,
  { title: "role", text: (row) => row.role },
  { title: "peer", text: (row) => row.peerName },
  { title: "reason", text: (row) => row.reason },
  { title: "up", align: "right", text: (row) => formatBytes(row.upBytes) },
  { title: "down", align: "right", text: (row) => formatBytes(row.downBytes) },
  { title: "up_rate", align: "right", text: (row) => formatRate(row.upRate) },
  { title: "down_rate", align: "right", text: (row) => formatRate(row.downRate) },
  { title: "rtt_ms", align: "right", text: (row) => formatMs(row.rttMs) },
  { title: "retransmitted", align: "right", text: (row) => formatShare(row.retransmittedShare) },
  { title: "age", align: "right", text: (row) => formatAge(row.ageMs) },
];

export function proxyTable(rows: readonly ConnectionRow[], wide: boolean): string {
  return renderTable(wide ? PROXY_WIDE_COLUMNS : PROXY_COLUMNS, rows);
}

const PEER_COLUMNS: readonly Column<PeerRow>[] = [
  { title: "ipv4", text: (row) => row.ipv4 },
  { title: "hostname", text: (row) => row.hostname },
  { title: "cost", text: (row) => formatCost(row.pathLength) },
  { title: "lat_ms", align: "right", text: (row) => formatMs(row.latencyMs) },
  { title: "loss", align: "right", text: (row) => formatShare(row.lossShare) },
  { title: "rx", align: "right", text: (row) => formatBytes(row.rxBytes) },
  { title: "tx", align: "right", text: (row) => formatBytes(row.txBytes) },
  { title: "tunnel", text: (row) => [...new Set(row.links.map((link) => link.type))].join(",") },
  { title: "tcp_uses", text: (row) => capitalized(row.choice.transport) },
  { title: "id", align: "right", text: (row) => String(row.peerId) },
  { title: "version", text: (row) => row.version },
];

const PEER_WIDE_COLUMNS: readonly Column<PeerRow>[] = [
  ...PEER_COLUMNS,
  { title: "reason", text: (row) => row.choice.reason },
  { title: "kcp_input", text: (row) => yesNo(row.kcpInput) },
  { title: "subnets", text: (row) => row.exportedSubnets.join(",") },
  { title: "links", text: (row) => row.links.map((link) => link.remote).join(",") },
];

export function peerTable(rows: readonly PeerRow[], wide: boolean): string {
  return renderTable(wide ? PEER_WIDE_COLUMNS : PEER_COLUMNS, rows);
}

const TRANSPORT_COLUMNS: readonly Column<TransportRow>[] = [
  { title: "ipv4", text: (row) => row.ipv4 },
  { title: "hostname", text: (row) => row.hostname },
  { title: "subnets", text: (row) => row.exportedSubnets.join(",") },
  { title: "tcp_uses", text: (row) => capitalized(row.transport) },
  { title: "reason", text: (row) => row.reasonText },
];

export function transportTable(rows: readonly TransportRow[]): string {
  return renderTable(TRANSPORT_COLUMNS, rows);
}

const ROUTE_COLUMNS: readonly Column<RouteRow>[] = [
  { title: "destination", text: (row) => row.destination },
  { title: "kind", text: (row) => row.kind },
  { title: "hostname", text: (row) => row.hostname },
  { title: "next_hop_ipv4", text: (row) => (row.pathLength === 1 ? "DIRECT" : row.nextHopIpv4) },
  { title: "next_hop_hostname", text: (row) => (row.pathLength === 1 ? "DIRECT" : row.nextHopHostname) },
  { title: "path_len", align: "right", text: (row) => String(row.pathLength) },
  { title: "path_latency", align: "right", text: (row) => formatMs(row.pathLatencyMs) },
  { title: "version", text: (row) => row.version },
];

export function routeTable(rows: readonly RouteRow[]): string {
  return renderTable(ROUTE_COLUMNS, rows);
}

export function nodePairs(node: NodeInfo): string {
  return renderPairs([
    ["peer id", String(node.peerId)],
    ["hostname", node.hostname],
    ["network name", node.networkName],
    ["ipv4", node.ipv4 === "" ? "-" : node.ipv4],
    ["device", node.device === "" ? "-" : `${node.device}, mtu ${node.mtu}`],
    ...numbered("listener", node.listeners),
    ...numbered("exported subnet", node.exportedSubnets),
    ["version", node.announcedVersion],
    ["started", formatTime(node.startTime)],
  ]);
}

export function statusText(status: StatusInfo, nowUnixSeconds: number): string {
  const { memory, connections } = status;
  const resident = memory.residentBytes === null ? "" : `, process ${formatBytes(memory.residentBytes)}`;
  const pairs: (readonly [string, string])[] = [
    ["state", status.state],
    ["running for", formatAge((nowUnixSeconds - status.startTime) * 1000)],
    ["rate", `up ${formatRate(status.upRate)}, down ${formatRate(status.downRate)}`],
    [
      "connections",
      `${connections.live} of at most ${connections.limit}, ${connections.remembered} closed ones remembered`,
    ],
    [
      "memory",
      `${formatBytes(memory.usedBytes)} of ${formatBytes(memory.budgetBytes)} (${memory.level})${resident}`,
    ],
    ...status.flags.map((flag): [string, string] => [flag.name, flagText(flag.effective, flag.configured)]),
    ...Object.entries(status.limits).map(([name, value]): [string, string] => [
      `limit ${name}`,
      String(value),
    ]),
    ...Object.entries(status.counters)
      .filter(([, value]) => value !== 0)
      .map(([name, value]): [string, string] => [name, String(value)]),
  ];
  const problems = status.problems.map(
    (problem) => `Problem: ${problem.message}\n  Remedy: ${problem.remedy}`,
  );
  const notes = status.flags.filter((flag) => flag.note !== "").map((flag) => `Note: ${flag.note}`);
  return [safeMessage([status.summary, ...problems, ...notes].join("\n")), renderPairs(pairs)].join("\n");
}

/** One line per check, a remedy under what failed, and a last line that counts. */
export function diagnosisText({ checks, tookMs }: Diagnosis): string {
  const lines = checks.flatMap(({ outcome, title, message, remedy }) => [
    `${outcome.padEnd(7)} ${title}: ${message}`,
    ...(remedy === "" ? [] : [`        Remedy: ${remedy}`]),
  ]);
  const failures = checks.filter(({ outcome }) => outcome === "failed").length;
  const sum =
    failures === 0 ? "Nothing is wrong." : failures === 1 ? "1 check failed." : `${failures} checks failed.`;
  return safeMessage([...lines, `${sum} It took ${(tookMs / 1000).toFixed(1)} s.`].join("\n"));
}

export function eventLines(rows: readonly EventRow[]): string {
  return rows
    .map((row) => `${formatTime(row.time)} ${row.level.padEnd(7)} ${row.code}: ${row.message}`)
    .map((line) => safeMessage(line.replace(/[\r\n]+/g, " ")))
    .join("\n");
}

function flagText(effective: boolean, configured: boolean): string {
  const text = effective ? "on" : "off";
  return effective === configured ? text : `${text} (forced)`;
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function numbered(name: string, values: readonly string[]): (readonly [string, string])[] {
  return values.length === 0 ? [[name, "-"]] : values.map((value) => [name, value]);
}
