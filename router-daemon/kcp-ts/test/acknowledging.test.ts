import test from "ava";
import fc from "fast-check";
import { Command, decodeSegments, encodeSegment, type Segment } from "../src/index.ts";
import { Bare, pattern, text } from "./bare.ts";

function push(sn: number, ts = 0, una = 0): Uint8Array {
  return encodeSegment({
    conv: 7,
    cmd: Command.push,
    frg: 0,
    wnd: 1024,
    ts,
    sn,
    una,
    data: pattern(600, sn),
  });
}
const acks = (datagrams: Segment[][]) => datagrams.flat().map((s) => [s.sn, s.ts, s.una]);

test("the first segment is acknowledged with the next poll, its ts echoed", (t) => {
  const b = new Bare();
  b.give(push(0, 123), 50);
  t.true(b.kcp.nextTimeout <= 50);
  const datagrams = b.poll(50);
  t.deepEqual(acks(datagrams), [[0, 123, 1]]);
  t.like(datagrams[0]![0], { cmd: Command.ack, wnd: 1023, conv: 7 });
  t.is(b.poll(50).length, 0);
});

test("a steady stream is acknowledged once per 16 segments or millisecond, not per segment", (t) => {
  for (const extended of [false, true]) {
    const b = new Bare({ extended });
    let datagrams = 0;
    for (let sn = 0; sn < 1000; sn++) {
      b.give(push(sn, sn), sn / 100);
      datagrams += b.poll(sn / 100).length;
      b.read();
    }
    t.true(datagrams >= 10 && datagrams <= 66, `${datagrams}`);
    // Nothing stays unsaid.
    t.true(b.kcp.nextTimeout < 11);
    b.poll(b.kcp.nextTimeout);
    t.is(decodeSegments(b.out[0]!).segments[0]!.una, 1000);
  }
});

test("a gap is reported at once, and so is its filling", (t) => {
  for (const extended of [false, true]) {
    const b = new Bare({ extended });
    b.give(push(0), 0);
    b.poll(0);
    b.give(push(2), 0.1);
    t.is(b.poll(0.1).length, 1, "gap");
    b.give(push(3), 0.2);
    t.is(b.poll(0.2).length, 0, "no news");
    b.give(push(1), 0.3);
    t.is(b.poll(0.3).flat().at(-1)!.una, 4, "filled");
  }
});

test("plain KCP names every segment above una, in order of arrival, and the latest below", (t) => {
  const b = new Bare();
  for (const [sn, ts] of [
    [5, 50],
    [0, 0],
    [1, 10],
    [3, 30],
  ] as const) {
    b.give(push(sn, ts), 60);
  }
  t.deepEqual(acks(b.poll(60)), [
    [5, 50, 2],
    [1, 10, 2],
    [3, 30, 2],
  ]);
});

test("many acknowledgements fill datagrams of the mtu and leave data datagrams alone", (t) => {
  const b = new Bare({ mtu: 1200 });
  for (let sn = 200; sn > 0; sn--) b.give(push(sn, sn), 0);
  b.kcp.write(pattern(1176));
  const datagrams = b.poll(0);
  t.deepEqual(
    datagrams.map((d) => d.length),
    [50, 50, 50, 50, 1],
  );
  t.is(datagrams[4]![0]!.cmd, Command.push);
  t.deepEqual(
    acks(datagrams.slice(0, 4)).map(([sn]) => sn),
    Array.from({ length: 200 }, (_, i) => 200 - i),
  );
});

test("while loss is seen, plain KCP repeats its latest acknowledgements", (t) => {
  const b = new Bare();
  b.give(push(0, 0), 0);
  b.poll(0);
  b.give(push(2, 2), 2);
  t.deepEqual(acks(b.poll(2)), [[2, 2, 1]]);
  // Segment 0 again: its acknowledgement was lost, so others may have been.
  b.give(push(0, 3), 3);
  t.deepEqual(acks(b.poll(3)), [
    [0, 3, 1],
    [2, 2, 1],
  ]);
  // An old one says nothing new to the peer's clock.
  b.give(push(4, 10), 10);
  t.deepEqual(acks(b.poll(10)), [[4, 10, 1]]);
});

test("extended: data on its way back carries the acknowledgement", (t) => {
  const a = new Bare({ extended: true, secondCopies: false });
  a.give(push(0), 0);
  a.poll(0);
  a.give(push(1), 0.5);
  a.kcp.write(text("answer"));
  const datagrams = a.poll(0.5);
  t.deepEqual(
    datagrams.flat().map((s) => [s.cmd, s.una]),
    [[Command.push, 2]],
  );
  t.true(a.kcp.nextTimeout > 2, "nothing more to say about segment 1");
});

test("extended: who answers each request in time sends nothing but answers", (t) => {
  const b = new Bare({ extended: true, secondCopies: false });
  b.give(push(0), 0);
  b.poll(0);
  for (let sn = 1; sn < 40; sn++) {
    const now = sn * 0.4;
    b.give(push(sn, 0, sn - 1), now);
    t.is(b.poll(now).length, 0, `request ${sn} waits for its answer`);
    t.true(b.kcp.nextTimeout < now + 2, "but not for long");
    b.kcp.write(text("answer"));
    t.deepEqual(
      b
        .poll(now + 0.1)
        .flat()
        .map((s) => [s.cmd, s.una]),
      [[Command.push, sn + 1]],
    );
    b.read();
  }
});

test("an extended acknowledgement is one that a plain parser rejects without harm", (t) => {
  const b = new Bare({ extended: true });
  b.give(push(0), 0);
  b.give(push(40), 0);
  b.poll(0);
  const plain = new Bare();
  plain.kcp.write(text("x"));
  plain.poll(0);
  plain.give(b.out[0]!, 1);
  t.is(plain.kcp.stats.rejected, 1);
  t.is(plain.kcp.unacknowledgedBytes, 1);
  const [segment] = decodeSegments(b.out[0]!).segments;
  t.like(segment, { cmd: 106, conv: 7, sn: 40, una: 1, frg: 0 });
  t.is(segment!.data.length, 8);
});

/** What an extended acknowledgement says, read without any cleverness. */
function readBitmap(segment: Segment): Set<number> {
  const received = new Set<number>();
  const base = segment.una - (segment.una % 32) + 32 * segment.frg;
  for (let bit = 0; bit < 8 * segment.data.length; bit++) {
    if ((segment.data[bit >> 3]! >> (bit & 7)) & 1) received.add(base + bit);
  }
  return received;
}

test("the bitmap tells exactly what arrived, and four in a row tell it even if three are lost", (t) => {
  const arrivals = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (sns, offset) => {
      const first = offset - (offset % 1024);
      const b = new Bare({ extended: true, initialSequence: first });
      const have = new Set<number>();
      const recent: Set<number>[] = [];
      let now = 0;
      for (const sn of sns) {
        now += 5;
        b.give(
          encodeSegment({
            conv: 7,
            cmd: 81,
            frg: 0,
            wnd: 1,
            ts: now,
            sn: (first + sn) >>> 0,
            una: first,
            data: text("x"),
          }),
          now,
        );
        have.add(sn);
        const [segment] = b.poll(now).flat();
        let una = 0;
        while (have.has(una)) una++;
        t.is((segment!.una - first) >>> 0, una);
        t.is((segment!.sn - first) >>> 0, sn);
        const told = readBitmap({ ...segment!, una });
        for (const one of told) t.true(have.has(one) && one >= una, `${one} was not received`);
        recent.push(new Set([sn]));
        if (recent.length > 4) recent.shift();
        for (const set of recent)
          for (const one of set) t.true(one < una || told.has(one), `${one} is missing`);
      }
    }),
    { numRuns: 60 },
  );
});

test("both ends of a full window share a word of the bitmap without harm", (t) => {
  // una = 5: the last word of the ring holds 1024..1028 in the places of 0..4.
  const b = new Bare({ extended: true, receiveWindow: 1024, mtu: 1400 });
  for (let sn = 0; sn < 5; sn++) b.give(push(sn), 0);
  b.read();
  b.poll(0);
  b.give(push(1028), 5);
  b.give(push(6), 5);
  const [segment] = b.poll(5).flat();
  t.deepEqual([...readBitmap(segment!)], [6, 1028]);
});
