import test from "ava";
import fc from "fast-check";
import { decodeSegments, fixedWindow, MIN_RING_SEGMENTS } from "../src/index.ts";
import { Bare, exchange, pattern } from "./bare.ts";
import { Random } from "./random.ts";

/** Room of both rings of an end that has not needed more yet. */
const LEAST = 2 * MIN_RING_SEGMENTS;
const MSS = 1176;
const BYTES = pattern(600 * MSS);

/** `a` sends `bytes`, which `b` reads at the end only. */
function burst(a: Bare, b: Bare, bytes: Uint8Array, startMs: number): Uint8Array {
  let written = 0;
  for (let now = startMs; written < bytes.length || a.kcp.unacknowledgedBytes > 0; now += 10) {
    written += a.kcp.write(bytes.subarray(written));
    exchange(a, b, now);
  }
  return b.read();
}

test("after a burst both rings shrink again, once they were not needed for a while", (t) => {
  const a = new Bare();
  const b = new Bare();
  burst(a, b, BYTES, 0);
  const [sender, reader] = [a.kcp.stats.ringSegments, b.kcp.stats.ringSegments];
  t.true(reader >= 600 + MIN_RING_SEGMENTS);
  for (const { kcp } of [a, b]) kcp.trim();
  t.is(a.kcp.stats.ringSegments, sender, "it was needed since the last call");
  t.is(b.kcp.stats.ringSegments, reader);
  for (const { kcp } of [a, b]) kcp.trim();
  t.is(a.kcp.stats.ringSegments, LEAST);
  t.is(b.kcp.stats.ringSegments, LEAST);
  t.is(Buffer.compare(burst(a, b, BYTES, 100_000), BYTES), 0);
});

test("what is in use keeps its place", (t) => {
  const a = new Bare();
  const b = new Bare();
  burst(a, b, BYTES, 0);
  let written = 0;
  for (let now = 100_000; written < 200 * MSS || a.kcp.unacknowledgedBytes > 0; now += 10) {
    written += a.kcp.write(BYTES.subarray(written, 200 * MSS));
    for (const { kcp } of [a, b]) kcp.trim();
    exchange(a, b, now);
  }
  for (let turn = 0; turn < 3; turn++) b.kcp.trim();
  t.is(b.kcp.stats.ringSegments, 256 + MIN_RING_SEGMENTS);
  t.is(Buffer.compare(b.read(), BYTES.subarray(0, 200 * MSS)), 0);
});

test("whenever it is called, whatever is lost: the stream stays whole, and no slot is lost", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), (seed, extended) => {
      const random = new Random(seed);
      const options = { mtu: 1200, extended };
      const a = new Bare(options);
      const b = new Bare(options);
      const total = 150_000;
      let written = 0;
      let read = 0;
      for (let now = 0; read < total && now < 200_000; now += 5) {
        if (random.next() < 0.3)
          written += a.kcp.write(BYTES.subarray(written, Math.min(total, written + 40_000)));
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          from.poll(now);
          for (const datagram of [...from.out]) if (random.next() > 0.1) to.give(datagram, now);
        }
        if (random.next() < 0.2) {
          const bytes = b.read();
          t.is(Buffer.compare(bytes, BYTES.subarray(read, read + bytes.length)), 0);
          read += bytes.length;
        }
        if (random.next() < 0.2) a.kcp.trim();
        if (random.next() < 0.2) b.kcp.trim();
      }
      t.is(read, total);
      for (const end of [a, b]) {
        end.kcp.dispose();
        t.is(end.usedSlots, 0);
      }
    }),
    { numRuns: 20 },
  );
});

test("what was acknowledged ahead is still known when the ring grows", (t) => {
  const a = new Bare({ extended: true, mtu: 700, secondCopies: false, congestion: fixedWindow(1000) });
  const b = new Bare({ extended: true, mtu: 700 });
  const mss = 676;
  for (let now = 0; now < 70; now += 10) {
    a.kcp.write(pattern(10 * mss));
    exchange(a, b, now);
  }
  b.read();
  // Number 70 is lost. With the first batch behind it the ring has 64 places, with the second 128.
  for (const [segments, now] of [
    [40, 100],
    [60, 110],
  ] as const) {
    a.kcp.write(pattern(segments * mss));
    a.poll(now);
    for (const datagram of a.out) {
      if (decodeSegments(datagram).segments[0]!.sn !== 70) b.give(datagram, now);
    }
    b.poll(now + 5);
    for (const datagram of b.out) a.give(datagram, now + 5);
  }
  t.is(b.kcp.stats.heldSegments, 99);
  t.true(a.kcp.stats.inflightBytes <= mss + 24, `${a.kcp.stats.inflightBytes} bytes`);
});
