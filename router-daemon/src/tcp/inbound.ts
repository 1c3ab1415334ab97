import { MAX_SACK_BLOCKS } from "../wire/tcp.ts";
import { Assembler, type ReorderStore } from "./assembler.ts";
import { distance, isAfter, isBefore } from "./sequence.ts";
import type { FlowReceiver } from "./types.ts";

/** Shift that we announce (RFC 7323): windows up to 16 MiB. */
export const RECEIVE_WINDOW_SHIFT = 8;

/**
 * The receiving half of a flow: from the client's sequence numbers to bytes in order, and the window that it is told.
 *
 * ```
 *          taken by the receiver   │ may come: promised            │ not yet
 *   ───────────────────────────────┼───────────────────────────────┼──────────▶ sequence numbers
 *                               expected                       promisedEnd       only ever grows
 * ```
 */
export class Inbound {
  /** RCV.NXT. */
  expected: number;
  /** Right edge of the window. What the header can say is rounded up from it, by less than 2^shift. */
  promisedEnd: number;
  readonly shift: number;
  /** The client's FIN was seen at `finSequence` (perhaps with bytes missing before it), and was passed. */
  hasFin = false;
  finPassed = false;
  finSequence = 0;
  /** Bytes taken by the receiver. */
  receivedBytes = 0;
  /** Bytes that arrived inside the promise and could neither be taken nor kept. */
  refusedBytes = 0;
  readonly #store: ReorderStore;
  readonly #mss: number;
  readonly #sack: boolean;
  #assembler: Assembler | null = null;
  /** The most space seen: stands in for the buffer's size in the silly window rule. */
  #mostSpace = 0;
  #busy = false;
  #closed = false;
  /** A duplicate to tell about (RFC 2883). */
  #hasDuplicate = false;
  #duplicateStart = 0;
  #duplicateEnd = 0;

  constructor(store: ReorderStore, expected: number, shift: number, mss: number, sack: boolean) {
    this.#store = store;
    this.expected = expected;
    this.promisedEnd = expected;
    this.shift = shift;
    this.#mss = mss;
    this.#sack = sack;
  }

  /** Data is missing in front of data that is here, or a duplicate is to be told: acknowledgements carry SACK blocks. */
  get hasSackToTell(): boolean {
    return this.#sack && (this.#hasDuplicate || (this.#assembler !== null && !this.#assembler.isEmpty));
  }

  get reorderSlots(): number {
    return this.#assembler === null ? 0 : this.#assembler.slots;
  }

  /** Bytes that may come by what was promised. */
  get promisedBytes(): number {
    return this.finPassed ? 0 : Math.max(0, distance(this.expected, this.promisedEnd));
  }

  /** The furthest byte that may come: the promise, rounded up as the header does. */
  get acceptedEnd(): number {
    return (this.promisedEnd + (1 << this.shift) - 1) | 0;
  }

  /**
   * Takes payload that overlaps the window. Returns true when the acknowledgement must not wait: something is out of order,
   * filled a gap, or came twice.
   */
  receive(sequence: number, offset: number, length: number, receiver: FlowReceiver): boolean {
    let start = sequence;
    let end = (sequence + length) | 0;
    if (isBefore(start, this.expected)) {
      this.#noteDuplicate(start, isBefore(end, this.expected) ? end : this.expected);
      start = this.expected;
    }
    if (isAfter(end, this.acceptedEnd)) end = this.acceptedEnd;
    if (this.hasFin && isAfter(end, this.finSequence)) end = this.finSequence;
    const bytes = distance(start, end);
    if (bytes <= 0) return true;
    const at = offset + distance(sequence, start);
    if (start !== this.expected || this.#busy) {
      this.#keep(start, at, bytes);
      return true;
    }
    this.#busy = true;
    const taken = receiver.receive(at, bytes);
    this.#busy = false;
    this.#advance(taken);
    if (taken < bytes) {
      // Kept until the receiver tells that it has room again.
      this.#keep(this.expected, at + taken, bytes - taken);
      return true;
    }
    if (this.#assembler === null || this.#assembler.isEmpty) return false;
    this.drain(receiver);
    return true;
  }

  /** Hands on what has become in order, as far as the receiver takes it. True = the acknowledgement moves. */
  drain(receiver: FlowReceiver): boolean {
    const assembler = this.#assembler;
    if (assembler === null || assembler.isEmpty || this.#busy) return false;
    this.#busy = true;
    const taken = assembler.drain(this.expected, receiver);
    this.#busy = false;
    this.#advance(taken);
    return taken > 0;
  }

  #advance(bytes: number): void {
    this.expected = (this.expected + bytes) | 0;
    this.receivedBytes += bytes;
  }

  #keep(start: number, offset: number, bytes: number): void {
    // The receiver may have ended the flow from inside.
    if (this.#closed) return;
    if (this.#assembler === null) this.#assembler = new Assembler(this.#store);
    const before = this.#assembler.slots;
    this.#assembler.insert(start, offset, bytes);
    if (this.#assembler.slots === before && before === 0) this.refusedBytes += bytes;
  }

  /** A FIN at `sequence`. Only the first counts, and only inside the window. */
  noteFin(sequence: number): void {
    if (this.hasFin || isBefore(sequence, this.expected) || isAfter(sequence, this.acceptedEnd)) return;
    this.hasFin = true;
    this.finSequence = sequence;
  }

  /** True once: everything before the FIN was received, and the FIN is acknowledged from now on. */
  passFin(): boolean {
    if (!this.hasFin || this.finPassed || this.expected !== this.finSequence) return false;
    this.finPassed = true;
    this.expected = (this.expected + 1) | 0;
    if (isBefore(this.promisedEnd, this.expected)) this.promisedEnd = this.expected;
    return true;
  }

  /** The window field of the SYN-ACK, which is never scaled (RFC 7323 2.2). */
  openingWindow(space: number): number {
    const window = Math.max(0, Math.min(space, 0xffff));
    this.#mostSpace = window;
    const edge = (this.expected + window) | 0;
    if (isAfter(edge, this.promisedEnd)) this.promisedEnd = edge;
    return window;
  }

  /**
   * The window field of the next segment, after moving the right edge by what the receiver has room for. It moves in steps
   * of a segment or half the buffer only (RFC 9293 3.8.6.2.2), and never back.
   */
  windowField(space: number): number {
    // What rounding up may promise beyond the edge is room that is known to be there.
    const edge = (this.expected + Math.max(0, this.#sayable(space))) | 0;
    if (space > this.#mostSpace) this.#mostSpace = space;
    const growth = distance(this.promisedEnd, edge);
    if (growth > 0 && growth >= Math.min(this.#mss, this.#mostSpace / 2)) this.promisedEnd = edge;
    const window = distance(this.expected, this.promisedEnd);
    return Math.min((window + (1 << this.shift) - 1) >> this.shift, 0xffff);
  }

  /** The receiver has more room: is it worth a segment of its own? When it at least doubles what the client may send. */
  deservesUpdate(space: number): boolean {
    if (this.finPassed) return false;
    const window = distance(this.expected, this.promisedEnd);
    const growth = this.#sayable(space) - window;
    return (
      growth >= window && growth >= Math.min(this.#mss, Math.max(this.#mostSpace, space) / 2) && growth > 0
    );
  }

  #sayable(space: number): number {
    return Math.min(space - ((1 << this.shift) - 1), 0xffff << this.shift);
  }

  /** Writes SACK blocks for the next acknowledgement to `edges` (2 words each), at most `max`; returns how many. */
  sackBlocks(edges: Int32Array, max: number): number {
    if (!this.#sack) return 0;
    let blocks = 0;
    const most = Math.min(max, MAX_SACK_BLOCKS);
    if (this.#hasDuplicate) {
      edges[0] = this.#duplicateStart;
      edges[1] = this.#duplicateEnd;
      blocks = 1;
    }
    const assembler = this.#assembler;
    if (assembler === null) return blocks;
    return blocks + assembler.sackBlocks(edges, blocks, most - blocks, this.expected);
  }

  /** The acknowledgement with these SACK blocks is on its way: a duplicate is told once. */
  acknowledged(): void {
    this.#hasDuplicate = false;
  }

  #noteDuplicate(start: number, end: number): void {
    if (!isBefore(start, end)) return;
    this.#hasDuplicate = true;
    this.#duplicateStart = start;
    this.#duplicateEnd = end;
  }

  /** Notes payload that lies wholly before what is expected: told as a duplicate. */
  noteOld(sequence: number, length: number): void {
    this.#noteDuplicate(sequence, (sequence + length) | 0);
  }

  /** Frees everything, and keeps nothing from now on. */
  close(): void {
    this.#closed = true;
    this.#assembler?.clear();
  }
}
