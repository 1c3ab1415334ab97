import { MIN_RING_SEGMENTS } from "./options.ts";
import { STAMP_SHIFT, Stamp } from "./stamp.ts";

/** Words of one cell are 16: one cache line. */
export const CELL_SHIFT = STAMP_SHIFT;

/** Words of a cell. Times are microseconds, signed 32 bits, and wrap like sequence numbers. */
export const Cell = {
  /** Slot of the pool, -1 when acknowledged. */
  slot: 0,
  /** Bytes of payload. */
  length: 1,
  /** One of `State`. */
  state: 2,
  /** Transmissions so far. */
  tries: 3,
  /** `ts` on the wire, moment and place in the order of the last transmission. */
  ts: 4,
  sentAt: Stamp.sentAt,
  order: Stamp.order,
  /** Neighbours in the chain the segment is on, as sequence numbers. */
  previous: 7,
  following: 8,
  /** Bytes delivered, when they were, and start of the flight, as known at the last transmission: for the rate. */
  delivered: Stamp.delivered,
  deliveredAt: Stamp.deliveredAt,
  flightAt: Stamp.flightAt,
  /** Bits of `StampFlag`. */
  flags: Stamp.flags,
  /** `ts` and moment of the transmission before the last one. */
  earlierTs: 13,
  earlierAt: 14,
} as const;

export const State = { unsent: 0, flying: 1, lost: 2, acknowledged: 3 } as const;

/**
 * A doubly linked list through the cells, in order of appending. `head` and `tail` mean nothing while `count` is 0.
 *
 * ```
 *   head ─▶ sn ⇄ sn ⇄ sn ◀─ tail        (links are sequence numbers: they survive a growing ring)
 * ```
 */
export class Chain {
  head = 0;
  tail = 0;
  count = 0;

  append(cells: Int32Array, mask: number, sn: number): void {
    if (this.count++ === 0) {
      this.head = sn;
    } else {
      cells[((this.tail & mask) << CELL_SHIFT) + Cell.following] = sn;
      cells[((sn & mask) << CELL_SHIFT) + Cell.previous] = this.tail;
    }
    this.tail = sn;
  }

  /** The same for all from `from` up to `to`. */
  appendRun(cells: Int32Array, mask: number, from: number, to: number): void {
    let last = this.tail;
    let count = this.count;
    for (let sn = from; sn !== to; sn = (sn + 1) | 0) {
      if (count++ === 0) {
        this.head = sn;
      } else {
        cells[((last & mask) << CELL_SHIFT) + Cell.following] = sn;
        cells[((sn & mask) << CELL_SHIFT) + Cell.previous] = last;
      }
      last = sn;
    }
    this.tail = last;
    this.count = count;
  }

  remove(cells: Int32Array, mask: number, sn: number): void {
    if (--this.count === 0) return;
    const cell = (sn & mask) << CELL_SHIFT;
    if (sn === this.head) {
      this.head = cells[cell + Cell.following]!;
    } else if (sn === this.tail) {
      this.tail = cells[cell + Cell.previous]!;
    } else {
      const previous = cells[cell + Cell.previous]!;
      const following = cells[cell + Cell.following]!;
      cells[((previous & mask) << CELL_SHIFT) + Cell.following] = following;
      cells[((following & mask) << CELL_SHIFT) + Cell.previous] = previous;
    }
  }
}

/**
 * Segments to send, by sequence number.
 *
 * ```
 *        una                      next              end           end + reserved
 *         │ sent: flying, lost or  │ unsent, the last │ reserved for │
 *         │ acknowledged ahead     │ may be extended  │ a writer     │
 *  ───────┼────────────────────────┼──────────────────┼──────────────┼──── sn
 *         └───────────── at most the ring's capacity ────────────────┘
 * ```
 */
export class SendRing {
  cells = new Int32Array(MIN_RING_SEGMENTS << CELL_SHIFT);
  mask = MIN_RING_SEGMENTS - 1;
  una: number;
  next: number;
  end: number;
  /** In flight, in order of transmission; and found lost, waiting to be sent again. */
  readonly flying = new Chain();
  readonly lost = new Chain();
  readonly maxSegments: number;
  /** Most segments at one time since the last `trim`. */
  #peak = 0;

  constructor(window: number, firstSn: number) {
    let max = MIN_RING_SEGMENTS;
    while (max < window) max *= 2;
    this.maxSegments = max;
    this.una = firstSn;
    this.next = firstSn;
    this.end = firstSn;
  }

  /** Room for segments behind `end`, growing included. */
  get freeSegments(): number {
    return this.maxSegments - ((this.end - this.una) | 0);
  }

  cell(sn: number): number {
    return (sn & this.mask) << CELL_SHIFT;
  }

  /** Makes room for `count` segments behind `end`; `count` is at most `freeSegments`. */
  ensure(count: number): void {
    const needed = ((this.end - this.una) | 0) + count;
    if (needed > this.#peak) this.#peak = needed;
    if (needed > this.mask + 1) this.#resize(needed);
  }

  /** Gives memory back that was not needed since the last call. Nothing may be reserved behind `end`. */
  trim(): void {
    if (this.#peak <= this.mask >>> 1 && this.mask >= MIN_RING_SEGMENTS) this.#resize(this.#peak);
    this.#peak = (this.end - this.una) | 0;
  }

  /** The smallest ring for so many segments. */
  #resize(needed: number): void {
    let size = MIN_RING_SEGMENTS;
    while (size < needed) size *= 2;
    const mask = size - 1;
    const cells = new Int32Array(size << CELL_SHIFT);
    for (let sn = this.una; sn !== this.end; sn = (sn + 1) | 0) {
      const from = (sn & this.mask) << CELL_SHIFT;
      const to = (sn & mask) << CELL_SHIFT;
      for (let word = 0; word < 1 << CELL_SHIFT; word++) cells[to + word] = this.cells[from + word]!;
    }
    this.cells = cells;
    this.mask = mask;
  }
}
