import * as v from "valibot";
import { checkToml } from "../config/load.ts";
import { type Problem as ConfigProblem, problemSentence, shownValue } from "../config/problem.ts";
import { MAX_CONFIG_BYTES } from "../config/toml.ts";
import {
  type ArgumentSchemas,
  argumentInfo,
  integerArgument,
  requiredInteger,
  requiredText,
} from "./argument.ts";
import { type Answer, answer, refusal } from "./error.ts";
import { CONNECTION_ARGUMENTS, PAGE_ARGUMENTS, type Page, pageOf, queryConnections } from "./page.ts";
import type {
  ConnectionRow,
  DaemonView,
  EventRow,
  NodeInfo,
  PeerRow,
  ReloadResult,
  RouteRow,
  StatusInfo,
  VersionInfo,
} from "./view.ts";

/** One method of the API. HTTP routes, the CLI's commands and whatever else shows the daemon are views of these. */
export interface Method<Schemas extends ArgumentSchemas, Result> {
  /** `read`: changes nothing. `write`: needs the right to. */
  readonly access: "read" | "write";
  /** One sentence for people. */
  readonly doc: string;
  readonly args: Schemas;
  handle(view: DaemonView, args: ArgumentsOf<Schemas>): Answer<Result> | Promise<Answer<Result>>;
}

type ArgumentsOf<Schemas extends ArgumentSchemas> = {
  readonly [K in keyof Schemas]: v.InferOutput<Schemas[K]>;
};

function method<const Schemas extends ArgumentSchemas, Result>(
  definition: Method<Schemas, Result>,
): Method<Schemas, Result> {
  return definition;
}

/** What the daemon says about a configuration it was shown. */
export interface ConfigCheck {
  readonly ok: boolean;
  readonly problems: readonly (ConfigProblem & { readonly sentence: string })[];
}

export interface EventPage {
  readonly rows: readonly EventRow[];
}

const NO_ARGUMENTS = {};

/** The table. Names are the same word everywhere. */
export const METHODS = {
  version: method({
    access: "read",
    doc: "Version of kcp-router and the engine it runs on.",
    args: NO_ARGUMENTS,
    handle: (view): Answer<VersionInfo> => answer(view.version()),
  }),
  status: method({
    access: "read",
    doc: "Is it working, and if not, why not: state, problems with remedies, memory, flags, limits, counters.",
    args: NO_ARGUMENTS,
    handle: (view): Answer<StatusInfo> => answer(view.status()),
  }),
  node: method({
    access: "read",
    doc: "This node: address, listeners, exported subnets.",
    args: NO_ARGUMENTS,
    handle: (view): Answer<NodeInfo> => answer(view.node()),
  }),
  peers: method({
    access: "read",
    doc: "The other nodes: reachable how, how well, and what a TCP connection to each would use.",
    args: PAGE_ARGUMENTS,
    handle: (view, args): Answer<Page<PeerRow>> => answer(pageOf(view.peers(), args)),
  }),
  routes: method({
    access: "read",
    doc: "Where virtual addresses and exported subnets lead.",
    args: PAGE_ARGUMENTS,
    handle: (view, args): Answer<Page<RouteRow>> => answer(pageOf(view.routes(), args)),
  }),
  connections: method({
    access: "read",
    doc: "The proxy table: live connections and recently closed ones, with transport, reason and numbers.",
    args: CONNECTION_ARGUMENTS,
    handle: (view, args): Answer<Page<ConnectionRow>> => answer(queryConnections(view.connections(), args)),
  }),
  events: method({
    access: "read",
    doc: "Recent events, oldest first.",
    args: {
      after: integerArgument(0, Number.MAX_SAFE_INTEGER, 0, "Only events with a higher sequence number."),
      limit: PAGE_ARGUMENTS.limit,
    },
    // The newest ones are kept when there are more than asked for.
    handle: (view, args): Answer<EventPage> =>
      answer({
        rows: view
          .events()
          .filter((event) => event.sequence > args.after)
          .slice(-args.limit),
      }),
  }),
  check_config: method({
    access: "read",
    doc: "Checks a configuration in TOML without using it.",
    args: { toml: requiredText(MAX_CONFIG_BYTES, "The text of the file.") },
    handle: (view, args): Answer<ConfigCheck> => {
      const problems = checkToml(args.toml, "configuration", { systemHostname: view.node().hostname });
      return answer({
        ok: problems.every((problem) => problem.severity !== "error"),
        problems: problems.map((problem) => ({ ...problem, sentence: problemSentence(problem) })),
      });
    },
  }),
  close_connection: method({
    access: "write",
    doc: "Ends one connection with a reset to both sides.",
    args: { id: requiredInteger(0, Number.MAX_SAFE_INTEGER, "The id that the proxy table shows.") },
    handle: (view, args): Answer<{ readonly closed: number }> =>
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
    handle: async (view): Promise<Answer<Extract<ReloadResult, { ok: true }>>> => {
      const result = await view.reload();
      if (result.ok) return answer(result);
      return refusal("config_refused", `The old configuration keeps running. ${result.problems.join("\n")}`);
    },
  }),
} as const;

export type MethodName = keyof typeof METHODS;
export const METHOD_NAMES = Object.keys(METHODS) as readonly MethodName[];

/** What a method answers, by its name. */
export type ResultOf<Name extends MethodName> =
  Awaited<ReturnType<(typeof METHODS)[Name]["handle"]>> extends infer A
    ? A extends { readonly ok: true; readonly result: infer R }
      ? R
      : never
    : never;
/** What a method may be given, by its name; everything with a default may be left out. */
export type InputOf<Name extends MethodName> = {
  readonly [Key in keyof (typeof METHODS)[Name]["args"]]?: v.InferInput<
    Extract<(typeof METHODS)[Name]["args"][Key], v.GenericSchema>
  >;
};

/** The table for code that treats all methods alike. */
export type AnyMethod = Method<ArgumentSchemas, unknown>;

export function findMethod(name: string): AnyMethod | undefined {
  return Object.hasOwn(METHODS, name) ? (METHODS[name as MethodName] as unknown as AnyMethod) : undefined;
}

/**
 * The one way in for every transport: checks the arguments and calls. Never throws; what went wrong inside is an `internal`
 * error without details (they are for the log of the caller of `onFailure`).
 */
export async function invoke(
  view: DaemonView,
  name: string,
  input: unknown,
  onFailure: (error: unknown) => void = () => {},
): Promise<Answer<unknown>> {
  const found = findMethod(name);
  if (found === undefined)
    return refusal("not_found", `There is no method of this name. There are: ${METHOD_NAMES.join(", ")}.`);
  const given = input ?? {};
  if (typeof given !== "object" || Array.isArray(given)) {
    return refusal("invalid_argument", `${name}: the arguments are one object of names and values.`);
  }
  const parsed = v.safeParse(v.strictObject(found.args), given, { abortEarly: true });
  if (!parsed.success) return refusal("invalid_argument", argumentSentence(name, found, parsed.issues[0]));
  try {
    return await found.handle(view, parsed.output);
  } catch (error) {
    onFailure(error);
    return refusal("internal", `${name} failed inside the daemon. Its log says more; please report it.`);
  }
}

/** The verifier's sentence: which argument, what was found, what is allowed. */
function argumentSentence(name: string, found: AnyMethod, issue: v.BaseIssue<unknown>): string {
  const key = String(issue.path?.[0]?.key ?? "");
  const schema = Object.hasOwn(found.args, key) ? found.args[key] : undefined;
  const names = Object.keys(found.args);
  if (schema === undefined) {
    const there = names.length === 0 ? "It takes none." : `It takes ${names.join(", ")}.`;
    return `${name}: ${shownValue(key)} is not an argument of this method. ${there}`;
  }
  const { allowed } = argumentInfo(schema);
  const value = issue.path?.[0]?.value;
  if (value === undefined) return `${name}: ${key} is missing; allowed is ${allowed}.`;
  return `${name}: ${key} is ${shownValue(value)}; allowed is ${allowed}.`;
}
