import { MIN_UNSENT_SEGMENTS, type Settings } from "./options.ts";
import { HEADER_BYTES } from "./segment.ts";
import { CELL_SHIFT, Cell, State } from "./send-ring.ts";
import type { Sender } from "./sender.ts";

/** Fills the send ring: cuts a stream of bytes into segments of full size, extending the last unsent one. */
export class Writer {
  /** Payload bytes accepted. */
  #writtenBytes = 0;
  readonly #settings: Settings;
  readonly #sender: Sender;
  /** Slots behind `end` of the ring, and the free bytes of them and of the last segment. */
  #reservedSlots = 0;
  #reservedBytes = 0;

  constructor(settings: Settings, sender: Sender) {
    this.#settings = settings;
    this.#sender = sender;
  }

  get writableBytes(): number {
    const spare = Math.max(
      0,
      this.#settings.pool.freeSlots + this.#reservedSlots - this.#settings.spareSlots,
    );
    return this.#tailRoom() + Math.min(spare, this.#freeSegments()) * this.#settings.maxPayload;
  }

  get unacknowledgedBytes(): number {
    return this.#writtenBytes - this.#sender.flight.deliveredPayloadBytes;
  }

  /** Slots owned: those of segments that are not acknowledged, and reserved ones. */
  get slots(): number {
    const ring = this.#sender.ring;
    return ring.flying.count + ring.lost.count + ((ring.end - ring.next) | 0) + this.#reservedSlots;
  }

  reserve(words: Int32Array, at: number, maxPairs: number): number {
    this.dropReservation();
    const { pool, maxPayload, spareSlots } = this.#settings;
    const ring = this.#sender.ring;
    const payloadAt = this.#payloadAt();
    let pairs = 0;
    const room = this.#tailRoom();
    if (room > 0 && maxPairs > 0) {
      const cell = ring.cell(ring.end - 1);
      words[at] = ring.cells[cell + Cell.slot]! * pool.slotBytes + payloadAt + maxPayload - room;
      words[at + 1] = room;
      pairs = 1;
      this.#reservedBytes = room;
    }
    const count = Math.min(maxPairs - pairs, this.#freeSegments(), pool.freeSlots - spareSlots);
    if (count <= 0) return pairs;
    ring.ensure(count);
    for (let i = 0; i < count; i++) {
      const slot = pool.alloc();
      ring.cells[ring.cell(ring.end + i) + Cell.slot] = slot;
      words[at + 2 * pairs] = slot * pool.slotBytes + payloadAt;
      words[at + 2 * pairs + 1] = maxPayload;
      pairs++;
    }
    this.#reservedSlots = count;
    this.#reservedBytes += count * maxPayload;
    return pairs;
  }

  commit(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.#reservedBytes)) {
      throw new RangeError(`Cannot commit ${bytes} bytes: ${this.#reservedBytes} are reserved.`);
    }
    const ring = this.#sender.ring;
    this.#writtenBytes += bytes;
    const room = Math.min(bytes, this.#tailRoom());
    if (room > 0) ring.cells[ring.cell(ring.end - 1) + Cell.length]! += room;
    bytes -= room;
    while (bytes > 0) {
      const length = Math.min(bytes, this.#settings.maxPayload);
      this.#append(length);
      this.#reservedSlots--;
      bytes -= length;
    }
    this.dropReservation();
  }

  write(bytes: Uint8Array): number {
    let total = 0;
    while (total < bytes.length) {
      const length = this.#open(bytes.length - total);
      if (length === 0) break;
      this.#settings.pool.bytes.set(bytes.subarray(total, total + length), this.#openAt);
      total += length;
    }
    return total;
  }

  writeFrom(offset: number, length: number): number {
    const { pool, maxPayload, spareSlots } = this.#settings;
    // The rest of the last segment, or a new one …
    let total = this.#open(length);
    if (total === 0) return 0;
    pool.bytes.copyWithin(this.#openAt, offset, offset + total);
    // … and whole ones, as many at once as there is room for.
    while (total < length) {
      const wanted = Math.ceil((length - total) / maxPayload);
      const count = Math.min(wanted, this.#freeSegments(), pool.freeSlots - spareSlots);
      if (count <= 0) break;
      total += this.#appendFrom(offset + total, Math.min(length - total, count * maxPayload), count);
    }
    return total;
  }

  /** Copies `length` bytes into `count` new segments; all of them are full but the last. */
  #appendFrom(offset: number, length: number, count: number): number {
    const { pool, maxPayload } = this.#settings;
    const { bytes, slotBytes } = pool;
    const ring = this.#sender.ring;
    ring.ensure(count);
    const { cells, mask } = ring;
    const payloadAt = this.#payloadAt();
    const end = offset + length;
    let sn = ring.end;
    for (let from = offset; from < end; from += maxPayload) {
      const slot = pool.alloc();
      let to = from + maxPayload;
      if (to > end) to = end;
      bytes.copyWithin(slot * slotBytes + payloadAt, from, to);
      const cell = (sn & mask) << CELL_SHIFT;
      cells[cell + Cell.slot] = slot;
      cells[cell + Cell.length] = to - from;
      cells[cell + Cell.state] = State.unsent;
      sn = (sn + 1) | 0;
    }
    ring.end = sn;
    this.#writtenBytes += length;
    return length;
  }

  /** Gives reserved slots back. */
  dropReservation(): void {
    const ring = this.#sender.ring;
    for (let i = 0; i < this.#reservedSlots; i++) {
      // Those not committed lie behind `end`.
      this.#settings.pool.free(ring.cells[ring.cell(ring.end + i) + Cell.slot]!);
    }
    this.#reservedSlots = 0;
    this.#reservedBytes = 0;
  }

  dispose(): void {
    this.#writtenBytes = this.#sender.flight.deliveredPayloadBytes;
  }

  #openAt = 0;

  /** Makes up to `wanted` bytes part of the stream, in one piece at `#openAt`, to be filled; returns how many. */
  #open(wanted: number): number {
    const { pool, maxPayload, spareSlots } = this.#settings;
    const ring = this.#sender.ring;
    if (this.#reservedSlots !== 0) this.dropReservation();
    const room = this.#tailRoom();
    let length: number;
    if (room > 0) {
      length = Math.min(room, wanted);
      const cell = ring.cell(ring.end - 1);
      const used = ring.cells[cell + Cell.length]!;
      this.#openAt = ring.cells[cell + Cell.slot]! * pool.slotBytes + this.#payloadAt() + used;
      ring.cells[cell + Cell.length] = used + length;
    } else {
      if (this.#freeSegments() <= 0 || pool.freeSlots <= spareSlots) return 0;
      length = Math.min(maxPayload, wanted);
      const slot = pool.alloc();
      ring.ensure(1);
      ring.cells[ring.cell(ring.end) + Cell.slot] = slot;
      this.#openAt = slot * pool.slotBytes + this.#payloadAt();
      this.#append(length);
    }
    this.#writtenBytes += length;
    return length;
  }

  /** The slot behind `end` becomes an unsent segment. */
  #append(length: number): void {
    const ring = this.#sender.ring;
    const cell = (ring.end & ring.mask) << CELL_SHIFT;
    ring.cells[cell + Cell.length] = length;
    ring.cells[cell + Cell.state] = State.unsent;
    ring.end = (ring.end + 1) | 0;
  }

  #payloadAt(): number {
    return this.#settings.headerAt + HEADER_BYTES;
  }

  /** Free bytes of the last segment, when it has not been sent. */
  #tailRoom(): number {
    const ring = this.#sender.ring;
    if (ring.end === ring.next) return 0;
    return this.#settings.maxPayload - ring.cells[ring.cell(ring.end - 1) + Cell.length]!;
  }

  /** Segments that may be queued: enough to keep the path busy until the writer comes again, not more, and not above the share. */
  #freeSegments(): number {
    const { ring, controller } = this.#sender;
    const { mtu, quota } = this.#settings;
    const window = Math.floor(controller.windowBytes / mtu);
    const unsent = Math.max(MIN_UNSENT_SEGMENTS, window) - ((ring.end - ring.next) | 0);
    const room = Math.min(unsent, ring.freeSegments);
    return Math.max(0, quota === undefined ? room : Math.min(room, quota.share - this.slots));
  }
}
