import test from "ava";
import fc from "fast-check";
import {
  decodeSegments,
  encodeSegment,
  FixedSlotPool,
  Kcp,
  RUN_WORDS,
  RunEntry,
  RunHead,
  SlotQuota,
} from "../src/index.ts";

const SLOT_BYTES = 768;
const SLOTS = 256;
const MTU = 540;
const HEADERS = 24;
const CONV = 77;
const FIRST = 0xffffffe0;

/** One end, its pool, and everything it says. */
class End {
  readonly pool: FixedSlotPool = new FixedSlotPool(SLOTS, { slotBytes: SLOT_BYTES });
  readonly kcp: Kcp;
  readonly said: unknown[] = [];
  now = 0;

  constructor(extended: boolean, receiveWindow: number, shared: boolean) {
    const quota = shared ? new SlotQuota(this.pool) : undefined;
    this.kcp = new Kcp({
      conv: CONV,
      pool: this.pool,
      mtu: MTU,
      extended,
      receiveWindow,
      quota,
      startMs: 0,
      initialSequence: FIRST,
    });
  }

  /** A slot with the datagram of segment `index`; returns the slot. */
  lay(index: number, una: number, payload: number): number {
    const slot = this.pool.alloc();
    if (slot < 0) return slot;
    const data = new Uint8Array(payload).fill(index);
    const sn = (FIRST + index) >>> 0;
    const segment = { conv: CONV, cmd: 81, frg: 0, wnd: 50 + index, ts: index, sn, una: una >>> 0, data };
    this.pool.bytes.set(encodeSegment(segment), slot * SLOT_BYTES);
    return slot;
  }

  one(index: number, una: number, payload: number): void {
    const slot = this.lay(index, una, payload);
    if (slot < 0) return;
    const taken = this.kcp.handleDatagram(slot, slot * SLOT_BYTES, HEADERS + payload, this.now);
    if (!taken) this.pool.free(slot);
  }

  poll(): void {
    this.kcp.poll(this.now, {
      datagram: (offset, length) => {
        this.said.push(...decodeSegments(this.pool.bytes.slice(offset, offset + length)).segments);
        return true;
      },
    });
  }

  read(): number[] {
    const into = new Uint8Array(4000);
    return [...into.subarray(0, this.kcp.read(into))];
  }

  figures(): unknown {
    const { stats, readableBytes, remoteWindow } = this.kcp;
    const { nextTimeout } = this.kcp;
    return { stats, readableBytes, remoteWindow, nextTimeout, free: this.pool.freeSlots };
  }
}

/** Gives a run in one step; what was refused goes one by one, as the caller has to do it. True = it was taken whole. */
function give(end: End, from: number, una: number, payloads: readonly number[]): boolean {
  const words = new Int32Array((payloads.length + 1) * RUN_WORDS);
  const slots = payloads.map((payload, i) => end.lay(from + i, una, payload));
  words[RunHead.sn] = (FIRST + from) | 0;
  words[RunHead.una] = una | 0;
  words[RunHead.window] = 50 + from + payloads.length - 1;
  words[RunHead.bytes] = payloads.reduce((sum, payload) => sum + payload, 0);
  payloads.forEach((payload, i) => {
    const entry = (i + 1) * RUN_WORDS;
    words[entry + RunEntry.slot] = slots[i]!;
    words[entry + RunEntry.offset] = slots[i]! * SLOT_BYTES + HEADERS;
    words[entry + RunEntry.length] = payload;
    words[entry + RunEntry.ts] = from + i;
  });
  if (!slots.includes(-1) && end.kcp.handleRun(words, 0, payloads.length, end.now)) return true;
  payloads.forEach((payload, i) => {
    const slot = slots[i]!;
    if (slot < 0) return;
    if (!end.kcp.handleDatagram(slot, slot * SLOT_BYTES, HEADERS + payload, end.now)) end.pool.free(slot);
  });
  return false;
}

test("a run is the same as its segments one by one", (t) => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        run: fc.array(fc.integer({ min: 193, max: 510 }), { minLength: 1, maxLength: 40 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ skip: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.record({ read: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 900 }) }) },
  );
  let whole = 0;
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(128, 256),
      fc.array(step, { maxLength: 30 }),
      (extended, shared, window, steps) => {
        const runs = new End(extended, window, shared);
        const singles = new End(extended, window, shared);
        const both = [runs, singles];
        let next = 0;
        let missing = -1;
        let sent = 0;
        for (const act of steps) {
          const una = (FIRST + sent) | 0;
          if ("run" in act) {
            if (give(runs, next, una, act.run)) whole++;
            const words = act.run;
            for (let i = 0; i < words.length; i++) singles.one(next + i, una, words[i]!);
            next += words.length;
          } else if ("skip" in act) {
            if (missing >= 0) for (const end of both) end.one(missing, una, 200);
            missing = missing >= 0 ? -1 : next++;
          } else if ("read" in act) {
            t.deepEqual(runs.read(), singles.read());
          } else if ("write" in act) {
            for (const end of both) t.is(end.kcp.write(new Uint8Array(act.write)), act.write);
          } else {
            for (const end of both) {
              end.now += act.wait;
              end.poll();
            }
            t.deepEqual(runs.said, singles.said);
            sent = runs.kcp.stats.sent;
          }
          t.deepEqual(runs.figures(), singles.figures());
        }
        for (const end of both) {
          end.kcp.dispose();
          t.is(end.pool.freeSlots, SLOTS);
        }
      },
    ),
  );
  t.true(whole > 0);
});

test("slots taken as a run are those taken one by one", (t) => {
  const ends = [new End(true, 128, false), new End(true, 128, false)] as const;
  for (const end of ends) {
    for (const [index, payload] of [300, 10, 200, 300, 5, 510].entries()) end.one(index, FIRST, payload);
  }
  const [runs, singles] = ends;
  const words = new Int32Array(8 * RUN_WORDS);
  t.is(runs.kcp.takeSlots(words, 0, 0), 0);
  const first = runs.kcp.takeSlots(words, 0, 2);
  t.is(first, 2);
  const count = first + runs.kcp.takeSlots(words, first * RUN_WORDS, 6);
  const out = { slot: -1, offset: 0, length: 0 };
  for (let i = 0; i < count; i++) {
    t.true(singles.kcp.takeSlot(out));
    t.deepEqual([...words.subarray(i * RUN_WORDS, i * RUN_WORDS + 3)], [out.slot, out.offset, out.length]);
  }
  t.false(singles.kcp.takeSlot(out));
  t.deepEqual(runs.figures(), singles.figures());
});
