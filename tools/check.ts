/** `make check`: types, format, lint with import boundaries, unused code, generated files. Runs all, then says what failed. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");

interface Check {
  readonly name: string;
  readonly command: readonly string[];
  /** What to do when it fails. */
  readonly remedy: string;
}

const CHECKS: readonly Check[] = [
  { name: "types", command: ["tsc", "--noEmit", "-p", "tsconfig.json"], remedy: "Mend the types." },
  {
    name: "types of the page",
    command: ["tsc", "--noEmit", "-p", "luci-app/tsconfig.json"],
    remedy: "Mend the types.",
  },
  {
    name: "format, lint, import boundaries",
    command: ["biome", "check", "--max-diagnostics=50", "--error-on-warnings", "."],
    remedy: 'Run "npm run format", then mend what is left.',
  },
  { name: "unused code", command: ["knip"], remedy: "Remove what nobody uses, or its export." },
  {
    name: "generated documents",
    command: ["tsx", "tools/docs.ts", "--check"],
    remedy: 'Run "npm run docs" and commit the result.',
  },
  {
    name: "texts to be translated",
    command: ["tsx", "tools/po.ts", "--check"],
    remedy: 'Run "npx tsx tools/po.ts", and translate what it names.',
  },
  {
    name: "generated code",
    command: ["tsx", "router-daemon/proto/generate.ts", "--check"],
    remedy: 'Run "npx tsx router-daemon/proto/generate.ts" and commit the result.',
  },
];

/** Runs every check; returns the names of those that failed. Output is shown for failures only. */
export function runChecks(): readonly string[] {
  const failed: string[] = [];
  for (const check of CHECKS) {
    const started = performance.now();
    const [program = "", ...args] = check.command;
    const result = spawnSync(join(ROOT, "node_modules/.bin", program), args, { cwd: ROOT, encoding: "utf8" });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (result.status === 0) {
      console.log(`check: ${check.name}: good (${seconds} s)`);
    } else {
      failed.push(check.name);
      console.log(`${result.stdout}${result.stderr}`);
      console.log(`check: ${check.name}: FAILED (${seconds} s). ${check.remedy}`);
    }
  }
  return failed;
}

if (process.argv[1] === import.meta.filename) process.exit(runChecks().length === 0 ? 0 : 1);
