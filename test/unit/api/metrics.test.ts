import test from "ava";
import { createHttpApp } from "../../../router-daemon/src/api/http.ts";
import { MAX_LABELLED_PEERS, METRICS_TYPE, metricsText } from "../../../router-daemon/src/api/metrics.ts";
import { connectionRow, FakeView, peerRow, statusInfo } from "./fake-view.ts";

/** The text form, read as Prometheus reads it: samples by name and labels; throws at what is malformed. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE ([a-z_]+) (gauge|counter|untyped)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1] ?? "")) throw new Error(`Twice: ${line}`);
      types.set(type[1] ?? "", type[2] ?? "");
      continue;
    }
    if (/^# HELP [a-z_]+ [A-Z1].*\.$/.test(line)) continue;
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+)$/.exec(line);
    if (sample === null || !types.has(sample[1] ?? "")) throw new Error(`Malformed: ${line}`);
    const key = `${sample[1]}${sample[2] ?? ""}`;
    if (samples.has(key)) throw new Error(`Twice: ${key}`);
    samples.set(key, Number(sample[3]));
  }
  return samples;
}

test("numbers, in base units, with names that tell them", (t) => {
  const view = new FakeView();
  view.connectionRows = [
    connectionRow(1),
    connectionRow(2, { transport: "tcp" }),
    connectionRow(3, { state: "Closed" }),
  ];
  view.peerRows = [peerRow(7), peerRow(8, { pathLength: 0, latencyMs: null, lossShare: null })];
  const samples = parse(metricsText(view));
  const expected: Record<string, number> = {
    'kcp_router_info{version="0.1.0",engine="node 20.20.2"}': 1,
    kcp_router_up: 1,
    'kcp_router_connections{transport="kcp"}': 1,
    'kcp_router_connections{transport="tcp"}': 1,
    'kcp_router_connections{transport="quic"}': 0,
    kcp_router_connections_limit: 1024,
    kcp_router_memory_budget_bytes: 32 * 1024 * 1024,
    kcp_router_peers: 2,
    kcp_router_peers_reachable: 1,
    'kcp_router_peer_latency_seconds{peer_id="7",hostname="peer-7"}': 0.0405,
    'kcp_router_peer_loss_ratio{peer_id="7",hostname="peer-7"}': 0.05,
    'kcp_router_peer_path_length{peer_id="8",hostname="peer-8"}': 0,
    'kcp_router_internal{counter="packets_sent"}': 12,
  };
  for (const [name, value] of Object.entries(expected)) t.is(samples.get(name), value, name);
  t.false(
    samples.has('kcp_router_peer_latency_seconds{peer_id="8",hostname="peer-8"}'),
    "unknown is left out",
  );
});

test("names of other nodes cannot break the text, and not make it grow without bound", (t) => {
  const view = new FakeView();
  view.peerRows = Array.from({ length: 1000 }, (_, at) =>
    peerRow(at, { hostname: `a"b\\c\nkcp_router_up 0 ${"x".repeat(1000)}` }),
  );
  const text = metricsText(view);
  const samples = parse(text);
  t.is(samples.get("kcp_router_up"), 1);
  t.is(
    [...samples.keys()].filter((key) => key.startsWith("kcp_router_peer_loss")).length,
    MAX_LABELLED_PEERS,
  );
  t.is(samples.get("kcp_router_peers"), 1000);
  t.true(text.length < 100_000, `${text.length}`);
});

test("a daemon that knows little still has all families", (t) => {
  const view = new FakeView();
  view.peerRows = [];
  view.connectionRows = [];
  view.statusRow = statusInfo({
    state: "alone",
    memory: { level: "normal", budgetBytes: 1, usedBytes: 0, usedShare: 0, residentBytes: null },
  });
  const samples = parse(metricsText(view));
  t.is(samples.get("kcp_router_up"), 0);
  t.false(samples.has("kcp_router_resident_bytes"));
});

test("they are served as Prometheus wants them", async (t) => {
  const response = await createHttpApp(new FakeView()).request("/metrics");
  t.is(response.status, 200);
  t.is(response.headers.get("content-type"), METRICS_TYPE);
  t.true(parse(await response.text()).size > 20);
});
