import { DEFAULTS, type OptionKey } from "./config.ts";
import { readFlags } from "./flags.ts";
import { secretKind } from "./kind.ts";
import { OPTIONS } from "./options.ts";
import { type Origin, type Problem, ProblemList, problemSentence } from "./problem.ts";
import { mergeRaw, type RawConfig, type RawOption } from "./raw.ts";
import { MAX_CONFIG_BYTES, readToml } from "./toml.ts";
import { type Verified, type VerifyContext, verifyConfig } from "./verify.ts";

/** How files are read: handed in, so that this folder stays free of any engine. */
export interface FileAccess {
  /** Text of a file of at most `maxBytes`, or one sentence why not. */
  read(
    path: string,
    maxBytes: number,
  ):
    | { readonly ok: true; readonly text: string; readonly mode: number }
    | { readonly ok: false; readonly reason: string };
}

export interface ConfigSources extends VerifyContext {
  /** Arguments after the command's name. */
  readonly args: readonly string[];
  readonly files: FileAccess;
}

/** Bit of a file's mode: everyone may read it. */
const WORLD_READABLE = 0o004;

/** Reads flags, file and secret file, and verifies the whole. Called at start and again on reload. Never throws. */
export function loadConfig(sources: ConfigSources): Verified {
  const problems = new ProblemList();
  const flags = readFlags(sources.args, problems);
  const file = flags.configFile === "" ? NOTHING : readConfigFile(flags.configFile, sources.files, problems);
  const secret =
    flags.secretFile === "" ? NOTHING : readSecretFile(flags.secretFile, sources.files, problems);
  // Without the file everything in it would be reported as missing.
  if (file === undefined) return { ok: false, problems: problems.all };
  return verifyConfig(mergeRaw([file, flags.options, secret]), problems, sources);
}

const NOTHING: RawConfig = new Map();

/** Verifies a TOML text alone: for checking before it is put in force. */
export function checkToml(text: string, source: string, context: VerifyContext): readonly Problem[] {
  const problems = new ProblemList();
  const raw = readToml(text, source, problems);
  return raw === undefined ? problems.all : verifyConfig(raw, problems, context).problems;
}

function readConfigFile(path: string, files: FileAccess, problems: ProblemList): RawConfig | undefined {
  const file = files.read(path, MAX_CONFIG_BYTES);
  if (!file.ok) {
    problems.error({ source: path, place: "" }, "", `The configuration cannot be read: ${file.reason}`);
    return undefined;
  }
  const options = readToml(file.text, path, problems);
  if (options?.has("network_secret")) warnWhenReadable(path, file.mode, problems);
  return options;
}

/** Room for the longest secret in UTF-8, and a line's end. */
const MAX_SECRET_FILE_BYTES = 4 * 4096 + 2;

function readSecretFile(path: string, files: FileAccess, problems: ProblemList): RawConfig {
  const origin: Origin = { source: path, place: "" };
  const file = files.read(path, MAX_SECRET_FILE_BYTES);
  if (!file.ok) {
    problems.error(origin, "network_secret", `The secret cannot be read: ${file.reason}`);
    return new Map();
  }
  const secret = file.text.replace(/\r?\n$/, "");
  const parsed = secretKind.parse(secret, true);
  if (secret === "")
    problems.error(origin, "network_secret", "The file is empty. Write the network's secret into it.");
  else if (secret.includes("\n"))
    problems.error(origin, "network_secret", "The file has more than one line. Write the secret alone.");
  else if (!parsed.ok) problems.error(origin, "network_secret", parsed.text);
  warnWhenReadable(path, file.mode, problems);
  const option: RawOption = { origin, items: [{ value: secret, fromText: true, origin }] };
  return new Map<OptionKey, RawOption>([["network_secret", option]]);
}

function warnWhenReadable(path: string, mode: number, problems: ProblemList): void {
  if ((mode & WORLD_READABLE) === 0) return;
  const text = `Every user of this machine can read the network's secret in it. Run: chmod 600 ${path}`;
  problems.warning({ source: path, place: "" }, "network_secret", text);
}

/** Where the daemon of a configuration file serves its API; other problems of the file do not matter for that. */
export function socketOfConfig(
  path: string,
  files: FileAccess,
): { readonly ok: true; readonly path: string } | { readonly ok: false; readonly message: string } {
  const problems = new ProblemList();
  const options = readConfigFile(path, files, problems);
  if (options === undefined) return { ok: false, message: problems.all.map(problemSentence).join("\n") };
  const written = options.get("rpc_socket")?.items[0];
  if (written === undefined) return { ok: true, path: DEFAULTS.rpc_socket };
  const parsed = OPTIONS.rpc_socket.kind.parse(written.value, written.fromText);
  if (parsed.ok) return { ok: true, path: parsed.value };
  return { ok: false, message: `${path}, ${written.origin.place}: ${parsed.text}` };
}
