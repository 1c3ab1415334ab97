/**
 * Bundles daemon and CLI for both engines:
 *
 * - `out/kcp-router.js` runs on Node 20 without node_modules; its launcher is put beside it, and the native core stays a file of its
 *   own (`out/native`);
 * - `out/quickjs/kcp-router.js` is what the executable with QuickJS has inside (`native/quickjs`).
 */
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, type BuildResult, build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "out");

/** Oldest Node that the bundle runs on; older ones are told so instead of failing somewhere. */
const OLDEST_NODE = 20;
const VERSION_CHECK = `if (Number(process.versions.node.split(".")[0]) < ${OLDEST_NODE}) {
  console.error("kcp-router needs Node ${OLDEST_NODE} or newer; this is " + process.versions.node + ".");
  process.exit(1);
}`;

const COMMON = {
  bundle: true,
  format: "esm",
  // Numbers that have a name stand in the code as numbers: on the hot path a module's constants are not free.
  minifySyntax: true,
  legalComments: "inline",
  metafile: true,
  logLevel: "warning",
} as const satisfies BuildOptions;

/**
 * In QuickJS a global is looked up by its name each time, a variable of the module is not: what the data path takes from globals is
 * such a variable there.
 */
const GLOBALS: Readonly<Record<string, string>> = {
  "Math.min": "Math_min",
  "Math.max": "Math_max",
  "Math.floor": "Math_floor",
  "Math.ceil": "Math_ceil",
  Infinity: "INFINITE",
  "Number.POSITIVE_INFINITY": "INFINITE",
  "Number.NEGATIVE_INFINITY": "MINUS_INFINITE",
};
const GLOBALS_BANNER = [...new Map(Object.entries(GLOBALS).map(([value, name]) => [name, value]))]
  .map(([name, value]) => `const ${name} = ${value};`)
  .join("\n");

mkdirSync(join(OUT, "quickjs"), { recursive: true });
const node = await build({
  ...COMMON,
  entryPoints: [join(ROOT, "router-daemon/src/cli/kcp-router.ts")],
  outfile: join(OUT, "kcp-router.js.new"),
  platform: "node",
  target: `node${OLDEST_NODE}`,
  banner: { js: VERSION_CHECK },
});
const quickJs = await build({
  ...COMMON,
  entryPoints: [join(ROOT, "router-daemon/src/cli/kcp-router-quickjs.ts")],
  outfile: join(OUT, "quickjs/kcp-router.js.new"),
  platform: "neutral",
  target: "es2023",
  external: ["kcp-router:native"],
  define: GLOBALS,
  banner: { js: GLOBALS_BANNER },
});
// The name ends in .js wherever it is copied to; this tells Node that it is a module.
writeFileSync(join(OUT, "package.json"), '{ "type": "module" }\n');
// Through temporary names: a running daemon may be reading the old files.
renameSync(join(OUT, "kcp-router.js.new"), join(OUT, "kcp-router.js"));
renameSync(join(OUT, "quickjs/kcp-router.js.new"), join(OUT, "quickjs/kcp-router.js"));
copyFileSync(join(ROOT, "tools/launcher.sh"), join(OUT, "kcp-router.new"));
chmodSync(join(OUT, "kcp-router.new"), 0o755);
renameSync(join(OUT, "kcp-router.new"), join(OUT, "kcp-router"));

console.log(
  `out/kcp-router.js: ${kibibytes(node)} KiB, out/quickjs/kcp-router.js: ${kibibytes(quickJs)} KiB`,
);

function kibibytes(result: BuildResult<{ metafile: true }>): number {
  return Math.round((Object.values(result.metafile.outputs)[0]?.bytes ?? 0) / 1024);
}
