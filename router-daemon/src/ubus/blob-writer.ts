import { encodeUtf8 } from "../wire/utf8.ts";

const FIRST_BYTES = 256;
/** Names whose headers are kept, and the longest of them: those of our own tables, again and again. */
export const MAX_KEPT_NAMES = 512;
const MAX_KEPT_NAME_LENGTH = 64;
/** Texts of one writing that are kept: the rows of a table repeat most of theirs, and an interpreter is slow with characters. */
export const MAX_KEPT_TEXTS = 256;
const MAX_KEPT_TEXT_LENGTH = 128;
/** Bit of id_len: the payload begins with a blobmsg name header. */
const EXTENDED = 0x80;

/**
 * Writes blob attributes, big-endian, into one growing array (ubus-wire.md 3). An attribute is opened, filled and closed:
 *
 * ```
 *  open ──▶│ E id │ length 24 │ [ name length 16 │ name │ 0 │ pad ] │ value … │◀── close   pad to a multiple of 4
 *            └── length counts from here to the end of the value, without the final padding ──┘
 * ```
 * Beyond `maxBytes` nothing is written any more and `isTooLarge` stays true.
 */
export class BlobWriter {
  readonly #maxBytes: number;
  readonly #texts = new Map<string, Uint8Array>();
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #tooLarge = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isTooLarge(): boolean {
    return this.#tooLarge;
  }

  /** What was written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Opens a plain attribute; give the result to `close`. */
  open(id: number): number {
    const mark = this.#length;
    this.u32(id * 0x100_0000);
    return mark;
  }

  /** Opens a blobmsg field; elements of an array have an empty name. */
  openField(type: number, name: string): number {
    const mark = this.#length;
    this.raw(fieldHeader(name));
    if (!this.#tooLarge) this.#bytes[mark] = EXTENDED | type;
    return mark;
  }

  close(mark: number): void {
    if (this.#tooLarge) return;
    const length = this.#length - mark;
    this.#bytes[mark + 1] = length >>> 16;
    this.#bytes[mark + 2] = length >>> 8;
    this.#bytes[mark + 3] = length;
    const padding = -length & 3;
    if (padding === 0 || !this.#room(padding)) return;
    this.#bytes.fill(0, this.#length, this.#length + padding);
    this.#length += padding;
  }

  /** A whole field of one 32-bit number: what tables have most of, beside texts. */
  numberField(type: number, name: string, value: number): void {
    const header = fieldHeader(name);
    const at = this.#beginField(header, type, header.length + 4, 0);
    if (at >= 0) this.#view.setUint32(at, value);
  }

  /** A whole field of text: UTF-8 with a final NUL. A NUL inside, where readers would stop, becomes U+FFFD. */
  textField(type: number, name: string, text: string): void {
    const header = fieldHeader(name);
    const bytes = this.#keptText(text);
    const length = header.length + bytes.length;
    const at = this.#beginField(header, type, length, -length & 3);
    if (at >= 0) this.#bytes.set(bytes, at);
  }

  /** Makes room for it and writes its header and padding; returns where its value goes, or -1. */
  #beginField(header: Uint8Array, type: number, length: number, padding: number): number {
    const at = this.#length;
    if (!this.#room(length + padding)) return -1;
    const bytes = this.#bytes;
    bytes.set(header, at);
    bytes[at] = EXTENDED | type;
    bytes[at + 1] = length >>> 16;
    bytes[at + 2] = length >>> 8;
    bytes[at + 3] = length;
    this.#length = at + length;
    while (padding-- > 0) bytes[this.#length++] = 0;
    return at + header.length;
  }

  #keptText(text: string): Uint8Array {
    const kept = this.#texts.get(text);
    if (kept !== undefined) return kept;
    const bytes = textBytes(text);
    const isKept = this.#texts.size < MAX_KEPT_TEXTS && text.length <= MAX_KEPT_TEXT_LENGTH;
    if (isKept) this.#texts.set(text, bytes);
    return bytes;
  }

  u8(value: number): void {
    if (this.#room(1)) this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    if (!this.#room(2)) return;
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  u32(value: number): void {
    if (!this.#room(4)) return;
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** Whole numbers as far as JavaScript has them: ±2^53. */
  i64(value: number): void {
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value);
  }

  f64(value: number): void {
    if (!this.#room(8)) return;
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** UTF-8 with a final NUL, alone: the value of a plain attribute. */
  text(text: string): void {
    this.raw(textBytes(text));
  }

  raw(bytes: Uint8Array): void {
    if (!this.#room(bytes.length)) return;
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #room(bytes: number): boolean {
    const needed = this.#length + bytes;
    if (this.#tooLarge || needed > this.#maxBytes) {
      this.#tooLarge = true;
      return false;
    }
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(this.#maxBytes, Math.max(needed, this.#bytes.length * 2)));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return true;
  }
}

const keptHeaders = new Map<string, Uint8Array>();

/** What precedes a field's value, with type and length still zero: id_len, length of the name, name, NUL, padding. */
function fieldHeader(name: string): Uint8Array {
  const kept = keptHeaders.get(name);
  if (kept !== undefined) return kept;
  const text = textBytes(name);
  const header = new Uint8Array(4 + ((2 + text.length + 3) & ~3));
  header[4] = (text.length - 1) >>> 8;
  header[5] = text.length - 1;
  header.set(text, 6);
  if (keptHeaders.size < MAX_KEPT_NAMES && name.length <= MAX_KEPT_NAME_LENGTH) keptHeaders.set(name, header);
  return header;
}

/** With the final NUL. */
function textBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // Few texts are not ASCII: those are made by way of the general encoder.
    if (code === 0 || code > 127) return encodeUtf8(`${text.replaceAll("\0", "\ufffd")}\0`);
    bytes[at] = code;
  }
  return bytes;
}
