/**
 * A file in OpenWrt's uci form as a value: what `uci show` would list. Comments are not part of it, since `uci commit` drops
 * them as well.
 */
export interface UciDocument {
  readonly sections: readonly UciSection[];
}

export interface UciSection {
  readonly type: string;
  /** Empty = anonymous, addressed as `@type[0]`. */
  readonly name: string;
  readonly options: readonly UciOption[];
  /** Where it begins; 0 = it was not read from a text. */
  readonly line: number;
}

export interface UciOption {
  readonly name: string;
  /** A text for `option`, never empty (uci takes an empty option for none); a list for `list`. */
  readonly value: string | readonly string[];
  /** Line of each value; empty = it was not read from a text. */
  readonly lines: readonly number[];
}

/** Bounds of what is read. A router's largest files are far below; a file of nonsense stops here. */
export const UCI_LIMITS = Object.freeze({
  /** Characters of the whole text. */
  text: 256 * 1024,
  sections: 1024,
  optionsPerSection: 64,
  itemsPerList: 256,
  /** Characters of one value; the longest secret fits. */
  value: 8192,
  /** Characters of a type or name. */
  name: 64,
});

/** Names of sections and options. */
export function isUciName(text: string): boolean {
  return /^[A-Za-z0-9_]+$/.test(text) && text.length <= UCI_LIMITS.name;
}

/** Types of sections: printable ASCII without blanks. */
export function isUciType(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= UCI_LIMITS.name;
}

/**
 * What a uci file can hold: no control characters but tab, CR and LF, nothing that is not UTF-8 (halves of surrogate pairs,
 * and U+FFFD, which stands for bytes that are none).
 */
export function isUciText(text: string): boolean {
  return !UNWRITABLE.test(text) && text.length <= UCI_LIMITS.value;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNWRITABLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffd\p{Cs}]/u;

/** How `uci` names each section: by its name, or `@peer[1]`, counted among all sections of its type. */
export function sectionAddresses({ sections }: UciDocument): ReadonlyMap<UciSection, string> {
  const counts = new Map<string, number>();
  return new Map(
    sections.map((section) => {
      const { type, name } = section;
      const index = counts.get(type) ?? 0;
      counts.set(type, index + 1);
      return [section, name === "" ? `@${type}[${index}]` : name];
    }),
  );
}
