/**
 * Finds a small dense number by the 4-tuple of a connection. Chained hash table in typed arrays: no allocation, and a
 * look-up touches nothing but integers.
 *
 * ```
 *  bucket[hash] ─▶ id ─next[id]─▶ id ─▶ -1          free ids are chained through next[] as well
 * ```
 */
export class TupleTable {
  readonly capacity: number;
  readonly client: Int32Array;
  readonly target: Int32Array;
  /** Client port in the high half, target port in the low one. */
  readonly ports: Int32Array;
  readonly #bucket: Int32Array;
  readonly #next: Int32Array;
  readonly #seed: number;
  #free = 0;
  #size = 0;

  /** `seed` is random, so that nobody outside can aim at one bucket. */
  constructor(capacity: number, seed: number) {
    this.capacity = capacity;
    this.client = new Int32Array(capacity);
    this.target = new Int32Array(capacity);
    this.ports = new Int32Array(capacity);
    let buckets = 16;
    while (buckets < capacity) buckets *= 2;
    this.#bucket = new Int32Array(buckets).fill(-1);
    this.#next = Int32Array.from({ length: capacity }, (_, id) => (id + 1 === capacity ? -1 : id + 1));
    this.#seed = seed | 0;
  }

  get size(): number {
    return this.#size;
  }

  /** The id, or -1. */
  find(client: number, target: number, ports: number): number {
    let id = this.#bucket[this.#hash(client, target, ports)]!;
    while (
      id >= 0 &&
      (this.client[id] !== client || this.target[id] !== target || this.ports[id] !== ports)
    ) {
      id = this.#next[id]!;
    }
    return id;
  }

  /** Adds a tuple that is not there yet and returns its id, or -1 when the table is full. */
  insert(client: number, target: number, ports: number): number {
    const id = this.#free;
    if (id < 0) return -1;
    this.#free = this.#next[id]!;
    this.client[id] = client;
    this.target[id] = target;
    this.ports[id] = ports;
    const bucket = this.#hash(client, target, ports);
    this.#next[id] = this.#bucket[bucket]!;
    this.#bucket[bucket] = id;
    this.#size++;
    return id;
  }

  /** Removes an id that `insert` returned and that was not removed since. */
  remove(id: number): void {
    const bucket = this.#hash(this.client[id]!, this.target[id]!, this.ports[id]!);
    const next = this.#next[id]!;
    if (this.#bucket[bucket] === id) {
      this.#bucket[bucket] = next;
    } else {
      let before = this.#bucket[bucket]!;
      while (this.#next[before] !== id) before = this.#next[before]!;
      this.#next[before] = next;
    }
    this.#next[id] = this.#free;
    this.#free = id;
    this.#size--;
  }

  #hash(client: number, target: number, ports: number): number {
    let hash = Math.imul(client ^ this.#seed, 0x9e3779b1);
    hash = Math.imul((hash ^ (hash >>> 15) ^ target) + this.#seed, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & (this.#bucket.length - 1);
  }
}
