import type { AnyMethod } from "../api/method.ts";
import { findMethod, type MethodName } from "../api/methods.ts";
import type { CommandFlag } from "./arguments.ts";
import type { ApiClient } from "./client.ts";
import { safeJson } from "./safe-text.ts";
import {
  diagnosisText,
  eventLines,
  nodePairs,
  peerTable,
  proxyTable,
  routeTable,
  statusText,
  transportTable,
} from "./views.ts";

/** What a command got from the command line. */
export interface CommandInput {
  readonly client: ApiClient;
  /** Arguments of the method, in their plain types. */
  readonly args: Record<string, unknown>;
  readonly wide: boolean;
  readonly nowUnixSeconds: number;
}

/** What a command shows: text for people, or the value behind it as JSON. */
export interface CommandOutput {
  readonly value: unknown;
  text(): string;
}

/** A command that asks the daemon: a view of one method of the API. */
export interface Command {
  readonly method: MethodName;
  /** One sentence; the method's own by default. */
  readonly doc: string;
  /** Argument of the method that may stand without its flag: `close 7`. */
  readonly positional?: string;
  readonly flags: readonly CommandFlag[];
  run(input: CommandInput): Promise<CommandOutput>;
}

const WIDE: CommandFlag = { flag: "--wide", placeholder: "", help: "Show more columns." };

function docOf(method: MethodName): string {
  return findMethod(method)?.doc ?? "";
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  proxy: {
    method: "connections",
    doc: docOf("connections"),
    flags: [{ ...WIDE, help: "Add reason, bytes, rate, RTT, retransmitted share and age." }],
    async run({ client, args, wide }) {
      const rows = await client.rows("connections", args);
      return { value: rows, text: () => proxyTable(rows, wide) };
    },
  },
  peer: {
    method: "peers",
    doc: docOf("peers"),
    flags: [{ ...WIDE, help: "Add the reason of the transport, exported subnets and links." }],
    async run({ client, args, wide }) {
      const rows = await client.rows("peers", args);
      return { value: rows, text: () => peerTable(rows, wide) };
    },
  },
  transport: {
    method: "transports",
    doc: docOf("transports"),
    flags: [],
    async run({ client, args }) {
      const rows = await client.rows("transports", args);
      return { value: rows, text: () => transportTable(rows) };
    },
  },
  route: {
    method: "routes",
    doc: docOf("routes"),
    flags: [],
    async run({ client, args }) {
      const rows = await client.rows("routes", args);
      return { value: rows, text: () => routeTable(rows) };
    },
  },
  node: {
    method: "node",
    doc: docOf("node"),
    flags: [],
    async run({ client }) {
      const value = await client.call("node", {});
      return { value, text: () => nodePairs(value) };
    },
  },
  status: {
    method: "status",
    doc: docOf("status"),
    flags: [],
    async run({ client, nowUnixSeconds }) {
      const value = await client.call("status", {});
      return { value, text: () => statusText(value, nowUnixSeconds) };
    },
  },
  events: {
    method: "events",
    doc: docOf("events"),
    flags: [],
    async run({ client, args }) {
      const { rows } = await client.call("events", args);
      return { value: rows, text: () => (rows.length === 0 ? "No events yet." : eventLines(rows)) };
    },
  },
  diagnose: {
    method: "diagnose",
    doc: docOf("diagnose"),
    flags: [],
    async run({ client, args }) {
      const value = await client.call("diagnose", args);
      return { value, text: () => diagnosisText(value) };
    },
  },
  overview: {
    method: "overview",
    doc: docOf("overview"),
    flags: [],
    run: asJson("overview"),
  },
  "export-debug": {
    method: "debug_bundle",
    doc: docOf("debug_bundle"),
    flags: [],
    run: asJson("debug_bundle"),
  },
  close: {
    method: "close_connection",
    doc: docOf("close_connection"),
    positional: "id",
    flags: [],
    async run({ client, args }) {
      const value = await client.call("close_connection", args);
      return { value, text: () => `Connection ${value.closed} was closed.` };
    },
  },
  reload: {
    method: "reload",
    doc: docOf("reload"),
    flags: [],
    async run({ client }) {
      const value = await client.call("reload", {});
      const applied =
        value.applied.length === 0 ? "Nothing changed." : `In force now: ${value.applied.join(", ")}.`;
      const waiting =
        value.needsRestart.length === 0 ? "" : `\nNeeds a restart: ${value.needsRestart.join(", ")}.`;
      return { value, text: () => applied + waiting };
    },
  },
  "log-level": {
    method: "set_log_level",
    doc: docOf("set_log_level"),
    positional: "level",
    flags: [],
    async run({ client, args }) {
      const value = await client.call("set_log_level", args);
      return { value, text: () => `The log shows ${value.level} until the configuration is read again.` };
    },
  },
};

/** A method whose answer is for programs: JSON, also without `--json`. */
function asJson(method: "overview" | "debug_bundle"): Command["run"] {
  return async ({ client, args }) => {
    const value = await client.call(method, args);
    return { value, text: () => safeJson(value) };
  };
}

export function methodOf(command: Command): AnyMethod {
  const method = findMethod(command.method);
  if (method === undefined) throw new Error(`The command's method ${command.method} does not exist.`);
  return method;
}
