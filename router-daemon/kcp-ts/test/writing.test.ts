import test from "ava";
import { HEADER_BYTES, MIN_UNSENT_SEGMENTS } from "../src/index.ts";
import { Bare, exchange, pattern, text } from "./bare.ts";

test("a small write leaves with the next poll, whole, with the clock at its start", (t) => {
  const a = new Bare();
  t.is(a.kcp.write(text("GET / HTTP/1.0\r\n\r\n")), 18);
  const [datagram, ...rest] = a.poll(0);
  t.is(rest.length, 0);
  t.like(datagram![0], { conv: 7, cmd: 81, frg: 0, wnd: 1024, ts: 0, sn: 0, una: 0 });
  t.deepEqual(datagram![0]!.data, text("GET / HTTP/1.0\r\n\r\n"));
});

test("ts counts whole milliseconds since the start", (t) => {
  const a = new Bare({ startMs: 1000.25 });
  a.kcp.write(text("x"));
  t.is(a.poll(1234.9)[0]![0]!.ts, 234);
});

test("without a start the clock begins with the first now", (t) => {
  const a = new Bare({ startMs: undefined as never });
  a.kcp.write(text("x"));
  t.is(a.poll(987_654.5)[0]![0]!.ts, 0);
});

test("ts wraps at 32 bits", (t) => {
  const a = new Bare();
  const b = new Bare();
  const now = 2 ** 32 - 3;
  a.kcp.write(text("before"));
  a.poll(now);
  b.give(a.out[0]!, now + 10);
  b.poll(now + 10);
  a.give(b.out[0]!, now + 20);
  a.kcp.write(text("after"));
  const segments = a.poll(now + 20);
  t.is(segments.at(-1)![0]!.ts, 17);
  t.is(Math.round(a.kcp.stats.srttMs), 20);
});

test("bytes written before they leave share a segment", (t) => {
  const a = new Bare();
  for (const word of ["one ", "two ", "three"]) a.kcp.write(text(word));
  const datagrams = a.poll(0);
  t.is(datagrams.length, 1);
  t.deepEqual(datagrams[0]![0]!.data, text("one two three"));
});

test("a segment that has left is not extended any more", (t) => {
  const a = new Bare();
  a.kcp.write(text("one"));
  a.poll(0);
  a.kcp.write(text("two"));
  const datagrams = a.poll(0.1);
  t.deepEqual(
    datagrams.map((d) => [d[0]!.sn, new TextDecoder().decode(d[0]!.data)]),
    [[1, "two"]],
  );
});

test("long data is cut into full datagrams of equal size and a rest", (t) => {
  const a = new Bare({ mtu: 1200 });
  a.kcp.write(pattern(3000));
  const sizes = a.poll(0).map((d) => d[0]!.data.length);
  t.deepEqual(sizes, [1176, 1176, 648]);
});

test("a flood of tiny writes is coalesced once a few segments are in flight", (t) => {
  const a = new Bare({ secondCopies: false });
  let datagrams = 0;
  for (let i = 0; i < 1000; i++) {
    a.kcp.write(pattern(1, i));
    datagrams += a.poll(i / 100).length;
  }
  // 8 at once, then one per millisecond of ten.
  t.true(datagrams <= 8 + 11, `${datagrams}`);
  t.true(datagrams >= 8);
  t.true(a.kcp.nextTimeout <= 9.99 + 1);
});

test("reserved space is filled in place and leaves in order", (t) => {
  const a = new Bare({ mtu: 1200, headroom: 14 });
  const b = new Bare();
  const words = new Int32Array(64);
  a.kcp.write(pattern(100));
  const pairs = a.kcp.reserve(words, 4, 4);
  t.is(pairs, 4);
  t.deepEqual(
    Array.from({ length: 4 }, (_, i) => words[4 + 2 * i + 1]),
    [1076, 1176, 1176, 1176],
  );
  let written = 100;
  for (let i = 0; i < 3; i++) {
    const length = Math.min(words[4 + 2 * i + 1]!, 2500 - written);
    a.pool.bytes.set(pattern(length, written), words[4 + 2 * i]!);
    written += length;
  }
  a.kcp.commit(written - 100);
  t.is(a.kcp.unacknowledgedBytes, 2500);
  exchange(a, b, 0);
  t.deepEqual(b.read(), pattern(2500));
  t.is(a.kcp.unacknowledgedBytes, 0);
});

test("what is reserved and not committed goes back to the pool", (t) => {
  const a = new Bare();
  const words = new Int32Array(64);
  a.kcp.reserve(words, 0, 32);
  t.is(a.usedSlots, 32);
  a.kcp.reserve(words, 0, 8);
  t.is(a.usedSlots, 8);
  a.kcp.commit(1);
  t.is(a.usedSlots, 1);
  a.kcp.reserve(words, 0, 8);
  a.poll(0);
  t.is(a.usedSlots, 1);
  t.throws(() => a.kcp.commit(1), { instanceOf: RangeError });
});

test("committing more than was reserved is refused", (t) => {
  const a = new Bare({ mtu: 1200 });
  a.kcp.reserve(new Int32Array(4), 0, 2);
  t.throws(() => a.kcp.commit(2 * 1176 + 1), { instanceOf: RangeError, message: /2352 are reserved/ });
  t.throws(() => a.kcp.commit(-1), { instanceOf: RangeError });
});

test("a writer gets a bounded queue, and what it was promised", (t) => {
  const a = new Bare({ mtu: 1200 });
  const promised = a.kcp.writableBytes;
  t.is(promised, MIN_UNSENT_SEGMENTS * 1176);
  t.is(a.kcp.write(new Uint8Array(promised + 5000)), promised);
  t.is(a.kcp.writableBytes, 0);
  t.is(a.kcp.write(text("x")), 0);
  t.is(a.kcp.reserve(new Int32Array(2), 0, 1), 0);
});

test("writing leaves the spare slots to receiving", (t) => {
  const a = new Bare({ slots: 40, spareSlots: 10 });
  t.is(a.kcp.write(new Uint8Array(1e6)), 30 * 1176);
  t.is(a.pool.freeSlots, 10);
});

test("bytes of the arena are taken without a view of them", (t) => {
  const a = new Bare({ mtu: 1200 });
  const b = new Bare();
  const slot = a.pool.alloc();
  const offset = slot * a.pool.slotBytes;
  a.pool.bytes.set(pattern(1500), offset);
  t.is(a.kcp.writeFrom(offset, 1500), 1500);
  a.pool.free(slot);
  exchange(a, b, 0);
  t.deepEqual(b.read(), pattern(1500));
});

test("the headroom in front of a datagram is never written", (t) => {
  const a = new Bare({ headroom: 14 });
  a.pool.bytes.fill(0xee);
  a.kcp.write(pattern(2000));
  const offsets: [number, number][] = [];
  a.kcp.poll(0, { datagram: (offset, length) => offsets.push([offset, length]) > 0 });
  for (const [offset, length] of offsets) {
    t.is(offset % 4, 0);
    t.true((offset % a.pool.slotBytes) + length <= a.pool.slotBytes);
    t.true(a.pool.bytes.subarray(offset - 14, offset).every((byte) => byte === 0xee));
  }
});

test("a refused datagram is offered again, and nothing is counted as sent before", (t) => {
  const a = new Bare({ mtu: 1200 });
  a.kcp.write(pattern(5 * 1176));
  a.room = 2;
  t.is(a.poll(0).length, 2);
  t.is(a.kcp.stats.sent, 2);
  t.is(a.kcp.nextTimeout, 0);
  a.room = Infinity;
  t.deepEqual(
    a.poll(0).map((d) => d[0]!.sn),
    [2, 3, 4],
  );
  t.is(a.kcp.stats.retransmitted, 0);
});

test("sequence numbers wrap", (t) => {
  const options = { initialSequence: 0xffff_fffd, mtu: 100 };
  for (const extended of [false, true]) {
    const a = new Bare({ ...options, ...(extended ? { extended, mtu: 700 } : {}) });
    const b = new Bare({ ...options, ...(extended ? { extended, mtu: 700 } : {}) });
    const size = (extended ? 700 : 100) - HEADER_BYTES;
    for (let i = 0; i < 20; i++) {
      a.kcp.write(pattern(3 * size, 3 * size * i));
      exchange(a, b, i * 5);
      t.deepEqual(b.read(), pattern(3 * size, 3 * size * i));
    }
    t.is(a.kcp.unacknowledgedBytes, 0);
    t.is(a.usedSlots + b.usedSlots, 0);
  }
});

test("wrong options are refused with a sentence", (t) => {
  const cases: [object, RegExp][] = [
    [{ mtu: 20 }, /mtu must be a whole number from 48/],
    [{ mtu: 1600 }, /does not fit a slot of 1536; choose a smaller mtu/],
    [{ mtu: 500, extended: true }, /mtu must be a whole number from 540/],
    [{ sendWindow: 5000 }, /sendWindow must be a whole number from 1 to 4096/],
    [{ receiveWindow: 64 }, /receiveWindow must be a whole number from 128/],
    [{ conv: -1 }, /conv must be/],
  ];
  for (const [options, message] of cases)
    t.throws(() => new Bare(options), { instanceOf: RangeError, message });
});
