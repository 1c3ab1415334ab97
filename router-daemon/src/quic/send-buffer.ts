/**
 * Our direction of one stream: its bytes, cut into chunks of one packet each, in slots of the pool.
 *
 * ```
 *         una              next               end
 *          │ sent: flying,  │ unsent: the last │ reserved: slots that a writer
 *          │ lost or acked  │ may still grow   │ is filling right now
 *  ────────┼────────────────┼──────────────────┼────────────────────  chunk number
 * ```
 *
 * A chunk is sent as it was cut, however often: its STREAM frame, with the packet's header in front and the checksum behind, is
 * built around the bytes where they lie.
 *
 * ```
 *  slot  │ … │ packet header, frame header │ bytes of the stream │ tag │
 *        0                                 DATA_AT
 * ```
 */
import type { SlotPool, SlotQuota } from "kcp-ts";
import { MAX_CHUNKS, MIN_UNSENT_CHUNKS } from "./limits.ts";

/** Where a chunk's bytes begin in their slot: room for the longest headers. */
export const DATA_AT = 64;

const CELL_SHIFT = 3;
/** Words of a chunk's cell. */
const Cell = { slot: 0, length: 1, state: 2, order: 3, tries: 4 } as const;
const State = { unsent: 0, flying: 1, lost: 2, acknowledged: 3 } as const;
const FIRST_CHUNKS = 4;

/** What all streams of a connection share. */
export interface SendLimits {
  readonly pool: SlotPool;
  /** Free slots that writing leaves alone. */
  readonly spareSlots: number;
  /** Bytes of a full chunk. */
  readonly chunkBytes: number;
  /** Chunks that the congestion window has room for. */
  readonly windowChunks: number;
  /** How much of the pool this direction may hold now; counts what is held. */
  readonly quota: SlotQuota;
}

export class SendBuffer {
  una = 0;
  next = 0;
  end = 0;
  /** Chunks to be sent again. */
  lostChunks = 0;
  /** Stream offset behind the last byte written. */
  endOffset = 0;
  acknowledgedBytes = 0;
  readonly #limits: SendLimits;
  #cells = new Int32Array(FIRST_CHUNKS << CELL_SHIFT);
  /** Stream offset of each chunk. */
  #starts = new Float64Array(FIRST_CHUNKS);
  #mask = FIRST_CHUNKS - 1;
  /** No lost chunk lies before it. */
  #lostFrom = 0;
  #reservedSlots = 0;
  #reservedBytes = 0;
  /** Slots owned. */
  slots = 0;

  constructor(limits: SendLimits) {
    this.#limits = limits;
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  get writableBytes(): number {
    return this.#tailRoom() + Math.min(this.#freeChunks(), this.#freeSlots()) * this.#limits.chunkBytes;
  }

  get unacknowledgedBytes(): number {
    return this.endOffset - this.acknowledgedBytes;
  }

  /** Something can be sent, as far as this stream is concerned. */
  get hasOutput(): boolean {
    return this.lostChunks > 0 || this.next !== this.end;
  }

  reserve(words: Int32Array, at: number, maxPairs: number): number {
    this.dropReservation();
    const { chunkBytes } = this.#limits;
    let pairs = 0;
    const room = this.#tailRoom();
    if (room > 0 && maxPairs > 0) {
      words[at] = this.#dataAt(this.end - 1) + chunkBytes - room;
      words[at + 1] = room;
      this.#reservedBytes = room;
      pairs = 1;
    }
    const count = Math.min(maxPairs - pairs, this.#freeChunks(), this.#freeSlots());
    for (let i = 0; i < count; i++) {
      this.#addCell(this.end + i);
      words[at + 2 * pairs] = this.#dataAt(this.end + i);
      words[at + 2 * pairs + 1] = chunkBytes;
      pairs++;
      this.#reservedSlots++;
      this.#reservedBytes += chunkBytes;
    }
    return pairs;
  }

  commit(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.#reservedBytes)) {
      throw new RangeError(`Cannot commit ${bytes} bytes: ${this.#reservedBytes} are reserved.`);
    }
    const grown = Math.min(bytes, this.#tailRoom());
    if (grown > 0) this.#cells[this.#cell(this.end - 1) + Cell.length]! += grown;
    this.endOffset += grown;
    for (let left = bytes - grown; left > 0; ) {
      const length = Math.min(left, this.#limits.chunkBytes);
      this.#append(length);
      this.#reservedSlots--;
      left -= length;
    }
    this.dropReservation();
  }

  write(bytes: Uint8Array): number {
    let total = 0;
    while (total < bytes.length) {
      const count = this.#grow(bytes.length - total);
      if (count === 0) break;
      this.#limits.pool.bytes.set(bytes.subarray(total, total + count), this.#grownAt);
      total += count;
    }
    return total;
  }

  writeFrom(offset: number, length: number): number {
    let total = 0;
    while (total < length) {
      const count = this.#grow(length - total);
      if (count === 0) break;
      this.#limits.pool.bytes.copyWithin(this.#grownAt, offset + total, offset + total + count);
      total += count;
    }
    return total;
  }

  dropReservation(): void {
    for (let i = 0; i < this.#reservedSlots; i++) this.#free(this.#cell(this.end + i));
    this.#reservedSlots = 0;
    this.#reservedBytes = 0;
  }

  #grownAt = 0;

  /** Makes up to `wanted` bytes at `#grownAt` part of the stream, to be filled; returns how many. */
  #grow(wanted: number): number {
    if (this.#reservedSlots > 0) this.dropReservation();
    const { chunkBytes } = this.#limits;
    const room = this.#tailRoom();
    if (room > 0) {
      const count = Math.min(room, wanted);
      const cell = this.#cell(this.end - 1);
      this.#grownAt = this.#dataAt(this.end - 1) + this.#cells[cell + Cell.length]!;
      this.#cells[cell + Cell.length]! += count;
      this.endOffset += count;
      return count;
    }
    if (this.#freeChunks() <= 0 || this.#freeSlots() <= 0) return 0;
    const count = Math.min(chunkBytes, wanted);
    this.#addCell(this.end);
    this.#grownAt = this.#dataAt(this.end);
    this.#append(count);
    return count;
  }

  /** The cell behind `end`, which has a slot, becomes an unsent chunk. */
  #append(length: number): void {
    const cell = this.#cell(this.end);
    this.#cells[cell + Cell.length] = length;
    this.#cells[cell + Cell.state] = State.unsent;
    this.#cells[cell + Cell.tries] = 0;
    this.#starts[this.end & this.#mask] = this.endOffset;
    this.endOffset += length;
    this.end++;
  }

  #addCell(chunk: number): void {
    if (chunk - this.una > this.#mask) this.#double();
    this.#cells[this.#cell(chunk) + Cell.slot] = this.#limits.pool.alloc();
    this.slots++;
    this.#limits.quota.held++;
  }

  /** Free bytes of the last chunk, as long as it has not been sent. */
  #tailRoom(): number {
    if (this.end === this.next) return 0;
    return this.#limits.chunkBytes - this.#cells[this.#cell(this.end - 1) + Cell.length]!;
  }

  /** Chunks that may be added: enough to keep the path busy until the writer comes again. */
  #freeChunks(): number {
    const unsent = Math.max(MIN_UNSENT_CHUNKS, this.#limits.windowChunks) - (this.end - this.next);
    return Math.max(0, Math.min(unsent, MAX_CHUNKS - (this.end - this.una)));
  }

  #freeSlots(): number {
    const { pool, spareSlots, quota } = this.#limits;
    return Math.max(0, Math.min(pool.freeSlots - spareSlots, quota.share - this.slots));
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The chunk to be sent next, -1 = none. Lost ones come first. */
  get candidate(): number {
    if (this.lostChunks > 0) {
      while (this.#cells[this.#cell(this.#lostFrom) + Cell.state] !== State.lost) this.#lostFrom++;
      return this.#lostFrom;
    }
    return this.next === this.end ? -1 : this.next;
  }

  isNew(chunk: number): boolean {
    return chunk === this.next;
  }

  /** Index of the chunk's bytes in the arena. */
  dataAt(chunk: number): number {
    return this.#dataAt(chunk);
  }

  length(chunk: number): number {
    return this.#cells[this.#cell(chunk) + Cell.length]!;
  }

  start(chunk: number): number {
    return this.#starts[chunk & this.#mask]!;
  }

  tries(chunk: number): number {
    return this.#cells[this.#cell(chunk) + Cell.tries]!;
  }

  /** The chunk has left in the transmission `order`. */
  handleSent(chunk: number, order: number): void {
    const cell = this.#cell(chunk);
    if (chunk === this.next) this.next++;
    else if (this.#cells[cell + Cell.state] === State.lost) this.lostChunks--;
    this.#cells[cell + Cell.state] = State.flying;
    this.#cells[cell + Cell.order] = order;
    this.#cells[cell + Cell.tries]!++;
  }

  /** The transmission `order` of the chunk is the last one, and on its way. */
  isFlying(chunk: number, order: number): boolean {
    if (chunk < this.una || chunk >= this.next) return false;
    const cell = this.#cell(chunk);
    return this.#cells[cell + Cell.state] === State.flying && this.#cells[cell + Cell.order] === order;
  }

  /** Some transmission of the chunk has arrived. True: that is news. */
  handleAcknowledged(chunk: number): boolean {
    if (chunk < this.una || chunk >= this.next) return false;
    const cell = this.#cell(chunk);
    const state = this.#cells[cell + Cell.state];
    if (state === State.acknowledged) return false;
    if (state === State.lost) this.lostChunks--;
    this.#cells[cell + Cell.state] = State.acknowledged;
    this.acknowledgedBytes += this.#cells[cell + Cell.length]!;
    this.#free(cell);
    while (this.una !== this.next && this.#cells[this.#cell(this.una) + Cell.state] === State.acknowledged) {
      this.una++;
    }
    return true;
  }

  /** The transmission `order` of the chunk is lost: it is sent again, unless a later one is on its way. */
  handleLost(chunk: number, order: number): boolean {
    if (!this.isFlying(chunk, order)) return false;
    this.#cells[this.#cell(chunk) + Cell.state] = State.lost;
    if (this.lostChunks++ === 0 || chunk < this.#lostFrom) this.#lostFrom = chunk;
    return true;
  }

  /** Frees every slot; nothing more is sent. */
  dispose(): void {
    this.dropReservation();
    for (let chunk = this.una; chunk !== this.end; chunk++) this.#free(this.#cell(chunk));
    this.una = this.next = this.end;
    this.lostChunks = 0;
    this.acknowledgedBytes = this.endOffset;
  }

  // ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #cell(chunk: number): number {
    return (chunk & this.#mask) << CELL_SHIFT;
  }

  #dataAt(chunk: number): number {
    return this.#cells[this.#cell(chunk) + Cell.slot]! * this.#limits.pool.slotBytes + DATA_AT;
  }

  #free(cell: number): void {
    const slot = this.#cells[cell + Cell.slot]!;
    if (slot < 0) return;
    this.#limits.pool.free(slot);
    this.#cells[cell + Cell.slot] = -1;
    this.slots--;
    this.#limits.quota.held--;
  }

  #double(): void {
    const size = 2 * (this.#mask + 1);
    const cells = new Int32Array(size << CELL_SHIFT);
    const starts = new Float64Array(size);
    for (let chunk = this.una; chunk <= this.una + this.#mask; chunk++) {
      const from = this.#cell(chunk);
      cells.set(this.#cells.subarray(from, from + (1 << CELL_SHIFT)), (chunk & (size - 1)) << CELL_SHIFT);
      starts[chunk & (size - 1)] = this.#starts[chunk & this.#mask]!;
    }
    this.#cells = cells;
    this.#starts = starts;
    this.#mask = size - 1;
  }
}
