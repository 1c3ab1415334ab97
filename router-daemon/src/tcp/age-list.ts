const NONE = -1;

/** Small dense numbers in the order of their coming: a linked list in two arrays, every step O(1). */
export class AgeList {
  #oldest = NONE;
  #newest = NONE;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;

  constructor(capacity: number) {
    this.#older = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity);
  }

  /** The one that came first, or -1. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The one that came after `id`, or -1. */
  after(id: number): number {
    return this.#newer[id]!;
  }

  /** Adds a number that is not in the list. */
  add(id: number): void {
    this.#older[id] = this.#newest;
    this.#newer[id] = NONE;
    if (this.#newest === NONE) this.#oldest = id;
    else this.#newer[this.#newest] = id;
    this.#newest = id;
  }

  /** Removes a number that is in the list. */
  remove(id: number): void {
    const older = this.#older[id]!;
    const newer = this.#newer[id]!;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }
}
