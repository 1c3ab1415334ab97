import test from "ava";
import { Command, encodeSegment, type Segment } from "../src/index.ts";
import { Bare, pattern, text } from "./bare.ts";

function push(sn: number, data: Uint8Array, fields: Partial<Segment> = {}): Uint8Array {
  return encodeSegment({ conv: 7, cmd: Command.push, frg: 0, wnd: 1024, ts: 0, sn, una: 0, ...fields, data });
}
function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

test("a full segment is kept in the slot it came in", (t) => {
  const b = new Bare();
  t.true(b.give(push(0, pattern(1176)), 0));
  t.is(b.kcp.readableBytes, 1176);
  t.is(b.usedSlots, 1);
  const words = new Int32Array(4);
  t.is(b.kcp.view(words, 2, 1), 1);
  t.is(words[3], 1176);
  t.deepEqual(b.pool.bytes.slice(words[2]!, words[2]! + 1176), pattern(1176));
  b.kcp.consume(1176);
  t.is(b.usedSlots, 0);
});

test("segments out of order become readable when the gap is filled", (t) => {
  const b = new Bare();
  for (const sn of [3, 1, 2]) b.give(push(sn, pattern(600, 600 * sn)), 0);
  t.is(b.kcp.readableBytes, 0);
  t.is(b.kcp.stats.heldSegments, 3);
  b.give(push(0, pattern(600)), 0);
  t.deepEqual(b.read(), pattern(2400));
  t.is(b.usedSlots, 0);
});

test("what came already is acknowledged again and not kept", (t) => {
  const b = new Bare();
  b.give(push(0, text("hello")), 0);
  b.poll(0);
  t.false(b.give(push(0, text("hello")), 1));
  b.give(push(2, text("later")), 1);
  t.false(b.give(push(2, text("later")), 1));
  t.is(b.kcp.stats.duplicatesReceived, 2);
  t.true(b.poll(1).length > 0);
  t.deepEqual(b.read(), text("hello"));
});

test("several segments in one datagram are all kept", (t) => {
  const b = new Bare();
  const parts = [0, 1, 2, 3].map((sn) => push(sn, pattern(250, 250 * sn)));
  t.true(b.give(join(...parts), 0));
  t.is(b.usedSlots, 1);
  t.deepEqual(b.read(), pattern(1000));
});

test("several segments in one datagram, in any order, beside ones held already, stay whole", (t) => {
  // Held small segments are appended behind the first of the datagram while its rest is not taken apart yet.
  const b = new Bare();
  b.give(push(1, pattern(300, 100)), 0);
  b.give(push(2, pattern(300, 400)), 0);
  const parts = [
    push(0, pattern(100)),
    push(4, pattern(80, 800)),
    push(3, pattern(100, 700)),
    push(5, pattern(50, 880)),
  ];
  b.give(join(...parts), 0);
  t.deepEqual(b.read(), pattern(930));
  t.is(b.usedSlots, 0);
});

test("acknowledgements, data and window segments mix in one datagram, at any alignment", (t) => {
  for (const shift of [0, 1, 2, 3]) {
    const b = new Bare();
    b.kcp.write(text("request"));
    b.poll(0);
    const ack = encodeSegment({
      conv: 7,
      cmd: Command.ack,
      frg: 0,
      wnd: 9,
      ts: 0,
      sn: 0,
      una: 1,
      data: text(""),
    });
    const ask = encodeSegment({
      conv: 7,
      cmd: Command.askWindow,
      frg: 0,
      wnd: 9,
      ts: 0,
      sn: 0,
      una: 1,
      data: text(""),
    });
    b.give(
      join(ack, push(0, text("abc"), { wnd: 9, una: 1 }), ask, push(1, text("defg"), { wnd: 9, una: 1 })),
      5,
      shift,
    );
    t.is(b.kcp.unacknowledgedBytes, 0);
    t.deepEqual(b.read(), text("abcdefg"));
    t.is(b.kcp.remoteWindow, 9);
    const answers = b
      .poll(5)
      .flat()
      .map((s) => s.cmd);
    t.true(answers.includes(Command.tellWindow));
  }
});

test("single bytes do not hold a slot each", (t) => {
  const b = new Bare();
  for (let sn = 0; sn < 1000; sn++) b.give(push(sn, pattern(1, sn)), sn);
  t.is(b.usedSlots, 1);
  t.deepEqual(b.read(), pattern(1000));
});

test("single bytes out of order hold slots only until they are in order", (t) => {
  const b = new Bare();
  for (let sn = 200; sn > 0; sn--) b.give(push(sn, pattern(1, sn)), 0);
  t.is(b.usedSlots, 200);
  b.give(push(0, pattern(1)), 0);
  // The first lies in a datagram that is just being taken apart: nothing is put behind it.
  t.is(b.usedSlots, 2);
  t.deepEqual(b.read(), pattern(201));
});

test("segments beyond the window are neither kept nor acknowledged", (t) => {
  const b = new Bare({ receiveWindow: 128 });
  t.false(b.give(push(128, text("x")), 0));
  t.false(b.give(push(1_000_000, text("x")), 0));
  t.is(b.kcp.stats.dropped, 2);
  t.is(b.poll(0).length, 0);
  t.true(b.give(push(127, pattern(500)), 0));
});

test("unread data closes the window, reading opens it and says so", (t) => {
  const b = new Bare({ receiveWindow: 128 });
  for (let sn = 0; sn < 128; sn++) b.give(push(sn, pattern(500, sn)), 0);
  t.is(b.poll(0).flat().at(-1)!.wnd, 0);
  t.false(b.give(push(128, text("x")), 1));
  b.kcp.consume(500);
  t.is(b.poll(2).length, 0, "one segment is not worth a datagram");
  b.kcp.consume(40 * 500);
  const told = b.poll(3).flat();
  t.deepEqual(
    told.map((s) => [s.cmd, s.wnd, s.una]),
    [[Command.tellWindow, 41, 128]],
  );
  // The answer may be lost and a plain peer would ask only after seconds.
  t.is(b.kcp.nextTimeout, 43);
  t.is(b.poll(43).flat()[0]!.cmd, Command.tellWindow);
  b.give(push(128, text("x"), { ts: 50 }), 60);
  b.poll(60);
  t.is(b.kcp.nextTimeout, Infinity);
});

test("fragments of a message-mode peer are one stream", (t) => {
  const b = new Bare();
  b.give(push(0, text("one "), { frg: 2 }), 0);
  b.give(push(1, text("two "), { frg: 1 }), 0);
  b.give(push(2, text("three"), { frg: 0 }), 0);
  t.deepEqual(b.read(), text("one two three"));
});

test("empty segments are acknowledged and read as nothing", (t) => {
  const b = new Bare({ receiveWindow: 128 });
  for (let sn = 0; sn < 1000; sn++) {
    b.give(push(sn, text("")), sn);
    t.is(b.poll(sn + 0.5).length > 0 || b.kcp.nextTimeout < sn + 3, true);
  }
  b.give(push(1001, text("")), 2000);
  b.give(push(1000, text("a")), 2000);
  b.give(push(1002, text("b")), 2000);
  t.deepEqual(b.read(), text("ab"));
  t.is(b.kcp.stats.receiveQueueSegments, 0);
});

test("the front slot can be taken over by the caller", (t) => {
  const b = new Bare();
  b.give(push(0, pattern(1000)), 0);
  b.give(push(1, pattern(1000, 1000)), 0);
  b.kcp.consume(300);
  const taken = { slot: -1, offset: 0, length: 0 };
  t.true(b.kcp.takeSlot(taken));
  t.deepEqual(b.pool.bytes.slice(taken.offset, taken.offset + taken.length), pattern(700, 300));
  t.is(b.kcp.readableBytes, 1000);
  b.kcp.dispose();
  t.is(b.usedSlots, 1);
  b.pool.free(taken.slot);
  t.false(b.kcp.takeSlot(taken));
});

test("a full pool drops what would need a copy; it comes again and is kept then", (t) => {
  const b = new Bare({ slots: 2 });
  const both = join(push(0, pattern(600)), push(2, pattern(500, 900)));
  const other = b.pool.alloc();
  t.true(b.give(both, 0));
  t.is(b.kcp.stats.dropped, 1);
  b.pool.free(other);
  t.true(b.give(push(2, pattern(500, 900)), 1));
  b.kcp.consume(600);
  t.true(b.give(push(1, pattern(300, 600)), 2));
  t.deepEqual(b.read(), pattern(800, 600));
});

test("without a free slot an acknowledgement is late, not lost", (t) => {
  const b = new Bare({ slots: 1 });
  t.true(b.give(push(0, pattern(1000)), 0));
  t.is(b.poll(0).length, 0);
  t.is(b.kcp.nextTimeout, 1);
  b.kcp.consume(1000);
  t.is(b.poll(1).flat()[0]!.una, 1);
});

test("consuming more than is readable is refused", (t) => {
  const b = new Bare();
  b.give(push(0, text("abc")), 0);
  t.throws(() => b.kcp.consume(4), { instanceOf: RangeError });
  b.kcp.consume(3);
  t.throws(() => b.kcp.consume(1), { instanceOf: RangeError });
});

test("bytes from outside the pool are copied in", (t) => {
  const b = new Bare();
  t.true(b.kcp.handleBytes(push(0, text("hello")), 0));
  t.deepEqual(b.read(), text("hello"));
  t.false(b.kcp.handleBytes(new Uint8Array(2000), 0));
  t.is(b.usedSlots, 0);
});
