import { decodeUtf8 } from "../wire/utf8.ts";
import { BlobWriter } from "./blob-writer.ts";
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "./limits.ts";

/** What a message may carry (ubus-wire.md 4). Ids are unsigned; nested ones are the bytes of blobmsg fields. */
export interface Attributes {
  readonly status?: number;
  readonly objectPath?: string;
  readonly objectId?: number;
  readonly method?: string;
  readonly objectType?: number;
  readonly user?: string;
  readonly group?: string;
  readonly signature?: Uint8Array;
  readonly data?: Uint8Array;
  readonly target?: number;
  readonly active?: boolean;
  readonly noReply?: boolean;
}

export interface UbusMessage extends Attributes {
  readonly type: number;
  /** Chosen by the requester, 16 bits. */
  readonly sequence: number;
  /** Whom it concerns, 32 bits: 0 for ubusd itself, see ubus-wire.md 5. */
  readonly peer: number;
}

type Form = "number" | "switch" | "text" | "nested";

/** Attribute ids and forms, in the order in which they are written. */
const ATTRIBUTES: readonly (readonly [name: keyof Attributes, id: number, form: Form])[] = [
  ["status", 1, "number"],
  ["objectPath", 2, "text"],
  ["objectId", 3, "number"],
  ["method", 4, "text"],
  ["objectType", 5, "number"],
  ["user", 12, "text"],
  ["group", 13, "text"],
  ["signature", 6, "nested"],
  ["data", 7, "nested"],
  ["target", 8, "number"],
  ["active", 9, "switch"],
  ["noReply", 10, "switch"],
];
const BY_ID = new Map(ATTRIBUTES.map(([name, id, form]) => [id, { name, form }]));

/** The bytes of a message; undefined when it is longer than ubusd takes. */
export function encodeMessage(message: UbusMessage): Uint8Array | undefined {
  const writer = new BlobWriter(HEADER_BYTES + MAX_MESSAGE_BYTES);
  writer.u8(0);
  writer.u8(message.type);
  writer.u16(message.sequence);
  writer.u32(message.peer);
  const outer = writer.open(0);
  for (const [name, id, form] of ATTRIBUTES) {
    const value = message[name];
    if (value === undefined) continue;
    const mark = writer.open(id);
    if (form === "number") writer.u32(value as number);
    else if (form === "switch") writer.u8(value === true ? 1 : 0);
    else if (form === "text") writer.text(value as string);
    else writer.raw(value as Uint8Array);
    writer.close(mark);
  }
  writer.close(outer);
  return writer.isTooLarge ? undefined : writer.bytes;
}

/**
 * One whole message; undefined when its attributes are malformed. Ids that are not known are left out, and so are further
 * attributes of the same id. Nested bytes are views of `bytes`.
 */
export function decodeMessage(bytes: Uint8Array): UbusMessage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES + 4) return undefined;
  const attributes: Partial<Record<keyof Attributes, unknown>> = {};
  for (let at = HEADER_BYTES + 4; at < bytes.length; ) {
    if (bytes.length - at < 4) return undefined;
    const id = bytes[at]! & 0x7f;
    const length = view.getUint32(at) & 0xff_ffff;
    if (length < 4 || at + length > bytes.length) return undefined;
    const known = BY_ID.get(id);
    if (known !== undefined && attributes[known.name] === undefined) {
      const value = readAttribute(bytes, view, at + 4, at + length, known.form);
      if (value === undefined) return undefined;
      attributes[known.name] = value;
    }
    at += (length + 3) & ~3;
  }
  return {
    ...(attributes as Attributes),
    type: bytes[1]!,
    sequence: view.getUint16(2),
    peer: view.getUint32(4),
  };
}

function readAttribute(bytes: Uint8Array, view: DataView, from: number, to: number, form: Form): unknown {
  switch (form) {
    case "number":
      return to - from === 4 ? view.getUint32(from) : undefined;
    case "switch":
      return to - from === 1 ? bytes[from] !== 0 : undefined;
    case "text":
      if (to === from || bytes[to - 1] !== 0) return undefined;
      return decodeUtf8(bytes, from, bytes.indexOf(0, from));
    case "nested":
      return bytes.subarray(from, to);
  }
}
