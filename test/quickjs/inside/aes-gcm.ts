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
  const both = new Uint8Array(16);
  for (let at = 0; at < 16; at++) both[at] = a[at]! ^ b[at]!;
  return both;
}

/** In GF(2^128), bits from left to right: four words of each, the leftmost first. */
function multiplied(a: Uint8Array, b: Uint8Array): Uint8Array {
  const left = new DataView(a.buffer, a.byteOffset, 16);
  const right = new DataView(b.buffer, b.byteOffset, 16);
  let [w0, w1, w2, w3] = [right.getInt32(0), right.getInt32(4), right.getInt32(8), right.getInt32(12)];
  let [p0, p1, p2, p3] = [0, 0, 0, 0];
  for (let at = 0; at < 16; at += 4) {
    for (let word = left.getInt32(at), bit = 0; bit < 32; word <<= 1, bit++) {
      const mask = word >> 31;
      p0 ^= w0 & mask;
      p1 ^= w1 & mask;
      p2 ^= w2 & mask;
      p3 ^= w3 & mask;
      const carry = -(w3 & 1) & 0xe1000000;
      w3 = (w3 >>> 1) | (w2 << 31);
      w2 = (w2 >>> 1) | (w1 << 31);
      w1 = (w1 >>> 1) | (w0 << 31);
      w0 = (w0 >>> 1) ^ carry;
    }
  }
  const product = new DataView(new ArrayBuffer(16));
  [p0, p1, p2, p3].forEach((word, at) => {
    product.setInt32(4 * at, word);
  });
  return new Uint8Array(product.buffer);
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
    const next = new Uint8Array(16);
    // Bytes are substituted, and row r of the columns moves r columns to the left.
    for (let at = 0; at < 16; at++) next[at] = BOX[state[(at + 4 * (at & 3)) & 15]!]!;
    if (round < ROUNDS) mixColumns(next);
    for (let at = 0; at < 16; at++) next[at] = next[at]! ^ keys[16 * round + at]!;
    state = next;
  }
  return state;
}

function mixColumns(state: Uint8Array): void {
  for (let column = 0; column < 16; column += 4) {
    const [a, b, c, d] = state.slice(column, column + 4) as unknown as [number, number, number, number];
    const all = a ^ b ^ c ^ d;
    state[column] = a ^ all ^ doubled(a ^ b);
    state[column + 1] = b ^ all ^ doubled(b ^ c);
    state[column + 2] = c ^ all ^ doubled(c ^ d);
    state[column + 3] = d ^ all ^ doubled(d ^ a);
  }
}
