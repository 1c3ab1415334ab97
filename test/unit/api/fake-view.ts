import type {
  ConnectionRow,
  DaemonView,
  Diagnosis,
  EventRow,
  PeerRow,
  ReloadResult,
  RouteRow,
  StatusInfo,
} from "../../../router-daemon/src/api/view.ts";
import { type Config, DEFAULTS } from "../../../router-daemon/src/config/config.ts";
import { Secret } from "../../../router-daemon/src/config/secret.ts";

/** 2026-11-24 10:02:07 UTC. */
export const START_TIME = 1_795_514_527;

export function connectionRow(id: number, changes: Partial<ConnectionRow> = {}): ConnectionRow {
  return {
    id,
    role: "source",
    src: "192.168.1.20:51838",
    dst: "10.126.126.7:5201",
    peerId: 0xa1b2c3d4,
    peerName: "server",
    transport: "kcp",
    reason: "kcp_allowed",
    reasonText: "The peer takes KCP, so the connection is carried over KCP.",
    state: "Connected",
    startTime: START_TIME,
    upBytes: 1536,
    downBytes: 20 * 1024 * 1024,
    upRate: 125,
    downRate: 11_675_000,
    rttMs: 41.27,
    retransmittedShare: 0.0523,
    ageMs: 192_400,
    ...changes,
  };
}

export function peerRow(peerId: number, changes: Partial<PeerRow> = {}): PeerRow {
  return {
    peerId,
    hostname: `peer-${peerId}`,
    ipv4: "10.126.126.7/24",
    pathLength: 1,
    nextHopPeerId: peerId,
    latencyMs: 40.5,
    lossShare: 0.05,
    rxBytes: 2048,
    txBytes: 512,
    links: [
      {
        type: "udp",
        remote: "udp://203.0.113.5:11010",
        isClient: true,
        latencyMs: 40.5,
        lossShare: 0.05,
        rxBytes: 2048,
        txBytes: 512,
      },
    ],
    version: "2.6.4-8428a89d",
    kcpInput: true,
    quicInput: false,
    exportedSubnets: ["192.168.2.0/24"],
    choice: { transport: "kcp", reason: "kcp_allowed", reasonText: "The peer takes KCP." },
    ...changes,
  };
}

export function routeRow(destination: string, changes: Partial<RouteRow> = {}): RouteRow {
  return {
    destination,
    kind: "node",
    peerId: 7,
    hostname: "server",
    nextHopPeerId: 7,
    nextHopHostname: "server",
    nextHopIpv4: "10.126.126.7",
    pathLength: 1,
    pathLatencyMs: 40.5,
    version: "2.6.4-8428a89d",
    ...changes,
  };
}

export function statusInfo(changes: Partial<StatusInfo> = {}): StatusInfo {
  return {
    state: "joined",
    summary: "Joined network lab as 10.126.126.1/24; 1 peer is reachable.",
    problems: [],
    startTime: START_TIME,
    memory: {
      level: "normal",
      budgetBytes: 32 * 1024 * 1024,
      usedBytes: 1024 * 1024,
      usedShare: 0.031,
      residentBytes: 60 * 1024 * 1024,
    },
    connections: { live: 1, limit: 1024, remembered: 0 },
    upRate: 125,
    downRate: 11_675_000,
    flags: [],
    limits: { max_connections: 1024 },
    counters: { opened_failed: 0, packets_sent: 12 },
    ...changes,
  };
}

export function diagnosis(changes: Partial<Diagnosis> = {}): Diagnosis {
  return {
    time: START_TIME,
    tookMs: 1234,
    peerId: 7,
    peerName: "server",
    checks: [
      { code: "clock", title: "Clock", outcome: "passed", message: "It is set.", remedy: "", figures: {} },
      {
        code: "peer_loss",
        title: "Loss and jitter",
        outcome: "failed",
        message: "Half is lost.",
        remedy: "Find another way.",
        figures: { loss_share: 0.5 },
      },
    ],
    ...changes,
  };
}

/** A daemon that is nothing but rows; tests change its fields. */
export class FakeView implements DaemonView {
  connectionRows: ConnectionRow[] = [connectionRow(1)];
  peerRows: PeerRow[] = [peerRow(7)];
  routeRows: RouteRow[] = [routeRow("10.126.126.7/32")];
  eventRows: EventRow[] = [
    { sequence: 1, time: START_TIME, level: "info", code: "link_up", message: "The link to server is up." },
  ];
  statusRow = statusInfo();
  reloadResult: ReloadResult = { ok: true, applied: ["peers"], needsRestart: ["mtu"] };
  hostname = "router";
  readonly closed: number[] = [];
  reloads = 0;
  logLevel = "info";
  config: Config = {
    ...DEFAULTS,
    ipv4: { address: 0x0a7e7e01, prefixLength: 24 },
    network_secret: new Secret("hunter2"),
    enable_kcp_proxy: true,
  };
  lastDiagnosis: Diagnosis | null = null;
  /** Peers that were to be measured. */
  readonly diagnosed: number[] = [];

  version() {
    return { version: "0.1.0", engine: "node 20.20.2" };
  }

  node() {
    return {
      peerId: 0x11223344,
      hostname: this.hostname,
      networkName: "lab",
      ipv4: "10.126.126.1/24",
      announcedVersion: "2.6.4-kcp-router",
      device: "kcp0",
      mtu: 1360,
      listeners: ["udp://0.0.0.0:11010"],
      exportedSubnets: ["192.168.1.0/24"],
      startTime: START_TIME,
    };
  }

  peers() {
    return this.peerRows;
  }

  routes() {
    return this.routeRows;
  }

  connections() {
    return this.connectionRows;
  }

  status() {
    return this.statusRow;
  }

  events() {
    return this.eventRows;
  }

  closeConnection(id: number) {
    const found = this.connectionRows.some((row) => row.id === id && row.state !== "Closed");
    if (found) this.closed.push(id);
    return found;
  }

  async reload() {
    this.reloads++;
    return this.reloadResult;
  }

  clock() {
    return { time: START_TIME + 3600, uptimeMs: 3_600_000 };
  }

  configuration() {
    return this.config;
  }

  setLogLevel(level: string) {
    this.logLevel = level;
  }

  async diagnose(peerId: number) {
    this.diagnosed.push(peerId);
    this.lastDiagnosis = diagnosis();
    return this.lastDiagnosis;
  }
}
