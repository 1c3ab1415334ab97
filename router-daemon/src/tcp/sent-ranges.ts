import { distance, isAfter, isBefore } from "./sequence.ts";

/** Ranges that one flow may have: beyond it nothing is sent, and selective acknowledgements that would cut are ignored. */
export const MAX_SENT_RANGES = 1024;

const INITIAL_CAPACITY = 16;
const NONE = -1;

/** `state` of a range. Neither = in flight. */
const SACKED = 1;
const LOST = 2;
/** Sent more than once: its acknowledgement may mean either transmission (Karn). */
const RESENT = 4;

/**
 * What is between the first unacknowledged byte and the last one sent, in ranges of the same fate. One super-segment is one
 * range until a selective acknowledgement cuts it, so bulk transfer has a dozen of them, and loss about two per hole.
 *
 * ```
 *  by sequence   head ─▶ [in flight] ─▶ [lost] ─▶ [sacked …… ] ─▶ [in flight] ─▶ tail
 *  by time       oldest ─▶ … ─▶ newest      only what is in flight; a retransmission moves to the end
 * ```
 *
 * An acknowledgement is fed in between `begin` and the reading of the results: `deliveredBytes` and what follows it.
 */
export class SentRanges {
  /** Bytes of each fate; what is in flight is the rest. */
  totalBytes = 0;
  sackedBytes = 0;
  lostBytes = 0;

  /** Results: bytes delivered by this acknowledgement that were not before. */
  deliveredBytes = 0;
  /** Of the delivered ranges the one sent last (RFC 8985 6.2 step 2): when, its end, and whether it had been resent. */
  newestSentAt = Number.NEGATIVE_INFINITY;
  newestEnd = 0;
  newestResent = false;
  /** Delivered, sent once only, and below something delivered before: the network reorders. */
  reordered = false;

  #start = new Int32Array(INITIAL_CAPACITY);
  #end = new Int32Array(INITIAL_CAPACITY);
  #sentAt = new Float64Array(INITIAL_CAPACITY);
  #state = new Uint8Array(INITIAL_CAPACITY);
  #previous = new Int16Array(INITIAL_CAPACITY);
  #next = new Int16Array(INITIAL_CAPACITY);
  #older = new Int16Array(INITIAL_CAPACITY);
  #newer = new Int16Array(INITIAL_CAPACITY);
  #head = NONE;
  #tail = NONE;
  #oldest = NONE;
  #newest = NONE;
  #free = NONE;
  #used = 0;
  /** End of the furthest range delivered so far (RFC 8985: RACK.fack), valid when `#hasFurthest`. */
  #furthest = 0;
  #hasFurthest = false;

  get inFlightBytes(): number {
    return this.totalBytes - this.sackedBytes - this.lostBytes;
  }

  get isEmpty(): boolean {
    return this.#head === NONE;
  }

  /** False = `append` would fail. */
  get hasRoom(): boolean {
    return this.#free !== NONE || this.#used < MAX_SENT_RANGES;
  }

  /** Sent for the first time: the range follows the last one. Only with `hasRoom`. */
  append(start: number, end: number, now: number): void {
    this.totalBytes += distance(start, end);
    const tail = this.#tail;
    if (tail !== NONE && tail === this.#newest && this.#sentAt[tail] === now && this.#state[tail] === 0) {
      // Same moment, same fate: what one `poll` sends of small pieces is one range.
      this.#end[tail] = end;
      return;
    }
    const range = this.#take();
    this.#start[range] = start;
    this.#end[range] = end;
    this.#sentAt[range] = now;
    this.#state[range] = 0;
    this.#previous[range] = tail;
    this.#next[range] = NONE;
    if (tail === NONE) this.#head = range;
    else this.#next[tail] = range;
    this.#tail = range;
    this.#linkNewest(range);
  }

  begin(): void {
    this.deliveredBytes = 0;
    this.newestSentAt = Number.NEGATIVE_INFINITY;
    this.newestResent = false;
    this.reordered = false;
  }

  /** A selective acknowledgement of [left, right). */
  sack(left: number, right: number): void {
    let range = this.#head;
    while (range !== NONE && !isAfter(this.#end[range]!, left)) range = this.#next[range]!;
    while (range !== NONE && isBefore(this.#start[range]!, right)) {
      if ((this.#state[range]! & SACKED) === 0) {
        if (isBefore(this.#start[range]!, left)) {
          if (!this.#split(range, left)) return;
          range = this.#next[range]!;
        }
        if (isAfter(this.#end[range]!, right) && !this.#split(range, right)) return;
        this.#deliver(range, this.#end[range]!);
        this.#leaveFlight(range);
        this.#state[range] = SACKED;
        this.sackedBytes += distance(this.#start[range]!, this.#end[range]!);
        range = this.#joinSacked(range);
      }
      range = this.#next[range]!;
    }
  }

  /** Everything before `sequence` is acknowledged for good. */
  acknowledge(sequence: number): void {
    let range = this.#head;
    while (range !== NONE && isBefore(this.#start[range]!, sequence)) {
      const start = this.#start[range]!;
      const end = isAfter(this.#end[range]!, sequence) ? sequence : this.#end[range]!;
      const bytes = distance(start, end);
      const state = this.#state[range]!;
      if ((state & SACKED) !== 0) this.sackedBytes -= bytes;
      else this.#deliver(range, end);
      if ((state & LOST) !== 0) this.lostBytes -= bytes;
      this.totalBytes -= bytes;
      if (end !== this.#end[range]) {
        this.#start[range] = end;
        return;
      }
      if ((state & (SACKED | LOST)) === 0) this.#unlinkTime(range);
      const next = this.#next[range]!;
      this.#release(range);
      this.#head = next;
      if (next === NONE) this.#tail = NONE;
      else this.#previous[next] = NONE;
      range = next;
    }
  }

  /**
   * Marks as lost what was sent at least `waitMs` ago and before the newest delivered range (RFC 8985 6.2 step 5). Returns
   * after how many milliseconds the next one would be due, 0 = none is waiting.
   */
  findLost(newestSentAt: number, newestEnd: number, waitMs: number, now: number): number {
    let range = this.#oldest;
    while (range !== NONE) {
      const sentAt = this.#sentAt[range]!;
      const newer = this.#newer[range]!;
      if (sentAt > newestSentAt) return 0;
      if (sentAt < newestSentAt || isBefore(this.#end[range]!, newestEnd)) {
        const rest = sentAt + waitMs - now;
        // The next one in time order would wait longer: the first that waits is the first that comes due.
        if (rest > 0) return rest;
        this.#lose(range);
      }
      range = newer;
    }
    return 0;
  }

  /** Marks the first `bytes` bytes as lost: all that duplicate acknowledgements without SACK can tell (RFC 6582). */
  loseHead(bytes: number): void {
    const range = this.#head;
    if (range === NONE || this.#state[range]! & (LOST | SACKED)) return;
    if (distance(this.#start[range]!, this.#end[range]!) > bytes)
      this.#split(range, (this.#start[range]! + bytes) | 0);
    this.#lose(range);
  }

  /** Marks everything in flight as lost: the retransmission timeout. */
  loseAll(): void {
    while (this.#oldest !== NONE) this.#lose(this.#oldest);
  }

  /** The client threw away what it had acknowledged selectively, as it may (RFC 2018 8): all of it is lost. */
  forgetSacks(): void {
    for (let range = this.#head; range !== NONE; range = this.#next[range]!) {
      if ((this.#state[range]! & SACKED) === 0) continue;
      const bytes = distance(this.#start[range]!, this.#end[range]!);
      this.#state[range] = LOST | RESENT;
      this.sackedBytes -= bytes;
      this.lostBytes += bytes;
    }
    this.#hasFurthest = false;
  }

  /** True when the first unacknowledged byte was acknowledged selectively: only a client that forgot says so. */
  get headIsSacked(): boolean {
    return this.#head !== NONE && (this.#state[this.#head]! & SACKED) !== 0;
  }

  /** Nothing had been lost after all: what was not sent again yet is in flight as before. Ranges lose their age. */
  unloseAll(now: number): void {
    for (let range = this.#head; range !== NONE; range = this.#next[range]!) {
      if ((this.#state[range]! & LOST) === 0) continue;
      // Two transmissions may be on their way now: no round trip is measured on it.
      this.#state[range] = RESENT;
      this.lostBytes -= distance(this.#start[range]!, this.#end[range]!);
      this.#sentAt[range] = now;
      this.#linkNewest(range);
    }
  }

  /** The first lost range, or -1. */
  firstLost(): number {
    let range = this.lostBytes > 0 ? this.#head : NONE;
    while (range !== NONE && (this.#state[range]! & LOST) === 0) range = this.#next[range]!;
    return range;
  }

  startOf(range: number): number {
    return this.#start[range]!;
  }

  endOf(range: number): number {
    return this.#end[range]!;
  }

  /**
   * The first bytes of a lost range, up to `end`, were sent again and are cut off from the rest. Without room for the cut
   * all of it counts as sent: the rest will be found lost again, later than need be.
   */
  resent(range: number, end: number, now: number): void {
    if (end !== this.#end[range]) this.#split(range, end);
    this.#state[range] = RESENT;
    this.lostBytes -= distance(this.#start[range]!, this.#end[range]!);
    this.#sentAt[range] = now;
    this.#linkNewest(range);
  }

  /** How many of the last `bytes` bytes a probe may send again: 0 when the tail is not in flight. */
  tailProbeBytes(bytes: number): number {
    const range = this.#tail;
    if (range === NONE || (this.#state[range]! & (SACKED | LOST)) !== 0) return 0;
    return Math.min(distance(this.#start[range]!, this.#end[range]!), bytes);
  }

  /** The last `bytes` bytes, as `tailProbeBytes` told, were sent once more. */
  tailProbed(bytes: number, now: number): void {
    let range = this.#tail;
    if (
      distance(this.#start[range]!, this.#end[range]!) > bytes &&
      this.#split(range, (this.#end[range]! - bytes) | 0)
    ) {
      range = this.#tail;
    }
    this.#state[range]! |= RESENT;
    this.#unlinkTime(range);
    this.#sentAt[range] = now;
    this.#linkNewest(range);
  }

  /** All ranges with their fates, for tests. */
  describe(): string[] {
    const lines: string[] = [];
    for (let range = this.#head; range !== NONE; range = this.#next[range]!) {
      const state = this.#state[range]!;
      const fate = state & SACKED ? "sacked" : state & LOST ? "lost" : state & RESENT ? "resent" : "sent";
      lines.push(`${this.#start[range]}..${this.#end[range]} ${fate}`);
    }
    return lines;
  }

  #deliver(range: number, end: number): void {
    this.deliveredBytes += distance(this.#start[range]!, end);
    const sentAt = this.#sentAt[range]!;
    const resent = (this.#state[range]! & RESENT) !== 0;
    if (sentAt > this.newestSentAt || (sentAt === this.newestSentAt && isAfter(end, this.newestEnd))) {
      this.newestSentAt = sentAt;
      this.newestEnd = end;
      this.newestResent = resent;
    }
    if (!this.#hasFurthest || isAfter(end, this.#furthest)) {
      this.#furthest = end;
      this.#hasFurthest = true;
    } else if (!resent) {
      this.reordered = true;
    }
  }

  #lose(range: number): void {
    this.#unlinkTime(range);
    this.#state[range]! |= LOST;
    this.lostBytes += distance(this.#start[range]!, this.#end[range]!);
  }

  /** Before a range becomes sacked. */
  #leaveFlight(range: number): void {
    if ((this.#state[range]! & LOST) !== 0)
      this.lostBytes -= distance(this.#start[range]!, this.#end[range]!);
    else this.#unlinkTime(range);
  }

  /** Cuts a range that is not sacked in two; the second part is new. False = no room. */
  #split(range: number, at: number): boolean {
    if (!this.hasRoom) return false;
    const second = this.#take();
    const next = this.#next[range]!;
    this.#start[second] = at;
    this.#end[second] = this.#end[range]!;
    this.#end[range] = at;
    this.#sentAt[second] = this.#sentAt[range]!;
    this.#state[second] = this.#state[range]!;
    this.#previous[second] = range;
    this.#next[second] = next;
    this.#next[range] = second;
    if (next === NONE) this.#tail = second;
    else this.#previous[next] = second;
    if ((this.#state[range]! & (LOST | SACKED)) === 0) {
      const newer = this.#newer[range]!;
      this.#older[second] = range;
      this.#newer[second] = newer;
      this.#newer[range] = second;
      if (newer === NONE) this.#newest = second;
      else this.#older[newer] = second;
    }
    return true;
  }

  /** Merges a sacked range with its sacked neighbours and returns the merged one. */
  #joinSacked(range: number): number {
    const next = this.#next[range]!;
    if (next !== NONE && (this.#state[next]! & SACKED) !== 0) {
      this.#end[range] = this.#end[next]!;
      this.#unlinkSequence(next);
    }
    const previous = this.#previous[range]!;
    if (previous === NONE || (this.#state[previous]! & SACKED) === 0) return range;
    this.#end[previous] = this.#end[range]!;
    this.#unlinkSequence(range);
    return previous;
  }

  /** Takes a range out of the middle or the end of the sequence order and frees it. */
  #unlinkSequence(range: number): void {
    const previous = this.#previous[range]!;
    const next = this.#next[range]!;
    if (previous === NONE) this.#head = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#tail = previous;
    else this.#previous[next] = previous;
    this.#release(range);
  }

  #linkNewest(range: number): void {
    const newest = this.#newest;
    this.#older[range] = newest;
    this.#newer[range] = NONE;
    if (newest === NONE) this.#oldest = range;
    else this.#newer[newest] = range;
    this.#newest = range;
  }

  #unlinkTime(range: number): void {
    const older = this.#older[range]!;
    const newer = this.#newer[range]!;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #take(): number {
    const range = this.#free;
    if (range !== NONE) {
      this.#free = this.#next[range]!;
      return range;
    }
    if (this.#used === this.#start.length) this.#grow();
    return this.#used++;
  }

  #release(range: number): void {
    this.#next[range] = this.#free;
    this.#free = range;
  }

  #grow(): void {
    const capacity = 2 * this.#start.length;
    this.#start = copyInto(new Int32Array(capacity), this.#start);
    this.#end = copyInto(new Int32Array(capacity), this.#end);
    this.#sentAt = copyInto(new Float64Array(capacity), this.#sentAt);
    this.#state = copyInto(new Uint8Array(capacity), this.#state);
    this.#previous = copyInto(new Int16Array(capacity), this.#previous);
    this.#next = copyInto(new Int16Array(capacity), this.#next);
    this.#older = copyInto(new Int16Array(capacity), this.#older);
    this.#newer = copyInto(new Int16Array(capacity), this.#newer);
  }
}

function copyInto<T extends { set(from: T): void }>(target: T, from: T): T {
  target.set(from);
  return target;
}
