import type { Config } from "./config.ts";
import { OPTIONS, placeText } from "./options.ts";
import { type Problem, ProblemList } from "./problem.ts";
import { readToml } from "./toml.ts";
import { isUciText, type UciDocument } from "./uci/document.ts";
import { mergeUci } from "./uci/from-config.ts";
import { parseUci } from "./uci/parser.ts";
import { readUci } from "./uci/read.ts";
import { writeUci } from "./uci/writer.ts";
import { readValues, type VerifyContext, verifyConfig } from "./verify.ts";

export interface ImportOptions extends VerifyContext {
  /** How the TOML text is called in problems. */
  readonly source: string;
  /** A uci file that is there already, into which the TOML is put. */
  readonly base?: { readonly text: string; readonly source: string };
}

export interface Imported {
  /** True when `uci` can be used as it is. */
  readonly ok: boolean;
  /** The text of the uci file, the secret included; empty when one of the texts could not be read at all. */
  readonly uci: string;
  /** What of the TOML was left out (errors), or means nothing here (warnings), and why. */
  readonly leftOut: readonly Problem[];
  /** What the verifier says of `uci`. */
  readonly problems: readonly Problem[];
}

/**
 * An EasyTier TOML file as uci. Whatever kcp-router understands is taken, the rest is reported and left out: a file that also
 * names links of other kinds becomes one with the UDP links alone.
 */
export function importToml(toml: string, options: ImportOptions): Imported {
  const leftOut = new ProblemList();
  const problems = new ProblemList();
  const raw = readToml(toml, options.source, leftOut);
  const base = readBase(options, problems);
  if (raw === undefined || base === undefined)
    return { ok: false, uci: "", leftOut: leftOut.all, problems: problems.all };
  const uci = writeUci(mergeUci(base, writableIn(readValues(raw, leftOut), options.source, leftOut)));
  const result = readUci(uci, options.base?.source ?? "result", problems);
  const ok = result !== undefined && verifyConfig(result, problems, options, "uci").ok;
  return { ok, uci, leftOut: leftOut.all, problems: problems.all };
}

/** Without a secret that uci cannot keep: it is the only value that may hold any character. */
function writableIn(values: Partial<Config>, source: string, problems: ProblemList): Partial<Config> {
  const { network_secret: secret, ...others } = values;
  if (secret === undefined || isUciText(secret.reveal())) return values;
  const origin = { source, place: placeText(OPTIONS.network_secret.toml) };
  const text =
    "It holds control characters, which a uci file cannot keep. Choose another secret in the whole network.";
  problems.error(origin, "network_secret", text);
  return others;
}

function readBase(options: ImportOptions, problems: ProblemList): UciDocument | undefined {
  if (options.base === undefined) return { sections: [] };
  const parsed = parseUci(options.base.text);
  if (parsed.ok) return parsed.document;
  const { line, column, text } = parsed.fault;
  problems.error({ source: options.base.source, place: `line ${line}, column ${column}`, line }, "", text);
  return undefined;
}
