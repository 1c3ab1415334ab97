/**
 * Writes the parts of the documents that come from tables of the code: options, EasyTier's options that are missing, methods of
 * the API. They stand between `<!-- name -->` and `<!-- /name -->`.
 *
 *     tsx tools/docs.ts           write
 *     tsx tools/docs.ts --check   exit 1 when a document is not what would be written
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argumentInfo } from "../router-daemon/src/api/argument.ts";
import { findMethod, METHOD_NAMES } from "../router-daemon/src/api/methods.ts";
import { type Config, DEFAULTS, type OptionKey } from "../router-daemon/src/config/config.ts";
import { isList, OPTION_LIST, placeText } from "../router-daemon/src/config/options.ts";
import { UNSUPPORTED } from "../router-daemon/src/config/unsupported.ts";

const DOCS = join(import.meta.dirname, "../docs");

const PARTS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "configuration.md": { options: optionTable, unsupported: unsupportedTable },
  "api.md": { methods: methodTable },
};

let stale = false;
for (const [file, parts] of Object.entries(PARTS)) {
  const path = join(DOCS, file);
  const before = readFileSync(path, "utf8");
  const after = Object.entries(parts).reduce(
    (text, [name, render]) => replacePart(text, file, name, render()),
    before,
  );
  if (after === before) continue;
  if (process.argv.includes("--check")) {
    stale = true;
    console.error(`docs/${file} is not what the code's tables say.`);
  } else {
    writeFileSync(path, after);
    console.log(`docs/${file} written`);
  }
}
process.exitCode = stale ? 1 : 0;

function replacePart(text: string, file: string, name: string, body: string): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- /${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/${file} has no part ${begin} … ${end}.`);
  return `${text.slice(0, from + begin.length)}\n${body}\n${text.slice(to)}`;
}

function optionTable(): string {
  const rows = OPTION_LIST.map((option) => {
    const kind = isList(option) ? option.item : option.kind;
    const flag =
      option.flag === "" ? "" : [option.short, option.flag].filter((name) => name !== undefined).join(", ");
    const allowed = isList(option)
      ? `a list of at most ${option.maxItems}, each ${kind.allowed}`
      : kind.allowed;
    return [
      code(placeText(option.toml)),
      code(flag),
      allowed,
      defaultText(option.key),
      option.live ? "reload" : "restart",
      option.help,
    ];
  });
  return markdown(["in the file", "flag", "allowed", "default", "a change needs a", "what it does"], rows);
}

function defaultText(key: OptionKey): string {
  if (key === "ipv4") return "must be given";
  if (key === "hostname") return "the machine's name";
  if (key === "instance_id") return "a new one at each start";
  if (key === "network_secret") return "none";
  const value: Config[Exclude<OptionKey, "ipv4">] = DEFAULTS[key];
  if (Array.isArray(value))
    return value.length === 0
      ? "none"
      : value.map((item: { url?: string }) => code(item.url ?? "")).join(", ");
  return code(String(value));
}

function unsupportedTable(): string {
  const rows = UNSUPPORTED.filter((option) => option.fits !== "any").map((option) => {
    const place =
      option.section === undefined
        ? `--${option.key.replaceAll("_", "-")}`
        : placeText({ section: option.section, key: option.key });
    return [
      code(place),
      option.treatment === "refuse" ? "refused" : "no effect, with a warning",
      option.note,
    ];
  });
  return markdown(["EasyTier's option", "here", "why, and what to do"], rows);
}

function methodTable(): string {
  const rows = METHOD_NAMES.map((name) => {
    const method = findMethod(name);
    const args = Object.entries(method?.args ?? {}).map(
      ([key, schema]) => `${code(key)} ${argumentInfo(schema).allowed}`,
    );
    return [code(name), method?.access ?? "", args.join("; "), method?.doc ?? ""];
  });
  return markdown(["method", "access", "arguments", "what it does"], rows);
}

function markdown(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}
