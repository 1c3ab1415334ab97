/** The timers of a flow, one sentence each. */
export const Timer = {
  /** Our SYN-ACK was not answered: send it again, in the end give up. */
  handshake: 0,
  /** The oldest unacknowledged byte has waited for the retransmission timeout (RFC 6298): all in flight counts as lost. */
  retransmit: 1,
  /** The acknowledgement of the tail is overdue: send a probe that makes the client tell what is missing (RFC 8985 7). */
  tailProbe: 2,
  /** What was overtaken by later data has had its time for arriving reordered: it is lost (RFC 8985 6). */
  reorder: 3,
  /** The client's window is closed and nothing is in flight: ask whether an update was lost (RFC 9293 3.8.6.1). */
  persist: 4,
  /** No data went out that could carry the acknowledgement along: send it alone. */
  delayedAck: 5,
  /** Nothing was heard for long: ask whether the client is still there (RFC 9293 3.8.4). */
  keepAlive: 6,
} as const;

export const TIMER_COUNT = 7;

/**
 * Deadlines of all flows, and the earliest without looking at all of them.
 *
 * ```
 *  deadlines  [flow 0: 7 times][flow 1: 7 times] …      Infinity = off
 *  heap       flow numbers, ordered by key[flow] <= the earliest deadline of the flow
 * ```
 *
 * A key may be too early, never too late: moving a deadline back, which every acknowledgement does with the retransmission
 * timer, costs one store; the heap is put right when the key comes due.
 */
export class TimerTable {
  readonly #deadlines: Float64Array;
  readonly #key: Float64Array;
  readonly #heap: Int32Array;
  /** Place in the heap, -1 = not in it. */
  readonly #place: Int32Array;
  #count = 0;

  constructor(maxFlows: number) {
    this.#deadlines = new Float64Array(maxFlows * TIMER_COUNT).fill(Number.POSITIVE_INFINITY);
    this.#key = new Float64Array(maxFlows);
    this.#heap = new Int32Array(maxFlows);
    this.#place = new Int32Array(maxFlows).fill(-1);
  }

  arm(flow: number, timer: number, atMs: number): void {
    this.#deadlines[flow * TIMER_COUNT + timer] = atMs;
    const place = this.#place[flow]!;
    if (place < 0) {
      this.#key[flow] = atMs;
      this.#siftUp(this.#count++, flow);
    } else if (atMs < this.#key[flow]!) {
      this.#key[flow] = atMs;
      this.#siftUp(place, flow);
    }
  }

  disarm(flow: number, timer: number): void {
    this.#deadlines[flow * TIMER_COUNT + timer] = Number.POSITIVE_INFINITY;
  }

  isArmed(flow: number, timer: number): boolean {
    return this.#deadlines[flow * TIMER_COUNT + timer] !== Number.POSITIVE_INFINITY;
  }

  /** Turns off all timers of a flow. */
  clear(flow: number): void {
    const first = flow * TIMER_COUNT;
    this.#deadlines.fill(Number.POSITIVE_INFINITY, first, first + TIMER_COUNT);
    if (this.#place[flow]! >= 0) this.#remove(flow);
  }

  /** No timer is due before this; a call of `popExpired` at that time may find none. */
  get next(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#key[this.#heap[0]!]!;
  }

  /** Turns one due timer off and returns `flow * TIMER_COUNT + timer`, or -1 when none is due. */
  popExpired(now: number): number {
    while (this.#count > 0) {
      const flow = this.#heap[0]!;
      if (this.#key[flow]! > now) return -1;
      const first = flow * TIMER_COUNT;
      let earliest = first;
      for (let index = first + 1; index < first + TIMER_COUNT; index++) {
        if (this.#deadlines[index]! < this.#deadlines[earliest]!) earliest = index;
      }
      const atMs = this.#deadlines[earliest]!;
      if (atMs <= now) {
        this.#deadlines[earliest] = Number.POSITIVE_INFINITY;
        return earliest;
      }
      if (atMs === Number.POSITIVE_INFINITY) {
        this.#remove(flow);
      } else {
        this.#key[flow] = atMs;
        this.#siftDown(0, flow);
      }
    }
    return -1;
  }

  #remove(flow: number): void {
    const place = this.#place[flow]!;
    this.#place[flow] = -1;
    const last = this.#heap[--this.#count]!;
    if (last === flow) return;
    this.#siftUp(place, last);
    this.#siftDown(this.#place[last]!, last);
  }

  #siftUp(from: number, flow: number): void {
    const key = this.#key[flow]!;
    let place = from;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#heap[parentPlace]!;
      if (this.#key[parent]! <= key) break;
      this.#heap[place] = parent;
      this.#place[parent] = place;
      place = parentPlace;
    }
    this.#heap[place] = flow;
    this.#place[flow] = place;
  }

  #siftDown(from: number, flow: number): void {
    const key = this.#key[flow]!;
    let place = from;
    for (;;) {
      let childPlace = 2 * place + 1;
      if (childPlace >= this.#count) break;
      if (
        childPlace + 1 < this.#count &&
        this.#key[this.#heap[childPlace + 1]!]! < this.#key[this.#heap[childPlace]!]!
      ) {
        childPlace++;
      }
      const child = this.#heap[childPlace]!;
      if (this.#key[child]! >= key) break;
      this.#heap[place] = child;
      this.#place[child] = place;
      place = childPlace;
    }
    this.#heap[place] = flow;
    this.#place[flow] = place;
  }
}
