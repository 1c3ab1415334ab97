import { DEFAULTS, type OptionKey } from "./config.ts";
import { type FlagValues, readFlags } from "./flags.ts";
import { secretKind } from "./kind.ts";
import { OPTIONS } from "./options.ts";
import { type Origin, type Problem, ProblemList, problemSentence } from "./problem.ts";
import { mergeRaw, type RawConfig, type RawOption } from "./raw.ts";
import { MAX_CONFIG_BYTES, readToml } from "./toml.ts";
import { readUci } from "./uci/read.ts";
import { DEFAULT_UCI_FILE } from "./uci/sections.ts";
import { type FileForm, type Verified, type VerifyContext, verifyConfig } from "./verify.ts";

/** How files are read: handed in, so that this folder stays free of any engine. */
export interface FileAccess {
  /** Text of a file of at most `maxBytes`, or one sentence why not. */
  read(
    path: string,
    maxBytes: number,
  ):
    | { readonly ok: true; readonly text: string; readonly mode: number }
    | {
        readonly ok: false;
        readonly reason: string;
        /** There is no such file. */
        readonly missing?: boolean;
      };
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
  const file = readFlaggedFile(flags, sources.files, problems);
  const secret =
    flags.secretFile === "" ? NOTHING : readSecretFile(flags.secretFile, sources.files, problems);
  // Without the file everything in it would be reported as missing.
  if (file === undefined) return { ok: false, problems: problems.all };
  return verifyConfig(mergeRaw([file.options, flags.options, secret]), problems, sources, file.form);
}

const NOTHING: RawConfig = new Map();

/** What a configuration file says, and in which form. */
interface FileOptions {
  readonly options: RawConfig;
  readonly form: FileForm;
}

/** The file that the flags name; without one OpenWrt's, where it exists. */
function readFlaggedFile(
  flags: FlagValues,
  files: FileAccess,
  problems: ProblemList,
): FileOptions | undefined {
  if (flags.configFile !== "") return readConfigFile(flags.configFile, undefined, files, problems);
  if (flags.uciFile !== "") return readConfigFile(flags.uciFile, "uci", files, problems);
  const file = files.read(DEFAULT_UCI_FILE, MAX_CONFIG_BYTES);
  if (!file.ok && file.missing === true) return { options: NOTHING, form: "toml" };
  return readConfigFile(DEFAULT_UCI_FILE, "uci", files, problems);
}

/** The form of a text: uci begins with `config` or `package` and a word, TOML has keys and sections. */
export function formOf(text: string): FileForm {
  return /^(?:[ \t\r]*(?:#.*)?\n)*[ \t]*(?:config|package)[ \t]+[^\s=]/.test(text) ? "uci" : "toml";
}

function readConfigFile(
  path: string,
  form: FileForm | undefined,
  files: FileAccess,
  problems: ProblemList,
): FileOptions | undefined {
  const file = files.read(path, MAX_CONFIG_BYTES);
  if (!file.ok) {
    problems.error({ source: path, place: "" }, "", `The configuration cannot be read: ${file.reason}`);
    return undefined;
  }
  const read = readText(file.text, form ?? formOf(file.text), path, problems);
  if (read?.options.has("network_secret")) warnWhenReadable(path, file.mode, problems);
  return read;
}

function readText(
  text: string,
  form: FileForm,
  source: string,
  problems: ProblemList,
): FileOptions | undefined {
  const options = form === "uci" ? readUci(text, source, problems) : readToml(text, source, problems);
  return options === undefined ? undefined : { options, form };
}

/** Verifies a TOML text alone: for checking before it is put in force. */
export function checkToml(text: string, source: string, context: VerifyContext): readonly Problem[] {
  return checkText(text, "toml", source, context);
}

/** The same for the text of a uci file. */
export function checkUci(text: string, source: string, context: VerifyContext): readonly Problem[] {
  return checkText(text, "uci", source, context);
}

function checkText(text: string, form: FileForm, source: string, context: VerifyContext): readonly Problem[] {
  const problems = new ProblemList();
  const read = readText(text, form, source, problems);
  return read === undefined ? problems.all : verifyConfig(read.options, problems, context, form).problems;
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
  const parsed = secretKind.parse(secret, "flag");
  if (secret === "")
    problems.error(origin, "network_secret", "The file is empty. Write the network's secret into it.");
  else if (secret.includes("\n"))
    problems.error(origin, "network_secret", "The file has more than one line. Write the secret alone.");
  else if (secret.includes("\ufffd"))
    problems.error(origin, "network_secret", "It is not in UTF-8. Save the file as UTF-8.");
  else if (!parsed.ok) problems.error(origin, "network_secret", parsed.text);
  warnWhenReadable(path, file.mode, problems);
  const option: RawOption = { origin, items: [{ value: secret, form: "flag", origin }] };
  return new Map<OptionKey, RawOption>([["network_secret", option]]);
}

function warnWhenReadable(path: string, mode: number, problems: ProblemList): void {
  if ((mode & WORLD_READABLE) === 0) return;
  const text = `Every user of this machine can read the network's secret in it. Run: chmod 600 ${path}`;
  problems.warning({ source: path, place: "" }, "network_secret", text);
}

/**
 * Where the daemon serves its API: as the named file says, else as OpenWrt's does, else the default. Other problems of the
 * file do not matter for that.
 */
export function socketOfConfig(
  path: string | undefined,
  files: FileAccess,
): { readonly ok: true; readonly path: string } | { readonly ok: false; readonly message: string } {
  const problems = new ProblemList();
  const file =
    path === undefined
      ? readConfigFile(DEFAULT_UCI_FILE, "uci", files, problems)
      : readConfigFile(path, undefined, files, problems);
  if (file === undefined && path !== undefined)
    return { ok: false, message: problems.all.map(problemSentence).join("\n") };
  const written = file?.options.get("rpc_socket")?.items[0];
  if (written === undefined) return { ok: true, path: DEFAULTS.rpc_socket };
  const parsed = OPTIONS.rpc_socket.kind.parse(written.value, written.form);
  if (parsed.ok) return { ok: true, path: parsed.value };
  return { ok: false, message: `${written.origin.source}, ${written.origin.place}: ${parsed.text}` };
}
