/**
 * Microseconds per segment: both ends, their acknowledgements and the copy over a virtual link of 10 ms each way without
 * a rate, in ticks of 1 ms. 1376 bytes of payload are copied once, by the link. Run: `npx tsx bench/segment.ts`
 */
import {
  type CongestionFactory,
  type DatagramSink,
  deliveryRate,
  FixedSlotPool,
  fixedWindow,
  Kcp,
} from "../src/index.ts";
import { Random } from "../test/random.ts";

const DELAY_TICKS = 10;
const MTU = 1400;
const RECEIVE_AT = 32;
const QUEUE = 32768;
const SEGMENTS = 500_000;
const RUNS = 5;

/** One direction: each datagram is copied into a slot of its own, which arrives some ticks later. */
class Wire implements DatagramSink {
  tick = 0;
  datagrams = 0;
  readonly #pool: FixedSlotPool;
  readonly #slots = new Int32Array(QUEUE);
  readonly #lengths = new Int32Array(QUEUE);
  readonly #arrives = new Int32Array(QUEUE);
  readonly #random: Random;
  readonly #loss: number;
  #head = 0;
  #tail = 0;

  constructor(pool: FixedSlotPool, loss: number, seed: number) {
    this.#pool = pool;
    this.#loss = loss;
    this.#random = new Random(seed);
  }

  datagram(offset: number, length: number): boolean {
    this.datagrams++;
    if (this.#loss > 0 && this.#random.chance(this.#loss)) return true;
    const pool = this.#pool;
    const slot = pool.alloc();
    if (slot < 0) return true;
    pool.bytes.copyWithin(slot * pool.slotBytes + RECEIVE_AT, offset, offset + length);
    const at = this.#tail++ & (QUEUE - 1);
    this.#slots[at] = slot;
    this.#lengths[at] = length;
    this.#arrives[at] = this.tick + DELAY_TICKS;
    return true;
  }

  deliver(to: Kcp): void {
    const pool = this.#pool;
    while (this.#head !== this.#tail) {
      const at = this.#head & (QUEUE - 1);
      if (this.#arrives[at]! > this.tick) return;
      this.#head++;
      const slot = this.#slots[at]!;
      const offset = slot * pool.slotBytes + RECEIVE_AT;
      if (!to.handleDatagram(slot, offset, this.#lengths[at]!, this.tick)) pool.free(slot);
    }
  }
}

function run(
  window: number,
  loss: number,
  extended: boolean,
  congestion: CongestionFactory,
  segments: number,
) {
  const pool = new FixedSlotPool(4 * window + 4096);
  const options = {
    conv: 1,
    pool,
    mtu: MTU,
    headroom: 14,
    sendWindow: window,
    receiveWindow: window,
    extended,
    congestion,
  };
  const a = new Kcp(options);
  const b = new Kcp(options);
  const toB = new Wire(pool, loss, 1);
  const toA = new Wire(pool, loss, 2);
  const words = new Int32Array(256);
  const started = process.cpuUsage();
  let read = 0;
  const total = segments * (MTU - 24);
  for (let tick = 0; read < total; tick++) {
    toB.tick = toA.tick = tick;
    toB.deliver(b);
    toA.deliver(a);
    for (let pairs = a.reserve(words, 0, 128); pairs > 0; pairs = a.reserve(words, 0, 128)) {
      let bytes = 0;
      for (let i = 0; i < pairs; i++) bytes += words[2 * i + 1]!;
      a.commit(bytes);
    }
    if (b.readableBytes > 0) {
      read += b.readableBytes;
      b.consume(b.readableBytes);
    }
    a.poll(tick, toB);
    b.poll(tick, toA);
  }
  const used = process.cpuUsage(started);
  const us = used.user + used.system;
  const { sent, retransmitted, duplicated } = a.stats;
  return {
    usPerSegment: us / segments,
    sent,
    retransmitted,
    duplicated,
    duplicates: b.stats.duplicatesReceived,
    acks: toA.datagrams,
  };
}

const median = (values: number[]): number => values.sort((x, y) => x - y)[values.length >> 1]!;

/** What the copy alone costs here, to compare machines: performance.md 4 has 0.024 us. */
function copyCost(): number {
  const bytes = new Uint8Array(6 << 20);
  const started = process.hrtime.bigint();
  for (let i = 0; i < 1_000_000; i++) {
    const at = (i & 2047) * 1536;
    bytes.copyWithin(at, at + (3 << 20), at + (3 << 20) + 1376);
  }
  return Number(process.hrtime.bigint() - started) / 1e9;
}

// All cases, or those whose name holds the argument.
const only = process.argv[2] ?? "";
const controllers: [string, CongestionFactory][] = [
  ["paced", deliveryRate()],
  ["fixed", fixedWindow(4096)],
];
console.log(`copyWithin of 1376 bytes: ${Math.min(copyCost(), copyCost(), copyCost()).toFixed(3)} us`);
for (const window of [1024, 4096]) {
  for (const loss of [0, 0.01, 0.05, 0.1]) {
    for (const extended of [false, true]) {
      for (const [controller, congestion] of controllers) {
        const name = `W=${window} loss ${100 * loss} % ${extended ? "extended" : "plain"} ${controller}`;
        if (!name.includes(only)) continue;
        const runs = Array.from({ length: RUNS }, () => run(window, loss, extended, congestion, SEGMENTS));
        const us = runs.map((r) => r.usPerSegment);
        const last = runs[RUNS - 1]!;
        console.log(
          `${name.padEnd(36)} ${median(us).toFixed(3)} us/segment [${Math.min(...us).toFixed(3)}..${Math.max(...us).toFixed(3)}], ` +
            `sent again ${last.retransmitted}, copies ${last.duplicated}, needless ${last.duplicates}, ack datagrams ${last.acks}`,
        );
      }
    }
  }
}
