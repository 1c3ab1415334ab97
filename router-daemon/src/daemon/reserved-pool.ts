import type { SlotPool } from "kcp-ts";

/**
 * A pool as seen by somebody who may not use it up: the last `reserved` slots stay for others. Without them nothing could be
 * received any more, and plain packets would not get through either, for as long as readers who have stopped hold the rest.
 */
export class ReservedPool implements SlotPool {
  readonly bytes: Uint8Array;
  readonly slotBytes: number;
  readonly slotCount: number;
  readonly #pool: SlotPool;
  readonly #reserved: number;

  constructor(pool: SlotPool, reserved: number) {
    this.bytes = pool.bytes;
    this.slotBytes = pool.slotBytes;
    this.slotCount = pool.slotCount;
    this.#pool = pool;
    this.#reserved = reserved;
  }

  get freeSlots(): number {
    return Math.max(0, this.#pool.freeSlots - this.#reserved);
  }

  alloc(): number {
    return this.#pool.freeSlots > this.#reserved ? this.#pool.alloc() : -1;
  }

  free(slot: number): void {
    this.#pool.free(slot);
  }
}
