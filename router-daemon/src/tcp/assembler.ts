import type { SlotPool } from "kcp-ts";
import { distance, isAfter, isBefore } from "./sequence.ts";
import type { FlowReceiver } from "./types.ts";

/** Stretches of out-of-order data that one flow may have; what would make one more is thrown away. */
export const MAX_REORDER_RUNS = 32;

const NONE = -1;

/**
 * The slots with out-of-order data of all flows: chains of slot numbers, and the bounds on them. One per stack.
 */
export class ReorderStore {
  readonly pool: SlotPool;
  readonly maxSlotsPerFlow: number;
  readonly #maxSlots: number;
  #usedSlots = 0;
  /** By slot number: the next slot of the run, where its bytes begin in the arena, and how many there are. */
  readonly next: Int32Array;
  readonly offset: Int32Array;
  readonly length: Int32Array;

  constructor(pool: SlotPool, maxSlots: number, maxSlotsPerFlow: number) {
    this.pool = pool;
    this.#maxSlots = maxSlots;
    this.maxSlotsPerFlow = maxSlotsPerFlow;
    this.next = new Int32Array(pool.slotCount);
    this.offset = new Int32Array(pool.slotCount);
    this.length = new Int32Array(pool.slotCount);
  }

  get usedSlots(): number {
    return this.#usedSlots;
  }

  /** An empty slot at the end of a chain, or -1. */
  take(): number {
    if (this.#usedSlots >= this.#maxSlots) return NONE;
    const slot = this.pool.alloc();
    if (slot < 0) return NONE;
    this.#usedSlots++;
    this.next[slot] = NONE;
    this.offset[slot] = slot * this.pool.slotBytes;
    this.length[slot] = 0;
    return slot;
  }

  give(slot: number): void {
    this.#usedSlots--;
    this.pool.free(slot);
  }
}

/**
 * The out-of-order data of one flow: at most `MAX_REORDER_RUNS` runs, each a chain of slots.
 *
 * ```
 *   next expected        run 0                    run 1
 *        ▼          ┌──────┬──────┐          ┌──────┬──┐
 *   ─────┴──────────┤ #12  │ #13  ├──────────┤ #9   │#2├───▶ sequence numbers
 *                   └──────┴──────┘          └──────┴──┘
 *                   start        end = a SACK block each
 * ```
 *
 * A run may also begin at the next expected byte: data that the receiver would not take yet.
 */
export class Assembler {
  readonly #store: ReorderStore;
  readonly #start = new Int32Array(MAX_REORDER_RUNS);
  readonly #end = new Int32Array(MAX_REORDER_RUNS);
  readonly #first = new Int32Array(MAX_REORDER_RUNS);
  readonly #last = new Int32Array(MAX_REORDER_RUNS);
  /** The higher, the more recently something was added: the order of SACK blocks (RFC 2018 4). */
  readonly #recency = new Float64Array(MAX_REORDER_RUNS);
  #clock = 0;
  #count = 0;
  #slots = 0;

  constructor(store: ReorderStore) {
    this.#store = store;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Slots held. */
  get slots(): number {
    return this.#slots;
  }

  /** Keeps what is not here yet of the `length` bytes at arena `offset`, as far as there is room. */
  insert(sequence: number, offset: number, length: number): void {
    const end = (sequence + length) | 0;
    let from = sequence;
    let run = 0;
    while (run < this.#count && isBefore(this.#end[run]!, from)) run++;
    // From here on runs before `run` end before `from`, and do not touch it.
    while (isBefore(from, end)) {
      if (run === this.#count || isBefore(end, this.#start[run]!)) {
        this.#open(run, from, offset + distance(sequence, from), distance(from, end));
        break;
      }
      if (isBefore(from, this.#start[run]!)) {
        const gap = distance(from, this.#start[run]!);
        if (!this.#open(run, from, offset + distance(sequence, from), gap)) return;
        if (this.#end[run] !== this.#start[run + 1]) return;
        this.#join(run);
      }
      if (isBefore(from, this.#end[run]!)) from = this.#end[run]!;
      if (!isBefore(from, end)) break;
      const followed = run + 1 < this.#count && isBefore(this.#start[run + 1]!, end);
      const stop = followed ? this.#start[run + 1]! : end;
      const wanted = distance(from, stop);
      const stored = this.#append(run, offset + distance(sequence, from), wanted);
      from = (from + stored) | 0;
      this.#end[run] = from;
      if (stored < wanted) break;
      if (run + 1 < this.#count && this.#start[run + 1] === from) this.#join(run);
    }
    if (run < this.#count) this.#recency[run] = ++this.#clock;
  }

  /**
   * Hands on what has come in order at `expected` and forgets what lies before it. Returns the bytes taken by `receiver`.
   */
  drain(expected: number, receiver: FlowReceiver): number {
    const store = this.#store;
    let at = expected;
    while (this.#count > 0 && !isAfter(this.#start[0]!, at)) {
      const slot = this.#first[0]!;
      const old = distance(this.#start[0]!, at);
      const length = store.length[slot]!;
      if (old >= length) {
        this.#dropFront(slot, length);
        continue;
      }
      if (old > 0) this.#trimFront(slot, old);
      const there = length - old;
      const taken = receiver.receive(store.offset[slot]!, there);
      at = (at + taken) | 0;
      // The receiver may have ended the flow from inside: everything is gone then.
      if (this.#count === 0 || this.#first[0] !== slot) break;
      if (taken < there) {
        if (taken > 0) this.#trimFront(slot, taken);
        break;
      }
      this.#dropFront(slot, there);
    }
    return distance(expected, at);
  }

  /** Writes up to `max` SACK blocks, most recent first, from pair `at` of `edges` on; returns how many. */
  sackBlocks(edges: Int32Array, at: number, max: number, expected: number): number {
    let written = 0;
    let below = Number.POSITIVE_INFINITY;
    while (written < max) {
      let best = NONE;
      for (let run = 0; run < this.#count; run++) {
        if (this.#start[run] === expected || this.#recency[run]! >= below) continue;
        if (best === NONE || this.#recency[run]! > this.#recency[best]!) best = run;
      }
      if (best === NONE) break;
      below = this.#recency[best]!;
      edges[2 * (at + written)] = this.#start[best]!;
      edges[2 * (at + written) + 1] = this.#end[best]!;
      written++;
    }
    return written;
  }

  /** Frees everything. */
  clear(): void {
    for (let run = 0; run < this.#count; run++) {
      for (let slot = this.#first[run]!; slot !== NONE; ) {
        const next = this.#store.next[slot]!;
        this.#store.give(slot);
        slot = next;
      }
    }
    this.#count = 0;
    this.#slots = 0;
  }

  /** Makes a new run at index `run`. False = nothing could be stored. It may hold less than `length`. */
  #open(run: number, start: number, offset: number, length: number): boolean {
    if (this.#count === MAX_REORDER_RUNS) return false;
    const first = this.#slots < this.#store.maxSlotsPerFlow ? this.#store.take() : NONE;
    if (first === NONE) return false;
    this.#slots++;
    for (let index = this.#count; index > run; index--) this.#move(index - 1, index);
    this.#count++;
    this.#start[run] = start;
    this.#first[run] = first;
    this.#last[run] = first;
    this.#recency[run] = ++this.#clock;
    this.#end[run] = (start + this.#append(run, offset, length)) | 0;
    return true;
  }

  /** Copies bytes to the end of a run, into the room of its last slot first. Returns how many found room. */
  #append(run: number, offset: number, length: number): number {
    const store = this.#store;
    const slotBytes = store.pool.slotBytes;
    let slot = this.#last[run]!;
    let stored = 0;
    for (;;) {
      const end = store.offset[slot]! + store.length[slot]!;
      const piece = Math.min((slot + 1) * slotBytes - end, length - stored);
      store.pool.bytes.copyWithin(end, offset + stored, offset + stored + piece);
      store.length[slot]! += piece;
      stored += piece;
      if (stored === length || this.#slots >= store.maxSlotsPerFlow) return stored;
      const next = store.take();
      if (next === NONE) return stored;
      this.#slots++;
      store.next[slot] = next;
      this.#last[run] = next;
      slot = next;
    }
  }

  /** Joins a run with the next one, which begins where it ends. */
  #join(run: number): void {
    const store = this.#store;
    store.next[this.#last[run]!] = this.#first[run + 1]!;
    this.#last[run] = this.#last[run + 1]!;
    this.#end[run] = this.#end[run + 1]!;
    this.#recency[run] = Math.max(this.#recency[run]!, this.#recency[run + 1]!);
    this.#close(run + 1);
  }

  #close(run: number): void {
    this.#count--;
    for (let index = run; index < this.#count; index++) this.#move(index + 1, index);
  }

  #move(from: number, to: number): void {
    this.#start[to] = this.#start[from]!;
    this.#end[to] = this.#end[from]!;
    this.#first[to] = this.#first[from]!;
    this.#last[to] = this.#last[from]!;
    this.#recency[to] = this.#recency[from]!;
  }

  #trimFront(slot: number, bytes: number): void {
    this.#store.offset[slot]! += bytes;
    this.#store.length[slot]! -= bytes;
    this.#start[0]! += bytes;
  }

  #dropFront(slot: number, length: number): void {
    this.#start[0]! += length;
    this.#first[0] = this.#store.next[slot]!;
    this.#store.give(slot);
    this.#slots--;
    if (this.#first[0] === NONE) this.#close(0);
  }
}
