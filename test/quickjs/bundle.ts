/** Makes one file that QuickJS runs out of a test file: AVA, Node's modules and globals are stand-ins (`inside/`). */
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { inOwnPlace } from "../../tools/own-place.ts";

const INSIDE = join(import.meta.dirname, "inside");

/** What a test imports, and the file that takes its place. */
const STAND_INS: Readonly<Record<string, string>> = {
  ava: "ava.ts",
  "fast-check": "fast-check.ts",
  "node:assert/strict": "assert.ts",
  "node:crypto": "crypto.ts",
  "node:fs": "fs.ts",
  "node:net": "net.ts",
  "node:os": "os.ts",
  "node:path": "path.ts",
  "node:url": "url.ts",
};

const standIns: Plugin = {
  name: "stand-ins",
  setup(plugin) {
    plugin.onResolve({ filter: /^(ava|fast-check|node:.*)$/ }, ({ path, importer }) => {
      // The stand-in of fast-check is made of fast-check.
      if (importer.startsWith(INSIDE)) return undefined;
      const file = STAND_INS[path];
      return file === undefined ? undefined : { path: join(INSIDE, file) };
    });
    // Where a file was, also when it is part of a bundle.
    plugin.onLoad({ filter: /\/(test|proto)\/.*\.ts$/ }, ({ path }) => inOwnPlace(path));
  },
};

/** Writes the bundle of `file` to `outfile`. What needs a part of Node that has no stand-in is refused with the remedy. */
export async function bundleTest(file: string, outfile: string): Promise<void> {
  try {
    await bundle(file, outfile);
  } catch (error) {
    throw new Error(
      `${file} does not run inside QuickJS as it is: ${String(error)}\nGive what is missing a stand-in (test/quickjs/inside), or name the file in OUTSIDE (test/quickjs/plan.ts).`,
    );
  }
}

async function bundle(file: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [file],
    outfile,
    inject: [join(INSIDE, "globals.ts")],
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    target: "es2023",
    external: ["kcp-router:native"],
    plugins: [standIns],
    logLevel: "silent",
  });
}
