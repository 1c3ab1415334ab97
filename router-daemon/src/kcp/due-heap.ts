/**
 * Which connection needs attention next: a binary heap whose items know their place, so that moving one costs O(log n) and
 * asking for the next time costs nothing.
 */
export interface Due {
  /** Milliseconds of the monotonic clock; Infinity = not by itself. Changed only by `DueHeap`. */
  dueAt: number;
  /** Place in the heap, -1 = not in it. Changed only by `DueHeap`. */
  heapIndex: number;
}

export class DueHeap<Item extends Due> {
  readonly #items: Item[] = [];
  /** When the first item is due; Infinity when none is. A field: it is read many times for each change. */
  nextAt = Infinity;

  get size(): number {
    return this.#items.length;
  }

  /** The item that is due first, if that is not later than `now`; it stays in the heap until it is moved. */
  due(now: number): Item | undefined {
    return this.nextAt <= now ? this.#items[0] : undefined;
  }

  /** Adds or moves the item; Infinity takes it out. */
  set(item: Item, dueAt: number): void {
    if (dueAt === Infinity) {
      this.remove(item);
      return;
    }
    if (item.heapIndex < 0) {
      item.dueAt = dueAt;
      this.#items.push(item);
      this.#rise(item, this.#items.length - 1);
    } else {
      const before = item.dueAt;
      if (before === dueAt) return;
      item.dueAt = dueAt;
      if (dueAt < before) this.#rise(item, item.heapIndex);
      else this.#sink(item, item.heapIndex);
    }
    this.nextAt = this.#items[0]!.dueAt;
  }

  remove(item: Item): void {
    const at = item.heapIndex;
    item.dueAt = Infinity;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#items.pop()!;
    if (last !== item) {
      // The last item fills the gap; one of the two moves is a no-op.
      this.#rise(last, at);
      this.#sink(last, last.heapIndex);
    }
    const first = this.#items[0];
    this.nextAt = first === undefined ? Infinity : first.dueAt;
  }

  #rise(item: Item, from: number): void {
    const items = this.#items;
    let at = from;
    while (at > 0) {
      const parent = items[(at - 1) >> 1]!;
      if (parent.dueAt <= item.dueAt) break;
      items[at] = parent;
      parent.heapIndex = at;
      at = (at - 1) >> 1;
    }
    items[at] = item;
    item.heapIndex = at;
  }

  #sink(item: Item, from: number): void {
    const items = this.#items;
    const count = items.length;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && items[child + 1]!.dueAt < items[child]!.dueAt) child++;
      const below = items[child]!;
      if (below.dueAt >= item.dueAt) break;
      items[at] = below;
      below.heapIndex = at;
      at = child;
    }
    items[at] = item;
    item.heapIndex = at;
  }
}
