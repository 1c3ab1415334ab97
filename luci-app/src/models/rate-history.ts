import { type ReadonlySignal, signal } from "@preact/signals";

/** Points of the chart. */
export const MAX_POINTS = 60;

/** Bytes per second at one tick. */
export interface RatePoint {
  readonly up: number;
  readonly down: number;
}

/** The rates of the last ticks, oldest first. */
export class RateHistory {
  readonly #points = signal<readonly RatePoint[]>([]);

  get points(): ReadonlySignal<readonly RatePoint[]> {
    return this.#points;
  }

  add(point: RatePoint): void {
    this.#points.value = [...this.#points.value.slice(1 - MAX_POINTS), point];
  }

  /** After a pause, or when the daemon was away: a line across the gap would tell a lie. */
  clear(): void {
    if (this.#points.value.length > 0) this.#points.value = [];
  }
}
