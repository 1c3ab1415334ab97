import { SOURCE_FLAGS } from "../config/flags.ts";
import { isList, OPTION_LIST, placeText } from "../config/options.ts";
import { COMMON_FLAGS, type CommandFlag, methodFlags } from "./arguments.ts";
import { COMMANDS, methodOf } from "./commands.ts";
import { IMPORT_FLAGS } from "./convert.ts";

/** Commands that do not ask the daemon. */
const LOCAL_COMMANDS: Readonly<Record<string, string>> = {
  run: "Run the daemon in the foreground until SIGTERM; SIGHUP reads the configuration again.",
  check: "Check a configuration without using it; takes the flags of run.",
  import: "Turn a TOML file of EasyTier into a uci file, printed or written.",
  export: "Print a configuration as TOML, without the secret unless asked; takes the flags of run.",
  firewall: 'Print the nftables table that a configuration needs, for "nft -f -"; takes the flags of run.',
  version: "Version of this program, and of the daemon if it runs.",
  help: "This text, or the flags of one command.",
};

export const COMMAND_NAMES: readonly string[] = [
  "run",
  ...Object.keys(COMMANDS),
  "check",
  "import",
  "export",
  "firewall",
  "version",
  "help",
];

/** Local commands that are told a configuration the way `run` is. */
const TAKE_RUN_FLAGS: readonly string[] = ["run", "check", "export", "firewall"];

/** Columns of help texts. */
const HELP_WIDTH = 100;
const FLAG_WIDTH = 34;

export function overview(): string {
  const doc = (name: string) => LOCAL_COMMANDS[name] ?? COMMANDS[name]?.doc ?? "";
  return [
    "kcp-router: a node of an EasyTier network that carries the TCP of its LAN over KCP",
    "",
    "Usage: kcp-router COMMAND [FLAGS]",
    "",
    ...COMMAND_NAMES.map((name) => entry(name, doc(name), 14)),
    "",
    'Flags of a command: "kcp-router help COMMAND". Exit status: 0 done, 1 failed, 2 wrong usage or configuration.',
  ].join("\n");
}

export function commandHelp(name: string): string | undefined {
  if (TAKE_RUN_FLAGS.includes(name)) return runHelp(name);
  if (name === "import") return importHelp();
  const local = LOCAL_COMMANDS[name];
  if (local !== undefined) return `Usage: kcp-router ${name}\n\n${local}`;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return undefined;
  const positional = command.positional === undefined ? "" : ` ${command.positional.toUpperCase()}`;
  const flags = [...command.flags, ...methodFlags(methodOf(command)), ...COMMON_FLAGS];
  return [
    `Usage: kcp-router ${name}${positional} [FLAGS]`,
    "",
    command.doc,
    "",
    ...flags.map(flagEntry),
  ].join("\n");
}

function importHelp(): string {
  const flags = IMPORT_FLAGS.map(flagEntry);
  return ["Usage: kcp-router import FILE [FLAGS]", "", LOCAL_COMMANDS.import ?? "", "", ...flags].join("\n");
}

function runHelp(name: string): string {
  const options = OPTION_LIST.filter((option) => option.flag !== "").map((option) => {
    const kind = isList(option) ? option.item : option.kind;
    const short = option.short === undefined ? "" : `${option.short}, `;
    const value =
      kind.placeholder === "" ? "[true|false]" : `${kind.placeholder}${isList(option) ? "..." : ""}`;
    const negated = option.inverted === true ? `Switches off: ${option.help}` : option.help;
    return entry(`${short}${option.flag} ${value}`, `${negated} (${placeText(option.toml)})`, FLAG_WIDTH);
  });
  const sources = SOURCE_FLAGS.map((source) => {
    const short = source.short === "" ? "" : `${source.short}, `;
    const value = source.placeholder === "" ? "" : ` ${source.placeholder}`;
    return entry(`${short}${source.flag}${value}`, source.help, FLAG_WIDTH);
  });
  return [
    `Usage: kcp-router ${name} [-c FILE] [FLAGS]`,
    "",
    LOCAL_COMMANDS[name] ?? "",
    "",
    ...sources,
    ...(name === "check" ? [flagEntry({ flag: "--json", placeholder: "", help: "Print JSON." })] : []),
    ...(name === "export"
      ? [flagEntry({ flag: "--with-secrets", placeholder: "", help: "Print the network's secret, too." })]
      : []),
    "",
    "Options, with their place in the file:",
    ...options,
  ].join("\n");
}

function flagEntry(flag: CommandFlag): string {
  return entry(
    flag.placeholder === "" ? flag.flag : `${flag.flag} ${flag.placeholder}`,
    flag.help,
    FLAG_WIDTH,
  );
}

/** A name and its explanation, wrapped into the right column. */
function entry(name: string, text: string, width: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > HELP_WIDTH - width - 2) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  const fits = name.length < width;
  const first = fits ? `  ${name.padEnd(width)}${lines.shift() ?? ""}` : `  ${name}`;
  return [first, ...lines.map((rest) => `  ${" ".repeat(width)}${rest}`)].join("\n");
}
