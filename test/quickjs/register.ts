import { join } from "node:path";
import test from "ava";
import { ROOT } from "../netns/paths.ts";
import { reasonImpossible } from "./plan.ts";
import { type RunOptions, runFile } from "./run.ts";

/** One test of ours for each file that runs inside: it fails with what failed there. */
export function runInside(files: readonly string[], options: RunOptions): void {
  for (const file of files) {
    test.serial(`QuickJS on ${options.machine}: ${file}`, async (t) => {
      t.timeout(options.timeoutMs + 30_000);
      const { tests, failure } = await runFile(join(ROOT, file), options);
      const failed = tests.filter(
        ({ title, error }) => error !== undefined && reasonImpossible(title) === undefined,
      );
      t.deepEqual(
        failed.map(({ title, error }) => `${title}: ${error}`),
        [],
      );
      t.is(failure, undefined);
      t.true(tests.length > 0, "no test ran");
    });
  }
}
