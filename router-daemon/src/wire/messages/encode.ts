/** Messages to bytes: fields ascending, numbers that are repeated packed, as the protocol notes' vectors have them. */
import { encodeUtf8 } from "../utf8.ts";
import type { AnySchema, Field, Init, Scalar, Schema } from "./schema.ts";

const VARINT = 0;
const LENGTH_DELIMITED = 2;

/**
 * The bytes of a message. What is left out has its default. Numbers are taken modulo their width.
 * Throws TypeError when two members of a oneof are set: that is a bug of the caller.
 */
export function encode<T>(schema: Schema<T>, value: Init<T>): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writeMessage(writer, schema, value as Readonly<Record<string, unknown>>);
  return writer.finish();
}

/** Bytes that `encode` would write. */
export function encodedLength<T>(schema: Schema<T>, value: Init<T>): number {
  return encode(schema, value).length;
}

class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** A varint of 64 bits, given as two unsigned halves. */
  varint(low: number, high: number): void {
    this.#room(10);
    let lo = low >>> 0;
    let hi = high >>> 0;
    while (hi !== 0 || lo > 0x7f) {
      this.#bytes[this.#length++] = (lo & 0x7f) | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    this.#bytes[this.#length++] = lo;
  }

  tag(field: number, wireType: number): void {
    this.varint(((field << 3) | wireType) >>> 0, 0);
  }

  /** Length and bytes. */
  block(bytes: Uint8Array): void {
    this.varint(bytes.length, 0);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

function writeMessage(writer: Writer, schema: AnySchema, value: Readonly<Record<string, unknown>>): void {
  for (const field of schema.fields) {
    const member = value[field.name];
    if (member === undefined) continue;
    for (const sibling of field.siblings) {
      if (value[sibling] !== undefined) {
        throw new TypeError(`${schema.name}: only one of ${field.name} and ${sibling} may be set.`);
      }
    }
    if (field.shape === "repeated") writeRepeated(writer, field, member as readonly unknown[]);
    else if (field.shape === "map") writeMap(writer, field, member as ReadonlyMap<number, unknown>);
    else if (field.shape === "optional" || !isDefault(member)) writeField(writer, field, member);
  }
}

function writeField(writer: Writer, field: Field, value: unknown): void {
  if (field.type === "message") {
    writer.tag(field.number, LENGTH_DELIMITED);
    writer.block(messageBytes(field, value));
  } else if (field.type === "string") {
    writer.tag(field.number, LENGTH_DELIMITED);
    writer.block(encodeUtf8(value as string));
  } else if (field.type === "bytes") {
    writer.tag(field.number, LENGTH_DELIMITED);
    writer.block(value as Uint8Array);
  } else {
    writer.tag(field.number, VARINT);
    writeNumber(writer, field.type, value);
  }
}

function writeRepeated(writer: Writer, field: Field, values: readonly unknown[]): void {
  if (field.type === "message" || field.type === "string" || field.type === "bytes") {
    for (const value of values) writeField(writer, field, value);
  } else if (values.length !== 0) {
    const packed = new Writer();
    for (const value of values) writeNumber(packed, field.type, value);
    writer.tag(field.number, LENGTH_DELIMITED);
    writer.block(packed.finish());
  }
}

/** A map is a repeated message {key = 1, value = 2}. */
function writeMap(writer: Writer, field: Field, entries: ReadonlyMap<number, unknown>): void {
  for (const [key, value] of entries) {
    const entry = new Writer();
    if (key !== 0) {
      entry.tag(1, VARINT);
      entry.varint(key, 0);
    }
    entry.tag(2, LENGTH_DELIMITED);
    entry.block(messageBytes(field, value));
    writer.tag(field.number, LENGTH_DELIMITED);
    writer.block(entry.finish());
  }
}

function messageBytes(field: Field, value: unknown): Uint8Array {
  const inner = new Writer();
  writeMessage(inner, field.message!, value as Readonly<Record<string, unknown>>);
  return inner.finish();
}

function writeNumber(writer: Writer, type: Scalar, value: unknown): void {
  switch (type) {
    case "bool":
      writer.varint(value === true ? 1 : 0, 0);
      break;
    case "uint32":
      writer.varint(value as number, 0);
      break;
    case "int32":
      // Negative ones are sign-extended to 64 bits.
      writer.varint(value as number, (value as number) < 0 ? 0xffffffff : 0);
      break;
    default: {
      // Not BigInt.asUintN: QuickJS 2026-06-04 leaves small negative numbers as they are.
      const bits = (value as bigint) & ALL_64_BITS;
      writer.varint(Number(bits & 0xffffffffn), Number(bits >> 32n));
    }
  }
}

const ALL_64_BITS = 0xffff_ffff_ffff_ffffn;

function isDefault(value: unknown): boolean {
  return (
    value === 0 ||
    value === 0n ||
    value === false ||
    value === "" ||
    (value instanceof Uint8Array && value.length === 0)
  );
}
