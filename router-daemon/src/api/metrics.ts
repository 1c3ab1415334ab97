import type { DaemonView } from "./view.ts";

/** Peers that have series of their own; the sums hold all. Labels of others' making must not grow a time series database. */
export const MAX_LABELLED_PEERS = 64;
/** Longest name in a label. */
const MAX_LABEL_LENGTH = 64;

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}
interface Family {
  /** Without the prefix; the unit is its end. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "untyped";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** The daemon's numbers in Prometheus' text form. */
export function metricsText(view: DaemonView): string {
  return families(view).map(familyText).join("");
}

function families(view: DaemonView): Family[] {
  const status = view.status();
  const { version, engine } = view.version();
  const one = (value: number): Sample[] => [{ value }];
  const transports = { tcp: 0, kcp: 0, quic: 0 };
  for (const row of view.connections()) if (row.state !== "Closed") transports[row.transport]++;
  return [
    gauge("info", "Version and engine; always 1.", [{ labels: { version, engine }, value: 1 }]),
    gauge("up", "1 while a peer is reachable.", one(status.state === "joined" ? 1 : 0)),
    gauge("start_time_seconds", "When the daemon started, in seconds since 1970.", one(status.startTime)),
    gauge("problems", "Things that are wrong or limited now.", one(status.problems.length)),
    gauge("memory_budget_bytes", "Everything payload may ever occupy.", one(status.memory.budgetBytes)),
    gauge("memory_used_bytes", "What payload occupies now.", one(status.memory.usedBytes)),
    gauge("resident_bytes", "Resident size of the process.", knownOf(status.memory.residentBytes)),
    gauge(
      "connections",
      "Live TCP connections by transport.",
      Object.entries(transports).map(([transport, value]) => ({ labels: { transport }, value })),
    ),
    gauge("connections_limit", "Connections carried at one time at most.", one(status.connections.limit)),
    gauge("up_bytes_per_second", "From clients, over about the last second.", one(status.upRate)),
    gauge("down_bytes_per_second", "To clients, over about the last second.", one(status.downRate)),
    ...peerFamilies(view),
    {
      name: "internal",
      type: "untyped",
      help: "Numbers of the daemon's parts by name: packets, drops with their reasons, table sizes.",
      samples: Object.entries(status.counters).map(([counter, value]) => ({ labels: { counter }, value })),
    },
  ];
}

function peerFamilies(view: DaemonView): Family[] {
  const all = view.peers();
  const peers = all.slice(0, MAX_LABELLED_PEERS).map((peer) => ({
    peer,
    labels: { peer_id: String(peer.peerId), hostname: peer.hostname.slice(0, MAX_LABEL_LENGTH) },
  }));
  const each = (value: (peer: (typeof all)[number]) => number | null): Sample[] =>
    peers.flatMap(({ peer, labels }) => knownOf(value(peer)).map((sample) => ({ ...sample, labels })));
  return [
    gauge("peers", "Nodes that are known.", [{ value: all.length }]),
    gauge("peers_reachable", "Nodes that are reachable.", [
      { value: all.filter(({ pathLength }) => pathLength > 0).length },
    ]),
    gauge(
      "peer_path_length",
      "Links on the way to a node: 1 = direct, 0 = not reachable.",
      each((peer) => peer.pathLength),
    ),
    gauge(
      "peer_latency_seconds",
      "Round trip to a node.",
      each((peer) => (peer.latencyMs === null ? null : peer.latencyMs / 1000)),
    ),
    gauge(
      "peer_loss_ratio",
      "Lost pings on the way to a direct node, 0 to 1.",
      each((peer) => peer.lossShare),
    ),
    {
      name: "peer_received_bytes_total",
      type: "counter",
      help: "Received from a direct node on its present links.",
      samples: each((peer) => peer.rxBytes),
    },
    {
      name: "peer_sent_bytes_total",
      type: "counter",
      help: "Sent to a direct node on its present links.",
      samples: each((peer) => peer.txBytes),
    },
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

function knownOf(value: number | null): Sample[] {
  return value === null ? [] : [{ value }];
}

function familyText({ name, type, help, samples }: Family): string {
  const full = `kcp_router_${name}`;
  const lines = samples.map(({ labels, value }) => `${full}${labelText(labels)} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return "";
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
