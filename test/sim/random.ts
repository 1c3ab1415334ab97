import { seededRandom } from "../random.ts";

/** The same seed is the same story. */
export class Random {
  /** 32 random bits, unsigned. */
  readonly u32: () => number;

  constructor(seed: number) {
    this.u32 = seededRandom(seed);
  }

  /** 0 <= x < 1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  chance(share: number): boolean {
    return share > 0 && this.unit() < share;
  }

  bytes(into: Uint8Array): void {
    for (let at = 0; at < into.length; at += 4) {
      const word = this.u32();
      for (let i = 0; i < 4 && at + i < into.length; i++) into[at + i] = word >>> (8 * i);
    }
  }

  /** A generator of its own that follows from this one: what one part draws does not move another's numbers. */
  fork(): Random {
    return new Random(this.u32());
  }
}

/** Bytes that differ from place to place and from salt to salt, so that an exchanged or missing piece shows. */
export function pattern(length: number, salt: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (salt * 0x9e3779b1) | 1;
  for (let at = 0; at < length; at++) {
    if ((at & 3) === 0) state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[at] = state >>> (8 * (at & 3));
  }
  return bytes;
}
