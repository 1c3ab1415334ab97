/**
 * Makes `dist/`, the package as it is published: JavaScript and declarations of every module, for consumers that do not
 * compile our sources. In the workspace `src` is used directly.
 */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(here("dist"), { recursive: true, force: true });
execFileSync(
  process.execPath,
  [
    fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url)),
    ...["--outDir", here("dist"), "--rootDir", here("src"), here("src/index.ts"), here("src/recovery.ts")],
    ...["--declaration", "--rewriteRelativeImportExtensions", "--allowImportingTsExtensions"],
    ...[
      "--target",
      "es2022",
      "--module",
      "nodenext",
      "--moduleResolution",
      "nodenext",
      "--lib",
      "es2022,dom",
    ],
    ...["--strict", "--verbatimModuleSyntax", "--skipLibCheck", "--ignoreConfig", "--types", ""],
  ],
  { stdio: "inherit" },
);

// Older compilers do not look for a declaration behind a name that ends in .ts.
for (const name of readdirSync(here("dist"))) {
  if (!name.endsWith(".d.ts")) continue;
  const text = readFileSync(here(`dist/${name}`), "utf8");
  writeFileSync(here(`dist/${name}`), text.replaceAll(/(from "\.\/[^"]+)\.ts"/g, '$1.js"'));
}

const {
  scripts: _scripts,
  files: _files,
  ...manifest
} = JSON.parse(readFileSync(here("package.json"), "utf8"));
manifest.exports = {
  ".": { types: "./index.d.ts", default: "./index.js" },
  "./recovery": { types: "./recovery.d.ts", default: "./recovery.js" },
};
writeFileSync(here("dist/package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
cpSync(here("README.md"), here("dist/README.md"));
