import { VERSION } from "../api/version.ts";
import { socketOfConfig } from "../config/load.ts";
import { shownValue } from "../config/problem.ts";
import { didYouMean } from "../config/suggest.ts";
import { COMMON_FLAGS, methodArguments, methodFlags, parseArguments } from "./arguments.ts";
import { ApiClient, CallError } from "./client.ts";
import { COMMANDS, type Command, methodOf } from "./commands.ts";
import { exportCommand, importCommand } from "./convert.ts";
import { firewallCommand } from "./firewall.ts";
import { COMMAND_NAMES, commandHelp, overview } from "./help.ts";
import { type CliIo, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./io.ts";
import { checkCommand, type ProcessSignals, type RunDaemon, runCommand } from "./run.ts";
import { safeJson, safeMessage } from "./safe-text.ts";

export interface CliEnvironment {
  readonly io: CliIo;
  readonly signals: ProcessSignals;
  readonly runDaemon: RunDaemon;
  nowUnixSeconds(): number;
}

/** The whole command line: arguments in, exit status out. */
export async function main(args: readonly string[], environment: CliEnvironment): Promise<number> {
  const { io } = environment;
  const [name = "", ...rest] = args;
  if (name === "") {
    io.err(`${overview()}\n`);
    return EXIT_USAGE;
  }
  if (name === "--help" || name === "-h") return helpCommand([], io);
  if (name === "--version" || name === "-V") return versionCommand([], io);
  if (!COMMAND_NAMES.includes(name)) {
    io.err(
      `${shownValue(name)} is not a command.${didYouMean(name, COMMAND_NAMES)} "kcp-router help" lists all.\n`,
    );
    return EXIT_USAGE;
  }
  if (rest.includes("--help") || rest.includes("-h")) return helpCommand([name], io);
  switch (name) {
    case "run":
      return runCommand(rest, io, environment.signals, environment.runDaemon);
    case "check":
      return checkCommand(rest, io);
    case "import":
      return importCommand(rest, io);
    case "export":
      return exportCommand(rest, io);
    case "firewall":
      return firewallCommand(rest, io);
    case "version":
      return versionCommand(rest, io);
    case "help":
      return helpCommand(rest, io);
    default:
      return askDaemon(name, rest, environment);
  }
}

/** Commands that show or change the running daemon. */
async function askDaemon(
  name: string,
  rest: readonly string[],
  environment: CliEnvironment,
): Promise<number> {
  const { io } = environment;
  const command = COMMANDS[name];
  if (command === undefined) return EXIT_USAGE;
  const method = methodOf(command);
  const flags = [...command.flags, ...methodFlags(method), ...COMMON_FLAGS];
  const parsed = parseArguments(rest, flags, command.positional === undefined ? 0 : 1);
  if (!parsed.ok) return usage(io, name, parsed.message);
  const socket = socketFor(parsed.values, io);
  if (!socket.ok) return fail(io, socket.message);

  const values = withPositional(command, parsed.values, parsed.positional);
  try {
    const output = await command.run({
      client: new ApiClient(io, socket.path),
      args: methodArguments(method, values),
      wide: parsed.values.has("--wide"),
      nowUnixSeconds: environment.nowUnixSeconds(),
    });
    io.out(`${parsed.values.has("--json") ? safeJson(output.value) : output.text()}\n`);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return error.code === "invalid_argument" ? usage(io, name, error.message) : fail(io, error.message);
  }
}

function withPositional(
  command: Command,
  values: ReadonlyMap<string, string>,
  positional: readonly string[],
): ReadonlyMap<string, string> {
  const value = positional[0];
  if (command.positional === undefined || value === undefined) return values;
  return new Map([...values, [`--${command.positional}`, value]]);
}

/** Where the daemon listens: said by a flag, by a configuration, or the default. */
function socketFor(values: ReadonlyMap<string, string>, io: CliIo) {
  const given = values.get("--socket");
  if (given !== undefined) return { ok: true, path: given } as const;
  return socketOfConfig(values.get("--config-file") ?? values.get("--uci"), io.files);
}

async function versionCommand(rest: readonly string[], io: CliIo): Promise<number> {
  const parsed = parseArguments(rest, COMMON_FLAGS, 0);
  if (!parsed.ok) return usage(io, "version", parsed.message);
  const socket = socketFor(parsed.values, io);
  const answer = socket.ok ? await io.request(socket.path, "version", {}) : undefined;
  const daemon = answer?.ok ? (answer.result as { version: string; engine: string }) : null;
  if (parsed.values.has("--json")) {
    io.out(`${safeJson({ version: VERSION, engine: io.engine, daemon })}\n`);
    return EXIT_OK;
  }
  io.out(`kcp-router ${VERSION} (${io.engine})\n`);
  if (daemon !== null)
    io.out(safeMessage(`running daemon: ${daemon.version} (${daemon.engine})`).concat("\n"));
  return EXIT_OK;
}

function helpCommand(rest: readonly string[], io: CliIo): number {
  const name = rest[0];
  if (name === undefined) {
    io.out(`${overview()}\n`);
    return EXIT_OK;
  }
  const text = commandHelp(name);
  if (text === undefined) {
    io.err(
      `${shownValue(name)} is not a command.${didYouMean(name, COMMAND_NAMES)} "kcp-router help" lists all.\n`,
    );
    return EXIT_USAGE;
  }
  io.out(`${text}\n`);
  return EXIT_OK;
}

function usage(io: CliIo, name: string, message: string): number {
  io.err(`${safeMessage(message)}\nUsage: "kcp-router help ${name}".\n`);
  return EXIT_USAGE;
}

function fail(io: CliIo, message: string): number {
  io.err(`${safeMessage(message)}\n`);
  return EXIT_FAILURE;
}
