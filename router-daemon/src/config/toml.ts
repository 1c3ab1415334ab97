import { parse, TomlError } from "smol-toml";
import type { OptionKey } from "./config.ts";
import { type AnyOption, isList, OPTION_LIST, type TomlPlace } from "./options.ts";
import { type Origin, type ProblemList, shownValue } from "./problem.ts";
import type { RawConfig, RawItem, RawOption } from "./raw.ts";
import { didYouMean } from "./suggest.ts";
import { fitsAnyway, UNSUPPORTED, UNSUPPORTED_ITEM_KEYS, unsupportedText } from "./unsupported.ts";

/** Largest configuration text that is read. */
export const MAX_CONFIG_BYTES = 256 * 1024;

type Table = Readonly<Record<string, unknown>>;
type NamedOption = AnyOption & { readonly key: OptionKey };

/**
 * Reads a TOML text in EasyTier's form; undefined when it is no TOML at all, so that nothing else is worth reporting. What is not understood is reported, never dropped in silence; values of unknown keys
 * are not shown, since they may be a secret under a mistyped name.
 */
export function readToml(text: string, source: string, problems: ProblemList): RawConfig | undefined {
  if (text.length > MAX_CONFIG_BYTES) {
    const limit = MAX_CONFIG_BYTES / 1024;
    problems.error(
      { source, place: "" },
      "",
      `The text is larger than ${limit} KiB. It is no configuration; name the right file.`,
    );
    return undefined;
  }
  if (text.includes("\ufffd")) {
    const line = text.slice(0, text.indexOf("\ufffd")).split("\n").length;
    problems.error(
      { source, place: `line ${line}`, line },
      "",
      "It is not in UTF-8. Save the file as UTF-8.",
    );
    return undefined;
  }
  let document: Table;
  try {
    document = parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    problems.error(syntaxOrigin(error, source), "", `${syntaxText(error)} Mend the line; the form is TOML.`);
    return undefined;
  }
  const reader = new TomlReader(source, problems);
  reader.readTable(document, "");
  return reader.options;
}

function syntaxOrigin(error: unknown, source: string): Origin {
  return error instanceof TomlError
    ? { source, place: `line ${error.line}, column ${error.column}` }
    : { source, place: "" };
}

/** The parser's first line only: the rest quotes the file, and with it perhaps the secret. */
function syntaxText(error: unknown): string {
  if (!(error instanceof TomlError)) return "The text cannot be read as TOML.";
  const firstLine = error.message.split("\n", 1)[0] ?? "";
  const reason = firstLine
    .replace(/^Invalid TOML document:\s*/, "")
    .replace(/["'`].*$/s, "")
    .trim();
  return reason === "" ? "This is not valid TOML." : `This is not valid TOML: ${reason}.`;
}

class TomlReader {
  readonly options = new Map<OptionKey, RawOption>();
  readonly #source: string;
  readonly #problems: ProblemList;

  constructor(source: string, problems: ProblemList) {
    this.#source = source;
    this.#problems = problems;
  }

  readTable(table: Table, section: string): void {
    for (const [key, value] of Object.entries(table)) this.#readKey(section, key, value);
  }

  #readKey(section: string, key: string, value: unknown): void {
    const path = section === "" ? key : `${section}.${key}`;
    const listed = OPTION_LIST.find(
      (option) => option.toml.each !== undefined && option.toml.section === path,
    );
    if (listed !== undefined) {
      this.#readItems(listed, value);
      return;
    }
    if (SECTIONS.includes(path)) {
      if (isTable(value)) this.readTable(value, path);
      else
        this.#error(
          this.#origin(section, key),
          key,
          `${path} is a section. Write [${path}] on a line of its own.`,
        );
      return;
    }
    const option = OPTION_LIST.find(
      (candidate) =>
        candidate.toml.each === undefined && candidate.toml.section === section && candidate.toml.key === key,
    );
    if (option === undefined) this.#readForeign(section, key, value);
    else this.#readOption(option, value);
  }

  #readOption(option: NamedOption, value: unknown): void {
    const origin = this.#origin(option.toml.section, option.toml.key);
    if (!isList(option)) {
      this.options.set(option.key, { origin, items: [{ value, form: "typed", origin }] });
      return;
    }
    if (!Array.isArray(value)) {
      this.#error(
        origin,
        option.key,
        `${shownValue(value)} was found; allowed is a list, each item ${option.item.allowed}.`,
      );
      return;
    }
    const items = value.map(
      (item: unknown, index): RawItem => ({
        value: item,
        form: "typed",
        origin: value.length === 1 ? origin : { ...origin, place: `${origin.place} number ${index + 1}` },
      }),
    );
    this.options.set(option.key, { origin, items });
  }

  /** `[[peer]]`: one table per item. */
  #readItems(option: NamedOption, value: unknown): void {
    const { toml } = option;
    const origin: Origin = { source: this.#source, place: `[[${toml.section}]]` };
    if (!Array.isArray(value) || !value.every(isTable)) {
      this.#error(
        origin,
        option.key,
        `Each item is a section of its own. Write [[${toml.section}]] in double brackets.`,
      );
      return;
    }
    const items: RawItem[] = [];
    value.forEach((table: Table, index) => {
      const place = `[[${toml.section}]] number ${index + 1}`;
      const item =
        toml.each === "whole"
          ? { value: table, place, parts: this.#partsOf(table, place) }
          : this.#onlyKey(table, toml, option.key, place);
      if (item !== undefined) {
        const { value: written, place: at, ...parts } = item;
        items.push({ value: written, form: "typed", origin: { source: this.#source, place: at }, ...parts });
      }
    });
    this.options.set(option.key, { origin, items });
  }

  #partsOf(table: Table, place: string): ReadonlyMap<string, Origin> {
    return new Map(
      Object.keys(table).map((key) => [key, { source: this.#source, place: `${place}, ${shownKey(key)}` }]),
    );
  }

  /** The one key that an item's table holds. */
  #onlyKey(
    table: Table,
    toml: TomlPlace,
    option: OptionKey,
    place: string,
  ): { value: unknown; place: string } | undefined {
    for (const [key, value] of Object.entries(table)) {
      if (key === toml.key) continue;
      const origin = { source: this.#source, place: `${place}, ${shownKey(key)}` };
      const unsupported = UNSUPPORTED_ITEM_KEYS.find(
        (entry) => entry.section === toml.section && entry.key === key,
      );
      if (unsupported === undefined) {
        this.#error(
          origin,
          option,
          `This key is unknown.${didYouMean(key, [toml.key])} Allowed is ${toml.key}.`,
        );
      } else if (!fitsAnyway(unsupported, value)) {
        this.#error(origin, option, unsupportedText(unsupported));
      }
    }
    if (Object.hasOwn(table, toml.key)) return { value: table[toml.key], place: `${place}, ${toml.key}` };
    this.#error(
      { source: this.#source, place },
      option,
      `${toml.key} is missing. Write it, or remove the section.`,
    );
    return undefined;
  }

  /** A key that is no option of ours: EasyTier's, misplaced or mistyped. */
  #readForeign(section: string, key: string, value: unknown): void {
    const origin = this.#origin(section, key);
    const unsupported = UNSUPPORTED.find((entry) => entry.section === section && entry.key === key);
    if (unsupported !== undefined) {
      if (fitsAnyway(unsupported, value)) return;
      const severity = unsupported.treatment === "refuse" ? "error" : "warning";
      this.#problems.add(severity, origin, key, unsupportedText(unsupported));
      return;
    }
    const home = OPTION_LIST.find((option) => option.toml.key === key || option.key === key);
    if (home !== undefined) {
      this.#error(origin, home.key, `This key does not stand here. Write ${inItsSection(home.toml)}.`);
      return;
    }
    const candidates = namesIn(section);
    const kind = isTable(value) || (Array.isArray(value) && value.some(isTable)) ? "section" : "key";
    this.#error(
      origin,
      "",
      `This ${kind} is unknown.${didYouMean(key, candidates)} Remove it, or mend its name.`,
    );
  }

  #origin(section: string, key: string): Origin {
    const shown = shownKey(key);
    return { source: this.#source, place: section === "" ? shown : `[${section}] ${shown}` };
  }

  #error(origin: Origin, key: string, text: string): void {
    this.#problems.error(origin, key, text);
  }
}

/** Plain sections, those above nested ones included: `flags`, `kcp_router`. */
const SECTIONS: readonly string[] = [
  ...new Set(
    OPTION_LIST.flatMap(({ toml }) => {
      if (toml.each === undefined) return [toml.section];
      return toml.section.includes(".") ? [toml.section.slice(0, toml.section.lastIndexOf("."))] : [];
    }),
  ),
].filter((section) => section !== "");

/** Names that may stand in a section, for "did you mean". */
function namesIn(section: string): readonly string[] {
  const prefix = section === "" ? "" : `${section}.`;
  const keys = OPTION_LIST.filter(({ toml }) => toml.each === undefined && toml.section === section).map(
    ({ toml }) => toml.key,
  );
  const sections = [
    ...SECTIONS,
    ...OPTION_LIST.flatMap(({ toml }) => (toml.each === undefined ? [] : [toml.section])),
  ]
    .filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes("."))
    .map((name) => name.slice(prefix.length))
    .filter((name) => name !== "");
  const foreign = UNSUPPORTED.filter((entry) => entry.section === section).map((entry) => entry.key);
  return [...keys, ...sections, ...foreign];
}

function inItsSection(toml: TomlPlace): string {
  if (toml.section === "") return `${toml.key} at the top of the file, before the first section`;
  if (toml.each === undefined) return `it under [${toml.section}]`;
  return toml.key === "" ? `it as [[${toml.section}]]` : `[[${toml.section}]] and under it ${toml.key}`;
}

function shownKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,40}$/.test(key) ? key : shownValue(key);
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
