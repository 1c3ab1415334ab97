import type { OptionKey } from "../config.ts";
import { switchKind } from "../kind.ts";
import { isList, OPTION_LIST } from "../options.ts";
import { type Origin, type ProblemList, shownValue } from "../problem.ts";
import type { RawConfig, RawItem, RawOption } from "../raw.ts";
import { RULE_PARTS } from "../rule.ts";
import { didYouMean } from "../suggest.ts";
import { UNSUPPORTED, unsupportedText } from "../unsupported.ts";
import { sectionAddresses, type UciDocument, type UciOption, type UciSection } from "./document.ts";
import { parseUci } from "./parser.ts";
import { ITEM_OPTIONS, UCI_SECTIONS, type UciSectionInfo } from "./sections.ts";

/**
 * Reads the text of /etc/config/kcp-router; undefined when it is no uci at all. What is not understood is reported with its
 * line, never dropped in silence; values of unknown options are not shown, since they may be a secret under a mistyped name.
 */
export function readUci(text: string, source: string, problems: ProblemList): RawConfig | undefined {
  const parsed = parseUci(text);
  if (!parsed.ok) {
    const { line, column } = parsed.fault;
    problems.error({ source, place: `line ${line}, column ${column}`, line }, "", parsed.fault.text);
    return undefined;
  }
  const reader = new UciReader(parsed.document, source, problems);
  reader.read();
  return reader.options;
}

class UciReader {
  readonly options = new Map<OptionKey, RawOption>();
  readonly #document: UciDocument;
  readonly #addresses: ReadonlyMap<UciSection, string>;
  readonly #source: string;
  readonly #problems: ProblemList;
  /** The sections of which there may be one. */
  readonly #seen = new Map<string, UciSection>();

  constructor(document: UciDocument, source: string, problems: ProblemList) {
    this.#document = document;
    this.#addresses = sectionAddresses(document);
    this.#source = source;
    this.#problems = problems;
    // A list is what its sections say: none = empty, not the default.
    const origin = { source, place: "" };
    for (const option of OPTION_LIST) if (isList(option)) this.options.set(option.key, { origin, items: [] });
  }

  read(): void {
    for (const section of this.#document.sections) {
      const info = UCI_SECTIONS.find(({ type }) => type === section.type);
      if (info === undefined) this.#refuseSection(section);
      else if (info.count === "one") this.#readUnique(section);
      else this.#readItem(section, info);
    }
  }

  #refuseSection(section: UciSection): void {
    const types = UCI_SECTIONS.map(({ type }) => type);
    const hint = didYouMean(section.type, types);
    const text = `Sections of type ${shownValue(section.type)} are unknown.${hint} There are ${types.join(", ")}.`;
    this.#problems.error(this.#sectionOrigin(section), "", text);
  }

  // ── sections of which there is one ──────────────────────────────────────────────────────────────────────────────

  #readUnique(section: UciSection): void {
    const first = this.#seen.get(section.type);
    if (first !== undefined) {
      const text = `There is a section of type ${section.type} already (line ${first.line}). Write all its options into one.`;
      this.#problems.error(this.#sectionOrigin(section), "", text);
      return;
    }
    this.#seen.set(section.type, section);
    const known = OPTION_LIST.filter(({ uci }) => uci.section === section.type);
    for (const written of section.options) {
      const option = known.find(({ uci }) => uci.option === written.name);
      const names = known.map(({ uci }) => uci.option);
      if (option === undefined) this.#refuseOption(section, written, names);
      else this.#setOption(option.key, section, written);
    }
  }

  #setOption(key: OptionKey, section: UciSection, written: UciOption): void {
    const origin = this.#optionOrigin(section, written);
    const value = this.#single(section, written, key);
    if (value !== undefined) this.options.set(key, { origin, items: [{ value, form: "uci", origin }] });
  }

  // ── sections of which there are many: each is an item of a list ─────────────────────────────────────────────────

  #readItem(section: UciSection, info: UciSectionInfo): void {
    const option = OPTION_LIST.find(({ uci }) => uci.section === info.type);
    if (option === undefined || !this.#isEnabled(section, option.key)) return;
    this.#checkLabel(section, option.key);
    const item =
      option.uci.option === ""
        ? this.#wholeSection(section, option.key)
        : this.#onlyOption(section, option.uci.option, option.key);
    const items = this.options.get(option.key)?.items ?? [];
    const origin = { source: this.#source, place: `config ${section.type}` };
    if (item !== undefined) this.options.set(option.key, { origin, items: [...items, item] });
  }

  #isEnabled(section: UciSection, key: OptionKey): boolean {
    const written = section.options.find(({ name }) => name === "enabled");
    const value = written === undefined ? undefined : this.#single(section, written, key);
    if (written === undefined || value === undefined) return true;
    const result = switchKind.parse(value, "uci");
    if (result.ok) return result.value;
    this.#problems.error(this.#optionOrigin(section, written), key, result.text);
    return true;
  }

  #checkLabel(section: UciSection, key: OptionKey): void {
    const written = section.options.find(({ name }) => name === "name");
    const value = written === undefined ? undefined : this.#single(section, written, key);
    if (written === undefined || value === undefined) return;
    const result = ITEM_OPTIONS.name.kind.parse(value, "uci");
    if (!result.ok) this.#problems.error(this.#optionOrigin(section, written), key, result.text);
  }

  /** The one option, besides those of every section, that an item has. */
  #onlyOption(section: UciSection, name: string, key: OptionKey): RawItem | undefined {
    const names = [name, ...Object.keys(ITEM_OPTIONS)];
    for (const written of section.options)
      if (!names.includes(written.name)) this.#refuseOption(section, written, names);
    const written = section.options.find((option) => option.name === name);
    if (written === undefined) {
      const origin = { ...this.#sectionOrigin(section), option: name };
      this.#problems.error(origin, key, `${name} is missing. Write it, or remove the section.`);
      return undefined;
    }
    const value = this.#single(section, written, key);
    return value === undefined
      ? undefined
      : { value, form: "uci", origin: this.#optionOrigin(section, written) };
  }

  #wholeSection(section: UciSection, key: OptionKey): RawItem {
    const names = [...Object.keys(RULE_PARTS), ...Object.keys(ITEM_OPTIONS)];
    const parts = new Map<string, Origin>();
    const value: Record<string, unknown> = {};
    for (const written of section.options) {
      if (Object.hasOwn(ITEM_OPTIONS, written.name)) continue;
      if (!names.includes(written.name)) {
        this.#refuseOption(section, written, names);
        continue;
      }
      parts.set(written.name, this.#optionOrigin(section, written));
      // Ports may be a list; of everything else there is one.
      const text = written.name === "ports" ? written.value : this.#single(section, written, key);
      if (text !== undefined) value[written.name] = text;
    }
    return { value, form: "uci", origin: this.#sectionOrigin(section), parts };
  }

  // ── values and places ───────────────────────────────────────────────────────────────────────────────────────────

  /** The value of an option of which there is one; a list with one item is taken for it. */
  #single(section: UciSection, { name, value, lines }: UciOption, key: OptionKey): string | undefined {
    if (typeof value === "string") return value;
    if (value.length === 1) return value[0];
    const origin = this.#optionOrigin(section, { name, value, lines });
    this.#problems.error(
      origin,
      key,
      `A list of ${value.length} was found; allowed is one value. Write it as: option ${name}.`,
    );
    return undefined;
  }

  /** An option that is none of ours: EasyTier's, in the wrong section, or mistyped. */
  #refuseOption(section: UciSection, written: UciOption, allowed: readonly string[]): void {
    const origin = this.#optionOrigin(section, written);
    const unsupported = UNSUPPORTED.find(({ key }) => key === written.name);
    const home = OPTION_LIST.find(({ key, uci }) => uci.option === written.name || key === written.name);
    if (unsupported !== undefined) {
      this.#problems.error(origin, written.name, unsupportedText(unsupported));
    } else if (home !== undefined) {
      const { section: type, option } = home.uci;
      const there = option === "" ? `a section of type ${type}` : `${option} in a section of type ${type}`;
      const text =
        type === section.type
          ? `Here it is called ${option}.`
          : `This option does not stand here. Write ${there}.`;
      this.#problems.error(origin, home.key, text);
    } else {
      const hint = didYouMean(written.name, allowed);
      const text = `This option is unknown.${hint} Allowed are ${allowed.join(", ")}.`;
      this.#problems.error(origin, "", text);
    }
  }

  #sectionOrigin(section: UciSection): Origin {
    const address = this.#addresses.get(section) ?? "";
    const { line } = section;
    return { source: this.#source, place: `${address}, line ${line}`, section: address, line };
  }

  #optionOrigin(section: UciSection, { name, lines }: UciOption): Origin {
    const address = this.#addresses.get(section) ?? "";
    const line = lines[0] ?? section.line;
    const place = `${address}.${name}, line ${line}`;
    return { source: this.#source, place, section: address, option: name, line };
  }
}
