import { isUciName, isUciText, isUciType, UCI_LIMITS, type UciDocument } from "./document.ts";

/** Why a text is no uci file: a sentence with the remedy, without anything from the text. */
export interface UciFault {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export type UciParsed =
  | { readonly ok: true; readonly document: UciDocument }
  | { readonly ok: false; readonly fault: UciFault };

/**
 * Reads a uci file as libuci reads it: words may be bare, 'single' or "double" quoted, and pieces join to one word. Where
 * libuci would drop something without a word, this refuses; where it stumbles over a semicolon, this does not. Never throws.
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

interface Word {
  readonly text: string;
  readonly line: number;
  readonly column: number;
  /** Nothing of it was quoted or escaped. */
  readonly bare: boolean;
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
const COMMANDS: Readonly<Record<string, Command>> = {
  package: "package",
  p: "package",
  config: "config",
  c: "config",
  option: "option",
  o: "option",
  list: "list",
  l: "list",
};

const BLANK = /[ \t\r\v\f]/;
const BLANK_OR_END = /[ \t\r\v\f\n]/;

class UciParser {
  readonly #text: string;
  readonly #sections: OpenSection[] = [];
  #open: OpenSection | undefined;
  #fault: UciFault | undefined;
  #at = 0;
  #line = 1;
  /** Index of the current line's first character. */
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): UciParsed {
    while (this.#fault === undefined && this.#at < this.#text.length) this.#readCommand();
    return this.#fault === undefined
      ? { ok: true, document: { sections: this.#sections } }
      : { ok: false, fault: this.#fault };
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

  #readCommand(): void {
    this.#skipBlanks();
    if (this.#atEndOfLine()) {
      this.#nextLine();
      return;
    }
    const start = this.#here();
    const first = this.#nextWord();
    const known = first?.bare === true && Object.hasOwn(COMMANDS, first.text);
    const command = known ? COMMANDS[first.text] : undefined;
    if (first === undefined || command === undefined) {
      this.#refuse(start, "A line begins with config, option or list. Mend this one.");
      return;
    }
    if (command === "config") this.#readConfig(first);
    else if (command === "package") this.#readPackage(first);
    else this.#readOption(first, command);
    this.#endCommand();
  }

  #readPackage(command: Word): void {
    const name = this.#nextWord();
    if (name === undefined || !/^[A-Za-z0-9_-]+$/.test(name.text))
      this.#refuse(name ?? command, "After package stands the name of a file. Write it, or remove the line.");
  }

  #readConfig(command: Word): void {
    const type = this.#nextWord();
    if (type === undefined || !isUciType(type.text)) {
      this.#refuse(type ?? command, "After config stands the section's type, as in: config peer. Write it.");
      return;
    }
    const name = this.#nextWord();
    if (name !== undefined && name.text !== "" && !isUciName(name.text)) {
      this.#refuse(name, `The name of a section has ${NAME_RULE}. Rename it.`);
      return;
    }
    this.#openSection(type, name);
  }

  #openSection(type: Word, nameWord: Word | undefined): void {
    const name = nameWord?.text ?? "";
    const known = name === "" ? undefined : this.#sections.find((section) => section.name === name);
    if (known !== undefined && known.type !== type.text) {
      this.#refuse(type, `Another section of this name has another type (line ${known.line}). Rename one.`);
      return;
    }
    if (known === undefined && this.#sections.length >= UCI_LIMITS.sections) {
      this.#refuse(type, `There are more than ${UCI_LIMITS.sections} sections. Remove some.`);
      return;
    }
    this.#open = known ?? { type: type.text, name, line: type.line, options: [] };
    if (known === undefined) this.#sections.push(this.#open);
  }

  #readOption(command: Word, kind: "option" | "list"): void {
    const section = this.#open;
    if (section === undefined) {
      this.#refuse(command, "It stands before the first section. Begin with a line like: config network.");
      return;
    }
    const name = this.#nextWord();
    if (name === undefined || !isUciName(name.text)) {
      this.#refuse(name ?? command, `After ${kind} stands a name of ${NAME_RULE}. Mend it.`);
      return;
    }
    const value = this.#nextWord();
    if (this.#fault === undefined) this.#store(section, kind, name, value);
  }

  #store(section: OpenSection, kind: "option" | "list", name: Word, word: Word | undefined): void {
    const value = word?.text ?? "";
    if (!isUciText(value)) {
      const sentence =
        value.length > UCI_LIMITS.value
          ? `The value is longer than ${UCI_LIMITS.value} characters. Shorten it.`
          : "The value holds control characters, which uci cannot keep. Remove them.";
      this.#refuse(word ?? name, sentence);
      return;
    }
    const line = word?.line ?? name.line;
    const known = section.options.find((option) => option.name === name.text);
    if (kind === "option") {
      if (value === "") return;
      if (known !== undefined) Object.assign(known, { value, lines: [line] });
      else this.#add(section, { name: name.text, value, lines: [line] }, name);
    } else if (known === undefined) {
      this.#add(section, { name: name.text, value: [value], lines: [line] }, name);
    } else {
      const before = typeof known.value === "string" ? [known.value] : known.value;
      if (before.length >= UCI_LIMITS.itemsPerList) {
        this.#refuse(name, `The list has more than ${UCI_LIMITS.itemsPerList} items. Remove some.`);
        return;
      }
      before.push(value);
      known.lines.push(line);
      known.value = before;
    }
  }

  #add(section: OpenSection, option: OpenOption, word: Word): void {
    if (section.options.length < UCI_LIMITS.optionsPerSection) section.options.push(option);
    else
      this.#refuse(word, `The section has more than ${UCI_LIMITS.optionsPerSection} options. Remove some.`);
  }

  #endCommand(): void {
    if (this.#fault !== undefined) return;
    this.#skipBlanks();
    if (this.#text[this.#at] === ";") {
      this.#at++;
    } else if (!this.#atEndOfLine()) {
      this.#refuse(this.#here(), "Nothing may follow the value. Put a value with blanks in 'quotes'.");
    }
  }

  // ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The next word of the command; undefined at its end, or when a fault was found. */
  #nextWord(): Word | undefined {
    this.#skipBlanks();
    if (this.#fault !== undefined || this.#atEndOfLine() || this.#text[this.#at] === ";") return undefined;
    const start = this.#here();
    let text = "";
    let bare = true;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || BLANK_OR_END.test(char) || char === "#" || char === ";") break;
      if (char === "'" || char === '"' || char === "\\") bare = false;
      if (char === "'") text += this.#readSingleQuoted();
      else if (char === '"') text += this.#readDoubleQuoted();
      else if (char === "\\") text += this.#readEscaped();
      else {
        text += char;
        this.#at++;
      }
      if (this.#fault !== undefined) return undefined;
    }
    if (text.includes("\ufffd")) {
      this.#refuse(start, "It is not in UTF-8. Save the file as UTF-8.");
      return undefined;
    }
    if (bare && this.#text[this.#at] === ";") this.#checkNothingBehind();
    return { text, ...start, bare };
  }

  /** libuci drops what stands on the line behind `bare;` without a word. */
  #checkNothingBehind(): void {
    const end = this.#text.indexOf("\n", this.#at);
    const rest = this.#text.slice(this.#at + 1, end < 0 ? undefined : end);
    if (!/^[ \t\r\v\f]*(#.*)?$/.test(rest))
      this.#refuse(
        this.#here(),
        "What follows the semicolon would be ignored. Write it on a line of its own.",
      );
  }

  /** Nothing is special inside, line feeds are kept. */
  #readSingleQuoted(): string {
    const start = this.#here();
    const from = ++this.#at;
    const end = this.#text.indexOf("'", from);
    if (end < 0) {
      this.#refuse(start, "A single quote is opened here and never closed. Close it.");
      return "";
    }
    this.#moveTo(end + 1);
    return this.#text.slice(from, end);
  }

  #readDoubleQuoted(): string {
    const start = this.#here();
    let text = "";
    this.#at++;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) {
        this.#refuse(start, "A double quote is opened here and never closed. Close it.");
        return "";
      }
      if (char === '"') {
        this.#at++;
        return text;
      }
      if (char === "\\") {
        text += this.#readEscaped();
      } else {
        text += char;
        this.#step();
      }
    }
  }

  /** A backslash takes the next character as it is; before a line's end it joins the lines. */
  #readEscaped(): string {
    this.#at++;
    const next = this.#text[this.#at];
    if (next === undefined) return "";
    const joins = next === "\n" || (next === "\r" && this.#text[this.#at + 1] === "\n");
    if (next === "\r" && joins) this.#at++;
    this.#step();
    return joins ? "" : next;
  }

  // ── the place in the text ───────────────────────────────────────────────────────────────────────────────────────

  #skipBlanks(): void {
    while (this.#at < this.#text.length && BLANK.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  /** The end of the line, of the text, or a comment. */
  #atEndOfLine(): boolean {
    const char = this.#text[this.#at];
    return char === undefined || char === "\n" || char === "#";
  }

  #nextLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#moveTo(end < 0 ? this.#text.length : end + 1);
  }

  /** One character forward. */
  #step(): void {
    if (this.#text[this.#at] === "\n") {
      this.#line++;
      this.#lineStart = this.#at + 1;
    }
    this.#at++;
  }

  /** Forward to an index. */
  #moveTo(index: number): void {
    for (let end = this.#text.indexOf("\n", this.#at); end >= 0 && end < index; ) {
      this.#line++;
      this.#lineStart = end + 1;
      end = this.#text.indexOf("\n", end + 1);
    }
    this.#at = index;
  }

  #here(): { readonly line: number; readonly column: number } {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #refuse({ line, column }: { readonly line: number; readonly column: number }, text: string): void {
    this.#fault ??= { line, column, text };
  }
}

const NAME_RULE = `1 to ${UCI_LIMITS.name} letters, digits and underscores`;
