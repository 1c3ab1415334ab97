/**
 * `npx tsx tools/page.ts`: builds the LuCI page into out/luci-app, laid out as on the router:
 * `htdocs/` goes to /www, `root/` to /.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const APP = join(ROOT, "luci-app");
export const PAGE_OUT = join(ROOT, "out/luci-app");
const LIBRARY = join(PAGE_OUT, "htdocs/luci-static/resources/kcp-router/lib.js");
/** The whole page, compressed. */
export const MAX_PAGE_BYTES = 60 * 1024;

/** LuCI reads these strings at the head of a module and hands in what they name. */
const DIRECTIVES = ["baseclass", "rpc", "poll", "ui"].map((name) => `'require ${name}';`);

/** Builds everything; returns the size of the module as it travels. */
export async function buildPage(): Promise<number> {
  rmSync(PAGE_OUT, { recursive: true, force: true });
  mkdirSync(PAGE_OUT, { recursive: true });
  for (const folder of ["htdocs", "root"])
    cpSync(join(APP, folder), join(PAGE_OUT, folder), { recursive: true });
  await build({
    entryPoints: [join(APP, "src/lib.tsx")],
    outfile: LIBRARY,
    bundle: true,
    minify: true,
    format: "iife",
    globalName: "KcpRouterPage",
    target: "es2020",
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    legalComments: "none",
    banner: { js: `'use strict';${DIRECTIVES.join("")}` },
    footer: { js: "return KcpRouterPage.library;" },
    logLevel: "warning",
  });
  const bytes = gzipSync(readFileSync(LIBRARY), { level: 9 }).length;
  writeFileSync(join(PAGE_OUT, "size.json"), `${JSON.stringify({ gzipBytes: bytes })}\n`);
  return bytes;
}

if (process.argv[1] === import.meta.filename) {
  const bytes = await buildPage();
  console.log(`out/luci-app: ${(bytes / 1024).toFixed(1)} KiB compressed`);
  if (bytes > MAX_PAGE_BYTES) {
    console.error(`The page is larger than ${MAX_PAGE_BYTES / 1024} KiB.`);
    process.exit(1);
  }
}
