import type { SlotPool } from "./pool.ts";

/** One direction of a connection may hold half of what is free to be shared (a right shift) … */
const SHARE_SHIFT = 1;
/** … and never less than this: who holds next to nothing can go on, however much the others hold. */
export const MIN_SHARE_SLOTS = 16;
/** Of the pool this part (a right shift) is not shared out: it is for those who hold little, and for what comes and goes. */
const KEPT_SHIFT = 2;

/**
 * How the connections of one group (all of one peer, say) share a pool with everybody else. Nothing is reserved for anybody:
 * each direction may hold as much as a half of what is free *now*. One busy connection gets nearly all it wants; many readers who
 * have stopped divide it among themselves, and the last quarter stays for those who go on.
 *
 * ```
 *   pool  │▓▓▓▓▓▓▓▓ held ▓▓▓▓▓▓▓▓│     shared out      │ kept        │
 *         0                              share = half  3/4           1
 *   group │▓▓ held ▓▓│    shared out       │
 *         0             share = half     maxSlots
 * ```
 *
 * With n directions that take all they get, each holds 3/4 of the pool divided by n + 2: this is the dynamic threshold of
 * switches with shared memory. `MIN_SHARE_SLOTS` bends the bound; whoever admits connections looks at the pool (`freeSlots`).
 */
export class SlotQuota {
  /** Slots that the group holds. */
  held = 0;
  readonly #pool: SlotPool;
  readonly #kept: number;
  readonly #maxSlots: number;

  /** The group as a whole holds about `maxSlots` at most. Default: what is shared out at all. */
  constructor(pool: SlotPool, maxSlots: number = pool.slotCount) {
    this.#pool = pool;
    this.#kept = pool.slotCount >>> KEPT_SHIFT;
    this.#maxSlots = maxSlots;
  }

  /** Slots that one direction of one connection may hold now, those it holds already included. */
  get share(): number {
    const left = Math.min(this.#pool.freeSlots - this.#kept, this.#maxSlots - this.held);
    return Math.max(MIN_SHARE_SLOTS, left >> SHARE_SHIFT);
  }
}
