/** Bytes in the order of their coming, in memory that grows with them. */
export class ByteLog {
  #bytes = new Uint8Array(4096);
  length = 0;

  push(bytes: ArrayLike<number>): void {
    if (this.length + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + bytes.length));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** All of them, as they are now. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}
