/**
 * Writes what comes from tables of the code. Parts of documents (options, EasyTier's options that are missing, methods of the
 * API) stand between `<!-- name -->` and `<!-- /name -->`; rpcd's access list is a whole file.
 *
 *     tsx tools/docs.ts           write
 *     tsx tools/docs.ts --check   exit 1 when a document is not what would be written
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rpcdAccessList } from "../router-daemon/src/api/acl.ts";
import { argumentInfo } from "../router-daemon/src/api/argument.ts";
import { findMethod, METHOD_NAMES } from "../router-daemon/src/api/methods.ts";
import { placeTable, uciTables, unsupportedTable } from "./config-tables.ts";
import { code, markdown } from "./markdown.ts";

const ROOT = join(import.meta.dirname, "..");
const DOCS = join(ROOT, "docs");

const PARTS: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "configuration.md": { uci: uciTables, places: placeTable, unsupported: unsupportedTable },
  "api.md": { methods: methodTable },
};

/** Whole files in JSON. */
const FILES: Readonly<Record<string, () => object>> = {
  "luci-app/root/usr/share/rpcd/acl.d/luci-app-kcp-router.json": rpcdAccessList,
};

let stale = false;
for (const [file, parts] of Object.entries(PARTS)) {
  const before = readFileSync(join(DOCS, file), "utf8");
  const after = Object.entries(parts).reduce(
    (text, [name, render]) => replacePart(text, file, name, render()),
    before,
  );
  settle(`docs/${file}`, before, after);
}
for (const [file, render] of Object.entries(FILES)) {
  const before = existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), "utf8") : "";
  settle(file, before, `${jsonText(render(), "")}\n`);
}
process.exitCode = stale ? 1 : 0;

/** JSON as the formatter wants it: objects over several lines, lists of plain values in one when it is short enough. */
function jsonText(value: unknown, indent: string): string {
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
    const isPlain = value.every((item) => typeof item !== "object" || item === null);
    if (value.length === 0 || (isPlain && inner.length + line.length < 90)) return line;
    return `[\n${value.map((item) => inner + jsonText(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return "{}";
  const lines = entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${jsonText(item, inner)}`);
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

function settle(file: string, before: string, after: string): void {
  if (after === before) return;
  if (process.argv.includes("--check")) {
    stale = true;
    console.error(`${file} is not what the code's tables say.`);
  } else {
    writeFileSync(join(ROOT, file), after);
    console.log(`${file} written`);
  }
}

function replacePart(text: string, file: string, name: string, body: string): string {
  const begin = `<!-- ${name} -->`;
  const end = `<!-- /${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/${file} has no part ${begin} … ${end}.`);
  return `${text.slice(0, from + begin.length)}\n${body}\n${text.slice(to)}`;
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
