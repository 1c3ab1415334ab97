import { MAX_IOV } from "../../router-daemon/src/host/host.ts";
import type { ArenaMemory } from "../../router-daemon/src/host/memory.ts";

/** Looks at the places that the host's callers name, and gathers what they list. */
export class ArenaView {
  readonly #memory: ArenaMemory;

  constructor(memory: ArenaMemory) {
    this.#memory = memory;
  }

  hasBytes(offset: number, length: number): boolean {
    return offset >= 0 && length >= 0 && offset + length <= this.#memory.bytes.length;
  }

  hasWords(at: number, count: number, stride: number): boolean {
    return at >= 0 && count >= 0 && at + count * stride <= this.#memory.words.length;
  }

  /** `count` (offset, length) pairs, all inside. */
  hasPieces(iov: number, count: number): boolean {
    if (count < 0 || count > MAX_IOV || !this.hasWords(iov, count, 2)) return false;
    const { words } = this.#memory;
    for (let i = 0; i < count; i++) {
      if (!this.hasBytes(words[iov + 2 * i]!, words[iov + 2 * i + 1]!)) return false;
    }
    return true;
  }

  /** The bytes of all pieces, copied; undefined when one lies outside. */
  gather(iov: number, count: number): Uint8Array | undefined {
    if (!this.hasPieces(iov, count)) return undefined;
    const { bytes, words } = this.#memory;
    let length = 0;
    for (let i = 0; i < count; i++) length += words[iov + 2 * i + 1]!;
    const all = new Uint8Array(length);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const offset = words[iov + 2 * i]!;
      const part = words[iov + 2 * i + 1]!;
      all.set(bytes.subarray(offset, offset + part), at);
      at += part;
    }
    return all;
  }

  /** Fills the pieces one after the other, as far as `read` goes. */
  scatter(
    iov: number,
    count: number,
    read: (into: Uint8Array) => number,
  ): { readonly total: number; readonly wanted: number } {
    const { bytes, words } = this.#memory;
    let total = 0;
    let wanted = 0;
    for (let i = 0; i < count; i++) {
      const offset = words[iov + 2 * i]!;
      const length = words[iov + 2 * i + 1]!;
      wanted += length;
      const got = read(bytes.subarray(offset, offset + length));
      total += got;
      if (got < length) break;
    }
    return { total, wanted };
  }
}
