/** SHA-256 (FIPS 180-4), the plain way: for tests only. */
export class Sha256 {
  #bytes: number[] = [];

  update(bytes: Uint8Array): this {
    for (const byte of bytes) this.#bytes.push(byte);
    return this;
  }

  digest(): Uint8Array {
    const state = Uint32Array.from(INITIAL);
    const message = padded(this.#bytes);
    const schedule = new Uint32Array(64);
    for (let block = 0; block < message.byteLength; block += 64) {
      for (let at = 0; at < 16; at++) schedule[at] = message.getUint32(block + 4 * at);
      for (let at = 16; at < 64; at++) {
        const early = schedule[at - 15]!;
        const late = schedule[at - 2]!;
        schedule[at] =
          (schedule[at - 16]! +
            schedule[at - 7]! +
            (turned(early, 7) ^ turned(early, 18) ^ (early >>> 3)) +
            (turned(late, 17) ^ turned(late, 19) ^ (late >>> 10))) >>>
          0;
      }
      mix(state, schedule);
    }
    const digest = new DataView(new ArrayBuffer(32));
    state.forEach((word, at) => {
      digest.setUint32(4 * at, word);
    });
    return new Uint8Array(digest.buffer);
  }
}

/** First 32 bits of the fractional parts of roots of the first primes. */
const PRIMES = Array.from({ length: 312 }, (_, at) => at).filter(
  (number) =>
    number > 1 && !Array.from({ length: 16 }, (_, at) => at + 2).some((d) => d < number && number % d === 0),
);
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const CONSTANTS = PRIMES.slice(0, 64).map((prime) => fraction(Math.cbrt(prime)));

function padded(bytes: readonly number[]): DataView {
  const message = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  bytes.forEach((byte, at) => {
    message.setUint8(at, byte);
  });
  message.setUint8(bytes.length, 0x80);
  message.setUint32(message.byteLength - 4, bytes.length * 8);
  return message;
}

function turned(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function mix(state: Uint32Array, schedule: Uint32Array): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let at = 0; at < 64; at++) {
    const chosen = (e & f) ^ (~e & g);
    const first =
      (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + chosen + CONSTANTS[at]! + schedule[at]!) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => {
    state[at] = state[at]! + word;
  });
}
