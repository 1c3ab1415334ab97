import * as v from "valibot";
import { connectionSchema, eventSchema, peerSchema, routeSchema, transportSchema } from "./rows.ts";
import { choice, count, flag, list, numbers, orNull, pageSchema, row, share, text } from "./schema.ts";

/** What methods answer that are no tables. */

export const versionSchema = row({
  version: text("Version of kcp-router, `0.1.0`."),
  engine: text("What executes it, `node 20.20.2`."),
});
export type VersionInfo = v.InferOutput<typeof versionSchema>;

export const nodeSchema = row({
  peerId: count("Its number in the network; a new one at each start."),
  hostname: text("Name shown to the other nodes."),
  networkName: text("Name of the virtual network."),
  ipv4: text("Virtual address with prefix, `10.126.126.1/24`; empty when the node has none."),
  announcedVersion: text("Version text announced to peers."),
  device: text("Name of the TUN device; empty while there is none."),
  mtu: count("Of the TUN device."),
  listeners: list(text("`udp://0.0.0.0:11010`"), "URLs that are really being listened on."),
  exportedSubnets: list(text("`192.168.1.0/24`"), "Subnets behind this node."),
  startTime: count("When the daemon started."),
});
export type NodeInfo = v.InferOutput<typeof nodeSchema>;

const problemSchema = row(
  {
    code: text("Stable code, `no_peer_reachable`."),
    message: text("What is wrong or limited now."),
    remedy: text("What to do about it."),
  },
  "Something that is wrong or limited now.",
);
export type Problem = v.InferOutput<typeof problemSchema>;

const flagSchema = row({
  name: text("`use_smoltcp`"),
  configured: flag("As it is written."),
  effective: flag("As it is in force."),
  note: text("Why the two differ; empty when they agree."),
});

export const statusSchema = row({
  state: choice(["starting", "joined", "alone", "stopping"], "`alone`: no peer is reachable."),
  summary: text("The state in words."),
  problems: list(problemSchema, "Empty when all is well."),
  startTime: count("When the daemon started."),
  memory: row({
    level: choice(
      ["normal", "saving", "shedding"],
      "`saving`: new connections use plain TCP. `shedding`: idle ones that hold memory are closed, too.",
    ),
    budgetBytes: count("Everything payload may ever occupy."),
    usedBytes: count("What it occupies now."),
    usedShare: share("Of the budget."),
    residentBytes: orNull(count("Resident size of the process.")),
  }),
  connections: row({
    live: count("Open now, or opening."),
    limit: count("Carried at one time at most."),
    remembered: count("Closed ones that are still shown."),
  }),
  upRate: count("From clients, of all connections together."),
  downRate: count("To clients, of all connections together."),
  flags: list(flagSchema, "Switches, as configured and as in force."),
  limits: numbers("Named bounds in force, `max_connections: 4096`."),
  counters: numbers("Packets, drops with their reasons, table sizes."),
});
export type StatusInfo = v.InferOutput<typeof statusSchema>;

export const eventPageSchema = row({ rows: list(eventSchema, "Oldest first.") });

export const overviewSchema = row({
  time: count("The daemon's wall clock."),
  uptimeMs: count("Since the daemon started, by its monotonic clock: what rates are computed with."),
  status: statusSchema,
  node: nodeSchema,
  transports: row(
    { tcp: count("Plain."), kcp: count("Over KCP."), quic: count("Over QUIC.") },
    "Live connections by transport.",
  ),
  connections: pageSchema(connectionSchema),
  peers: orNull(pageSchema(peerSchema)),
  routes: orNull(pageSchema(routeSchema)),
  events: eventPageSchema,
});
export type Overview = v.InferOutput<typeof overviewSchema>;

export const peerPageSchema = pageSchema(peerSchema);
export const routePageSchema = pageSchema(routeSchema);
export const connectionPageSchema = pageSchema(connectionSchema);
export const transportPageSchema = pageSchema(transportSchema);

const configProblemSchema = row({
  severity: choice(["error", "warning"], "An error keeps the configuration from being used."),
  source: text("What was read."),
  place: text("Where in it, `[flags] mtu`."),
  section: v.optional(text("Of a uci file: the section as uci addresses it.")),
  option: v.optional(text("Of a uci file: the option.")),
  line: v.optional(count("Of a uci file: the line.")),
  key: text("The option, `mtu`."),
  text: text("What was found, and what is allowed."),
  sentence: text("All of it in one."),
});

export const configCheckSchema = row({
  ok: flag("It could be put in force."),
  problems: list(configProblemSchema, "What is wrong with it."),
});

export const configTextSchema = row({
  text: text("The configuration in force, without the network's secret."),
});

export const closedSchema = row({ closed: count("Id of the connection that was closed.") });

export const reloadSchema = row({
  ok: v.pipe(v.literal(true), v.description("A configuration that is refused is an error.")),
  applied: list(text("Key."), "Options whose new value is in force now."),
  needsRestart: list(text("Key."), "Options whose new value waits for a restart."),
});
export type ReloadReport = v.InferOutput<typeof reloadSchema>;

export const OUTCOMES = ["passed", "failed", "skipped"] as const;

const checkResultSchema = row(
  {
    code: text("Stable code, `tun_device`."),
    title: text("What was checked."),
    outcome: choice(OUTCOMES, "`skipped`: it could not be, or need not be checked."),
    message: text("What was found."),
    remedy: text("What to do about it; empty unless it failed."),
    figures: numbers("What was measured."),
  },
  "One check.",
);
export type CheckResult = v.InferOutput<typeof checkResultSchema>;

export const diagnosisSchema = row({
  time: count("When it began."),
  tookMs: count("How long it took."),
  peerId: count("The peer that was measured; 0 = none was reachable."),
  peerName: text("Its name."),
  checks: list(checkResultSchema, "In the order in which they were made."),
});
export type Diagnosis = v.InferOutput<typeof diagnosisSchema>;

export const levelSchema = row({ level: text("Level in force now.") });

export const debugBundleSchema = row({
  time: count("When it was made."),
  version: versionSchema,
  node: nodeSchema,
  status: statusSchema,
  peers: peerPageSchema,
  routes: routePageSchema,
  connections: connectionPageSchema,
  events: eventPageSchema,
  diagnosis: orNull(diagnosisSchema),
  configuration: text("What is in force, in TOML, without the network's secret."),
});
