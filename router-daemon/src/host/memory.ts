import type { HostMemory } from "./host.ts";

/** What every region's offset is a multiple of: a cache line. */
export const REGION_ALIGNMENT_BYTES = 64;

/** Largest arena: offsets are 32-bit signed integers. */
export const MAX_ARENA_BYTES = 0x7fff_ffff;

/**
 * One ArrayBuffer: the slots first, behind them the regions that `reserve` hands out from low to high, never taken back.
 *
 * ```
 *  0 ┌────────┬─ … ─┬──────────┬──────────┬─ … ─┬───────┐ byteLength
 *    │ slot 0 │     │ region 0 │ region 1 │     │ free  │
 *    └────────┴─ … ─┴──────────┴──────────┴─ … ─┴───────┘
 * ```
 */
export class ArenaMemory implements HostMemory {
  readonly arena: ArrayBuffer;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly slotCount: number;
  readonly slotBytes: number;
  #next: number;

  /** `makeArena` may know better than the engine where so much memory comes from. */
  constructor(
    slotCount: number,
    slotBytes: number,
    scratchBytes: number,
    makeArena: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes),
  ) {
    for (const [name, value] of Object.entries({ slotCount, slotBytes, scratchBytes })) {
      if (!Number.isInteger(value) || value < 0) {
        throw new RangeError(`The arena's ${name} must be a whole number, not ${value}.`);
      }
    }
    if (slotCount === 0 || slotBytes % REGION_ALIGNMENT_BYTES !== 0 || slotBytes === 0) {
      throw new RangeError(
        `The arena needs at least one slot, of a multiple of ${REGION_ALIGNMENT_BYTES} bytes, not ${slotCount} of ${slotBytes}.`,
      );
    }
    const total = slotCount * slotBytes + roundUp(scratchBytes);
    if (total > MAX_ARENA_BYTES) {
      throw new RangeError(`An arena of ${total} bytes is too large; at most ${MAX_ARENA_BYTES}.`);
    }
    this.arena = makeArena(total);
    this.bytes = new Uint8Array(this.arena);
    this.words = new Int32Array(this.arena);
    this.slotCount = slotCount;
    this.slotBytes = slotBytes;
    this.#next = slotCount * slotBytes;
  }

  reserve(bytes: number): number {
    if (!Number.isInteger(bytes) || bytes < 0) {
      throw new RangeError(`A region needs a whole number of bytes, not ${bytes}.`);
    }
    const offset = this.#next;
    if (offset + roundUp(bytes) > this.arena.byteLength) {
      throw new RangeError(
        `The arena has ${this.arena.byteLength - offset} bytes left, ${bytes} are asked for: raise scratchBytes.`,
      );
    }
    this.#next = offset + roundUp(bytes);
    return offset;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / REGION_ALIGNMENT_BYTES) * REGION_ALIGNMENT_BYTES;
}
