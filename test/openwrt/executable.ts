/** The program that goes into the packages of the tests: the static executable for this kind of machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OUT } from "../netns/paths.ts";

/** The name of this machine's processor, as `uname -m` and the build have it. */
export const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";

export function routerExecutable(): string {
  const path = join(OUT, "bin", MACHINE, "kcp-router");
  if (!existsSync(path)) throw new Error(`${path} is missing: run make native ARCH=${MACHINE} first.`);
  return path;
}
