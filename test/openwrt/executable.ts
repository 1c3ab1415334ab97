/** The program that goes into the packages of the tests: the static executable of this machine's kind. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OUT } from "../netns/paths.ts";

export function routerExecutable(): string {
  const path = join(OUT, "bin/x86_64/kcp-router");
  if (!existsSync(path))
    throw new Error("out/bin/x86_64/kcp-router is missing: run make native ARCH=x86_64 first.");
  return path;
}
