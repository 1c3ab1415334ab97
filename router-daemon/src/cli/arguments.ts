import { argumentInfo } from "../api/argument.ts";
import { fromText } from "../api/http.ts";
import type { AnyMethod } from "../api/method.ts";
import { shownValue } from "../config/problem.ts";
import { didYouMean } from "../config/suggest.ts";

/** A flag of a command that asks the daemon. */
export interface CommandFlag {
  readonly flag: string;
  readonly placeholder: string;
  readonly help: string;
}

/** Flags that every command asking the daemon has. */
export const COMMON_FLAGS: readonly CommandFlag[] = [
  { flag: "--json", placeholder: "", help: "Print JSON instead of a table." },
  { flag: "--socket", placeholder: "PATH", help: "Socket of the daemon." },
  { flag: "--config-file", placeholder: "FILE", help: "Take the socket from this configuration (also -c)." },
  { flag: "--uci", placeholder: "FILE", help: "The same for a uci file." },
];

/** Flags that follow from the arguments of a method: `peer_id` is `--peer-id`. */
export function methodFlags(method: AnyMethod): readonly CommandFlag[] {
  return Object.entries(method.args).map(([name, schema]) => {
    const info = argumentInfo(schema);
    return {
      flag: `--${name.replaceAll("_", "-")}`,
      placeholder: info.type === "boolean" ? "" : info.type === "integer" ? "NUMBER" : "TEXT",
      help: info.allowed.startsWith("one of") ? `${info.help} Allowed is ${info.allowed}.` : info.help,
    };
  });
}

export type ParsedArguments =
  | {
      readonly ok: true;
      readonly values: ReadonlyMap<string, string>;
      readonly positional: readonly string[];
    }
  | { readonly ok: false; readonly message: string };

/** Splits arguments by the flags given; a switch has the value `true`. */
export function parseArguments(
  args: readonly string[],
  flags: readonly CommandFlag[],
  maxPositional: number,
): ParsedArguments {
  const values = new Map<string, string>();
  const positional: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (!arg.startsWith("-") || arg === "-") {
      if (positional.length >= maxPositional)
        return { ok: false, message: `${shownValue(arg)} does not belong here. Remove it.` };
      positional.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const written = equals < 0 ? arg : arg.slice(0, equals);
    const name = written === "-c" ? "--config-file" : written;
    const flag = flags.find((candidate) => candidate.flag === name);
    if (flag === undefined) {
      const names = flags.map((candidate) => candidate.flag);
      return {
        ok: false,
        message: `${shownValue(written)} is unknown here.${didYouMean(name, names)} Allowed are ${names.join(", ")}.`,
      };
    }
    let value = equals < 0 ? undefined : arg.slice(equals + 1);
    if (value === undefined && flag.placeholder === "") value = "true";
    if (value === undefined) value = args[++at];
    if (value === undefined)
      return { ok: false, message: `${name} needs a value after it: ${flag.placeholder}.` };
    values.set(name, value);
  }
  return { ok: true, values, positional };
}

/** The method's arguments among the flags, in their plain types. */
export function methodArguments(
  method: AnyMethod,
  values: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(method.args)) {
    const text = values.get(`--${name.replaceAll("_", "-")}`);
    if (text !== undefined) args[name] = fromText(text, argumentInfo(schema).type);
  }
  return args;
}
