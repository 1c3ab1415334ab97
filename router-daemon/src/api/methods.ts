import type * as v from "valibot";
import type { Config, LogLevel } from "../config/config.ts";
import { checkToml, checkUci } from "../config/load.ts";
import { problemSentence } from "../config/problem.ts";
import { MAX_CONFIG_BYTES } from "../config/toml.ts";
import { exportToml } from "../config/toml-writer.ts";
import { uciOf } from "../config/uci/from-config.ts";
import { writeUci } from "../config/uci/writer.ts";
import {
  choiceArgument,
  integerArgument,
  requiredChoice,
  requiredInteger,
  requiredText,
} from "./argument.ts";
import { answer, refusal } from "./error.ts";
import { type AnyMethod, method } from "./method.ts";
import { EVENT_ARGUMENTS, OVERVIEW_ARGUMENTS, overview, recentEvents } from "./overview.ts";
import { CONNECTION_ARGUMENTS, PAGE_ARGUMENTS, pageOf, queryConnections } from "./page.ts";
import {
  closedSchema,
  configCheckSchema,
  configTextSchema,
  connectionPageSchema,
  debugBundleSchema,
  diagnosisSchema,
  eventPageSchema,
  levelSchema,
  nodeSchema,
  overviewSchema,
  peerPageSchema,
  reloadSchema,
  routePageSchema,
  statusSchema,
  transportPageSchema,
  versionSchema,
} from "./reports.ts";

const NO_ARGUMENTS = {};
const LOG_LEVELS = ["off", "error", "warn", "info"] as const satisfies readonly LogLevel[];
/** Rows of each table in a debug bundle. */
const BUNDLE_PAGE = { offset: 0, limit: 200 };

/** The table. Names are the same word everywhere. */
export const METHODS = {
  version: method({
    access: "read",
    doc: "Version of kcp-router and the engine it runs on.",
    args: NO_ARGUMENTS,
    result: versionSchema,
    handle: (view) => answer(view.version()),
  }),
  status: method({
    access: "read",
    doc: "Is it working, and if not, why not: state, problems with remedies, memory, flags, limits, counters.",
    args: NO_ARGUMENTS,
    result: statusSchema,
    handle: (view) => answer(view.status()),
  }),
  overview: method({
    access: "read",
    doc: "All that a page shows at once: status, node, connections, and as asked peers, routes, events.",
    args: OVERVIEW_ARGUMENTS,
    result: overviewSchema,
    handle: (view, args) => answer(overview(view, args)),
  }),
  node: method({
    access: "read",
    doc: "This node: address, listeners, exported subnets.",
    args: NO_ARGUMENTS,
    result: nodeSchema,
    handle: (view) => answer(view.node()),
  }),
  peers: method({
    access: "read",
    doc: "The other nodes: reachable how, how well, and what a TCP connection to each would use.",
    args: PAGE_ARGUMENTS,
    result: peerPageSchema,
    handle: (view, args) => answer(pageOf(view.peers(), args)),
  }),
  transports: method({
    access: "read",
    doc: "What a new TCP connection to each peer would use, and why: visible before there is any.",
    args: PAGE_ARGUMENTS,
    result: transportPageSchema,
    handle: (view, args) => {
      const page = pageOf(view.peers(), args);
      const rows = page.rows.map(({ peerId, hostname, ipv4, exportedSubnets, choice }) => ({
        peerId,
        hostname,
        ipv4,
        exportedSubnets,
        ...choice,
      }));
      return answer({ ...page, rows });
    },
  }),
  routes: method({
    access: "read",
    doc: "Where virtual addresses and exported subnets lead.",
    args: PAGE_ARGUMENTS,
    result: routePageSchema,
    handle: (view, args) => answer(pageOf(view.routes(), args)),
  }),
  connections: method({
    access: "read",
    doc: "The proxy table: live connections and recently closed ones, with transport, reason and numbers.",
    args: CONNECTION_ARGUMENTS,
    result: connectionPageSchema,
    handle: (view, args) => answer(queryConnections(view.connections(), args)),
  }),
  events: method({
    access: "read",
    doc: "Recent events, oldest first.",
    args: EVENT_ARGUMENTS,
    result: eventPageSchema,
    handle: (view, args) => answer({ rows: recentEvents(view, args) }),
  }),
  config_check: method({
    access: "read",
    doc: "Checks a configuration, in uci's form or in TOML, without using it.",
    args: {
      text: requiredText(MAX_CONFIG_BYTES, "The text of the file."),
      form: choiceArgument(["toml", "uci"], "toml", "Its form."),
    },
    result: configCheckSchema,
    handle: (view, args) => {
      const context = { systemHostname: view.node().hostname };
      const check = args.form === "uci" ? checkUci : checkToml;
      const problems = check(args.text, "configuration", context);
      return answer({
        ok: problems.every((problem) => problem.severity !== "error"),
        problems: problems.map((problem) => ({ ...problem, sentence: problemSentence(problem) })),
      });
    },
  }),
  config_export: method({
    access: "read",
    doc: "The configuration in force as a file, in TOML or in uci's form, without the network's secret.",
    args: { form: choiceArgument(["toml", "uci"], "toml", "Its form.") },
    result: configTextSchema,
    handle: (view, args) => answer({ text: configText(view.configuration(), args.form) }),
  }),
  diagnose: method({
    access: "read",
    doc: "Examines the machine (device, clock, forwarding …) and the way to a peer (loss, jitter, KCP).",
    args: {
      peer: integerArgument(0, 0xffff_ffff, 0, "Id of the peer to measure; 0 = one that is reachable."),
    },
    result: diagnosisSchema,
    handle: async (view, args) => {
      const known = args.peer === 0 || view.peers().some((peer) => peer.peerId === args.peer);
      if (known) return answer(await view.diagnose(args.peer));
      return refusal("not_found", `There is no peer with id ${args.peer}. The peer table lists the ids.`);
    },
  }),
  debug_bundle: method({
    access: "read",
    doc: "Everything that helps to find a fault, in one answer, without secrets.",
    args: NO_ARGUMENTS,
    result: debugBundleSchema,
    handle: (view) =>
      answer({
        time: view.clock().time,
        version: view.version(),
        node: view.node(),
        status: view.status(),
        peers: pageOf(view.peers(), BUNDLE_PAGE),
        routes: pageOf(view.routes(), BUNDLE_PAGE),
        connections: pageOf(view.connections(), BUNDLE_PAGE),
        events: { rows: view.events() },
        diagnosis: view.lastDiagnosis,
        configuration: configText(view.configuration(), "toml"),
      }),
  }),
  close_connection: method({
    access: "write",
    doc: "Ends one connection with a reset to both sides.",
    args: { id: requiredInteger(0, Number.MAX_SAFE_INTEGER, "The id that the proxy table shows.") },
    result: closedSchema,
    handle: (view, args) =>
      view.closeConnection(args.id)
        ? answer({ closed: args.id })
        : refusal(
            "not_found",
            `There is no live connection with id ${args.id}. The proxy table (--wide) lists the ids.`,
          ),
  }),
  reload: method({
    access: "write",
    doc: "Reads the configuration again; applies what can change live and says what needs a restart.",
    args: NO_ARGUMENTS,
    result: reloadSchema,
    handle: async (view) => {
      const result = await view.reload();
      if (result.ok) return answer(result);
      return refusal("config_refused", `The old configuration keeps running. ${result.problems.join("\n")}`);
    },
  }),
  set_log_level: method({
    access: "write",
    doc: "Changes which events are printed to the log, until the configuration is read again.",
    args: { level: requiredChoice(LOG_LEVELS, "Events of this level and worse are printed.") },
    result: levelSchema,
    handle: (view, args) => {
      view.setLogLevel(args.level);
      return answer({ level: args.level });
    },
  }),
} as const;

function configText(config: Config, form: "toml" | "uci"): string {
  if (form === "toml") return exportToml(config, { secrets: false });
  const { network_secret: _secret, ...rest } = config;
  return writeUci(uciOf(rest));
}

export type MethodName = keyof typeof METHODS;
export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];

/** What a method answers, by its name. */
export type ResultOf<Name extends MethodName> = v.InferOutput<(typeof METHODS)[Name]["result"]>;
/** What a method may be given, by its name; everything with a default may be left out. */
export type InputOf<Name extends MethodName> = {
  readonly [Key in keyof (typeof METHODS)[Name]["args"]]?: v.InferInput<
    Extract<(typeof METHODS)[Name]["args"][Key], v.GenericSchema>
  >;
};

export function findMethod(name: string): AnyMethod | undefined {
  return Object.hasOwn(METHODS, name) ? (METHODS[name as MethodName] as unknown as AnyMethod) : undefined;
}
