import { isUciName, isUciText, isUciType, UCI_LIMITS, type UciDocument } from "./document.ts";
import { type UciFault, type UciWord, UciWords } from "./words.ts";

export type UciParsed =
  | { readonly ok: true; readonly document: UciDocument }
  | { readonly ok: false; readonly fault: UciFault };

/**
 * Reads a uci file as libuci reads it. Where libuci would drop something without a word, this refuses; where it stumbles over a
 * semicolon, this does not. Never throws.
 *
 *     package NAME              (passed over)
 *     config TYPE ['NAME']      a named section that comes again is continued
 *     option NAME VALUE         replaces an earlier one; an empty value is as if the line were not there
 *     list NAME VALUE           adds to an earlier one
 */
export function parseUci(text: string): UciParsed {
  if (text.length > UCI_LIMITS.text) {
    const sentence = `The text is larger than ${UCI_LIMITS.text / 1024} KiB. It is no configuration; name the right file.`;
    return { ok: false, fault: { line: 1, column: 1, text: sentence } };
  }
  return new UciParser(text).parse();
}

interface OpenOption {
  readonly name: string;
  value: string | string[];
  lines: number[];
}
interface OpenSection {
  readonly type: string;
  readonly name: string;
  readonly line: number;
  readonly options: OpenOption[];
}

type Command = "package" | "config" | "option" | "list";
/** libuci takes the first letter alone, too. */
const COMMANDS: ReadonlyMap<string, Command> = new Map(
  (["package", "config", "option", "list"] as const).flatMap((name) => [
    [name, name],
    [name.slice(0, 1), name],
  ]),
);

const NAME_RULE = `1 to ${UCI_LIMITS.name} letters, digits and underscores`;

class UciParser {
  readonly #words: UciWords;
  readonly #sections: OpenSection[] = [];
  #open: OpenSection | undefined;

  constructor(text: string) {
    this.#words = new UciWords(text);
  }

  parse(): UciParsed {
    while (this.#words.nextCommand()) this.#readCommand();
    const { fault } = this.#words;
    return fault === undefined ? { ok: true, document: { sections: this.#sections } } : { ok: false, fault };
  }

  #readCommand(): void {
    const { here } = this.#words;
    const word = this.#words.next();
    const command = word?.bare === true ? COMMANDS.get(word.text) : undefined;
    if (word === undefined || command === undefined) {
      this.#words.refuse(here, "A line begins with config, option or list. Mend this one.");
      return;
    }
    if (command === "config") this.#readConfig(word);
    else if (command === "package") this.#readPackage(word);
    else this.#readOption(word, command);
    this.#words.endCommand();
  }

  #readPackage(command: UciWord): void {
    const name = this.#words.next();
    if (name === undefined || !/^[A-Za-z0-9_-]+$/.test(name.text)) {
      const text = "After package stands the name of a file. Write it, or remove the line.";
      this.#words.refuse(name ?? command, text);
    }
  }

  // ── sections ────────────────────────────────────────────────────────────────────────────────────────────────────

  #readConfig(command: UciWord): void {
    const type = this.#words.next();
    if (type === undefined || !isUciType(type.text)) {
      const text = "After config stands the section's type, as in: config peer. Write it.";
      this.#words.refuse(type ?? command, text);
      return;
    }
    const name = this.#words.next();
    if (name !== undefined && name.text !== "" && !isUciName(name.text))
      this.#words.refuse(name, `The name of a section has ${NAME_RULE}. Rename it.`);
    else this.#openSection(type, name?.text ?? "");
  }

  #openSection(type: UciWord, name: string): void {
    const known = name === "" ? undefined : this.#sections.find((section) => section.name === name);
    if (known !== undefined && known.type !== type.text) {
      const text = `Another section of this name has another type (line ${known.line}). Rename one.`;
      this.#words.refuse(type, text);
    } else if (known !== undefined) {
      this.#open = known;
    } else if (this.#sections.length >= UCI_LIMITS.sections) {
      this.#words.refuse(type, `There are more than ${UCI_LIMITS.sections} sections. Remove some.`);
    } else {
      this.#open = { type: type.text, name, line: type.line, options: [] };
      this.#sections.push(this.#open);
    }
  }

  // ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #readOption(command: UciWord, kind: "option" | "list"): void {
    const section = this.#open;
    if (section === undefined) {
      const text = "It stands before the first section. Begin with a line like: config network.";
      this.#words.refuse(command, text);
      return;
    }
    const name = this.#words.next();
    if (name === undefined || !isUciName(name.text)) {
      this.#words.refuse(name ?? command, `After ${kind} stands a name of ${NAME_RULE}. Mend it.`);
      return;
    }
    const value = this.#words.next() ?? { ...name, text: "" };
    if (this.#words.fault !== undefined || !this.#isValue(value)) return;
    if (kind === "list") this.#addItem(section, name, value);
    else if (value.text !== "") this.#setOption(section, name, value);
  }

  #isValue(value: UciWord): boolean {
    if (value.text.length > UCI_LIMITS.value)
      this.#words.refuse(value, `The value is longer than ${UCI_LIMITS.value} characters. Shorten it.`);
    else if (!isUciText(value.text))
      this.#words.refuse(value, "The value holds control characters, which uci cannot keep. Remove them.");
    return this.#words.fault === undefined;
  }

  #setOption(section: OpenSection, name: UciWord, { text, line }: UciWord): void {
    const known = section.options.find((option) => option.name === name.text);
    if (known === undefined) this.#addOption(section, name, { name: name.text, value: text, lines: [line] });
    else Object.assign(known, { value: text, lines: [line] });
  }

  #addItem(section: OpenSection, name: UciWord, { text, line }: UciWord): void {
    const known = section.options.find((option) => option.name === name.text);
    if (known === undefined) {
      this.#addOption(section, name, { name: name.text, value: [text], lines: [line] });
      return;
    }
    const items = typeof known.value === "string" ? [known.value] : known.value;
    if (items.length >= UCI_LIMITS.itemsPerList) {
      this.#words.refuse(name, `The list has more than ${UCI_LIMITS.itemsPerList} items. Remove some.`);
      return;
    }
    items.push(text);
    known.lines.push(line);
    known.value = items;
  }

  #addOption(section: OpenSection, word: UciWord, option: OpenOption): void {
    if (section.options.length < UCI_LIMITS.optionsPerSection) {
      section.options.push(option);
      return;
    }
    const text = `The section has more than ${UCI_LIMITS.optionsPerSection} options. Remove some.`;
    this.#words.refuse(word, text);
  }
}
