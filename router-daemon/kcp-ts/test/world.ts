import { Link, type LinkOptions } from "./link.ts";

/** One end of a connection in the virtual world: `Kcp` or the reference. */
export interface End {
  handle(bytes: Uint8Array, nowMs: number): void;
  /** The application's turn, then output into `send`. */
  step(nowMs: number, send: (bytes: Uint8Array) => void): void;
  readonly nextTimeout: number;
}

interface Event {
  atMs: number;
  serial: number;
  bytes: Uint8Array;
  end: number;
}

/** Ends, each with the link that its datagrams leave by, on a virtual clock. */
export class World {
  now = 0;
  readonly links: Link[] = [];
  readonly #ends: { end: End; send: (bytes: Uint8Array) => void }[] = [];
  readonly #heap: Event[] = [];
  #serial = 0;
  /** The hosts wake up only at multiples of this; 0 = at once. */
  readonly tickMs: number;
  /** Polls without any progress of the clock: a busy loop. */
  spins = 0;

  constructor(tickMs = 0) {
    this.tickMs = tickMs;
  }

  /** A link that several connections may share: give it to `connect`. */
  link(options: LinkOptions, seed: number): Link {
    const link = new Link(options, seed, (atMs, bytes, target) => {
      this.#push({ atMs, serial: this.#serial++, bytes, end: target });
    });
    this.links.push(link);
    return link;
  }

  /** `a` and `b` talk over links: `forward` carries what `a` sends. */
  connect(a: End, b: End, forward: LinkOptions | Link, backward: LinkOptions | Link, seed: number): void {
    const first = this.#ends.length;
    this.#add(a, first + 1, forward instanceof Link ? forward : this.link(forward, seed * 2 + 1));
    this.#add(b, first, backward instanceof Link ? backward : this.link(backward, seed * 2 + 2));
  }

  #add(end: End, target: number, link: Link): void {
    this.#ends.push({ end, send: (bytes) => link.send(bytes, this.now, target) });
  }

  /** Runs until the time, or until `done`. */
  run(untilMs: number, done?: () => boolean): void {
    // What was put in from outside since the last run may have something to send.
    for (const { end, send } of this.#ends) end.step(this.now, send);
    while (this.now <= untilMs) {
      let next = this.#heap.length > 0 ? this.#heap[0]!.atMs : Infinity;
      for (const { end } of this.#ends) next = Math.min(next, end.nextTimeout);
      if (this.tickMs > 0) next = Math.ceil(next / this.tickMs) * this.tickMs;
      if (next > untilMs) {
        this.now = untilMs;
        return;
      }
      if (next <= this.now) this.spins++;
      else this.spins = 0;
      if (this.spins > 1000) throw new Error(`Busy loop at ${this.now} ms.`);
      this.now = Math.max(this.now, next);
      while (this.#heap.length > 0 && this.#heap[0]!.atMs <= this.now) {
        const event = this.#pop();
        this.#ends[event.end]!.end.handle(event.bytes, this.now);
      }
      for (const { end, send } of this.#ends) end.step(this.now, send);
      if (done?.()) return;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return top;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.serial < b.serial);
}
