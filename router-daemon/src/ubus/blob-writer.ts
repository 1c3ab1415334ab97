import { encodeUtf8 } from "../wire/utf8.ts";

const FIRST_BYTES = 256;
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
    return this.#openWith(id);
  }

  /** Opens a blobmsg field; elements of an array have an empty name. */
  openField(type: number, name: string): number {
    const mark = this.#openWith(EXTENDED | type);
    const at = this.#length;
    this.u16(0);
    const length = this.#text(name);
    this.u8(0);
    this.#pad();
    if (!this.#tooLarge) this.#view.setUint16(at, Math.min(length, 0xffff));
    return mark;
  }

  close(mark: number): void {
    if (this.#tooLarge) return;
    const length = this.#length - mark;
    this.#bytes[mark + 1] = length >>> 16;
    this.#view.setUint16(mark + 2, length & 0xffff);
    this.#pad();
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

  /** UTF-8 with a final NUL. A NUL inside, where readers would stop, becomes U+FFFD. */
  text(text: string): void {
    this.#text(text);
    this.u8(0);
  }

  raw(bytes: Uint8Array): void {
    if (!this.#room(bytes.length)) return;
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #openWith(head: number): number {
    const mark = this.#length;
    this.u8(head);
    this.u8(0);
    this.u16(0);
    return mark;
  }

  /** Returns the number of bytes. */
  #text(text: string): number {
    const from = this.#length;
    if (!this.#room(text.length)) return 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 0 || code > 127) {
        this.raw(encodeUtf8(text.slice(at).replaceAll("\0", "\ufffd")));
        break;
      }
      this.#bytes[this.#length++] = code;
    }
    return this.#length - from;
  }

  #pad(): void {
    while (!this.#tooLarge && this.#length % 4 !== 0) this.u8(0);
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
