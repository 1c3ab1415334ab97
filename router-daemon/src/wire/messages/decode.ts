/**
 * Bytes to messages, from senders nobody vouches for. Every length is checked against what is there, nesting is bounded by
 * the schemas (none contains itself), and the number of objects one message can make is limited. Rules are the reference's
 * (a field of a known number with another wire type is an error, not an unknown field), so that what decodes here decodes
 * at others too: that matters for what is passed on.
 */
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import type { AnySchema, Field, Scalar, Schema } from "./schema.ts";

/** Repeated messages, strings, byte fields and map entries in one decoded message, at all depths together. */
export const MAX_ELEMENTS = 16384;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

export type MessageErrorCode = "truncated" | "malformed" | "not_utf8" | "too_many_elements";

/** The bytes are not a message of this kind. */
export class MessageError extends Error {
  readonly code: MessageErrorCode;
  constructor(code: MessageErrorCode, message: string) {
    super(message);
    this.name = "MessageError";
    this.code = code;
  }
}

/**
 * The message in `bytes`. Unknown fields are skipped, the last value of a singular field wins, repeated sub-messages of a
 * singular field merge, numbers are cut to their width. Nothing in the result refers to `bytes`. Throws MessageError.
 */
export function decode<T>(schema: Schema<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const message = createMessage(schema);
  readMessage(reader, schema, message, bytes.length);
  return message as T;
}

/** As `decode`, with undefined for bytes that are no such message. */
export function tryDecode<T>(schema: Schema<T>, bytes: Uint8Array): T | undefined {
  try {
    return decode(schema, bytes);
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

class Reader {
  readonly bytes: Uint8Array;
  at = 0;
  elements = MAX_ELEMENTS;
  /** Halves of the varint that `varint` read last. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Reads up to 64 bits into `low` and `high`. */
  varint(end: number): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= end) throw truncated();
      const byte = this.bytes[this.at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        // The tenth byte holds one bit.
        if (shift === 63 && byte > 1) break;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new MessageError("malformed", "A number is longer than 64 bits.");
  }

  /** Reads a length and returns the end of what it spans. */
  block(end: number): number {
    this.varint(end);
    if (this.high !== 0 || this.low > end - this.at) throw truncated();
    return this.at + this.low;
  }

  skip(wireType: number, end: number): void {
    if (wireType === VARINT) this.varint(end);
    else if (wireType === LENGTH_DELIMITED) this.at = this.block(end);
    else if (wireType === FIXED64 || wireType === FIXED32) {
      this.at += wireType === FIXED64 ? 8 : 4;
      if (this.at > end) throw truncated();
    } else throw new MessageError("malformed", `Wire type ${wireType} is not in use.`);
  }

  countElement(): void {
    if (this.elements-- === 0)
      throw new MessageError("too_many_elements", "The message has too many elements.");
  }
}

type Target = Record<string, unknown>;

function createMessage(schema: AnySchema): Target {
  const message: Target = {};
  for (const field of schema.fields) message[field.name] = initialValue(field);
  return message;
}

function initialValue(field: Field): unknown {
  if (field.shape === "optional") return undefined;
  if (field.shape === "repeated") return [];
  if (field.shape === "map") return new Map();
  switch (field.type) {
    case "bool":
      return false;
    case "string":
      return "";
    case "bytes":
      return new Uint8Array(0);
    case "uint64":
    case "int64":
      return 0n;
    default:
      return 0;
  }
}

function readMessage(reader: Reader, schema: AnySchema, message: Target, end: number): void {
  while (reader.at < end) {
    reader.varint(end);
    const number = reader.low >>> 3;
    const wireType = reader.low & 7;
    if (reader.high !== 0 || number === 0)
      throw new MessageError("malformed", "A field number is out of range.");
    const field = schema.byNumber.get(number);
    if (field === undefined) reader.skip(wireType, end);
    else readField(reader, field, message, wireType, end);
  }
}

function readField(reader: Reader, field: Field, message: Target, wireType: number, end: number): void {
  const isNumber = field.type !== "message" && field.type !== "string" && field.type !== "bytes";
  if (isNumber && field.shape === "repeated" && wireType === LENGTH_DELIMITED) {
    const list = message[field.name] as unknown[];
    const blockEnd = reader.block(end);
    while (reader.at < blockEnd) list.push(readNumber(reader, field.type as Scalar, blockEnd));
    return;
  }
  if (wireType !== (isNumber ? VARINT : LENGTH_DELIMITED)) {
    throw new MessageError("malformed", `${field.name} has wire type ${wireType}.`);
  }
  if (field.shape === "map") {
    reader.countElement();
    readMapEntry(reader, field, message[field.name] as Map<number, unknown>, reader.block(end));
  } else if (field.shape === "repeated") {
    if (!isNumber) reader.countElement();
    (message[field.name] as unknown[]).push(readValue(reader, field, undefined, end));
  } else {
    for (const sibling of field.siblings) message[sibling] = undefined;
    message[field.name] = readValue(reader, field, message[field.name], end);
  }
}

/** A value of the field's type; a sub-message merges into `previous`. */
function readValue(reader: Reader, field: Field, previous: unknown, end: number): unknown {
  if (field.type === "message") {
    const inner = field.message!;
    const message = (previous as Target | undefined) ?? createMessage(inner);
    readMessage(reader, inner, message, reader.block(end));
    return message;
  }
  if (field.type !== "string" && field.type !== "bytes") return readNumber(reader, field.type, end);
  const blockEnd = reader.block(end);
  const from = reader.at;
  reader.at = blockEnd;
  return field.type === "bytes" ? reader.bytes.slice(from, blockEnd) : readText(reader.bytes, from, blockEnd);
}

function readMapEntry(reader: Reader, field: Field, entries: Map<number, unknown>, end: number): void {
  let key = 0;
  const value = createMessage(field.message!);
  while (reader.at < end) {
    reader.varint(end);
    const tag = reader.low;
    if (reader.high !== 0 || tag >>> 3 === 0)
      throw new MessageError("malformed", "A field number is out of range.");
    if (tag >>> 3 > 2) reader.skip(tag & 7, end);
    else if (tag === ((1 << 3) | VARINT)) {
      reader.varint(end);
      key = reader.low;
    } else if (tag === ((2 << 3) | LENGTH_DELIMITED)) {
      readMessage(reader, field.message!, value, reader.block(end));
    } else throw new MessageError("malformed", `An entry of ${field.name} has wire type ${tag & 7}.`);
  }
  entries.set(key, value);
}

function readNumber(reader: Reader, type: Scalar, end: number): number | bigint | boolean {
  reader.varint(end);
  switch (type) {
    case "bool":
      return reader.low !== 0 || reader.high !== 0;
    case "uint32":
      return reader.low;
    case "int32":
      return reader.low | 0;
    default: {
      const value = (BigInt(reader.high) << 32n) | BigInt(reader.low);
      return type === "int64" ? BigInt.asIntN(64, value) : value;
    }
  }
}

function readText(bytes: Uint8Array, from: number, to: number): string {
  const text = decodeUtf8(bytes, from, to);
  // The lenient decoder puts U+FFFD for what is not UTF-8; then the text's bytes differ from what was received.
  if (text.includes("\ufffd")) {
    const again = encodeUtf8(text);
    let same = again.length === to - from;
    for (let at = 0; same && at < again.length; at++) same = again[at] === bytes[from + at];
    if (!same) throw new MessageError("not_utf8", "A text is not UTF-8.");
  }
  return text;
}

function truncated(): MessageError {
  return new MessageError("truncated", "The message ends too early.");
}
