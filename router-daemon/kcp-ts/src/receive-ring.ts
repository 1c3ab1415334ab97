import { MIN_RING_SEGMENTS, type Settings } from "./options.ts";
import type { SlotPool } from "./pool.ts";
import type { SlotQuota } from "./quota.ts";
import { RUN_SHIFT, RUN_WORDS, RunEntry } from "./slot-run.ts";

/** An entry is one of a run, with slot -1 where a segment holds none. */
const ENTRY_SHIFT = RUN_SHIFT;
const SLOT = RunEntry.slot;
const OFFSET = RunEntry.offset;
const LENGTH = RunEntry.length;

/** A payload of at most this share of a slot is copied behind the one before it instead of holding a slot of its own. */
const COMPACT_SHIFT = 2;

/** What became of an arriving segment. */
export const Arrival = {
  /** Kept, and the slot with it. */
  tookSlot: 0,
  /** Kept as a copy: the slot is still the caller's. */
  copied: 1,
  /** Had it already: to be acknowledged again. */
  duplicate: 2,
  /** Beyond the window. */
  beyond: 3,
  /** No free slot for a copy, too few left to keep it, or this reader holds its share already. */
  noSlot: 4,
} as const;

/**
 * Received segments, by sequence number.
 *
 * ```
 *        read            next                          high
 *         │ in order, not │ out of order: held where the │
 *         │ read yet      │ bit in `bits` is set         │
 *  ───────┼───────────────┼──────────────────────────────┼─────── sn
 *         └── window: at most `window` entries from read ─────┘
 * ```
 *
 * In-order bytes form chunks: one slot with one run of bytes. Small payloads are appended to the chunk before them, their
 * own entries then hold no slot and no bytes; a peer that sends single bytes cannot hold a slot per byte.
 */
export class ReceiveRing {
  /** Bit `sn & 31` of word `(sn & mask) >>> 5`: received out of order. Bits below `next` are clear. */
  bits: Int32Array;
  mask: number;
  /** First sequence number not read, and first not received. */
  read: number;
  next: number;
  /** One past the highest received. */
  high: number;
  /** Segments held out of order. */
  heldSegments = 0;
  readableBytes = 0;
  /** Slots owned. */
  slots = 0;
  readonly window: number;
  readonly #pool: SlotPool;
  readonly #quota: SlotQuota | undefined;
  readonly #maxSegments: number;
  #entries: Int32Array;
  /** Furthest entry from `read` since the last `trim`. */
  #peak = 0;
  /** Sequence number of the last chunk, when there is one not fully read. */
  #chunk = 0;
  #hasChunk = false;
  /** The datagram being taken apart: bytes behind `#parsedEnd` in its slot are not ours to overwrite yet. */
  #parsingSlot = -1;
  #parsedEnd = 0;

  /** Free slots below which a segment is not kept: out of order, and in order. */
  readonly #spareHeld: number;
  readonly #spareNext: number;

  /** Of `spareSlots` the last half is for what is next in order only, the very last for what comes after it. */
  constructor(settings: Settings) {
    const { pool, receiveWindow: window, spareSlots, initialSequence: firstSn } = settings;
    this.#pool = pool;
    this.#quota = settings.quota;
    this.window = window;
    this.#spareHeld = spareSlots >>> 1;
    this.#spareNext = Math.min(1, spareSlots);
    let max = MIN_RING_SEGMENTS;
    while (max < window) max *= 2;
    this.#maxSegments = max;
    this.#entries = new Int32Array(MIN_RING_SEGMENTS << ENTRY_SHIFT);
    this.bits = new Int32Array(MIN_RING_SEGMENTS >>> 5);
    this.mask = MIN_RING_SEGMENTS - 1;
    this.read = firstSn;
    this.next = firstSn;
    this.high = firstSn;
  }

  /** Segments that may be unread now: the window, or less of it while memory is short. */
  get limit(): number {
    return this.#quota === undefined ? this.window : Math.min(this.window, this.#quota.share);
  }

  /** Segments that may still arrive: what is advertised. */
  get freeSegments(): number {
    return Math.max(0, this.limit - ((this.next - this.read) | 0));
  }

  /** Takes the payload at `offset` of `slot`; `ownsSlot` = the slot itself can be kept. One of `Arrival`. */
  accept(sn: number, slot: number, offset: number, length: number, ownsSlot: boolean): number {
    const place = (sn - this.read) | 0;
    if (place >= this.window) return Arrival.beyond;
    const ahead = (sn - this.next) | 0;
    if (ahead < 0) return Arrival.duplicate;
    if (place > this.#peak) this.#peak = place;
    if (place > this.mask) this.#resize(place);
    const word = (sn & this.mask) >>> 5;
    if (ahead > 0 && (this.bits[word]! & (1 << sn)) !== 0) return Arrival.duplicate;

    this.#parsingSlot = slot;
    this.#parsedEnd = offset + length;
    const entry = (sn & this.mask) << ENTRY_SHIFT;
    const entries = this.#entries;
    let arrival: number = Arrival.copied;
    if (length === 0) {
      entries[entry + SLOT] = -1;
      entries[entry + LENGTH] = 0;
    } else if (
      ahead === 0 &&
      length <= this.#pool.slotBytes >>> COMPACT_SHIFT &&
      this.#append(offset, length)
    ) {
      entries[entry + SLOT] = -1;
      entries[entry + LENGTH] = 0;
    } else if (this.#pool.freeSlots < (ahead === 0 ? this.#spareNext : this.#spareHeld)) {
      // Whoever fills the pool with what cannot be read yet locks out the segment that would make it readable.
      return Arrival.noSlot;
    } else if (this.slots >= this.limit << 1 && (ahead > 0 || this.heldSegments === 0)) {
      // It was told of a smaller window, and what was under way then has come: the rest would be at the expense of others.
      return Arrival.noSlot;
    } else if (ownsSlot) {
      entries[entry + SLOT] = slot;
      entries[entry + OFFSET] = offset;
      entries[entry + LENGTH] = length;
      this.slots++;
      arrival = Arrival.tookSlot;
    } else {
      const own = this.#pool.alloc();
      if (own < 0) return Arrival.noSlot;
      const copy = own * this.#pool.slotBytes;
      this.#pool.bytes.copyWithin(copy, offset, offset + length);
      entries[entry + SLOT] = own;
      entries[entry + OFFSET] = copy;
      entries[entry + LENGTH] = length;
      this.slots++;
    }

    if (ahead === 0) {
      this.next = (sn + 1) | 0;
      if (length !== 0 && entries[entry + SLOT]! >= 0) {
        this.readableBytes += length;
        this.#chunk = sn;
        this.#hasChunk = true;
      }
      if (this.heldSegments !== 0) this.#advance();
      if (((this.high - this.next) | 0) < 0) this.high = this.next;
      if (!this.#hasChunk) this.#skipEmpty();
    } else {
      this.bits[word]! |= 1 << sn;
      this.heldSegments++;
      if (((sn - this.high) | 0) >= 0) this.high = (sn + 1) | 0;
    }
    return arrival;
  }

  /**
   * Takes `count` segments from `sn` on with their slots, a run at `words[at]` of `bytes` in all, each too large to be appended to the
   * one before it. False = there is a gap, or not room for all of them: they are to be looked at one by one.
   */
  acceptRun(sn: number, words: Int32Array, at: number, count: number, bytes: number): boolean {
    const last = ((sn - this.read) | 0) + count - 1;
    if (sn !== this.next || this.heldSegments !== 0 || last >= this.window) return false;
    if (this.#pool.freeSlots < this.#spareNext) return false;
    // The limit may fall by half of what is taken on the way.
    if (this.slots + 2 * count > this.limit << 1) return false;
    if (last > this.#peak) this.#peak = last;
    if (last > this.mask) this.#resize(last);
    const entries = this.#entries;
    const place = sn & this.mask;
    const beforeEnd = Math.min(count, this.mask + 1 - place);
    const middle = at + beforeEnd * RUN_WORDS;
    entries.set(words.subarray(at, middle), place << ENTRY_SHIFT);
    if (beforeEnd < count) entries.set(words.subarray(middle, at + count * RUN_WORDS), 0);
    this.next = (sn + count) | 0;
    this.high = this.next;
    this.slots += count;
    this.readableBytes += bytes;
    this.#chunk = (this.next - 1) | 0;
    this.#hasChunk = true;
    return true;
  }

  /** Writes (offset, length) pairs of the readable bytes at `words[at]`; returns how many pairs. */
  view(words: Int32Array, at: number, maxPairs: number): number {
    const entries = this.#entries;
    let pairs = 0;
    for (let sn = this.read; sn !== this.next && pairs < maxPairs; sn = (sn + 1) | 0) {
      const entry = (sn & this.mask) << ENTRY_SHIFT;
      if (entries[entry + SLOT]! < 0) continue;
      words[at + 2 * pairs] = entries[entry + OFFSET]!;
      words[at + 2 * pairs + 1] = entries[entry + LENGTH]!;
      pairs++;
    }
    return pairs;
  }

  /** Removes the first `bytes` readable bytes. */
  consume(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.readableBytes)) {
      throw new RangeError(`Cannot consume ${bytes} bytes: ${this.readableBytes} are readable.`);
    }
    const entries = this.#entries;
    this.readableBytes -= bytes;
    while (bytes > 0) {
      const entry = (this.read & this.mask) << ENTRY_SHIFT;
      const length = entries[entry + LENGTH]!;
      if (bytes < length) {
        entries[entry + OFFSET]! += bytes;
        entries[entry + LENGTH] = length - bytes;
        return;
      }
      bytes -= length;
      const slot = entries[entry + SLOT]!;
      if (slot >= 0) {
        this.#pool.free(slot);
        this.slots--;
      }
      this.#leaveFront();
    }
    this.#skipEmpty();
  }

  /** Moves up to `max` front chunks to the caller, a run at `words[at]`; returns how many. */
  takeRun(words: Int32Array, at: number, max: number): number {
    const entries = this.#entries;
    const { mask, next } = this;
    let sn = this.read;
    let taken = 0;
    let bytes = 0;
    while (taken < max && sn !== next) {
      const entry = (sn & mask) << ENTRY_SHIFT;
      if (entries[entry + SLOT]! >= 0) {
        const to = at + (taken++ << RUN_SHIFT);
        const length = entries[entry + LENGTH]!;
        words[to + SLOT] = entries[entry + SLOT]!;
        words[to + OFFSET] = entries[entry + OFFSET]!;
        words[to + LENGTH] = length;
        bytes += length;
      }
      sn = (sn + 1) | 0;
    }
    if (((sn - this.#chunk) | 0) > 0) this.#hasChunk = false;
    this.read = sn;
    this.readableBytes -= bytes;
    this.slots -= taken;
    this.#skipEmpty();
    return taken;
  }

  /** Gives memory back that was not needed since the last call. */
  trim(): void {
    if (this.#peak <= this.mask >>> 1 && this.mask >= MIN_RING_SEGMENTS) this.#resize(this.#peak);
    this.#peak = (this.high - this.read) | 0;
  }

  /** Frees every slot. */
  dispose(): void {
    for (let sn = this.read; ((sn - this.high) | 0) < 0; sn = (sn + 1) | 0) {
      const held = ((sn - this.next) | 0) < 0 || (this.bits[(sn & this.mask) >>> 5]! & (1 << sn)) !== 0;
      const slot = this.#entries[((sn & this.mask) << ENTRY_SHIFT) + SLOT]!;
      if (held && slot >= 0) this.#pool.free(slot);
    }
    this.bits.fill(0);
    this.read = this.next = this.high;
    this.heldSegments = 0;
    this.readableBytes = 0;
    this.slots = 0;
    this.#hasChunk = false;
  }

  /** Moves `next` over what is held, now that the gap in front of it is filled. */
  #advance(): void {
    const entries = this.#entries;
    const compactBytes = this.#pool.slotBytes >>> COMPACT_SHIFT;
    while (this.heldSegments !== 0) {
      const sn = this.next;
      const word = (sn & this.mask) >>> 5;
      const bit = 1 << sn;
      if ((this.bits[word]! & bit) === 0) return;
      this.bits[word]! &= ~bit;
      this.heldSegments--;
      this.next = (sn + 1) | 0;
      const entry = (sn & this.mask) << ENTRY_SHIFT;
      const slot = entries[entry + SLOT]!;
      if (slot < 0) continue;
      const length = entries[entry + LENGTH]!;
      if (length <= compactBytes && this.#append(entries[entry + OFFSET]!, length)) {
        this.#pool.free(slot);
        this.slots--;
        entries[entry + SLOT] = -1;
        entries[entry + LENGTH] = 0;
      } else {
        this.readableBytes += length;
        this.#chunk = sn;
        this.#hasChunk = true;
      }
    }
  }

  /** Copies bytes behind the last chunk, in its slot, if there is room. */
  #append(offset: number, length: number): boolean {
    if (!this.#hasChunk) return false;
    const entry = (this.#chunk & this.mask) << ENTRY_SHIFT;
    const slot = this.#entries[entry + SLOT]!;
    const end = this.#entries[entry + OFFSET]! + this.#entries[entry + LENGTH]!;
    const limit = slot === this.#parsingSlot ? this.#parsedEnd : (slot + 1) * this.#pool.slotBytes;
    if (end + length > limit) return false;
    this.#pool.bytes.copyWithin(end, offset, offset + length);
    this.#entries[entry + LENGTH]! += length;
    this.readableBytes += length;
    return true;
  }

  #leaveFront(): void {
    if (this.#hasChunk && this.read === this.#chunk) this.#hasChunk = false;
    this.read = (this.read + 1) | 0;
  }

  /** Entries without bytes at the front hold nothing to read: they give their place in the window back. */
  #skipEmpty(): void {
    while (this.read !== this.next && this.#entries[((this.read & this.mask) << ENTRY_SHIFT) + SLOT]! < 0) {
      this.read = (this.read + 1) | 0;
    }
  }

  /** The smallest ring that has a place `last`. */
  #resize(last: number): void {
    let size = MIN_RING_SEGMENTS;
    while (size <= last) size *= 2;
    if (size > this.#maxSegments) size = this.#maxSegments;
    const mask = size - 1;
    const entries = new Int32Array(size << ENTRY_SHIFT);
    const bits = new Int32Array(size >>> 5);
    for (let sn = this.read; ((sn - this.high) | 0) < 0; sn = (sn + 1) | 0) {
      const from = (sn & this.mask) << ENTRY_SHIFT;
      const to = (sn & mask) << ENTRY_SHIFT;
      entries[to + SLOT] = this.#entries[from + SLOT]!;
      entries[to + OFFSET] = this.#entries[from + OFFSET]!;
      entries[to + LENGTH] = this.#entries[from + LENGTH]!;
      if (((sn - this.next) | 0) >= 0) {
        bits[(sn & mask) >>> 5]! |= this.bits[(sn & this.mask) >>> 5]! & (1 << sn);
      }
    }
    this.#entries = entries;
    this.bits = bits;
    this.mask = mask;
  }
}
