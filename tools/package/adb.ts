/**
 * ADB: the container of apk v3's packages and indexes. A tree of values, each one 32-bit little-endian word; what does not fit
 * into its 28 bits lies elsewhere, and the word holds its offset.
 *
 * ```
 *   word   type (4 bits) | value or offset from the payload's start (28 bits)
 *   blob   length (8, 16 or 32 bits), bytes
 *   array  number of slots including this one, then a word per element
 *   object the same, then a word per field; fields that are left out are 0, trailing ones are not written
 *
 *   file   "ADB." schema  block*      block = word: type (2 bits) | size including this word (30 bits); payload; padding to 8
 * ```
 */
import { deflateRawSync } from "node:zlib";

/** A value of the tree. Objects are keyed by field number (1…). */
export type AdbValue = string | number | Uint8Array | readonly AdbValue[] | AdbObject | undefined;
export interface AdbObject {
  readonly fields: Readonly<Record<number, AdbValue>>;
}

export const SCHEMA_PACKAGE = 0x676b6370;
export const SCHEMA_INDEX = 0x78646e69;

export const BLOCK_ADB = 0;
export const BLOCK_SIGNATURE = 1;
export const BLOCK_DATA = 2;

const TYPE_INT = 0x1;
const TYPE_INT_32 = 0x2;
const TYPE_BLOB_8 = 0x8;
const TYPE_BLOB_16 = 0x9;
const TYPE_BLOB_32 = 0xa;
const TYPE_ARRAY = 0xd;
const TYPE_OBJECT = 0xe;

const HEADER_BYTES = 8;
const ROOT_OFFSET = 4;
const MAX_DIRECT_INT = 0x0fffffff;

/** Writes one tree. Equal values are stored once. */
class AdbWriter {
  readonly #chunks: Uint8Array[] = [];
  readonly #known = new Map<string, number>();
  /** The next free offset; the header comes first. */
  #size = HEADER_BYTES;

  payload(root: AdbObject): Uint8Array {
    const word = this.#write(root);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(word, ROOT_OFFSET);
    return Buffer.concat([header, ...this.#chunks]);
  }

  /** Stores a value and returns its word. */
  #write(value: AdbValue): number {
    if (value === undefined) return 0;
    if (typeof value === "number") return this.#integer(value);
    if (typeof value === "string") return this.#blob(Buffer.from(value));
    if (value instanceof Uint8Array) return this.#blob(value);
    if ("fields" in value) {
      const numbers = Object.keys(value.fields).map(Number);
      const slots = Array.from({ length: Math.max(0, ...numbers) }, (_, at) => value.fields[at + 1]);
      return this.#slots(TYPE_OBJECT, slots);
    }
    return this.#slots(TYPE_ARRAY, value);
  }

  #integer(value: number): number {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
      throw new Error(`${value} does not fit an ADB integer.`);
    if (value <= MAX_DIRECT_INT) return word(TYPE_INT, value);
    return word(TYPE_INT_32, this.#store(uint32(value), 4));
  }

  #blob(bytes: Uint8Array): number {
    const { length } = bytes;
    if (length === 0) return 0;
    if (length <= 0xff)
      return word(TYPE_BLOB_8, this.#store(Buffer.concat([Buffer.from([length]), bytes]), 1));
    if (length <= 0xffff) {
      const size = Buffer.alloc(2);
      size.writeUInt16LE(length);
      return word(TYPE_BLOB_16, this.#store(Buffer.concat([size, bytes]), 2));
    }
    return word(TYPE_BLOB_32, this.#store(Buffer.concat([uint32(length), bytes]), 4));
  }

  #slots(type: number, values: readonly AdbValue[]): number {
    const words = values.map((value) => this.#write(value));
    while (words.length > 0 && words.at(-1) === 0) words.pop();
    if (words.length === 0) return 0;
    return word(type, this.#store(Buffer.concat([words.length + 1, ...words].map(uint32)), 4));
  }

  #store(bytes: Uint8Array, alignment: number): number {
    const key = `${alignment}:${Buffer.from(bytes).toString("latin1")}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const padding = (alignment - (this.#size % alignment)) % alignment;
    const offset = this.#size + padding;
    this.#chunks.push(Buffer.alloc(padding), bytes);
    this.#size = offset + bytes.length;
    this.#known.set(key, offset);
    return offset;
  }
}

/** The payload of the ADB block for a tree. */
export function adbPayload(root: AdbObject): Uint8Array {
  return new AdbWriter().payload(root);
}

export function adbBlock(type: number, ...payload: readonly Uint8Array[]): Uint8Array {
  const length = payload.reduce((sum, part) => sum + part.length, 0) + 4;
  return Buffer.concat([uint32(type * 2 ** 30 + length), ...payload, Buffer.alloc((8 - (length % 8)) % 8)]);
}

/** A whole file: everything behind the first four bytes is deflated. */
export function adbFile(schema: number, blocks: readonly Uint8Array[]): Uint8Array {
  const plain = Buffer.concat([Buffer.from("ADB."), uint32(schema), ...blocks]);
  return Buffer.concat([Buffer.from("ADBd"), deflateRawSync(plain, { level: 9 })]);
}

export function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function word(type: number, value: number): number {
  if (value > MAX_DIRECT_INT) throw new Error("The package is larger than an ADB file can be.");
  return type * 2 ** 28 + value;
}
