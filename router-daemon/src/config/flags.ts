import type { OptionKey } from "./config.ts";
import { isList, OPTION_LIST, OPTIONS } from "./options.ts";
import { type Origin, type ProblemList, shownValue } from "./problem.ts";
import type { RawConfig, RawItem, RawOption } from "./raw.ts";
import { didYouMean } from "./suggest.ts";
import { DEFAULT_UCI_FILE } from "./uci/sections.ts";
import { fitsAnyway, UNSUPPORTED, type UnsupportedOption, unsupportedText } from "./unsupported.ts";

/** Most arguments that are looked at. */
export const MAX_ARGUMENTS = 1024;

/** Flags that are not options of the configuration but say where it comes from. */
export const SOURCE_FLAGS = [
  {
    flag: "--config-file",
    short: "-c",
    placeholder: "FILE",
    help: "Configuration in EasyTier's TOML form, or in uci's. Flags replace what it says.",
  },
  {
    flag: "--uci",
    short: "",
    placeholder: "[FILE]",
    help: `Configuration in uci's form: ${DEFAULT_UCI_FILE} if no name is given, which is also read when there is neither -c nor --uci and it exists.`,
  },
  {
    flag: "--network-secret-file",
    short: "",
    placeholder: "FILE",
    help: "File that holds the network's secret (the secret itself is not taken on the command line, where others could read it).",
  },
  { flag: "--no-listener", short: "", placeholder: "", help: "Listen on no address; only connect to peers." },
] as const;

export interface FlagValues {
  readonly options: RawConfig;
  /** Files; empty = not given. */
  readonly configFile: string;
  readonly uciFile: string;
  readonly secretFile: string;
}

/** Reads the arguments of `run` and `check`. Values of unknown flags are never shown: they may be secrets. */
export function readFlags(args: readonly string[], problems: ProblemList): FlagValues {
  return new FlagReader(args, problems).read();
}

class FlagReader {
  readonly #args: readonly string[];
  readonly #problems: ProblemList;
  readonly #options = new Map<OptionKey, RawOption>();
  readonly #files = new Map<string, string>();
  #noListener = false;
  #at = 0;

  constructor(args: readonly string[], problems: ProblemList) {
    this.#args = args.slice(0, MAX_ARGUMENTS);
    this.#problems = problems;
    if (args.length > MAX_ARGUMENTS) {
      this.#error(
        "",
        "",
        `${args.length} arguments were found; allowed are ${MAX_ARGUMENTS}. Write a file and name it with -c.`,
      );
    }
  }

  read(): FlagValues {
    while (this.#at < this.#args.length) {
      const arg = this.#args[this.#at++] ?? "";
      if (arg.startsWith("-") && arg !== "-") this.#readFlag(arg);
      else this.#error("", "", `${shownValue(arg)} was found where a flag like --ipv4 belongs. Remove it.`);
    }
    if (this.#noListener) this.#applyNoListener();
    if (this.#files.has("--config-file") && this.#files.has("--uci"))
      this.#error("--uci", "", "It was given together with --config-file. Name one file.");
    return {
      options: this.#options,
      configFile: this.#files.get("--config-file") ?? "",
      uciFile: this.#files.get("--uci") ?? "",
      secretFile: this.#files.get("--network-secret-file") ?? "",
    };
  }

  #readFlag(arg: string): void {
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const inline = equals < 0 ? undefined : arg.slice(equals + 1);

    if (name === "--network-secret") {
      if (inline === undefined) this.#skipValues();
      this.#error(name, "network_secret", SECRET_REFUSED);
      return;
    }
    const source = SOURCE_FLAGS.find((entry) => entry.flag === name || entry.short === name);
    if (source !== undefined) {
      this.#readSource(source.flag, inline);
      return;
    }
    const option = OPTION_LIST.find(
      (entry) => entry.flag !== "" && (entry.flag === name || entry.short === name),
    );
    if (option === undefined) this.#readForeign(name, inline);
    else if (isList(option)) this.#readList(option.key, name, inline);
    else if (option.kind.placeholder === "") this.#readSwitch(option.key, name, inline);
    else this.#readScalar(option.key, name, inline);
  }

  #readSource(flag: string, inline: string | undefined): void {
    if (flag === "--no-listener") {
      const text = this.#switchText(inline);
      if (text === "true" || text === "false") this.#noListener = text === "true";
      else this.#error(flag, "listeners", `${shownValue(text)} was found; allowed is true or false.`);
      return;
    }
    const value = inline ?? this.#nextValue() ?? (flag === "--uci" ? DEFAULT_UCI_FILE : "");
    if (value === "") this.#error(flag, "", "The name of a file is missing after it. Write it.");
    else if (this.#files.has(flag)) this.#error(flag, "", "It was given twice. Name one file.");
    else this.#files.set(flag, value);
  }

  /** `--flag`, `--flag=false`, `--flag false`. */
  #readSwitch(key: OptionKey, name: string, inline: string | undefined): void {
    const text = this.#switchText(inline);
    const option = OPTIONS[key];
    const value = option.inverted === true && (text === "true" || text === "false") ? opposite(text) : text;
    this.#setOnce(key, name, value);
  }

  #readScalar(key: OptionKey, name: string, inline: string | undefined): void {
    const value = inline ?? this.#nextValue();
    if (value === undefined)
      this.#error(name, key, `A value is missing after it; allowed is ${allowedFor(key)}.`);
    else this.#setOnce(key, name, value);
  }

  /** Any number of values, by commas, by blanks or by naming the flag again. */
  #readList(key: OptionKey, name: string, inline: string | undefined): void {
    const given: string[] = [];
    if (inline !== undefined) given.push(inline);
    else
      for (let value = this.#nextValue(); value !== undefined; value = this.#nextValue()) given.push(value);
    const values = given.flatMap((text) => text.split(",")).filter((text) => text !== "");
    if (values.length === 0) {
      this.#error(name, key, `A value is missing after it; allowed is ${allowedFor(key)}.`);
      return;
    }
    const origin = this.#origin(name);
    const items: RawItem[] = values.map((value) => ({ value, form: "flag", origin }));
    this.#options.set(key, { origin, items: [...(this.#options.get(key)?.items ?? []), ...items] });
  }

  /** A flag that is no option of ours: EasyTier's, or mistyped. */
  #readForeign(name: string, inline: string | undefined): void {
    const unsupported = UNSUPPORTED.find((entry) => flagOf(entry) === name || entry.short === name);
    const value = inline ?? this.#skipValues() ?? "true";
    if (unsupported !== undefined) {
      const plain = value === "true" ? true : value === "false" ? false : value;
      if (fitsAnyway(unsupported, plain)) return;
      const severity = unsupported.treatment === "refuse" ? "error" : "warning";
      this.#problems.add(severity, this.#origin(name), unsupported.key, unsupportedText(unsupported));
      return;
    }
    const known = [...OPTION_LIST.map((entry) => entry.flag), ...SOURCE_FLAGS.map((entry) => entry.flag)];
    const candidates = [...known, ...UNSUPPORTED.map(flagOf)].filter((flag) => flag !== "");
    const hint = name.startsWith("--") ? didYouMean(name, candidates) : "";
    this.#error(name, "", `This flag is unknown.${hint} "kcp-router help run" lists all.`);
  }

  #applyNoListener(): void {
    const origin = this.#origin("--no-listener");
    if (this.#options.has("listeners")) {
      this.#problems.error(origin, "listeners", "It contradicts --listeners. Give one of the two.");
    } else {
      this.#options.set("listeners", { origin, items: [] });
    }
  }

  #setOnce(key: OptionKey, name: string, value: string): void {
    const origin = this.#origin(name);
    if (this.#options.has(key)) this.#problems.error(origin, key, "It was given twice. Give it once.");
    else this.#options.set(key, { origin, items: [{ value, form: "flag", origin }] });
  }

  #switchText(inline: string | undefined): string {
    if (inline !== undefined) return inline;
    const next = this.#args[this.#at];
    if (next !== "true" && next !== "false") return "true";
    this.#at++;
    return next;
  }

  #nextValue(): string | undefined {
    const next = this.#args[this.#at];
    if (next === undefined || next.startsWith("-")) return undefined;
    this.#at++;
    return next;
  }

  /** Passes over what belongs to a flag that is not taken, so that it is neither shown nor misread. Returns the first. */
  #skipValues(): string | undefined {
    const first = this.#nextValue();
    if (first !== undefined) while (this.#nextValue() !== undefined);
    return first;
  }

  #origin(name: string): Origin {
    const shown = /^-{1,2}[A-Za-z0-9_-]{1,40}$/.test(name) ? name : shownValue(name);
    return { source: "command line", place: name === "" ? "" : shown };
  }

  #error(name: string, key: string, text: string): void {
    this.#problems.error(this.#origin(name), key, text);
  }
}

const SECRET_REFUSED =
  "The secret is not taken on the command line, where every user of the machine could read it (it is not shown here). " +
  "Write it to a file that only you can read and name the file with --network-secret-file FILE, or write network_secret under " +
  "[network_identity] in the configuration file.";

function allowedFor(key: OptionKey): string {
  const option = OPTIONS[key];
  return "item" in option ? option.item.allowed : option.kind.allowed;
}

function opposite(text: "true" | "false"): string {
  return text === "true" ? "false" : "true";
}

function flagOf(option: UnsupportedOption): string {
  return `--${option.key.replaceAll("_", "-")}`;
}
