import type { SlotPool } from "../../router-daemon/kcp-ts/src/pool.ts";
import type { HostMemory } from "../../router-daemon/src/host/host.ts";

const POISON = 0xa5;
/** Bytes at the start and at the end of a slot that are poisoned: where headers and tails are. */
const POISONED_BYTES = 96;

/**
 * A pool that watches its users. A slot that is given back is poisoned, so that whoever still reads it reads garbage, and
 * looked at when it is given out again, so that whoever still writes it is found. Giving back what is free throws.
 */
export class WatchedPool implements SlotPool {
  readonly bytes: Uint8Array;
  readonly slotBytes: number;
  readonly slotCount: number;
  /** Slots that are withheld: `alloc` finds none before the pool is really empty. */
  withheld = 0;
  /** Fewest slots that were ever free. */
  leastFree: number;
  readonly #free: number[] = [];
  readonly #isFree: Uint8Array;
  /** Where each slot in use was taken, while `traces` is on. */
  readonly #takenAt: (string | undefined)[] = [];
  readonly #traces: boolean;

  constructor(memory: HostMemory, traces = false) {
    this.bytes = memory.bytes;
    this.slotBytes = memory.slotBytes;
    this.slotCount = memory.slotCount;
    this.leastFree = memory.slotCount;
    this.#traces = traces;
    this.#isFree = new Uint8Array(memory.slotCount).fill(1);
    for (let slot = memory.slotCount - 1; slot >= 0; slot--) {
      this.#free.push(slot);
      this.#poison(slot);
    }
  }

  get freeSlots(): number {
    return Math.max(0, this.#free.length - this.withheld);
  }

  get usedSlots(): number {
    return this.slotCount - this.#free.length;
  }

  alloc(): number {
    if (this.#free.length <= this.withheld) return -1;
    const slot = this.#free.pop()!;
    this.#check(slot);
    this.#isFree[slot] = 0;
    this.leastFree = Math.min(this.leastFree, this.#free.length);
    if (this.#traces) this.#takenAt[slot] = new Error("taken").stack;
    return slot;
  }

  free(slot: number): void {
    if (this.#isFree[slot] !== 0) throw new Error(`Slot ${slot} is given back twice, or does not exist.`);
    this.#isFree[slot] = 1;
    this.#takenAt[slot] = undefined;
    this.#poison(slot);
    this.#free.push(slot);
  }

  /** Looks at every free slot. Throws when one was written to. */
  checkAll(): void {
    for (const slot of this.#free) this.#check(slot);
  }

  /** Where the slots in use were taken, most common place first: for the search after a leak. */
  owners(): string[] {
    const counts = new Map<string, number>();
    for (const stack of this.#takenAt) {
      if (stack === undefined) continue;
      const frames = stack
        .split("\n")
        .slice(2, 7)
        .map((line) => line.trim().replace(/\(?file:.*\/(?=[^/]+$)/, ""));
      const place = frames.join(" < ");
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1]).map(([place, count]) => `${count} × ${place}`);
  }

  #poison(slot: number): void {
    const start = slot * this.slotBytes;
    this.bytes.fill(POISON, start, start + this.slotBytes);
  }

  #check(slot: number): void {
    const start = slot * this.slotBytes;
    const end = start + this.slotBytes;
    for (let at = start; at < start + POISONED_BYTES; at++) this.#checkByte(slot, at);
    for (let at = end - POISONED_BYTES; at < end; at++) this.#checkByte(slot, at);
  }

  #checkByte(slot: number, at: number): void {
    if (this.bytes[at] === POISON) return;
    throw new Error(`Slot ${slot} was written to at byte ${at - slot * this.slotBytes} while it was free.`);
  }
}
