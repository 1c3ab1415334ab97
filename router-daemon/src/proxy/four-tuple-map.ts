/**
 * A bounded map from a TCP connection's four-tuple to a small number, without an object per look-up.
 *
 * Open addressing with linear probing over typed arrays; a removal shifts the following run back, so no tombstones pile up:
 * ```
 *  bucket   … 5   6   7   8   9 …
 *  entry      -   a   b   c   -        remove(a): b and c move back to where a look-up finds them
 * ```
 */
export class FourTupleMap {
  readonly #mask: number;
  /** Index into the key arrays, or -1. */
  readonly #buckets: Int32Array;
  readonly #ipA: Uint32Array;
  readonly #ipB: Uint32Array;
  readonly #ports: Uint32Array;
  readonly #freeList: Int32Array;
  #free: number;
  readonly capacity: number;

  /** `capacity` entries at most. */
  constructor(capacity: number) {
    this.capacity = capacity;
    let buckets = 4;
    while (buckets < capacity * 2) buckets *= 2;
    this.#mask = buckets - 1;
    this.#buckets = new Int32Array(buckets).fill(-1);
    this.#ipA = new Uint32Array(capacity);
    this.#ipB = new Uint32Array(capacity);
    this.#ports = new Uint32Array(capacity);
    this.#freeList = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#free = capacity;
  }

  get size(): number {
    return this.capacity - this.#free;
  }

  /** The entry's number (0..capacity-1), or -1. */
  get(ipA: number, portA: number, ipB: number, portB: number): number {
    const ports = ((portA << 16) | portB) >>> 0;
    let bucket = this.#home(ipA, ipB, ports);
    for (;;) {
      const index = this.#buckets[bucket]!;
      if (index < 0) return -1;
      if (this.#ipA[index] === ipA && this.#ipB[index] === ipB && this.#ports[index] === ports) return index;
      bucket = (bucket + 1) & this.#mask;
    }
  }

  /** Number of a new entry, or -1 when the map is full. The key must not be in the map. */
  add(ipA: number, portA: number, ipB: number, portB: number): number {
    if (this.#free === 0) return -1;
    const index = this.#freeList[--this.#free]!;
    const ports = ((portA << 16) | portB) >>> 0;
    this.#ipA[index] = ipA;
    this.#ipB[index] = ipB;
    this.#ports[index] = ports;
    let bucket = this.#home(ipA, ipB, ports);
    while (this.#buckets[bucket]! >= 0) bucket = (bucket + 1) & this.#mask;
    this.#buckets[bucket] = index;
    return index;
  }

  /** Removes the entry with this number, which must be in the map. */
  remove(index: number): void {
    let hole = this.#homeOf(index);
    while (this.#buckets[hole] !== index) hole = (hole + 1) & this.#mask;
    this.#freeList[this.#free++] = index;
    for (let bucket = (hole + 1) & this.#mask; ; bucket = (bucket + 1) & this.#mask) {
      const moved = this.#buckets[bucket]!;
      if (moved < 0) break;
      // May it move to the hole? Only if its home does not lie between the hole and itself.
      const home = this.#homeOf(moved);
      if (((bucket - home) & this.#mask) < ((bucket - hole) & this.#mask)) continue;
      this.#buckets[hole] = moved;
      hole = bucket;
    }
    this.#buckets[hole] = -1;
  }

  #homeOf(index: number): number {
    return this.#home(this.#ipA[index]!, this.#ipB[index]!, this.#ports[index]!);
  }

  #home(ipA: number, ipB: number, ports: number): number {
    let h = Math.imul(ipA ^ Math.imul(ports, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(ipB, 0xc2b2ae35);
    h ^= h >>> 15;
    h = Math.imul(h, 0x2c1b3c6d);
    return (h ^ (h >>> 13)) & this.#mask;
  }
}
