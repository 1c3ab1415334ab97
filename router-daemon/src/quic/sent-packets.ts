/**
 * What was sent in one packet-number space and is not settled yet: a ring of records in the order of sending, which is also the
 * order of packet numbers.
 *
 * ```
 *      head                                             tail
 *       │ flying │ acked │ flying │ lost │ … │ flying │
 *  ─────┴────────┴───────┴────────┴──────┴───┴────────┴─────
 * ```
 *
 * Only packets that ask for an acknowledgement have one. Each tells what it carried: `Item` bits for the connection and for at most
 * one stream, and at most one chunk of that stream.
 */
import { STAMP_SHIFT } from "kcp-ts/recovery";
import type { StreamCore } from "./stream-core.ts";

/** What a packet carries that must arrive. */
export const Item = {
  // Of the connection.
  crypto: 0x1,
  handshakeDone: 0x2,
  maxData: 0x4,
  maxStreams: 0x8,
  // Of one stream.
  maxStreamData: 0x10,
  resetStream: 0x20,
  stopSending: 0x40,
  /** An empty STREAM frame: says that the stream was accepted. */
  hello: 0x80,
  fin: 0x100,
  chunk: 0x200,
} as const;
export const STREAM_ITEMS = 0x3f0;

/**
 * Words of a record beside those of `Stamp`. `skip` of an acknowledged record: so many from it on are known to be acknowledged, or
 * 0 where nobody has looked.
 */
export const Record = { bytes: 0, state: 1, items: 2, chunk: 3, skip: 4 } as const;
export const RecordState = { flying: 0, acknowledged: 1, lost: 2 } as const;

const FIRST_RECORDS = 16;

export class SentPackets {
  cells = new Int32Array(FIRST_RECORDS << STAMP_SHIFT);
  head = 0;
  tail = 0;
  /** Records that are neither acknowledged nor lost. */
  flying = 0;
  /** None before it is flying. */
  #firstFlying = 0;
  #mask = FIRST_RECORDS - 1;
  #numbers = new Float64Array(FIRST_RECORDS);
  /** Largest packet number that the packet's own ACK frame told, -1 = it had none. */
  #told = new Float64Array(FIRST_RECORDS);
  #streams: (StreamCore | undefined)[] = new Array<StreamCore | undefined>(FIRST_RECORDS).fill(undefined);
  readonly #maxRecords: number;

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  get isFull(): boolean {
    return this.tail - this.head >= this.#maxRecords;
  }

  get isHalfFull(): boolean {
    return 2 * (this.tail - this.head) >= this.#maxRecords;
  }

  cell(record: number): number {
    return (record & this.#mask) << STAMP_SHIFT;
  }

  number(record: number): number {
    return this.#numbers[record & this.#mask]!;
  }

  told(record: number): number {
    return this.#told[record & this.#mask]!;
  }

  stream(record: number): StreamCore | undefined {
    return this.#streams[record & this.#mask];
  }

  /** Adds a flying record; returns the index of its cell, of which the stamp is the caller's. The ring must not be full. */
  add(
    number: number,
    bytes: number,
    items: number,
    stream: StreamCore | undefined,
    chunk: number,
    told: number,
  ): number {
    if (this.tail - this.head > this.#mask) this.#double();
    const at = this.tail & this.#mask;
    this.#numbers[at] = number;
    this.#told[at] = told;
    this.#streams[at] = stream;
    const cell = at << STAMP_SHIFT;
    const { cells } = this;
    cells[cell + Record.bytes] = bytes;
    cells[cell + Record.state] = RecordState.flying;
    cells[cell + Record.items] = items;
    cells[cell + Record.chunk] = chunk;
    cells[cell + Record.skip] = 0;
    this.tail++;
    this.flying++;
    return cell;
  }

  /** The first record with a number of at least `number`. */
  find(number: number): number {
    let low = this.head;
    let high = this.tail;
    while (low < high) {
      const middle = low + ((high - low) >>> 1);
      if (this.#numbers[middle & this.#mask]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The oldest record that is neither acknowledged nor lost, or `tail`. */
  firstFlying(): number {
    let record = Math.max(this.#firstFlying, this.head);
    while (record < this.tail && this.cells[this.cell(record) + Record.state] !== RecordState.flying)
      record++;
    this.#firstFlying = record;
    return record;
  }

  settle(record: number, state: number): void {
    this.cells[this.cell(record) + Record.state] = state;
    this.flying--;
  }

  /** The record at the head is not needed any more. */
  forgetHead(): void {
    this.#streams[this.head & this.#mask] = undefined;
    this.head++;
  }

  clear(): void {
    while (this.head < this.tail) this.forgetHead();
    this.flying = 0;
  }

  #double(): void {
    const size = 2 * (this.#mask + 1);
    const cells = new Int32Array(size << STAMP_SHIFT);
    const numbers = new Float64Array(size);
    const told = new Float64Array(size);
    const streams = new Array<StreamCore | undefined>(size).fill(undefined);
    for (let record = this.head; record < this.tail; record++) {
      const from = record & this.#mask;
      const to = record & (size - 1);
      cells.set(this.cells.subarray(from << STAMP_SHIFT, (from + 1) << STAMP_SHIFT), to << STAMP_SHIFT);
      numbers[to] = this.#numbers[from]!;
      told[to] = this.#told[from]!;
      streams[to] = this.#streams[from];
    }
    this.cells = cells;
    this.#numbers = numbers;
    this.#told = told;
    this.#streams = streams;
    this.#mask = size - 1;
  }
}
