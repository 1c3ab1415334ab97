/** AES-128-GCM with nonces of 12 bytes (FIPS 197, SP 800-38D), the plain way: for tests only. */

const BOX = new Uint8Array(256);
{
  // Inverses in GF(2^8) by the powers of 3, then the affine map.
  let power = 1;
  let inverse = 1;
  do {
    power = power ^ (power << 1) ^ (power & 0x80 ? 0x11b : 0);
    inverse ^= inverse << 1;
    inverse ^= inverse << 2;
    inverse ^= inverse << 4;
    inverse &= 255;
    if (inverse & 0x80) inverse ^= 0x09;
    const spread = inverse | (inverse << 8);
    BOX[power & 255] = inverse ^ (spread >> 7) ^ (spread >> 6) ^ (spread >> 5) ^ (spread >> 4) ^ 0x63;
  } while ((power & 255) !== 1);
  BOX[0] = 0x63;
}

const ROUNDS = 10;

/** Encrypts or decrypts: the counter mode is its own inverse. */
export function counterMode(key: Uint8Array, nonce: Uint8Array, input: Uint8Array): Uint8Array {
  const keys = roundKeys(key);
  const output = new Uint8Array(input.length);
  for (let at = 0; at < input.length; at += 16) {
    const stream = encryptBlock(keys, counterBlock(nonce, 2 + at / 16));
    for (let byte = at; byte < Math.min(at + 16, input.length); byte++)
      output[byte] = input[byte]! ^ stream[byte - at]!;
  }
  return output;
}

/** The tag over what was encrypted. */
export function authenticationTag(key: Uint8Array, nonce: Uint8Array, encrypted: Uint8Array): Uint8Array {
  const keys = roundKeys(key);
  const hashKey = encryptBlock(keys, new Uint8Array(16));
  const length = Math.ceil(encrypted.length / 16) * 16;
  const input = new Uint8Array(length + 16);
  input.set(encrypted);
  new DataView(input.buffer).setUint32(length + 12, encrypted.length * 8);
  let sum: Uint8Array = new Uint8Array(16);
  for (let at = 0; at < input.length; at += 16)
    sum = multiplied(xored(sum, input.subarray(at, at + 16)), hashKey);
  return xored(sum, encryptBlock(keys, counterBlock(nonce, 1)));
}

function counterBlock(nonce: Uint8Array, counter: number): Uint8Array {
  const block = new Uint8Array(16);
  block.set(nonce);
  new DataView(block.buffer).setUint32(12, counter);
  return block;
}

function xored(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, at) => byte ^ b[at]!);
}

/** In GF(2^128), bits from left to right. */
function multiplied(a: Uint8Array, b: Uint8Array): Uint8Array {
  const product = new Uint8Array(16);
  const shifted = b.slice();
  for (let bit = 0; bit < 128; bit++) {
    if ((a[bit >> 3]! >> (7 - (bit & 7))) & 1)
      for (let at = 0; at < 16; at++) product[at] = product[at]! ^ shifted[at]!;
    const carry = shifted[15]! & 1;
    for (let at = 15; at > 0; at--) shifted[at] = (shifted[at]! >> 1) | (shifted[at - 1]! << 7);
    shifted[0] = (shifted[0]! >> 1) ^ (carry ? 0xe1 : 0);
  }
  return product;
}

function roundKeys(key: Uint8Array): Uint8Array {
  const keys = new Uint8Array(16 * (ROUNDS + 1));
  keys.set(key);
  let constant = 1;
  for (let at = 16; at < keys.length; at += 4) {
    let word = [...keys.subarray(at - 4, at)];
    if (at % 16 === 0) {
      word = [...word.slice(1), word[0]!].map((byte) => BOX[byte]!);
      word[0] = word[0]! ^ constant;
      constant = doubled(constant);
    }
    for (let byte = 0; byte < 4; byte++) keys[at + byte] = keys[at + byte - 16]! ^ word[byte]!;
  }
  return keys;
}

function doubled(byte: number): number {
  return ((byte << 1) ^ (byte & 0x80 ? 0x1b : 0)) & 255;
}

function encryptBlock(keys: Uint8Array, block: Uint8Array): Uint8Array {
  let state = xored(block, keys.subarray(0, 16));
  for (let round = 1; round <= ROUNDS; round++) {
    const before = state;
    // Bytes are substituted, and row r of the columns moves r columns to the left.
    state = before.map((_, at) => BOX[before[(at + 4 * (at & 3)) & 15]!]!);
    if (round < ROUNDS) state = mixedColumns(state);
    state = xored(state, keys.subarray(16 * round, 16 * round + 16));
  }
  return state;
}

function mixedColumns(state: Uint8Array): Uint8Array {
  return state.map((byte, at) => {
    const column = at & 12;
    const next = (by: number) => state[column + ((at + by) & 3)]!;
    return doubled(byte) ^ doubled(next(1)) ^ next(1) ^ next(2) ^ next(3);
  });
}
