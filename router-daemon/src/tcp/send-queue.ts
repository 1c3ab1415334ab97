import { RUN_WORDS, RunEntry, type SlotPool } from "kcp-ts";
import { distance } from "./sequence.ts";

const INITIAL_CAPACITY = 16;
/** A run of one slot: nothing of it outlives a call. */
const ENTRY = new Int32Array(RUN_WORDS);

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
    ENTRY[RunEntry.slot] = slot;
    ENTRY[RunEntry.offset] = offset;
    ENTRY[RunEntry.length] = length;
    return this.pushRun(ENTRY, 0, 1);
  }

  /** Takes `count` slots with payload, a run (`RunEntry`) at `words[at]`: all, or none when more than `maxSlots` would be queued. */
  pushRun(words: Int32Array, at: number, count: number): boolean {
    if (this.#count + count > this.#maxSlots) return false;
    while (this.#count + count > this.#slots.length) this.#grow();
    const slots = this.#slots;
    const offsets = this.#offsets;
    const starts = this.#starts;
    const mask = slots.length - 1;
    let place = this.#head + this.#count;
    let { end } = this;
    for (let entry = at; entry < at + count * RUN_WORDS; entry += RUN_WORDS) {
      place &= mask;
      slots[place] = words[entry + RunEntry.slot]!;
      offsets[place] = words[entry + RunEntry.offset]!;
      starts[place] = end;
      end = (end + words[entry + RunEntry.length]!) | 0;
      place++;
    }
    this.#count += count;
    this.end = end;
    return true;
  }

  /** Frees the slots whose bytes lie wholly before `sequence`. */
  release(sequence: number): void {
    const slots = this.#slots;
    const starts = this.#starts;
    const pool = this.#pool;
    const mask = slots.length - 1;
    let head = this.#head;
    let count = this.#count;
    for (; count > 0; count--) {
      const end = count === 1 ? this.end : starts[(head + 1) & mask]!;
      if (((sequence - end) | 0) < 0) break;
      pool.free(slots[head]!);
      head = (head + 1) & mask;
    }
    this.#head = head;
    this.#count = count;
  }

  /**
   * Writes (offset, length) pairs of the `bytes` bytes at sequence number `start` to word index `at`, at most `maxPairs`.
   * Returns how many; `bytesIn` tells what they hold. All the bytes must be in the queue.
   */
  fill(words: Int32Array, at: number, maxPairs: number, start: number, bytes: number): number {
    const starts = this.#starts;
    const offsets = this.#offsets;
    const mask = starts.length - 1;
    let place = (this.#head + this.#find(start)) & mask;
    const last = (this.#head + this.#count - 1) & mask;
    const stop = at + 2 * maxPairs;
    let word = at;
    let from = start;
    let rest = bytes;
    while (rest > 0 && word < stop) {
      const next = (place + 1) & mask;
      const end = place === last ? this.end : starts[next]!;
      let length = (end - from) | 0;
      if (length > rest) length = rest;
      words[word++] = offsets[place]! + ((from - starts[place]!) | 0);
      words[word++] = length;
      rest -= length;
      from = end;
      place = next;
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
