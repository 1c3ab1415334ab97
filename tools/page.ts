/**
 * `npx tsx tools/page.ts`: builds the LuCI page into out/luci-app, laid out as on the router:
 * `htdocs/` goes to /www, `root/` to /.
 *
 * LuCI reads a module as text and evaluates it anew at each visit, so a view carries only what it needs: each is a module of its
 * own, and what more than one of them uses is in the library, once.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build, type Plugin } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const APP = join(ROOT, "luci-app");
export const PAGE_OUT = join(ROOT, "out/luci-app");
const RESOURCES = join(PAGE_OUT, "htdocs/luci-static/resources");
/** The whole page, compressed. */
export const MAX_PAGE_BYTES = 60 * 1024;

/** LuCI reads these strings at the head of a module and hands in what they name. */
const LUCI_MODULES = ["baseclass", "rpc", "poll", "ui", "view"];
const LIBRARY = "kcp-router.lib as lib";

/** Views that require the library, by the module's path among LuCI's resources. The names are those of the menu. */
const VIEWS: Readonly<Record<string, string>> = {
  "view/kcp-router/connections": "pages/connections.tsx",
  "view/kcp-router/peers": "pages/peers.tsx",
  "view/kcp-router/settings": "pages/settings.tsx",
  "view/kcp-router/diagnose": "pages/diagnose.tsx",
  "view/status/include/70_kcp-router": "pages/widget.tsx",
};
/** The page of the state is what one sees first: it is in the library, and its view fetches that while the router answers. */
const STATUS_VIEW = "view/kcp-router/status";
const STATUS_PAGE = join(APP, "src/pages/status.tsx");

/** Sizes as they travel, in bytes. */
export interface PageSize {
  readonly all: number;
  /** What the page of the state needs. */
  readonly status: number;
}

/** Builds everything. */
export async function buildPage(): Promise<PageSize> {
  rmSync(PAGE_OUT, { recursive: true, force: true });
  cpSync(join(APP, "root"), join(PAGE_OUT, "root"), { recursive: true });
  const shared = await findShared();
  /** What is taken from the library from outside. */
  const taken = new Set([STATUS_PAGE]);
  let views = 0;
  for (const [path, source] of Object.entries(VIEWS))
    views += await writeModule(path, returning(source), fromLibrary(shared, taken));
  const status =
    (await writeModule(STATUS_VIEW, returning("pages/status-view.ts"))) +
    (await writeModule("kcp-router/lib", librarySource([...taken].sort())));
  const size: PageSize = { all: status + views, status };
  writeFileSync(join(PAGE_OUT, "size.json"), `${JSON.stringify(size)}\n`);
  return size;
}

const COMMON: BuildOptions = {
  absWorkingDir: ROOT,
  bundle: true,
  write: false,
  minify: true,
  platform: "browser",
  format: "cjs",
  target: "es2020",
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
};

/** A bundle as LuCI's loader wants it: a function's body that returns a class. Returns its size, compressed. */
async function writeModule(path: string, contents: string, library?: Plugin): Promise<number> {
  const requires = library === undefined ? LUCI_MODULES : [...LUCI_MODULES, LIBRARY];
  const directives = requires.map((name) => `'require ${name}';`);
  const require = library === undefined ? "" : "const require=name=>lib.modules[name];";
  const { outputFiles } = await build({
    ...COMMON,
    stdin: { contents, resolveDir: join(APP, "src") },
    plugins: library === undefined ? [] : [library],
    write: false,
    banner: { js: `'use strict';${directives.join("")}let made;${require}` },
    footer: { js: "return made;" },
  });
  const text = outputFiles[0]?.text ?? "";
  const file = join(RESOURCES, `${path}.js`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return gzipSync(text, { level: 9 }).length;
}

function returning(source: string): string {
  return `import { module } from "./${source}"; made = module;`;
}

/** Files that more than one view is made of. */
async function findShared(): Promise<ReadonlySet<string>> {
  const users = new Map<string, number>();
  for (const source of [...Object.values(VIEWS), "pages/status.tsx"]) {
    const { metafile } = await build({ ...COMMON, entryPoints: [join(APP, "src", source)], metafile: true });
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.keys(output.inputs));
    for (const file of inputs) users.set(join(ROOT, file), (users.get(join(ROOT, file)) ?? 0) + 1);
  }
  return new Set([...users].filter(([, count]) => count > 1).map(([file]) => file));
}

/** Leads a view's imports of shared modules to the library that LuCI hands in; notes which. */
function fromLibrary(shared: ReadonlySet<string>, taken: Set<string>): Plugin {
  return {
    name: "from-library",
    setup(view) {
      view.onResolve({ filter: /./ }, async ({ path, pluginData, resolveDir, kind, importer }) => {
        if (pluginData === "found") return undefined;
        const found = await view.resolve(path, { resolveDir, kind, importer, pluginData: "found" });
        if (!shared.has(found.path)) return found;
        taken.add(found.path);
        return { path: keyOf(found.path), external: true };
      });
    },
  };
}

/** What the library calls a file: short, since all of it travels. */
function keyOf(file: string): string {
  return file
    .slice(ROOT.length + 1)
    .replace(/^node_modules\//, "")
    .replace(/^luci-app\/src\//, "");
}

function librarySource(files: readonly string[]): string {
  const imports = files.map((file, at) => `import * as m${at} from ${JSON.stringify(file)};`);
  const entries = files.map((file, at) => `${JSON.stringify(keyOf(file))}: m${at}`);
  return `${imports.join("")}made = baseclass.extend({ modules: { ${entries.join()} } });`;
}

if (process.argv[1] === import.meta.filename) {
  const { all, status } = await buildPage();
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
  console.log(`out/luci-app: ${kib(all)} compressed, ${kib(status)} of it for the page of the state`);
  if (all > MAX_PAGE_BYTES) {
    console.error(`The page is larger than ${kib(MAX_PAGE_BYTES)}.`);
    process.exit(1);
  }
}
