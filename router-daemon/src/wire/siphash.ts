/**
 * SipHash-1-3 with an all-zero key, result in big-endian order: what the network derives its keys and digests with
 * (links.md 4.3). Runs a few times at start-up, so it favours clarity over speed.
 */

const MASK = 0xffff_ffff_ffff_ffffn;

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

class SipState {
  #v0 = 0x736f6d6570736575n;
  #v1 = 0x646f72616e646f6dn;
  #v2 = 0x6c7967656e657261n;
  #v3 = 0x7465646279746573n;

  #round(): void {
    this.#v0 = (this.#v0 + this.#v1) & MASK;
    this.#v1 = rotate(this.#v1, 13n) ^ this.#v0;
    this.#v0 = rotate(this.#v0, 32n);
    this.#v2 = (this.#v2 + this.#v3) & MASK;
    this.#v3 = rotate(this.#v3, 16n) ^ this.#v2;
    this.#v0 = (this.#v0 + this.#v3) & MASK;
    this.#v3 = rotate(this.#v3, 21n) ^ this.#v0;
    this.#v2 = (this.#v2 + this.#v1) & MASK;
    this.#v1 = rotate(this.#v1, 17n) ^ this.#v2;
    this.#v2 = rotate(this.#v2, 32n);
  }

  /** One compression round per word: the 1 of SipHash-1-3. */
  absorb(word: bigint): void {
    this.#v3 ^= word;
    this.#round();
    this.#v0 ^= word;
  }

  /** Three finalisation rounds: the 3. */
  finish(): bigint {
    this.#v2 ^= 0xffn;
    this.#round();
    this.#round();
    this.#round();
    return this.#v0 ^ this.#v1 ^ this.#v2 ^ this.#v3;
  }
}

/** The hash of `input` as 8 bytes, most significant first. */
export function sipHash13(input: Uint8Array): Uint8Array {
  const state = new SipState();
  const whole = input.length - (input.length % 8);
  for (let at = 0; at < whole; at += 8) state.absorb(littleEndianWord(input, at, 8));
  // The last word holds the remaining bytes and the length modulo 256 on top.
  const rest = littleEndianWord(input, whole, input.length - whole);
  state.absorb(rest | (BigInt(input.length & 0xff) << 56n));
  let hash = state.finish();
  const out = new Uint8Array(8);
  for (let at = 7; at >= 0; at--) {
    out[at] = Number(hash & 0xffn);
    hash >>= 8n;
  }
  return out;
}

function littleEndianWord(bytes: Uint8Array, offset: number, count: number): bigint {
  let word = 0n;
  for (let at = count - 1; at >= 0; at--) word = (word << 8n) | BigInt(bytes[offset + at]!);
  return word;
}
