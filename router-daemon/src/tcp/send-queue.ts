import type { SlotPool } from "kcp-ts";
import { distance } from "./sequence.ts";

const INITIAL_CAPACITY = 16;

/**
 * What was handed over for sending and is not acknowledged yet: a ring of slots in the order of the stream.
 *
 * ```
 *            head                              head + count
 *  slots   ──▼──┬───────────┬────────────────────▼──
 *            #7 │    #31    │        #4          │
 *          ──┴──┴───────────┴────────────────────┴──▶ sequence numbers
 *         starts[head]   starts[head + 1]       end
 *              ▲ acknowledged up to here: #7 stays until its last byte is
 * ```
 *
 * The ring grows with need up to `maxSlots`; nothing is reserved for a silent flow.
 */
export class SendQueue {
  /** Sequence number behind the last queued byte. */
  end: number;
  readonly #pool: SlotPool;
  readonly #maxSlots: number;
  #slots = new Int32Array(INITIAL_CAPACITY);
  #offsets = new Int32Array(INITIAL_CAPACITY);
  #starts = new Int32Array(INITIAL_CAPACITY);
  #head = 0;
  #count = 0;

  constructor(pool: SlotPool, maxSlots: number, start: number) {
    this.#pool = pool;
    this.#maxSlots = maxSlots;
    this.end = start;
  }

  get slots(): number {
    return this.#count;
  }

  /** Takes a slot with `length` > 0 bytes at arena `offset`. False = `maxSlots` are queued. */
  push(slot: number, offset: number, length: number): boolean {
    if (this.#count === this.#slots.length) {
      if (this.#count >= this.#maxSlots) return false;
      this.#grow();
    }
    const place = (this.#head + this.#count) & (this.#slots.length - 1);
    this.#slots[place] = slot;
    this.#offsets[place] = offset;
    this.#starts[place] = this.end;
    this.#count++;
    this.end = (this.end + length) | 0;
    return true;
  }

  /** Frees the slots whose bytes lie wholly before `sequence`. */
  release(sequence: number): void {
    while (this.#count > 0) {
      const end = this.#count === 1 ? this.end : this.#starts[(this.#head + 1) & (this.#slots.length - 1)]!;
      if (distance(end, sequence) < 0) return;
      this.#pool.free(this.#slots[this.#head]!);
      this.#head = (this.#head + 1) & (this.#slots.length - 1);
      this.#count--;
    }
  }

  /**
   * Writes (offset, length) pairs of the `bytes` bytes at sequence number `start` to word index `at`, at most `maxPairs`.
   * Returns how many; `bytesIn` tells what they hold. All the bytes must be in the queue.
   */
  fill(words: Int32Array, at: number, maxPairs: number, start: number, bytes: number): number {
    const mask = this.#slots.length - 1;
    let index = this.#find(start);
    let word = at;
    let skip = distance(this.#starts[(this.#head + index) & mask]!, start);
    let rest = bytes;
    while (rest > 0 && word < at + 2 * maxPairs) {
      const place = (this.#head + index) & mask;
      const end = index + 1 === this.#count ? this.end : this.#starts[(place + 1) & mask]!;
      const length = Math.min(distance(this.#starts[place]!, end) - skip, rest);
      words[word++] = this.#offsets[place]! + skip;
      words[word++] = length;
      rest -= length;
      skip = 0;
      index++;
    }
    return (word - at) >> 1;
  }

  /** Frees everything. */
  clear(): void {
    for (; this.#count > 0; this.#count--) {
      this.#pool.free(this.#slots[this.#head]!);
      this.#head = (this.#head + 1) & (this.#slots.length - 1);
    }
  }

  /** Index, from the head, of the slot that holds `sequence`. */
  #find(sequence: number): number {
    const mask = this.#slots.length - 1;
    const base = this.#starts[this.#head]!;
    const wanted = distance(base, sequence);
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (distance(base, this.#starts[(this.#head + middle) & mask]!) <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #grow(): void {
    const capacity = this.#slots.length;
    const slots = new Int32Array(2 * capacity);
    const offsets = new Int32Array(2 * capacity);
    const starts = new Int32Array(2 * capacity);
    for (let index = 0; index < capacity; index++) {
      const place = (this.#head + index) & (capacity - 1);
      slots[index] = this.#slots[place]!;
      offsets[index] = this.#offsets[place]!;
      starts[index] = this.#starts[place]!;
    }
    this.#slots = slots;
    this.#offsets = offsets;
    this.#starts = starts;
    this.#head = 0;
  }
}

/** Bytes that the pairs written by `SendQueue.fill` hold. */
export function bytesIn(words: Int32Array, at: number, pairs: number): number {
  let bytes = 0;
  for (let word = at + 1; word < at + 2 * pairs; word += 2) bytes += words[word]!;
  return bytes;
}
