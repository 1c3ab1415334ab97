/**
 * SeaHash 4.1 with its default seeds (proxies.md 6.4), in 32-bit halves: 64-bit integers would be objects.
 *
 * Four lanes take the input's 8-byte words in turn. Words are read byte by byte: the arena's alignment and the machine's byte
 * order do not matter.
 */

/** The multiplier 0x6eed0e9da4d94a4f: high word, low word, and the low word's two halves. */
const K_HIGH = 0x6eed0e9d;
const K_LOW = 0xa4d94a4f | 0;
const K_LOW_0 = 0x4a4f;
const K_LOW_1 = 0xa4d9;

/** Low and high word of each lane. */
const SEEDS = Int32Array.of(
  0x9b0d677c,
  0x16f11fe8,
  0xd8e6c86c,
  0xb480a793,
  0xf078ebc9,
  0x6fe2e5aa,
  0xc5259381,
  0x14f994a4,
);

export class SeaHash {
  /** The result of `finish`. */
  low = 0;
  high = 0;
  /** The lane whose turn it is comes first. */
  readonly #lanes = new Int32Array(8);
  #length = 0;

  begin(): void {
    this.#lanes.set(SEEDS);
    this.#length = 0;
  }

  /** Takes `count` whole words. */
  words(bytes: Uint8Array, at: number, count: number): void {
    const lanes = this.#lanes;
    let [low0, high0] = [lanes[0]!, lanes[1]!];
    let [low1, high1] = [lanes[2]!, lanes[3]!];
    let [low2, high2] = [lanes[4]!, lanes[5]!];
    let [low3, high3] = [lanes[6]!, lanes[7]!];
    this.#length += count * 8;
    for (const end = at + count * 8; at < end; at += 8) {
      let low = low0 ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      let high =
        high0 ^ (bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24));
      // (high, low) *= K, modulo 2^64: the low words' product in 16-bit halves, the mixed ones only as far as they matter.
      let part0 = low & 0xffff;
      let part1 = low >>> 16;
      let middle = Math.imul(part1, K_LOW_0) + (Math.imul(part0, K_LOW_0) >>> 16);
      let carry = (Math.imul(part0, K_LOW_1) + (middle & 0xffff)) >>> 16;
      high = (Math.imul(part1, K_LOW_1) + (middle >>> 16) + carry + mixed(low, high)) | 0;
      low = Math.imul(low, K_LOW);
      low ^= high >>> (high >>> 28);
      // And once more.
      part0 = low & 0xffff;
      part1 = low >>> 16;
      middle = Math.imul(part1, K_LOW_0) + (Math.imul(part0, K_LOW_0) >>> 16);
      carry = (Math.imul(part0, K_LOW_1) + (middle & 0xffff)) >>> 16;
      high = (Math.imul(part1, K_LOW_1) + (middle >>> 16) + carry + mixed(low, high)) | 0;
      low = Math.imul(low, K_LOW);
      // The lanes move up, so that the next one comes first: cheaper than an index.
      [low0, high0, low1, high1] = [low1, high1, low2, high2];
      [low2, high2, low3, high3] = [low3, high3, low, high];
    }
    lanes[0] = low0;
    lanes[1] = high0;
    lanes[2] = low1;
    lanes[3] = high1;
    lanes[4] = low2;
    lanes[5] = high2;
    lanes[6] = low3;
    lanes[7] = high3;
  }

  /** Takes the last 0 … 7 bytes and ends. The bytes behind them, up to a whole word, must be zero. */
  finish(bytes: Uint8Array, at: number, length: number): void {
    if (length > 0) this.words(bytes, at, 1);
    const total = this.#length - (length > 0 ? 8 - length : 0);
    const lanes = this.#lanes;
    const low = lanes[0]! ^ lanes[2]! ^ lanes[4]! ^ lanes[6]! ^ total;
    const high = lanes[1]! ^ lanes[3]! ^ lanes[5]! ^ lanes[7]!;
    // One more word through a lane that is 0 diffuses the sum.
    lanes[0] = low;
    lanes[1] = high;
    this.words(ZERO_WORD, 0, 1);
    this.low = lanes[6]!;
    this.high = lanes[7]!;
  }
}

/** What the high words add to the high word of the product. */
function mixed(low: number, high: number): number {
  return Math.imul(low, K_HIGH) + Math.imul(high, K_LOW);
}

const ZERO_WORD = new Uint8Array(8);
