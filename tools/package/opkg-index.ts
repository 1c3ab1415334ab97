import { createHash } from "node:crypto";
import { byBytes } from "./file-tree.ts";

/** One package of a feed. */
export interface IndexedIpk {
  readonly fileName: string;
  readonly bytes: Uint8Array;
  /** Its `control` file. */
  readonly control: string;
}

/** Old versions of usign hash a message of these lengths (with 64 bytes before it, modulo 128) wrongly. */
const UNSIGNABLE_LENGTHS = [110, 111];

/** `Packages`: every control file with the package's name, size and hash before the description. */
export function opkgIndex(packages: readonly IndexedIpk[]): string {
  const text = [...packages]
    .sort((a, b) => byBytes(a.fileName, b.fileName))
    .map(
      ({ fileName, bytes, control }) =>
        `${control.replace(
          /^Description:/m,
          `Filename: ${fileName}\nSize: ${bytes.length}\nSHA256sum: ${sha256(bytes)}\nDescription:`,
        )}\n`,
    )
    .join("");
  return UNSIGNABLE_LENGTHS.includes((64 + Buffer.byteLength(text)) % 128) ? `${text}\n\n` : text;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
