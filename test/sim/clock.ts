interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * The world's time: a heap of what happens when. Two things at the same instant happen in the order in which they were
 * scheduled, so nothing depends on the heap's inside.
 */
export class Clock {
  /** Milliseconds of the world's monotonic clock. */
  now = 1000;
  readonly #heap: Entry[] = [];
  #order = 0;

  at(at: number, run: () => void): void {
    const entry = { at: Math.max(at, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** When something happens next, or Infinity. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Lets the next thing happen; false = there is none until `limit`. */
  step(limit: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.at > limit) return false;
    this.#removeFirst();
    this.now = first.at;
    first.run();
    return true;
  }

  /** Everything up to and at `until` happens; then it is `until`. */
  runTo(until: number): void {
    while (this.step(until));
    this.now = Math.max(this.now, until);
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
