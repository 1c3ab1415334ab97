import { MAX_PENDING_ACKS } from "./options.ts";
import type { ReceiveRing } from "./receive-ring.ts";
import { Command, commandWord, HEADER_BYTES, wireWord, writeHeader } from "./segment.ts";
import { RUN_WORDS, RunEntry } from "./slot-run.ts";

/** Words of one remembered acknowledgement: sn, ts, arrival in microseconds. */
const ENTRY_WORDS = 3;
const FIRST_ENTRIES = 64;

/** When loss is seen, up to this many acknowledgements already sent go along again, if not older than this. */
const REPEATED_ACKS = 16;
const REPEAT_AGE_US = 4_000;
/** How long one sign of loss (a segment that we had already) keeps repeating on. */
const LOSS_MEMORY_US = 1_000_000;

/**
 * In a stream of segments in order, one acknowledgement is made per this many, or per this time; the first after a pause,
 * and whatever makes or fills a gap, is acknowledged at once. It saves both hosts a datagram per segment, and a slow way
 * back most of its rate.
 */
const THINNED_SEGMENTS = 16;
const THINNED_MS = 1;

/** An extended acknowledgement covers what changed since this many acknowledgements ago. */
const SACK_HISTORY = 4;

/**
 * What has to be acknowledged, and how it is written.
 *
 * Plain KCP: one ACK per segment that `una` does not cover, in the order of arrival, and one for the latest that it
 * does. A lost ACK is repaired by `una` only, so while loss is seen the latest ones are repeated in the room left.
 *
 * Extended: one segment with `una`, the echo of the latest arrival, and the words of the receive bitmap which changed
 * during the last few acknowledgements; losing three of four in a row loses no information.
 */
export class Acknowledger {
  readonly #extended: boolean;
  readonly #conv: number;

  // ── plain: ring of entries, [written - capacity, written), of which [sent, written) wait ────────────────────────────
  #entries: Int32Array;
  #capacity = FIRST_ENTRIES;
  #written = 0;
  #sent = 0;
  /** One past the last entry of the datagram that is being made. */
  #writing = 0;
  /** Entries before this one are not in the ring any more. */
  #kept = 0;
  #lossSeenUs = 0;
  #lossSeen = false;

  /** When the last acknowledgement left. */
  #sentAtMs = -Infinity;
  #urgent = false;

  // ── extended ────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Segments to acknowledge. */
  #waiting = 0;
  #lastSn = 0;
  #lastTs = 0;
  /** Ranges [low, high) of sequence numbers that changed, the current one at `#turn`; low = high: nothing. */
  readonly #lows = new Int32Array(SACK_HISTORY);
  readonly #highs = new Int32Array(SACK_HISTORY);
  #turn = 0;

  constructor(conv: number, extended: boolean) {
    this.#conv = conv;
    this.#extended = extended;
    this.#entries = new Int32Array(extended ? 0 : FIRST_ENTRIES * ENTRY_WORDS);
  }

  /** Segments to acknowledge. */
  get pending(): number {
    return this.#extended ? this.#waiting : this.#written - this.#sent;
  }

  /** When they are to be acknowledged; `Infinity` when there are none. */
  get dueAtMs(): number {
    const pending = this.pending;
    if (pending === 0) return Infinity;
    return this.#urgent || pending >= THINNED_SEGMENTS ? -Infinity : this.#sentAtMs + THINNED_MS;
  }

  /** A segment arrived and is to be acknowledged. `inOrder`: it is the one after the highest so far. */
  handleSegment(sn: number, ts: number, nowUs: number, inOrder: boolean, duplicate: boolean): void {
    if (!inOrder) this.#urgent = true;
    if (this.#extended) {
      this.#waiting++;
      this.#lastSn = sn;
      this.#lastTs = ts;
      const turn = this.#turn;
      if (this.#lows[turn] === this.#highs[turn]) {
        this.#lows[turn] = sn;
        this.#highs[turn] = (sn + 1) | 0;
      } else {
        if (((sn - this.#lows[turn]!) | 0) < 0) this.#lows[turn] = sn;
        if (((sn - this.#highs[turn]!) | 0) >= 0) this.#highs[turn] = (sn + 1) | 0;
      }
      return;
    }
    if (duplicate) {
      this.#lossSeen = true;
      this.#lossSeenUs = nowUs;
    }
    if (this.#written - this.#sent === this.#capacity && !this.#grow()) return;
    const at = (this.#written++ & (this.#capacity - 1)) * ENTRY_WORDS;
    this.#entries[at] = sn;
    this.#entries[at + 1] = ts;
    this.#entries[at + 2] = nowUs;
  }

  /** The same for `count` segments from `sn` on, a run at `words[at]`, that came in order. */
  handleRun(sn: number, words: Int32Array, at: number, count: number, nowUs: number): void {
    // Extended, the ends of the run stand for all of it.
    const step = this.#extended ? Math.max(1, count - 1) : 1;
    for (let i = 0; i < count; i += step) {
      this.handleSegment((sn + i) | 0, words[at + i * RUN_WORDS + RunEntry.ts]!, nowUs, true, false);
    }
    if (step > 1) this.#waiting += count - 2;
  }

  /**
   * Writes one datagram of acknowledgements at byte `offset` of the arena (aligned to 4), at most `maxBytes`, and
   * returns its length. Nothing counts as sent before `handleSent`.
   */
  write(
    words: Int32Array,
    offset: number,
    maxBytes: number,
    ring: ReceiveRing,
    wnd: number,
    nowUs: number,
  ): number {
    return this.#extended
      ? this.#writeBitmap(words, offset >>> 2, maxBytes, ring, wnd)
      : this.#writeList(words, offset >>> 2, maxBytes, ring.next, wnd, nowUs);
  }

  /** The datagram that `write` made has left. */
  handleSent(nowMs: number): void {
    this.#sentAtMs = nowMs;
    this.#urgent = false;
    if (this.#extended) {
      this.#waiting = 0;
      this.#turn = (this.#turn + 1) % SACK_HISTORY;
      this.#lows[this.#turn] = this.#highs[this.#turn]!;
    } else {
      this.#sent = this.#writing;
      if (this.#sent === this.#written && this.#written > 0x3fffffff) this.#rewind();
    }
  }

  /** Data has left whose `una` says all there is to say. Plain KCP measures by acknowledgements and still gets them. */
  handleCovered(nowMs: number): void {
    this.#sentAtMs = nowMs;
    this.#waiting = 0;
    this.#urgent = false;
  }

  #writeList(
    words: Int32Array,
    at: number,
    maxBytes: number,
    una: number,
    wnd: number,
    nowUs: number,
  ): number {
    const max = Math.floor(maxBytes / HEADER_BYTES);
    const entries = this.#entries;
    const entryMask = this.#capacity - 1;
    const command = commandWord(Command.ack, 0, wnd);
    let count = 0;
    let i = this.#sent;
    // Of what `una` covers only the latest is named, for the peer's clock.
    let covered = this.#written - 1;
    while (covered >= i && ((entries[(covered & entryMask) * ENTRY_WORDS]! - una) | 0) >= 0) covered--;
    for (; i < this.#written && count < max; i++) {
      const entry = (i & entryMask) * ENTRY_WORDS;
      const sn = entries[entry]!;
      if (i < covered && ((sn - una) | 0) < 0) continue;
      writeHeader(words, at, this.#conv, command, entries[entry + 1]!, sn, una, 0);
      at += HEADER_BYTES / 4;
      count++;
    }
    this.#writing = i;
    if (this.#lossSeen) {
      if (((nowUs - this.#lossSeenUs) | 0) > LOSS_MEMORY_US) this.#lossSeen = false;
      const oldest = Math.max(this.#kept, this.#sent - REPEATED_ACKS, this.#written - this.#capacity);
      for (let old = this.#sent - 1; old >= oldest && count < max; old--) {
        const entry = (old & entryMask) * ENTRY_WORDS;
        if (((nowUs - entries[entry + 2]!) | 0) > REPEAT_AGE_US) break;
        const sn = entries[entry]!;
        if (((sn - una) | 0) < 0) continue;
        writeHeader(words, at, this.#conv, command, entries[entry + 1]!, sn, una, 0);
        at += HEADER_BYTES / 4;
        count++;
      }
    }
    return count * HEADER_BYTES;
  }

  #writeBitmap(words: Int32Array, at: number, maxBytes: number, ring: ReceiveRing, wnd: number): number {
    const una = ring.next;
    // The union of the recent ranges, cut to what is above una.
    let low = ring.high;
    let high = una;
    for (let i = 0; i < SACK_HISTORY; i++) {
      const from = this.#lows[i]!;
      const to = this.#highs[i]!;
      if (from === to || ((to - una) | 0) <= 0) continue;
      if (((from - low) | 0) < 0) low = from;
      if (((to - high) | 0) > 0) high = to;
    }
    if (((low - una) | 0) < 0) low = una;
    if (((high - ring.high) | 0) > 0) high = ring.high;
    let length = 0;
    let skipped = 0;
    if (((high - low) | 0) > 0) {
      const base = una & ~31;
      const first = low & ~31;
      skipped = ((first - base) | 0) >>> 5;
      const count = Math.min((((((high - 1) & ~31) - first) | 0) >>> 5) + 1, (maxBytes - HEADER_BYTES) >>> 2);
      for (let k = 0; k < count; k++) {
        const sn = (first + 32 * k) | 0;
        let word = ring.bits[(sn & ring.mask) >>> 5]!;
        // A full ring shares one word between its two ends: only the bits of this end count.
        if (((sn - una) | 0) < 0) word &= -1 << una;
        const end = (high - sn) | 0;
        if (end < 32) word &= (1 << end) - 1;
        words[at + HEADER_BYTES / 4 + k] = wireWord(word);
      }
      length = count * 4;
    }
    const command = commandWord(Command.sack, skipped, wnd);
    writeHeader(words, at, this.#conv, command, this.#lastTs, this.#lastSn, una, length);
    return HEADER_BYTES + length;
  }

  /** Gives memory back while nothing waits. */
  trim(): void {
    if (this.#extended || this.#capacity === FIRST_ENTRIES || this.#written !== this.#sent) return;
    this.#entries = new Int32Array(FIRST_ENTRIES * ENTRY_WORDS);
    this.#capacity = FIRST_ENTRIES;
    this.#rewind();
  }

  #grow(): boolean {
    const capacity = this.#capacity * 2;
    if (capacity > MAX_PENDING_ACKS) return false;
    const entries = new Int32Array(capacity * ENTRY_WORDS);
    for (let i = this.#sent; i < this.#written; i++) {
      const from = (i & (this.#capacity - 1)) * ENTRY_WORDS;
      const to = (i & (capacity - 1)) * ENTRY_WORDS;
      for (let word = 0; word < ENTRY_WORDS; word++) entries[to + word] = this.#entries[from + word]!;
    }
    this.#entries = entries;
    this.#capacity = capacity;
    this.#kept = this.#sent;
    return true;
  }

  /** Starts the counters again before they leave the range of small integers. */
  #rewind(): void {
    this.#written = 0;
    this.#sent = 0;
    this.#kept = 0;
  }
}
