/**
 * The checksum that stands in the place of QUIC's AEAD tag (proxies.md 6.3):
 *
 * ```
 *  SeaHash( length of header │ header │ length of payload │ payload )   8 bytes, most significant first, behind the payload
 * ```
 *
 * The lengths are little-endian integers of the width of the sender's `usize`: nodes of 32-bit machines hash another text.
 */
import { SeaHash } from "./seahash.ts";
import { writeU32 } from "./varint.ts";

export const TAG_BYTES = 8;

/** Width of the lengths in the hashed text. */
export const ChecksumForm = { wide: 8, narrow: 4 } as const;
export type ChecksumForm = (typeof ChecksumForm)[keyof typeof ChecksumForm];

/** The other form: what a client tries when nothing comes back in the first (proxies.md 6.3). */
export function otherForm(form: ChecksumForm): ChecksumForm {
  return form === ChecksumForm.wide ? ChecksumForm.narrow : ChecksumForm.wide;
}

export class Checksum {
  readonly #hash = new SeaHash();
  /** What comes before the payload, filled up with its first bytes to whole words. Grows to the longest header seen. */
  #front = new Uint8Array(128);
  readonly #rest = new Uint8Array(8);

  /** Writes the tag behind the payload, which lies behind the header. */
  write(
    bytes: Uint8Array,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    form: ChecksumForm,
  ): void {
    this.#compute(bytes, headerAt, headerBytes, payloadBytes, form);
    const at = headerAt + headerBytes + payloadBytes;
    writeU32(bytes, at, this.#hash.high);
    writeU32(bytes, at + 4, this.#hash.low);
  }

  /** True when the tag behind the payload is the right one in this form. */
  verify(
    bytes: Uint8Array,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    form: ChecksumForm,
  ): boolean {
    this.#compute(bytes, headerAt, headerBytes, payloadBytes, form);
    const at = headerAt + headerBytes + payloadBytes;
    const { high, low } = this.#hash;
    return (
      ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) === high &&
      ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) === low
    );
  }

  #compute(
    bytes: Uint8Array,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    form: ChecksumForm,
  ): void {
    const hash = this.#hash;
    const need = 2 * form + headerBytes + 7;
    if (this.#front.length < need) this.#front = new Uint8Array(2 * need);
    const front = this.#front;
    writeLength(front, 0, headerBytes, form);
    let end = form;
    for (let i = 0; i < headerBytes; i++) front[end++] = bytes[headerAt + i]!;
    writeLength(front, end, payloadBytes, form);
    end += form;
    let at = headerAt + headerBytes;
    const payloadEnd = at + payloadBytes;
    while ((end & 7) !== 0 && at < payloadEnd) front[end++] = bytes[at++]!;
    hash.begin();
    if ((end & 7) !== 0) {
      // The payload ends within the front's last word.
      const whole = end >>> 3;
      hash.words(front, 0, whole);
      this.#finish(front, whole << 3, end & 7);
      return;
    }
    hash.words(front, 0, end >>> 3);
    const whole = (payloadEnd - at) >>> 3;
    hash.words(bytes, at, whole);
    this.#finish(bytes, at + (whole << 3), (payloadEnd - at) & 7);
  }

  #finish(bytes: Uint8Array, at: number, length: number): void {
    const rest = this.#rest;
    rest.fill(0);
    for (let i = 0; i < length; i++) rest[i] = bytes[at + i]!;
    this.#hash.finish(rest, 0, length);
  }
}

function writeLength(bytes: Uint8Array, at: number, length: number, form: ChecksumForm): void {
  bytes[at] = length;
  bytes[at + 1] = length >>> 8;
  for (let i = 2; i < form; i++) bytes[at + i] = 0;
}
