import { importToml } from "../config/convert.ts";
import { loadConfig } from "../config/load.ts";
import { type Problem, problemSentence } from "../config/problem.ts";
import { MAX_CONFIG_BYTES } from "../config/toml.ts";
import { exportToml } from "../config/toml-writer.ts";
import { DEFAULT_UCI_FILE } from "../config/uci/sections.ts";
import { type CommandFlag, parseArguments } from "./arguments.ts";
import { type CliIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./io.ts";
import { printProblems, refusalStatus } from "./run.ts";
import { safeMessage } from "./safe-text.ts";

export const IMPORT_FLAGS: readonly CommandFlag[] = [
  {
    flag: "--write",
    placeholder: "",
    help: "Put it into the uci file instead of printing it. What the TOML does not speak of stays as it is.",
  },
  {
    flag: "--uci",
    placeholder: "FILE",
    help: `The uci file to put it into; ${DEFAULT_UCI_FILE} by default.`,
  },
];

/** `kcp-router import FILE`: EasyTier's TOML as uci, printed or put into the file. */
export function importCommand(args: readonly string[], io: CliIo): number {
  const parsed = parseArguments(args, IMPORT_FLAGS, 1);
  if (!parsed.ok) return usage(io, parsed.message);
  const [path] = parsed.positional;
  if (path === undefined) return usage(io, "The name of a TOML file is missing. Write it behind import.");
  const write = parsed.values.has("--write");
  if (parsed.values.has("--uci") && !write)
    return usage(io, "--uci names the file for --write. Add --write.");
  const toml = io.files.read(path, MAX_CONFIG_BYTES);
  if (!toml.ok) return fail(io, `${path}: The file cannot be read: ${toml.reason}`);
  const target = parsed.values.get("--uci") ?? DEFAULT_UCI_FILE;
  return write ? writeImported(toml.text, path, target, io) : printImported(toml.text, path, io);
}

function printImported(toml: string, source: string, io: CliIo): number {
  const imported = importToml(toml, { source, systemHostname: io.systemHostname });
  printLeftOut(imported.leftOut, io);
  printProblems(imported.problems, io);
  io.out(imported.uci);
  return imported.ok ? EXIT_OK : EXIT_FAILURE;
}

function writeImported(toml: string, source: string, target: string, io: CliIo): number {
  const there = io.files.read(target, MAX_CONFIG_BYTES);
  if (!there.ok && there.missing !== true)
    return fail(io, `${target}: The file cannot be read: ${there.reason}`);
  const base = there.ok ? there.text : "";
  const imported = importToml(toml, {
    source,
    systemHostname: io.systemHostname,
    base: { text: base, source: target },
  });
  printLeftOut(imported.leftOut, io);
  printProblems(imported.problems, io);
  if (!imported.ok) return fail(io, `${target} stays as it is: what would come out is not valid.`);
  const failure = io.replaceFile(target, imported.uci);
  if (failure !== undefined) return fail(io, `${target} stays as it is: ${failure}`);
  io.out(`${target} is written. To put it in force: /etc/init.d/kcp-router reload\n`);
  return EXIT_OK;
}

/** `kcp-router export`: a configuration as EasyTier's TOML. Takes the flags of `run`. */
export function exportCommand(args: readonly string[], io: CliIo): number {
  const rest = args.filter((arg) => arg !== "--with-secrets");
  const loaded = loadConfig({ args: rest, files: io.files, systemHostname: io.systemHostname });
  printProblems(loaded.problems, io);
  if (!loaded.ok) return refusalStatus(loaded.problems);
  io.out(exportToml(loaded.written, { secrets: rest.length < args.length }));
  return EXIT_OK;
}

function printLeftOut(problems: readonly Problem[], io: CliIo): void {
  for (const problem of problems) {
    const label = problem.severity === "error" ? "left out" : "warning";
    io.err(`${safeMessage(`${label}: ${problemSentence(problem)}`)}\n`);
  }
}

function usage(io: CliIo, message: string): number {
  io.err(`${safeMessage(message)}\nUsage: "kcp-router help import".\n`);
  return EXIT_USAGE;
}

function fail(io: CliIo, message: string): number {
  io.err(`${safeMessage(message)}\n`);
  return EXIT_FAILURE;
}
