import { decodeUtf8 } from "../wire/utf8.ts";
import { BlobWriter } from "./blob-writer.ts";
import { BlobType } from "./constants.ts";
import { MAX_DEPTH, MAX_FIELDS } from "./limits.ts";

/** What blobmsg can carry, in JavaScript's types; the same as JSON's. */
export type BlobValue = null | boolean | number | string | readonly BlobValue[] | BlobFields;
/** Named fields: the arguments of a method, its answer, a nested table. */
export interface BlobFields {
  readonly [name: string]: BlobValue;
}

const MAX_INT32 = 0x7fff_ffff;

/**
 * The fields as the payload of a DATA attribute, or undefined when they do not fit `maxBytes`. Whole numbers go as int32 or
 * int64, others as double, as C callees expect; what JSON leaves out (undefined, functions) is left out, what it makes null
 * (NaN, infinity) is null.
 */
export function encodeFields(fields: object, maxBytes: number): Uint8Array | undefined {
  const writer = new BlobWriter(maxBytes);
  writeTable(writer, fields, 0);
  return writer.isTooLarge ? undefined : writer.bytes;
}

function writeTable(writer: BlobWriter, fields: object, depth: number): void {
  for (const name of Object.keys(fields)) {
    const value = (fields as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined && typeof value !== "function") writeField(writer, name, value, depth);
  }
}

function writeField(writer: BlobWriter, name: string, value: unknown, depth: number): void {
  const type = typeOf(value, depth);
  if (type === BlobType.int32) {
    writer.numberField(type, name, value as number);
    return;
  }
  if (type === BlobType.string) {
    writer.textField(type, name, value as string);
    return;
  }
  const mark = writer.openField(type, name);
  switch (type) {
    case BlobType.bool:
      writer.u8(value === true ? 1 : 0);
      break;
    case BlobType.int64:
      writer.i64(value as number);
      break;
    case BlobType.double:
      writer.f64(value as number);
      break;
    case BlobType.array:
      for (const item of value as readonly unknown[]) writeField(writer, "", item, depth + 1);
      break;
    case BlobType.table:
      writeTable(writer, value as object, depth + 1);
      break;
    default:
  }
  writer.close(mark);
}

/** Tables beyond `MAX_DEPTH` become null: nothing of ours is so deep. */
function typeOf(value: unknown, depth: number): number {
  switch (typeof value) {
    case "boolean":
      return BlobType.bool;
    case "string":
      return BlobType.string;
    case "number":
      if (!Number.isFinite(value)) return BlobType.unspecified;
      if (!Number.isSafeInteger(value)) return BlobType.double;
      return value > MAX_INT32 || value < -MAX_INT32 - 1 ? BlobType.int64 : BlobType.int32;
    case "object":
      if (value === null || depth >= MAX_DEPTH) return BlobType.unspecified;
      return Array.isArray(value) ? BlobType.array : BlobType.table;
    default:
      return BlobType.unspecified;
  }
}

/**
 * Fields as they came; undefined when they are malformed, too deep or too many. The first of several fields with the same name
 * counts. An int64 beyond 2^53 is rounded.
 */
export function decodeFields(bytes: Uint8Array): BlobFields | undefined {
  const reader = new FieldReader(bytes);
  const fields = reader.table(0, bytes.length, 0);
  return reader.isMalformed ? undefined : fields;
}

class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #fields = 0;
  isMalformed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  table(from: number, to: number, depth: number): BlobFields {
    const found = new Map<string, BlobValue>();
    this.#each(from, to, depth, (name, value) => {
      if (!found.has(name)) found.set(name, value);
    });
    return Object.fromEntries(found);
  }

  #array(from: number, to: number, depth: number): BlobValue[] {
    const items: BlobValue[] = [];
    this.#each(from, to, depth, (_name, value) => items.push(value));
    return items;
  }

  /** Walks the children in [from, to); stops at the first that is malformed. */
  #each(from: number, to: number, depth: number, take: (name: string, value: BlobValue) => void): void {
    for (let at = from; at < to && !this.isMalformed; ) {
      const next = this.#field(at, to, depth, take);
      if (next < 0) this.isMalformed = true;
      at = next;
    }
  }

  /** One field at `at`; returns where the next one begins, or -1. */
  #field(at: number, to: number, depth: number, take: (name: string, value: BlobValue) => void): number {
    if (to - at < 4 || ++this.#fields > MAX_FIELDS) return -1;
    const head = this.#bytes[at]!;
    const length = this.#view.getUint32(at) & 0xff_ffff;
    const end = at + length;
    if (length < 4 || end > to) return -1;
    let value = at + 4;
    let name = "";
    if ((head & 0x80) !== 0) {
      if (end - value < 3) return -1;
      const nameEnd = value + 2 + this.#view.getUint16(value);
      if (nameEnd >= end || this.#bytes[nameEnd] !== 0) return -1;
      name = decodeUtf8(this.#bytes, value + 2, nameEnd);
      // The header is padded like an attribute; a name that fills the rest has no value behind it.
      value = Math.min(at + 4 + padded(nameEnd + 1 - value), end);
    }
    const decoded = this.#value(head & 0x7f, value, end, depth);
    if (decoded === undefined) return -1;
    take(name, decoded);
    return at + padded(length);
  }

  #value(type: number, from: number, to: number, depth: number): BlobValue | undefined {
    const length = to - from;
    switch (type) {
      case BlobType.array:
        return depth < MAX_DEPTH ? this.#array(from, to, depth + 1) : undefined;
      case BlobType.table:
        return depth < MAX_DEPTH ? this.table(from, to, depth + 1) : undefined;
      case BlobType.string: {
        if (length < 1 || this.#bytes[to - 1] !== 0) return undefined;
        const nul = this.#bytes.indexOf(0, from);
        return decodeUtf8(this.#bytes, from, nul);
      }
      case BlobType.int64:
        if (length !== 8) return undefined;
        return this.#view.getInt32(from) * 2 ** 32 + this.#view.getUint32(from + 4);
      case BlobType.int32:
        return length === 4 ? this.#view.getInt32(from) : undefined;
      case BlobType.int16:
        return length === 2 ? this.#view.getInt16(from) : undefined;
      case BlobType.bool:
        return length === 1 ? this.#bytes[from] !== 0 : undefined;
      case BlobType.double:
        return length === 8 ? this.#view.getFloat64(from) : undefined;
      default:
        // "Unspecified", and types that are not known yet: there, but without a value.
        return null;
    }
  }
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
