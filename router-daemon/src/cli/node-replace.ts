import { closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileSentence } from "./file-sentence.ts";

/** Readable and writable by its owner only: the file may hold a secret. */
const OWNER_ONLY = 0o600;

/**
 * Puts a whole file in place of another: whoever reads sees the old text or the new one, also after a power cut. Returns a
 * sentence when that failed; the old file is there as it was then.
 */
export function replaceFile(path: string, text: string): string | undefined {
  const target = resolveLink(path);
  const temporary = `${target}.new`;
  try {
    // What a crash has left there must not decide who may read the new text.
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, "wx", OWNER_ONLY);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
    return undefined;
  } catch (error) {
    rmSync(temporary, { force: true });
    return fileSentence((error as NodeJS.ErrnoException).code ?? "");
  }
}

/** A link stays a link: its target is replaced. */
function resolveLink(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
