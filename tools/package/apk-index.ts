import {
  type AdbObject,
  type AdbValue,
  adbBlock,
  adbFile,
  adbPayload,
  BLOCK_ADB,
  SCHEMA_INDEX,
} from "./adb.ts";
import { INFO } from "./apk.ts";
import { type ApkKey, signatureBlock } from "./apk-key.ts";
import { byBytes } from "./file-tree.ts";

const INDEX = { description: 1, packages: 2 } as const;

/** `packages.adb`: what one folder of packages holds, signed. */
export function buildApkIndex(description: string, packages: readonly AdbObject[], key?: ApkKey): Uint8Array {
  const text = (value: AdbValue): string => (typeof value === "string" ? value : "");
  const sorted = [...packages].sort(
    (a, b) =>
      byBytes(text(a.fields[INFO.name]), text(b.fields[INFO.name])) ||
      byBytes(text(a.fields[INFO.version]), text(b.fields[INFO.version])),
  );
  const payload = adbPayload({ fields: { [INDEX.description]: description, [INDEX.packages]: sorted } });
  const blocks = [adbBlock(BLOCK_ADB, payload)];
  if (key !== undefined) blocks.push(signatureBlock(SCHEMA_INDEX, payload, key));
  return adbFile(SCHEMA_INDEX, blocks);
}
