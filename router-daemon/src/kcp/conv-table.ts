/**
 * Finds a connection by (conv, peer id) without allocating: open addressing, linear probing, at most half full.
 *
 * An endpoint's own id is one of the two session ids of every packet it takes (proxies.md 3.1), so conv and the other node's id
 * are the whole key. Several keys may lead to one value (racing convs).
 *
 * ```
 *   hash(conv, peer) ──▶ │   │ a │ b │ c │   │      b, c were pushed on by a; removing a moves back
 *                              └───┴───┘           what may move, so no tombstones pile up
 * ```
 */
const SMALLEST = 64;

export class ConvTable<Value extends object> {
  readonly #seed: number;
  #mask: number;
  #convs: Uint32Array;
  #peers: Uint32Array;
  #values: (Value | undefined)[];
  #size = 0;

  /** `seed` keeps peers, who choose the convs, from aiming at one bucket. */
  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#mask = SMALLEST - 1;
    this.#convs = new Uint32Array(SMALLEST);
    this.#peers = new Uint32Array(SMALLEST);
    this.#values = new Array<Value | undefined>(SMALLEST).fill(undefined);
  }

  get size(): number {
    return this.#size;
  }

  get(conv: number, peerId: number): Value | undefined {
    const at = this.#find(conv, peerId);
    return this.#values[at];
  }

  /** Adds or replaces. */
  set(conv: number, peerId: number, value: Value): void {
    const at = this.#find(conv, peerId);
    if (this.#values[at] !== undefined) {
      this.#values[at] = value;
      return;
    }
    this.#convs[at] = conv;
    this.#peers[at] = peerId;
    this.#values[at] = value;
    this.#size++;
    if (this.#size * 2 > this.#mask) this.#resize((this.#mask + 1) * 2);
  }

  delete(conv: number, peerId: number): boolean {
    let hole = this.#find(conv, peerId);
    if (this.#values[hole] === undefined) return false;
    const mask = this.#mask;
    for (let at = (hole + 1) & mask; this.#values[at] !== undefined; at = (at + 1) & mask) {
      const home = this.#hash(this.#convs[at]!, this.#peers[at]!) & mask;
      // The entry may fill the hole only if its home does not lie behind the hole on the way to it.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#convs[hole] = this.#convs[at]!;
      this.#peers[hole] = this.#peers[at]!;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    this.#values[hole] = undefined;
    this.#size--;
    return true;
  }

  /** The bucket of the key, or the empty one where it would go. */
  #find(conv: number, peerId: number): number {
    const mask = this.#mask;
    let at = this.#hash(conv, peerId) & mask;
    while (this.#values[at] !== undefined && (this.#convs[at] !== conv || this.#peers[at] !== peerId)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  #hash(conv: number, peerId: number): number {
    return hashKey(conv, peerId, this.#seed);
  }

  #resize(size: number): void {
    const convs = this.#convs;
    const peers = this.#peers;
    const values = this.#values;
    this.#mask = size - 1;
    this.#convs = new Uint32Array(size);
    this.#peers = new Uint32Array(size);
    this.#values = new Array<Value | undefined>(size).fill(undefined);
    for (let i = 0; i < values.length; i++) {
      if (values[i] === undefined) continue;
      const at = this.#find(convs[i]!, peers[i]!);
      this.#convs[at] = convs[i]!;
      this.#peers[at] = peers[i]!;
      this.#values[at] = values[i];
    }
  }
}

/** Mixes a key into 32 bits; both words reach every bit. */
export function hashKey(conv: number, peerId: number, seed: number): number {
  let h = Math.imul(conv ^ seed, 0x9e3779b1) ^ Math.imul(peerId, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 13), 0x297a2d39);
  return (h ^ (h >>> 16)) >>> 0;
}
