/**
 * Makes plain JavaScript of all test files at once, before they run. AVA starts a process for each file; to start a TypeScript loader
 * and to look up a hundred modules in each of them costs more than most of the tests do (1 s of 1.4 s, 190 times).
 *
 * Paths in `import.meta` and lines in stack traces are those of the sources. A single file runs as well without this:
 * `npx ava path/to/one.test.ts` (ava.config.js).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { inOwnPlace } from "./own-place.ts";

const ROOT = join(import.meta.dirname, "..");
/** Where bundles go, each under its source's path. */
const BUNDLES = "out/tests";

/** AVA has one instance in a process; the others bring programs or scripts with them, which they look for beside themselves. */
const NOT_BUNDLED = ["ava", "esbuild", "playwright-core", "axe-core"];

/** Bundles `files` (paths from the root). What they share becomes files of its own, transformed once. */
export async function bundleTests(files: readonly string[]): Promise<void> {
  rmSync(join(ROOT, BUNDLES), { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: [...files],
    outbase: ROOT,
    outdir: BUNDLES,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: NOT_BUNDLED,
    sourcemap: true,
    logLevel: "warning",
    plugins: [
      {
        name: "own place",
        setup: (plugin) => plugin.onLoad({ filter: /\.ts$/ }, ({ path }) => inOwnPlace(path)),
      },
    ],
  });
}

/** The bundle of a test file. */
export function bundleOf(file: string): string {
  return join(BUNDLES, file.replace(/\.ts$/, ".js"));
}
