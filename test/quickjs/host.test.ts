/** The unit, property and vector tests inside QuickJS on this machine. `QUICKJS=all` runs the slow ones, too. */
import { allFiles, quickFiles } from "./plan.ts";
import { runInside } from "./register.ts";

const all = process.env.QUICKJS === "all";
runInside(all ? allFiles() : quickFiles(), {
  machine: "host",
  shareOfRuns: all ? 0.3 : 0.05,
  timeoutMs: all ? 600_000 : 180_000,
});
