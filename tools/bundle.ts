/**
 * Bundles daemon and CLI into `out/kcp-router.js`, which runs on Node 20 without node_modules, and puts its launcher beside it.
 * The native core stays a file of its own (`out/native`).
 */
import { chmodSync, copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "out");

/** Oldest Node that the bundle runs on; older ones are told so instead of failing somewhere. */
const OLDEST_NODE = 20;
const VERSION_CHECK = `if (Number(process.versions.node.split(".")[0]) < ${OLDEST_NODE}) {
  console.error("kcp-router needs Node ${OLDEST_NODE} or newer; this is " + process.versions.node + ".");
  process.exit(1);
}`;

mkdirSync(OUT, { recursive: true });
const result = await build({
  entryPoints: [join(ROOT, "router-daemon/src/cli/kcp-router.ts")],
  outfile: join(OUT, "kcp-router.js.new"),
  bundle: true,
  format: "esm",
  platform: "node",
  target: `node${OLDEST_NODE}`,
  banner: { js: VERSION_CHECK },
  // Numbers that have a name stand in the code as numbers: on the hot path a module's constants are not free.
  minifySyntax: true,
  legalComments: "inline",
  metafile: true,
  logLevel: "warning",
});
// The name ends in .js wherever it is copied to; this tells Node that it is a module.
writeFileSync(join(OUT, "package.json"), '{ "type": "module" }\n');
// Through temporary names: a running daemon may be reading the old files.
renameSync(join(OUT, "kcp-router.js.new"), join(OUT, "kcp-router.js"));
copyFileSync(join(ROOT, "tools/launcher.sh"), join(OUT, "kcp-router.new"));
chmodSync(join(OUT, "kcp-router.new"), 0o755);
renameSync(join(OUT, "kcp-router.new"), join(OUT, "kcp-router"));

const bytes = Object.values(result.metafile.outputs)[0]?.bytes ?? 0;
console.log(`out/kcp-router.js: ${Math.round(bytes / 1024)} KiB`);
