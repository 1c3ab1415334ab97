/** Where things are, and the lab's own programs, built when they are missing or old. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { must } from "./namespace.ts";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const OUT = join(ROOT, "out");
export const LAB_OUT = join(OUT, "lab");

export type LabTool = "linkem" | "bulk" | "pingpong" | "probe" | "transfer";

export function toolPath(tool: LabTool): string {
  return join(LAB_OUT, tool);
}

let built: Promise<void> | undefined;

/** Builds the emulator and the load tools, once per process; several processes may do it at the same time. */
export function buildTools(): Promise<void> {
  built ??= (async () => {
    mkdirSync(LAB_OUT, { recursive: true });
    for (const folder of ["linkem", "tools"])
      await must([], ["make", "-s", "-C", join(ROOT, "test/netns", folder), `OUT=${LAB_OUT}`], {
        timeoutMs: 120_000,
      });
  })();
  return built;
}
