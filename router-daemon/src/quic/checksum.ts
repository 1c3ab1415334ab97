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

/** A SeaHash that is faster than the one in TypeScript: the host's. All positions are in the arena that packets lie in. */
export interface HashPort {
  /** Where `HASH_REGION_BYTES` lie that are this class's own. */
  readonly region: number;
  /** As `Host.seahash`. */
  seahash(front: number, frontBytes: number, rest: number, restBytes: number, out: number): number;
}

/** Room for the result, and for what comes before a payload; longer headers are hashed in TypeScript. */
export const HASH_REGION_BYTES = 256;

export class Checksum {
  readonly #port: HashPort | undefined;
  readonly #hash = new SeaHash();
  /** What comes before the payload, filled up with its first bytes to whole words. Grows to the longest header seen. */
  #front = new Uint8Array(128);
  readonly #rest = new Uint8Array(8);
  // The result.
  #high = 0;
  #low = 0;

  constructor(port?: HashPort) {
    this.#port = port;
  }

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
    writeU32(bytes, at, this.#high);
    writeU32(bytes, at + 4, this.#low);
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
    return read32(bytes, at) === this.#high && read32(bytes, at + 4) === this.#low;
  }

  #compute(
    bytes: Uint8Array,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    form: ChecksumForm,
  ): void {
    const port = this.#port;
    const need = 2 * form + headerBytes + 7;
    const payloadAt = headerAt + headerBytes;
    if (port !== undefined && need + TAG_BYTES <= HASH_REGION_BYTES) {
      const front = port.region + TAG_BYTES;
      const end = this.#writeFront(bytes, front, bytes, headerAt, headerBytes, payloadBytes, form);
      const at = payloadAt + this.#frontPayload;
      port.seahash(front, end - front, at, payloadBytes - this.#frontPayload, port.region);
      this.#high = read32(bytes, port.region);
      this.#low = read32(bytes, port.region + 4);
      return;
    }
    if (this.#front.length < need) this.#front = new Uint8Array(2 * need);
    const front = this.#front;
    const end = this.#writeFront(front, 0, bytes, headerAt, headerBytes, payloadBytes, form);
    const hash = this.#hash;
    hash.begin();
    hash.words(front, 0, end >>> 3);
    if ((end & 7) !== 0) this.#finish(front, end & ~7, end & 7);
    else {
      const at = payloadAt + this.#frontPayload;
      const left = payloadBytes - this.#frontPayload;
      hash.words(bytes, at, left >>> 3);
      this.#finish(bytes, at + (left & ~7), left & 7);
    }
    this.#high = hash.high;
    this.#low = hash.low;
  }

  /** Bytes of the payload that the last front was filled up with. */
  #frontPayload = 0;

  /**
   * Writes lengths, header and so much of the payload that whole words come out, unless the payload is too short for that. Returns
   * where it ends.
   */
  #writeFront(
    front: Uint8Array,
    frontAt: number,
    bytes: Uint8Array,
    headerAt: number,
    headerBytes: number,
    payloadBytes: number,
    form: ChecksumForm,
  ): number {
    writeLength(front, frontAt, headerBytes, form);
    let end = frontAt + form;
    for (let i = 0; i < headerBytes; i++) front[end++] = bytes[headerAt + i]!;
    writeLength(front, end, payloadBytes, form);
    end += form;
    const payloadAt = headerAt + headerBytes;
    let taken = 0;
    while (((end - frontAt) & 7) !== 0 && taken < payloadBytes) front[end++] = bytes[payloadAt + taken++]!;
    this.#frontPayload = taken;
    return end;
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

function read32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
