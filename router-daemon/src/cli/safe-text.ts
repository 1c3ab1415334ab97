/**
 * Texts of other nodes on a terminal. A host name may hold escape sequences, line breaks, or characters that turn the
 * direction of writing; nothing of that may reach the terminal, and no name may break a table.
 */

/** Longest text in a table's cell, in terminal columns. */
export const MAX_CELL_WIDTH = 64;

/** Controls (C0, C1), format characters (directions, zero width), line separators, lone surrogates, private use. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;

/** The text with everything unsafe shown as `\u{…}`, cut to `maxWidth` columns. */
export function safeText(text: string, maxWidth = MAX_CELL_WIDTH): string {
  // Four code units per column is more than any text needs that is shown whole; the rest is not even looked at.
  const visible = text.slice(0, maxWidth * 4).replace(UNSAFE, escapeCharacter);
  if (textWidth(visible) <= maxWidth) return visible;
  let width = 0;
  let end = 0;
  for (const character of visible) {
    const next = width + characterWidth(character);
    if (next > maxWidth - 1) break;
    width = next;
    end += character.length;
  }
  return `${visible.slice(0, end)}…`;
}

/** A whole message: line breaks stay, everything else unsafe is shown. */
export function safeMessage(text: string, maxLength = 10_000): string {
  return text
    .slice(0, maxLength)
    .split("\n")
    .map((line) => line.replace(UNSAFE, escapeCharacter))
    .join("\n");
}

/** JSON with every character escaped that could act on a terminal; it parses to the same value. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[^\n\P{C}]|[\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => hexEscape(character.charCodeAt(at))).join(""),
  );
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function hexEscape(codeUnit: number): string {
  return `\\u${codeUnit.toString(16).padStart(4, "0")}`;
}

/** Columns that a text takes on a terminal. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  if (/^[\x20-\x7e]$/.test(character)) return 1;
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) || /\p{Emoji_Presentation}/u.test(character) ? 2 : 1;
}

/** Blocks that terminals show two columns wide (Unicode's East Asian Width W and F, rounded to blocks). */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
