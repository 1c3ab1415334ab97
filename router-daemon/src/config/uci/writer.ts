import { isUciName, isUciText, isUciType, type UciDocument, type UciOption } from "./document.ts";

/**
 * The text of a document, in the form that `uci commit` writes. What uci cannot hold (an empty option, control characters, a
 * name with a dash) is left out: whoever makes documents asks `isUciText` first.
 */
export function writeUci(document: UciDocument): string {
  const sections = document.sections.filter(
    ({ type, name }) => isUciType(type) && (name === "" || isUciName(name)),
  );
  const texts = sections.map(({ type, name, options }) => {
    const head = name === "" ? `config ${typeWord(type)}` : `config ${typeWord(type)} ${quoted(name)}`;
    return [head, ...options.flatMap(optionLines)].join("\n");
  });
  return texts.length === 0 ? "" : `\n${texts.join("\n\n")}\n\n`;
}

function optionLines({ name, value }: UciOption): string[] {
  if (!isUciName(name)) return [];
  if (typeof value === "string")
    return value !== "" && isUciText(value) ? [`\toption ${name} ${quoted(value)}`] : [];
  return value.filter(isUciText).map((item) => `\tlist ${name} ${quoted(item)}`);
}

/** Inside single quotes nothing is special; a quote itself stands escaped between two quoted pieces. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Bare where that is possible, as uci writes types. */
function typeWord(type: string): string {
  return /^[A-Za-z0-9_/.:-]+$/.test(type) ? type : quoted(type);
}
