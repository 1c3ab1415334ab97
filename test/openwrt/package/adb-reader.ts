/** The naive twin of the writer: reads an apk v3 file whole, and believes nothing that it can check. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";

export type Value = number | Buffer | readonly Value[] | null;

export interface AdbFile {
  readonly schema: string;
  /** The ADB block's payload. */
  readonly payload: Buffer;
  readonly signatures: readonly Buffer[];
  readonly data: readonly Buffer[];
  /** Field n of an object is element n; element 0 is unused. */
  readonly root: Value;
}

export function readAdb(bytes: Uint8Array): AdbFile {
  const file = Buffer.from(bytes);
  assert.equal(file.toString("latin1", 0, 4), "ADBd");
  const plain = inflateRawSync(file.subarray(4));
  assert.equal(plain.toString("latin1", 0, 4), "ADB.");
  const blocks: Buffer[][] = [[], [], [], []];
  for (let at = 8; at < plain.length; ) {
    const tag = plain.readUInt32LE(at);
    const size = tag & 0x3fffffff;
    blocks[tag >>> 30]!.push(plain.subarray(at + 4, at + size));
    const end = at + Math.ceil(size / 8) * 8;
    assert.ok(plain.subarray(at + size, end).every((byte) => byte === 0));
    at = end;
  }
  const [adb, signatures = [], data = []] = blocks;
  assert.equal(adb?.length, 1);
  const payload = adb?.[0] as Buffer;
  assert.equal(payload.readUInt32LE(0), 0);
  const root = readValue(payload, payload.readUInt32LE(4));
  return { schema: plain.toString("latin1", 4, 8), payload, signatures, data, root };
}

function readValue(payload: Buffer, word: number): Value {
  const value = word & 0x0fffffff;
  switch (word >>> 28) {
    case 0x0:
      assert.equal(value, 0);
      return null;
    case 0x1:
      return value;
    case 0x2:
      assert.equal(value % 4, 0);
      return payload.readUInt32LE(value);
    case 0x8:
      return payload.subarray(value + 1, value + 1 + payload.readUInt8(value));
    case 0x9:
      assert.equal(value % 2, 0);
      return payload.subarray(value + 2, value + 2 + payload.readUInt16LE(value));
    case 0xa:
      assert.equal(value % 4, 0);
      return payload.subarray(value + 4, value + 4 + payload.readUInt32LE(value));
    case 0xd:
    case 0xe: {
      assert.equal(value % 4, 0);
      const count = payload.readUInt32LE(value);
      return Array.from({ length: count }, (_, slot) =>
        slot === 0 ? null : readValue(payload, payload.readUInt32LE(value + 4 * slot)),
      );
    }
    default:
      throw new Error(`unknown value type in ${word.toString(16)}`);
  }
}

/** A field of an object, absent ones as null. */
export function field(value: Value, number: number): Value {
  assert.ok(Array.isArray(value));
  return value[number] ?? null;
}

export function list(value: Value): readonly Value[] {
  if (value === null) return [];
  assert.ok(Array.isArray(value));
  return value.slice(1);
}

export function text(value: Value): string {
  if (value === null) return "";
  assert.ok(Buffer.isBuffer(value));
  return value.toString();
}

export interface UnpackedEntry {
  /** Without the leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtime: number;
  readonly content: Buffer;
}

export interface UnpackedApk {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly depends: readonly string[];
  readonly files: readonly UnpackedEntry[];
  /** Script by apk's name for it. */
  readonly scripts: Readonly<Record<string, string>>;
}

const SCRIPT_NAMES = [
  "trigger",
  "pre-install",
  "post-install",
  "pre-deinstall",
  "post-deinstall",
  "pre-upgrade",
  "post-upgrade",
];

/** A package as apk would unpack it; every hash in it is checked. */
export function unpackApk(bytes: Uint8Array): UnpackedApk {
  const file = readAdb(bytes);
  assert.equal(file.schema, "pckg");
  const info = field(file.root, 1);
  const contents = new Map(
    file.data.map((block) => [`${block.readUInt32LE(0)}/${block.readUInt32LE(4)}`, block.subarray(8)]),
  );
  const files = list(field(file.root, 2)).flatMap((folder, folderAt) =>
    list(field(folder, 3)).map((entry, at): UnpackedEntry => {
      const content = contents.get(`${folderAt + 1}/${at + 1}`) ?? Buffer.alloc(0);
      assert.equal(content.length, field(entry, 3));
      assert.deepEqual(field(entry, 5), createHash("sha256").update(content).digest());
      return {
        path: `${text(field(folder, 1))}/${text(field(entry, 1))}`,
        mode: field(field(entry, 2), 1) as number,
        owner: `${text(field(field(entry, 2), 2))}:${text(field(field(entry, 2), 3))}`,
        mtime: field(entry, 4) as number,
        content,
      };
    }),
  );
  const scripts = field(file.root, 3);
  return {
    name: text(field(info, 1)),
    version: text(field(info, 2)),
    architecture: text(field(info, 5)),
    depends: list(field(info, 15)).map((dependency) => text(field(dependency, 1))),
    files,
    scripts: Object.fromEntries(SCRIPT_NAMES.map((name, at) => [name, text(field(scripts, at + 1))])),
  };
}
