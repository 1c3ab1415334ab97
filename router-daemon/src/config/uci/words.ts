/** Why a text is no uci file: a sentence with the remedy, without anything from the text. */
export interface UciFault extends UciPlaceInText {
  readonly text: string;
}

/** Both from 1. */
export interface UciPlaceInText {
  readonly line: number;
  readonly column: number;
}

export interface UciWord extends UciPlaceInText {
  readonly text: string;
  /** Nothing of it was quoted or escaped. */
  readonly bare: boolean;
}

const BLANK = /[ \t\r\v\f]/;
const BLANK_OR_END = /[ \t\r\v\f\n]/;

/**
 * The words of a uci file by libuci's rules: pieces that are bare, 'single' or "double" quoted join to one word. Commands end at
 * a line's end, a comment, or a semicolon. After the first fault there are no more words.
 */
export class UciWords {
  readonly #text: string;
  #fault: UciFault | undefined;
  #at = 0;
  #line = 1;
  /** Index of the current line's first character. */
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get fault(): UciFault | undefined {
    return this.#fault;
  }

  /** True when there is another command: empty lines and comments were passed over. */
  nextCommand(): boolean {
    while (this.#fault === undefined && this.#at < this.#text.length) {
      this.#skipBlanks();
      if (!this.#atEndOfLine()) return true;
      const end = this.#text.indexOf("\n", this.#at);
      this.#moveTo(end < 0 ? this.#text.length : end + 1);
    }
    return false;
  }

  /** The next word of the command; undefined at its end, or when a fault was found. */
  next(): UciWord | undefined {
    this.#skipBlanks();
    if (this.#fault !== undefined || this.#atEndOfCommand()) return undefined;
    const start = this.here;
    let text = "";
    let bare = true;
    while (!this.#atEndOfWord() && this.#fault === undefined) {
      const char = this.#text[this.#at] ?? "";
      bare &&= char !== "'" && char !== '"' && char !== "\\";
      if (char === "'") text += this.#readSingleQuoted();
      else if (char === '"') text += this.#readDoubleQuoted();
      else if (char === "\\") text += this.#readEscaped();
      else text += this.#take();
    }
    if (text.includes("\ufffd")) this.refuse(start, "It is not in UTF-8. Save the file as UTF-8.");
    if (bare && this.#text[this.#at] === ";") this.#checkNothingBehind();
    return this.#fault === undefined ? { text, ...start, bare } : undefined;
  }

  /** Nothing but the command's end may come. */
  endCommand(): void {
    this.#skipBlanks();
    if (this.#text[this.#at] === ";") this.#at++;
    else if (!this.#atEndOfLine())
      this.refuse(this.here, "Nothing may follow the value. Put a value with blanks in 'quotes'.");
  }

  get here(): UciPlaceInText {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  refuse({ line, column }: UciPlaceInText, text: string): void {
    this.#fault ??= { line, column, text };
  }

  // ── pieces of a word ────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing is special inside, line feeds are kept. */
  #readSingleQuoted(): string {
    const start = this.here;
    const from = this.#at + 1;
    const end = this.#text.indexOf("'", from);
    if (end < 0) {
      this.refuse(start, "A single quote is opened here and never closed. Close it.");
      return "";
    }
    this.#moveTo(end + 1);
    return this.#text.slice(from, end);
  }

  /** Only a backslash is special inside. */
  #readDoubleQuoted(): string {
    const start = this.here;
    let text = "";
    this.#at++;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at];
      if (char === '"') {
        this.#at++;
        return text;
      }
      text += char === "\\" ? this.#readEscaped() : this.#take();
    }
    this.refuse(start, "A double quote is opened here and never closed. Close it.");
    return "";
  }

  /** A backslash takes the next character as it is; before a line's end it joins the lines. */
  #readEscaped(): string {
    this.#at++;
    if (this.#text.startsWith("\r\n", this.#at)) this.#at++;
    const next = this.#take();
    return next === "\n" ? "" : next;
  }

  /** libuci drops what stands on the line behind `bare;` without a word. */
  #checkNothingBehind(): void {
    const end = this.#text.indexOf("\n", this.#at);
    const rest = this.#text.slice(this.#at + 1, end < 0 ? undefined : end);
    if (/^[ \t\r\v\f]*(#.*)?$/.test(rest)) return;
    this.refuse(this.here, "What follows the semicolon would be ignored. Write it on a line of its own.");
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

  #atEndOfCommand(): boolean {
    return this.#atEndOfLine() || this.#text[this.#at] === ";";
  }

  #atEndOfWord(): boolean {
    return this.#atEndOfCommand() || BLANK_OR_END.test(this.#text[this.#at] ?? "");
  }

  /** The next character, empty at the end. */
  #take(): string {
    const char = this.#text[this.#at] ?? "";
    this.#at++;
    if (char === "\n") {
      this.#line++;
      this.#lineStart = this.#at;
    }
    return char;
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
}
