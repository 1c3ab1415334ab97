/**
 * `npx tsx tools/po.ts [--check]`: collects what the page says into luci-app/po/templates/kcp-router.pot, and tells what a language
 * lacks. LuCI's own scanner cannot read a minified bundle, so the sources are read here: `_("…")` in luci-app/src, and the daemon's
 * sentences that the page shows by looking them up.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type Config, DEFAULTS, flagStates } from "../router-daemon/src/config/config.ts";
import { UCI_SCHEMA } from "../router-daemon/src/config/schema.ts";
import { REASONS } from "../router-daemon/src/proxy/reason.ts";

const ROOT = join(import.meta.dirname, "..");
const APP = join(ROOT, "luci-app");
const TEMPLATE = join(APP, "po/templates/kcp-router.pot");
export const LANGUAGES = ["zh_Hans"];

/** Text → where it is said. */
export function collectTexts(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const add = (text: string, place: string) => {
    const places = found.get(text) ?? [];
    if (!places.includes(place)) places.push(place);
    found.set(text, places);
  };
  for (const file of sources(join(APP, "src"))) {
    const place = relative(ROOT, file);
    for (const text of textsOf(readFileSync(file, "utf8"))) add(text, place);
  }
  const menu = join(APP, "root/usr/share/luci/menu.d/luci-app-kcp-router.json");
  const entries = JSON.parse(readFileSync(menu, "utf8")) as Record<string, { readonly title?: string }>;
  for (const { title } of Object.values(entries)) if (title !== undefined) add(title, relative(ROOT, menu));
  for (const text of Object.values(REASONS)) add(text, "router-daemon/src/proxy/reason.ts");
  for (const { help, options } of UCI_SCHEMA) {
    add(help, "router-daemon/src/config/uci/sections.ts");
    for (const option of options) {
      add(option.help, "router-daemon/src/config/options.ts");
      if (option.unset !== "" && !option.required) add(option.unset, "router-daemon/src/config/options.ts");
    }
  }
  // Every switch that can be forced, forced.
  const forced = flagStates({ ...DEFAULTS, enable_kcp_proxy: true } as Config);
  for (const { note } of forced) if (note !== "") add(note, "router-daemon/src/config/config.ts");
  return found;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Every `_("…")` of a source; one that is not a plain text is looked up at run time and comes from a table. */
function textsOf(source: string): string[] {
  return [...source.matchAll(/(?<![\w.])_\(\s*("(?:[^"\\]|\\.)*")/g)].map(
    ([, literal]) => JSON.parse(literal ?? '""') as string,
  );
}

// ── the gettext files ───────────────────────────────────────────────────────────────────────────────────────────────

function quoted(text: string): string {
  return JSON.stringify(text);
}

function template(texts: ReadonlyMap<string, readonly string[]>): string {
  const head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n';
  const entries = [...texts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([text, places]) => {
      return `${places.map((place) => `#: ${place}\n`).join("")}msgid ${quoted(text)}\nmsgstr ""\n`;
    });
  return [head, ...entries].join("\n");
}

/** Source text → translation. Empty translations are left out. */
export function readTranslations(language: string): ReadonlyMap<string, string> {
  const text = readFileSync(join(APP, `po/${language}/kcp-router.po`), "utf8");
  const found = new Map<string, string>();
  for (const [, id, translated] of text.matchAll(
    /^msgid ("(?:[^"\\]|\\.)*")\nmsgstr ("(?:[^"\\]|\\.)*")$/gm,
  )) {
    const source = JSON.parse(id ?? '""') as string;
    const target = JSON.parse(translated ?? '""') as string;
    if (source !== "" && target !== "") found.set(source, target);
  }
  return found;
}

/** Texts that a language lacks, and those that it has although nobody says them any more. */
export function compare(language: string): {
  readonly missing: readonly string[];
  readonly stale: readonly string[];
} {
  const texts = collectTexts();
  const translated = readTranslations(language);
  return {
    missing: [...texts.keys()].filter((text) => !translated.has(text)),
    stale: [...translated.keys()].filter((text) => !texts.has(text)),
  };
}

function main(): void {
  const wanted = template(collectTexts());
  if (!process.argv.includes("--check")) {
    writeFileSync(TEMPLATE, wanted);
  } else if (readFileSync(TEMPLATE, "utf8") !== wanted) {
    console.error(`${relative(ROOT, TEMPLATE)} is not current. Run: npx tsx tools/po.ts`);
    process.exitCode = 1;
  }
  for (const language of LANGUAGES) {
    const { missing, stale } = compare(language);
    for (const text of missing) console.error(`${language} lacks: ${text}`);
    for (const text of stale) console.error(`${language} translates what nobody says: ${text}`);
    if (missing.length + stale.length > 0) process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main();
