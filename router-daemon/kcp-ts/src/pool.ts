/**
 * The currency of the data path: equal slots in one `ArrayBuffer`.
 *
 * ```
 *  arena  ┌────────┬────────┬────────┬─ … ─┬──────────────────────────────┐
 *         │ slot 0 │ slot 1 │ slot 2 │     │ regions of the host (I/O)    │
 *         └────────┴────────┴────────┴─ … ─┴──────────────────────────────┘
 *         0        SLOT_BYTES       …      slotCount * slotBytes
 * ```
 *
 * A slot is named by its number; payload is named by a byte offset into the arena and a length. A slot has one owner;
 * handing data on is handing on its number. The size of the pool is the memory budget, "no free slot" is back pressure,
 * and a slot without an owner is a leak that tests look for.
 */
export interface SlotPool {
  /** The whole arena; every offset in this code base is an offset into it. */
  readonly bytes: Uint8Array;
  /** Bytes of one slot. */
  readonly slotBytes: number;
  /** Slots in the pool, free or not. */
  readonly slotCount: number;
  /** Slots without an owner now. */
  readonly freeSlots: number;
  /** Takes a slot: its number, or -1 when none is free. Its content is whatever the last owner left. */
  alloc(): number;
  /** Gives a slot back. Throws when the slot is free already: that is a bug of the caller, never of input. */
  free(slot: number): void;
}

/** Bytes of a slot in the daemon: one datagram of a 1500-byte underlay with room in front and behind. */
export const DEFAULT_SLOT_BYTES = 1536;

/**
 * Last-in first-out pool over a given or a new arena. Slots lie at its start, one after the other. The slot freed last is
 * given out next: it is still in the processor's cache, and memory that is never needed at the same time is never touched. The
 * same goes for the pool's own tables: a new pool has written nothing to them.
 */
export class FixedSlotPool implements SlotPool {
  readonly bytes: Uint8Array;
  readonly slotBytes: number;
  readonly slotCount: number;
  /** Stack of the numbers of slots that were given back. */
  readonly #free: Int32Array;
  /** 1 = has an owner. Catches a second `free` of the same slot, which would corrupt two owners' data much later. */
  readonly #isOwned: Uint8Array;
  /** Height of the stack. */
  #count = 0;
  /** Slots from this one on were never given out. */
  #fresh = 0;

  constructor(slotCount: number, options: { arena?: ArrayBuffer; slotBytes?: number } = {}) {
    const slotBytes = options.slotBytes ?? DEFAULT_SLOT_BYTES;
    if (!Number.isInteger(slotCount) || slotCount < 1) {
      throw new RangeError(`A slot pool needs a whole number of slots of at least 1, not ${slotCount}.`);
    }
    const arena = options.arena ?? new ArrayBuffer(slotCount * slotBytes);
    if (arena.byteLength < slotCount * slotBytes) {
      throw new RangeError(
        `The arena of ${arena.byteLength} bytes is too small for ${slotCount} slots of ${slotBytes}.`,
      );
    }
    this.bytes = new Uint8Array(arena);
    this.slotBytes = slotBytes;
    this.slotCount = slotCount;
    this.#free = new Int32Array(slotCount);
    this.#isOwned = new Uint8Array(slotCount);
  }

  get freeSlots(): number {
    return this.#count + this.slotCount - this.#fresh;
  }

  alloc(): number {
    let slot: number;
    if (this.#count > 0) slot = this.#free[--this.#count]!;
    else if (this.#fresh < this.slotCount) slot = this.#fresh++;
    else return -1;
    this.#isOwned[slot] = 1;
    return slot;
  }

  free(slot: number): void {
    if (this.#isOwned[slot] !== 1) throw new RangeError(`Slot ${slot} is free already or does not exist.`);
    this.#isOwned[slot] = 0;
    this.#free[this.#count++] = slot;
  }
}
