const FIRST_CAPACITY_BYTES = 512;
const EMPTY = new Uint8Array(0);

/** Bytes appended at the back and taken from the front. Its memory grows with what is in it, not with what was announced. */
export class ByteBuffer {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  append(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Index of a byte's value, counted from the front, or -1; bytes before `from` are not looked at. */
  indexOf(value: number, from: number): number {
    const found = this.#bytes.subarray(0, this.#end).indexOf(value, this.#start + from);
    return found < 0 ? -1 : found - this.#start;
  }

  /** Takes up to `length` bytes; they are valid until the next `append`. */
  take(length: number): Uint8Array {
    const start = this.#start;
    this.#start = Math.min(start + length, this.#end);
    return this.#bytes.subarray(start, this.#start);
  }

  /** Takes everything, and leaves nothing behind that belongs to it. */
  takeAll(): Uint8Array {
    const all = this.take(this.length);
    this.#bytes = EMPTY;
    this.#start = 0;
    this.#end = 0;
    return all;
  }

  #makeRoom(more: number): void {
    const { length } = this;
    const grown = new Uint8Array(Math.max(FIRST_CAPACITY_BYTES, 2 * length, length + more));
    grown.set(this.#bytes.subarray(this.#start, this.#end));
    this.#bytes = grown;
    this.#start = 0;
    this.#end = length;
  }
}
