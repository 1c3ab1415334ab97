import {
  type DatagramSink,
  decodeSegments,
  FixedSlotPool,
  Kcp,
  type KcpOptions,
  type Segment,
} from "../src/index.ts";

/** One `Kcp` with a pool of its own and nothing around it: what it sends is collected, what it hears is given by hand. */
export class Bare implements DatagramSink {
  readonly pool: FixedSlotPool;
  readonly kcp: Kcp;
  readonly out: Uint8Array[] = [];
  /** Datagrams that are still taken. */
  room = Infinity;

  constructor(options: Partial<KcpOptions> & { slots?: number; pool?: FixedSlotPool } = {}) {
    const { slots, pool, ...rest } = options;
    this.pool = pool ?? new FixedSlotPool(slots ?? 4096);
    this.kcp = new Kcp({ conv: 7, pool: this.pool, startMs: 0, spareSlots: 0, ...rest });
  }

  datagram(offset: number, length: number): boolean {
    if (this.room <= 0) return false;
    this.room--;
    this.out.push(this.pool.bytes.slice(offset, offset + length));
    return true;
  }

  /** Polls, and returns the segments of each datagram that came out. */
  poll(now: number): Segment[][] {
    this.out.length = 0;
    this.kcp.poll(now, this);
    return this.out.map((datagram) => decodeSegments(datagram).segments);
  }

  /** Gives a datagram; `shift` moves it off its alignment. True when the slot was taken. */
  give(bytes: Uint8Array, now: number, shift = 0): boolean {
    const slot = this.pool.alloc();
    if (slot < 0) return false;
    const offset = slot * this.pool.slotBytes + 32 + shift;
    this.pool.bytes.set(bytes, offset);
    const taken = this.kcp.handleDatagram(slot, offset, bytes.length, now);
    if (!taken) this.pool.free(slot);
    return taken;
  }

  /** Everything readable, consumed. */
  read(): Uint8Array {
    const into = new Uint8Array(this.kcp.readableBytes);
    this.kcp.read(into);
    return into;
  }

  get usedSlots(): number {
    return this.pool.slotCount - this.pool.freeSlots;
  }
}

/** Lets two ends exchange everything they have to say, at one moment, without loss. */
export function exchange(a: Bare, b: Bare, now: number): void {
  for (let turn = 0; turn < 1000; turn++) {
    a.poll(now);
    const fromA = [...a.out];
    for (const datagram of fromA) b.give(datagram, now);
    b.poll(now);
    const fromB = [...b.out];
    for (const datagram of fromB) a.give(datagram, now);
    if (fromA.length === 0 && fromB.length === 0) return;
  }
  throw new Error("The two ends do not come to rest.");
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** `count` bytes that tell their place. */
export function pattern(count: number, from = 0): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => ((from + i) * 31 + ((from + i) >>> 8) * 7) & 0xff);
}
