import type { EventRow } from "../api/rows.ts";
import type { Config } from "../config/config.ts";
import { type FileAccess, loadConfig } from "../config/load.ts";
import { type Problem, problemSentence } from "../config/problem.ts";
import type { Verified } from "../config/verify.ts";
import { type CliIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./io.ts";
import { safeJson, safeMessage } from "./safe-text.ts";

/** Takes one line for the log. */
export type PrintLine = (line: string, level: EventRow["level"]) => void;

/** What a running daemon needs of the process around it. */
export interface DaemonIo extends ProcessSignals {
  /**
   * Prints one line of the log. What is good to know goes to standard output, the rest to standard error: procd gives the system's
   * log one level for each. What could act on a terminal is made visible.
   */
  readonly print: PrintLine;
  /** Reads flags and files again, for a reload. Problems are returned, not printed. */
  loadConfig(): Verified;
  readonly readFile: FileAccess["read"];
}

/** What the process is asked to do from outside. */
export interface ProcessSignals {
  /** SIGTERM or SIGINT: stop, leaving nothing behind. */
  onStop(callback: () => void): void;
  /** SIGHUP: read the configuration again. */
  onReload(callback: () => void): void;
}

/** How a daemon ended. */
export type RunOutcome =
  /** It was asked to stop, and left nothing behind. */
  | { readonly ok: true }
  /** It could not start, or could not go on: full sentences with the remedy. */
  | { readonly ok: false; readonly message: string };

/** `daemon/run.ts`: runs a node until it is stopped. It reports failures as outcomes; it throws only for its own bugs. */
export type RunDaemon = (config: Config, io: DaemonIo) => Promise<RunOutcome>;

/** `kcp-router run`. */
export async function runCommand(
  args: readonly string[],
  io: CliIo,
  signals: ProcessSignals,
  runDaemon: RunDaemon,
): Promise<number> {
  const sources = { args, files: io.files, systemHostname: io.systemHostname };
  const loaded = loadConfig(sources);
  printProblems(loaded.problems, io);
  if (!loaded.ok) return refusalStatus(loaded.problems);
  if (!loaded.config.enabled) {
    io.err("The service is switched off in its configuration (enabled).\n");
    return EXIT_OK;
  }
  const outcome = await runDaemon(loaded.config, {
    print: (line, level) => {
      const text = `${safeMessage(line.replace(/[\r\n]+/g, " "))}\n`;
      if (level === "info") io.note(text);
      else io.err(text);
    },
    loadConfig: () => loadConfig(sources),
    readFile: io.files.read,
    onStop: (callback) => signals.onStop(callback),
    onReload: (callback) => signals.onReload(callback),
  });
  if (outcome.ok) return EXIT_OK;
  io.err(`${safeMessage(outcome.message)}\n`);
  return EXIT_FAILURE;
}

/** `kcp-router check`: the same reading, but nothing is started. */
export function checkCommand(args: readonly string[], io: CliIo): number {
  const rest = args.filter((arg) => arg !== "--json");
  const loaded = loadConfig({ args: rest, files: io.files, systemHostname: io.systemHostname });
  if (rest.length < args.length) {
    const problems = loaded.problems.map((problem) => ({ ...problem, sentence: problemSentence(problem) }));
    io.out(`${safeJson({ ok: loaded.ok, problems })}\n`);
  } else {
    printProblems(loaded.problems, io);
    io.out(loaded.ok ? "The configuration is valid.\n" : "The configuration is refused.\n");
  }
  return loaded.ok ? EXIT_OK : refusalStatus(loaded.problems);
}

export function printProblems(problems: readonly Problem[], io: CliIo): void {
  for (const problem of problems)
    io.err(`${safeMessage(`${problem.severity}: ${problemSentence(problem)}`)}\n`);
}

/** Wrong flags are wrong usage; a wrong file is a failure. */
export function refusalStatus(problems: readonly Problem[]): number {
  const usage = problems.some((problem) => problem.severity === "error" && problem.source === "command line");
  return usage ? EXIT_USAGE : EXIT_FAILURE;
}
