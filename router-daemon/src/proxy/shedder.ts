import type { Entry, EntryTable } from "./entry.ts";
import type { MemoryBudget } from "./memory-budget.ts";

/** A connection on which no byte has moved for so long, milliseconds, counts as idle. */
export const SHED_IDLE_MS = 5_000;
/** How often it is looked for idle ones while memory is used up. */
export const SHED_PERIOD_MS = 1_000;

/**
 * The last resort when memory is nearly used up (`SHEDDING_SHARE`): idle carried connections that hold some are closed, longest
 * idle first, until enough has become free. Most likely their readers have stopped for good.
 */
export class Shedder {
  /** Connections closed so far. */
  shed = 0;
  readonly #budget: Pick<MemoryBudget, "level" | "slotsToShed">;
  readonly #entries: Pick<EntryTable, "live">;
  #lookAt = Number.NEGATIVE_INFINITY;

  constructor(budget: Pick<MemoryBudget, "level" | "slotsToShed">, entries: Pick<EntryTable, "live">) {
    this.#budget = budget;
    this.#entries = entries;
  }

  get nextTimeout(): number {
    return this.#budget.level === "shedding" ? this.#lookAt : Number.POSITIVE_INFINITY;
  }

  handleTimeout(now: number): void {
    if (now < this.nextTimeout) return;
    this.#lookAt = now + SHED_PERIOD_MS;
    const idle: Entry[] = [];
    for (const entry of this.#entries.live) {
      if (entry.close !== undefined && now - entry.activeAt >= SHED_IDLE_MS) idle.push(entry);
    }
    idle.sort((a, b) => a.activeAt - b.activeAt);
    let wanted = this.#budget.slotsToShed;
    for (const entry of idle) {
      if (wanted <= 0) return;
      const held = entry.stats?.heldSlots ?? 0;
      if (held === 0) continue;
      wanted -= held;
      this.shed++;
      entry.close?.(now, "memory_shed");
    }
  }
}
