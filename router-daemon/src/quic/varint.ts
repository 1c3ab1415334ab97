/**
 * Variable-length integers (RFC 9000, 16): the two high bits of the first byte tell the length.
 *
 * ```
 *  00xxxxxx                     6 bits      01xxxxxx +1 byte   14 bits
 *  10xxxxxx +3 bytes           30 bits      11xxxxxx +7 bytes  62 bits
 * ```
 *
 * Values are JavaScript numbers. Above 2^53 they are rounded, which is as good as exact here: nothing that large is ever within
 * a limit, and larger stays larger.
 */

/** One more than the largest value, as near as a number gets. */
export const VARINT_LIMIT = 2 ** 62;

/** Bytes that `value` takes. */
export function varintBytes(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : 8;
}

/** Writes `value` in as few bytes as it needs; returns the index behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x40) {
    bytes[at] = value;
    return at + 1;
  }
  if (value < 0x4000) return writeVarint2(bytes, at, value);
  if (value < 0x4000_0000) {
    writeU32(bytes, at, value | 0x8000_0000);
    return at + 4;
  }
  writeU32(bytes, at, Math.floor(value / 2 ** 32) | 0xc000_0000);
  writeU32(bytes, at + 4, value >>> 0);
  return at + 8;
}

/** Writes a value below 2^14 in two bytes, whatever it needs: for lengths that are filled in later. */
export function writeVarint2(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = 0x40 | (value >>> 8);
  bytes[at + 1] = value;
  return at + 2;
}

/** Four bytes, most significant first. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads from a stretch of bytes. What is not there reads as 0 and sets `failed`, so that one check at the end is enough. */
export class Cursor {
  bytes: Uint8Array;
  at = 0;
  end = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  reset(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.failed = false;
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    if (this.at >= this.end) return this.#fail();
    return this.bytes[this.at++]!;
  }

  /** Most significant byte first. */
  u32(): number {
    if (this.at + 4 > this.end) return this.#fail();
    const value = read32(this.bytes, this.at);
    this.at += 4;
    return value;
  }

  varint(): number {
    if (this.at >= this.end) return this.#fail();
    const { bytes, at } = this;
    const first = bytes[at]!;
    const length = 1 << (first >>> 6);
    if (at + length > this.end) return this.#fail();
    this.at += length;
    switch (length) {
      case 1:
        return first;
      case 2:
        return ((first & 0x3f) << 8) | bytes[at + 1]!;
      case 4:
        return read32(bytes, at) & 0x3fff_ffff;
      default:
        return (read32(bytes, at) & 0x3fff_ffff) * 2 ** 32 + read32(bytes, at + 4);
    }
  }

  /** Passes `length` bytes; returns where they begin. */
  skip(length: number): number {
    if (length > this.end - this.at) return this.#fail();
    const from = this.at;
    this.at += length;
    return from;
  }

  #fail(): number {
    this.failed = true;
    this.at = this.end;
    return 0;
  }
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
