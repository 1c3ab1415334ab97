/**
 * The peer's direction of one stream: what has come, in slots of the pool.
 *
 * ```
 *          read              next                                       limit
 *           │ in order, in    │   hole   ┌────────┐  hole  ┌─────────┐    │ flow control:
 *           │ the ring        │          │ piece  │        │ piece   │    │ nothing beyond
 *  ─────────┼─────────────────┼──────────┴────────┴────────┴─────────┴────┼──────  stream offset
 * ```
 *
 * Pieces in order lie in a ring of (slot, offset, length), those ahead of a hole in a list sorted by stream offset. A frame's slot is
 * taken over where that is worth it; what fits behind the bytes before it is copied there, so that a peer that sends single bytes
 * cannot hold a slot per byte.
 */
import { RUN_WORDS, RunEntry, type SlotPool, type SlotQuota } from "kcp-ts";
import { MAX_HELD_PIECES } from "./limits.ts";

/** What became of a frame's bytes. */
export const Arrival = {
  /** Kept, and the slot with them. */
  tookSlot: 0,
  /** Kept as a copy, or known before: the slot is still the caller's. */
  done: 1,
  /** There is no room: the packet must not be acknowledged. */
  noRoom: 2,
} as const;

/** Words of a piece: slot, index of its bytes in the arena, their number. */
const SHIFT = 2;
const SLOT = 0;
const OFFSET = 1;
const LENGTH = 2;
const FIRST_PIECES = 4;

export class ReceiveBuffer {
  /** Stream offsets: first byte not read, first byte not received, one past the highest received. */
  readOffset = 0;
  nextOffset = 0;
  highOffset = 0;
  /** Slots owned. */
  slots = 0;
  readonly #pool: SlotPool;
  readonly #quota: SlotQuota;
  #ring = new Int32Array(FIRST_PIECES << SHIFT);
  #mask = FIRST_PIECES - 1;
  #head = 0;
  #count = 0;
  /** Pieces ahead of a hole, and the stream offsets of their first bytes, sorted. */
  #held = new Int32Array(0);
  #starts = new Float64Array(0);
  #heldCount = 0;

  constructor(pool: SlotPool, quota: SlotQuota) {
    this.#pool = pool;
    this.#quota = quota;
  }

  get readableBytes(): number {
    return this.nextOffset - this.readOffset;
  }

  get heldPieces(): number {
    return this.#heldCount;
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Bytes of a STREAM frame: `length` bytes at `at` in the arena are those from `offset` on. `slot` is theirs, or -1 when somebody
   * has taken it already. `reserve` free slots are left alone by what is ahead of a hole.
   */
  insert(offset: number, slot: number, at: number, length: number, reserve: number): number {
    const end = offset + length;
    if (offset < this.nextOffset) {
      at += this.nextOffset - offset;
      offset = this.nextOffset;
    }
    if (offset >= end) return Arrival.done;
    const result =
      offset === this.nextOffset
        ? this.#append(slot, at, end - offset, reserve)
        : this.#hold(offset, end, slot, at, reserve);
    if (result !== Arrival.noRoom && end > this.highOffset) this.highOffset = end;
    if (this.#heldCount > 0) this.#joinHeld();
    return result;
  }

  /** Adds bytes at the end of what is in order. */
  #append(slot: number, at: number, length: number, reserve: number): number {
    const pool = this.#pool;
    if (this.#count > 0) {
      const last = ((this.#head + this.#count - 1) & this.#mask) << SHIFT;
      const ring = this.#ring;
      const end = ring[last + OFFSET]! + ring[last + LENGTH]!;
      const slotEnd = (ring[last + SLOT]! + 1) * pool.slotBytes;
      if (length <= slotEnd - end) {
        pool.bytes.copyWithin(end, at, at + length);
        ring[last + LENGTH]! += length;
        this.nextOffset += length;
        return Arrival.done;
      }
    }
    // What is in order is wanted most, but the last slots are those in which the next packets come in.
    if (pool.freeSlots <= reserve >>> 2) return Arrival.noRoom;
    let result: number = Arrival.tookSlot;
    if (slot < 0) {
      slot = pool.alloc();
      pool.bytes.copyWithin(slot * pool.slotBytes, at, at + length);
      at = slot * pool.slotBytes;
      result = Arrival.done;
    }
    this.#noteSlots(1);
    this.#push(slot, at, length);
    return result;
  }

  #push(slot: number, at: number, length: number): void {
    if (this.#count > this.#mask) this.#doubleRing();
    const cell = ((this.#head + this.#count++) & this.#mask) << SHIFT;
    this.#ring[cell + SLOT] = slot;
    this.#ring[cell + OFFSET] = at;
    this.#ring[cell + LENGTH] = length;
    this.nextOffset += length;
  }

  /** Keeps bytes ahead of a hole, without those that are held already. */
  #hold(offset: number, end: number, slot: number, at: number, reserve: number): number {
    const pool = this.#pool;
    // First piece that ends behind `offset`.
    let index = this.#heldCount;
    while (index > 0 && this.#heldEnd(index - 1) > offset) index--;
    if (index < this.#heldCount && this.#starts[index]! <= offset) {
      const known = this.#heldEnd(index) - offset;
      at += known;
      offset += known;
      index++;
    }
    while (index < this.#heldCount && this.#heldEnd(index) <= end) this.#dropHeld(index);
    if (index < this.#heldCount && this.#starts[index]! < end) end = this.#starts[index]!;
    if (offset >= end) return Arrival.done;
    if (this.#heldCount === MAX_HELD_PIECES || pool.freeSlots <= reserve) return Arrival.noRoom;
    let result: number = Arrival.tookSlot;
    if (slot < 0) {
      slot = pool.alloc();
      pool.bytes.copyWithin(slot * pool.slotBytes, at, at + end - offset);
      at = slot * pool.slotBytes;
      result = Arrival.done;
    }
    this.#noteSlots(1);
    this.#insertHeld(index, offset, slot, at, end - offset);
    return result;
  }

  #dropHeld(index: number): void {
    this.#free(this.#held[(index << SHIFT) + SLOT]!);
    this.#heldCount--;
    this.#held.copyWithin(index << SHIFT, (index + 1) << SHIFT, (this.#heldCount + 1) << SHIFT);
    this.#starts.copyWithin(index, index + 1, this.#heldCount + 1);
  }

  #heldEnd(index: number): number {
    return this.#starts[index]! + this.#held[(index << SHIFT) + LENGTH]!;
  }

  #insertHeld(index: number, offset: number, slot: number, at: number, length: number): void {
    if (this.#heldCount === this.#starts.length) this.#growHeld();
    const held = this.#held;
    held.copyWithin((index + 1) << SHIFT, index << SHIFT, this.#heldCount << SHIFT);
    this.#starts.copyWithin(index + 1, index, this.#heldCount);
    this.#starts[index] = offset;
    held[(index << SHIFT) + SLOT] = slot;
    held[(index << SHIFT) + OFFSET] = at;
    held[(index << SHIFT) + LENGTH] = length;
    this.#heldCount++;
  }

  /** The hole in front of held pieces may be closed: those that follow go into the ring. */
  #joinHeld(): void {
    const held = this.#held;
    let count = 0;
    while (count < this.#heldCount && this.#starts[count]! <= this.nextOffset) {
      const known = this.nextOffset - this.#starts[count]!;
      const cell = count << SHIFT;
      const length = held[cell + LENGTH]! - known;
      if (length > 0) this.#push(held[cell + SLOT]!, held[cell + OFFSET]! + known, length);
      else this.#free(held[cell + SLOT]!);
      count++;
    }
    if (count === 0) return;
    held.copyWithin(0, count << SHIFT, this.#heldCount << SHIFT);
    this.#starts.copyWithin(0, count, this.#heldCount);
    this.#heldCount -= count;
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes up to `maxPairs` (offset, length) pairs of what is in order to `words` from index `at`. */
  view(words: Int32Array, at: number, maxPairs: number): number {
    const pairs = Math.min(maxPairs, this.#count);
    for (let i = 0; i < pairs; i++) {
      const cell = ((this.#head + i) & this.#mask) << SHIFT;
      words[at + 2 * i] = this.#ring[cell + OFFSET]!;
      words[at + 2 * i + 1] = this.#ring[cell + LENGTH]!;
    }
    return pairs;
  }

  consume(bytes: number): void {
    if (bytes > this.readableBytes) {
      throw new RangeError(`Cannot consume ${bytes} bytes: ${this.readableBytes} are readable.`);
    }
    this.readOffset += bytes;
    while (bytes > 0) {
      const cell = (this.#head & this.#mask) << SHIFT;
      const length = this.#ring[cell + LENGTH]!;
      if (bytes < length) {
        this.#ring[cell + OFFSET]! += bytes;
        this.#ring[cell + LENGTH] = length - bytes;
        return;
      }
      bytes -= length;
      this.#free(this.#ring[cell + SLOT]!);
      this.#shift();
    }
  }

  /** Moves up to `max` front slots to the caller, who frees them: a run (`RunEntry`) at `words[at]`. Returns how many. */
  takeRun(words: Int32Array, at: number, max: number): number {
    const taken = Math.min(max, this.#count);
    for (let entry = at; entry < at + taken * RUN_WORDS; entry += RUN_WORDS) {
      const cell = (this.#head & this.#mask) << SHIFT;
      words[entry + RunEntry.slot] = this.#ring[cell + SLOT]!;
      words[entry + RunEntry.offset] = this.#ring[cell + OFFSET]!;
      words[entry + RunEntry.length] = this.#ring[cell + LENGTH]!;
      this.readOffset += this.#ring[cell + LENGTH]!;
      this.#shift();
    }
    this.#noteSlots(-taken);
    return taken;
  }

  /** Frees every slot; what was readable is gone. */
  dispose(): void {
    for (; this.#count > 0; this.#shift())
      this.#free(this.#ring[((this.#head & this.#mask) << SHIFT) + SLOT]!);
    for (let i = 0; i < this.#heldCount; i++) this.#free(this.#held[(i << SHIFT) + SLOT]!);
    this.#heldCount = 0;
    this.readOffset = this.nextOffset;
  }

  // ── storage ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #shift(): void {
    this.#head = (this.#head + 1) & this.#mask;
    this.#count--;
  }

  #free(slot: number): void {
    this.#pool.free(slot);
    this.#noteSlots(-1);
  }

  #noteSlots(change: number): void {
    this.slots += change;
    this.#quota.held += change;
  }

  #doubleRing(): void {
    const size = 2 * (this.#mask + 1);
    const ring = new Int32Array(size << SHIFT);
    for (let i = 0; i < this.#count; i++) {
      const from = ((this.#head + i) & this.#mask) << SHIFT;
      ring.set(this.#ring.subarray(from, from + (1 << SHIFT)), i << SHIFT);
    }
    this.#ring = ring;
    this.#mask = size - 1;
    this.#head = 0;
  }

  #growHeld(): void {
    const size = Math.max(8, 2 * this.#starts.length);
    const held = new Int32Array(size << SHIFT);
    const starts = new Float64Array(size);
    held.set(this.#held);
    starts.set(this.#starts);
    this.#held = held;
    this.#starts = starts;
  }
}
