import test from "ava";
import { Command, encodeSegment, fixedWindow, type Segment } from "../src/index.ts";
import { RoundTrip } from "../src/round-trip.ts";
import { MAX_QUEUED_COPIES, SecondCopies } from "../src/second-copies.ts";
import { Bare, pattern, text } from "./bare.ts";

const MSS = 1176;

function ack(sn: number, ts: number, una: number): Uint8Array {
  return encodeSegment({ conv: 7, cmd: Command.ack, frg: 0, wnd: 1024, ts, sn, una, data: text("") });
}
const sns = (datagrams: Segment[][]) => datagrams.flat().map((s) => s.sn);

/** Sends `count` full segments at `now`; the round trip is known to be 20 ms. */
function sender(count: number, options = {}): { a: Bare; now: number } {
  const a = new Bare({ secondCopies: false, congestion: fixedWindow(1024), ...options });
  a.kcp.write(text("x"));
  a.poll(0);
  a.give(ack(0, 0, 1), 20);
  a.poll(20);
  a.kcp.write(pattern(count * MSS));
  let sent = 0;
  let now = 20;
  while (sent < count) {
    sent += a.poll(now).length;
    if (sent < count) now = a.kcp.nextTimeout;
  }
  return { a, now };
}

test("a segment is sent again when the third transmission after it has arrived", (t) => {
  const { a, now } = sender(6);
  a.give(ack(2, now, 1), now + 20);
  a.give(ack(3, now, 1), now + 20);
  t.deepEqual(sns(a.poll(now + 20)), []);
  a.give(ack(4, now, 1), now + 20.5);
  t.deepEqual(sns(a.poll(now + 20.5)), [1]);
  t.is(a.kcp.stats.retransmitted, 1);
});

test("one later arrival is enough when the segment is overdue by an eighth of a round trip", (t) => {
  const { a, now } = sender(2);
  a.give(ack(2, now, 1), now + 20);
  t.deepEqual(sns(a.poll(now + 20)), []);
  const at = a.kcp.nextTimeout;
  t.true(at > now + 20 && at < now + 24, `${at - now}`);
  t.deepEqual(sns(a.poll(at)), [1]);
});

test("a retransmission that is lost too is found by what was sent after it", (t) => {
  const { a, now } = sender(6);
  for (const sn of [2, 3, 4]) a.give(ack(sn, now, 1), now + 20);
  t.deepEqual(sns(a.poll(now + 20)), [1]);
  a.kcp.write(pattern(4 * MSS));
  const later = sns(a.poll(now + 21));
  t.true(later.length >= 3);
  for (const sn of later) a.give(ack(sn, Math.floor(now + 21), 1), now + 41);
  t.true(sns(a.poll(now + 41)).includes(1));
});

test("an acknowledgement of the first transmission after the second left is a spurious retransmission and teaches patience", (t) => {
  const { a, now } = sender(6);
  for (const sn of [2, 3, 4]) a.give(ack(sn, now, 1), now + 20);
  a.poll(now + 20);
  // Segment 1 was only late by 5 ms.
  a.give(ack(1, now, 5), now + 25);
  a.poll(now + 25);
  t.is(a.kcp.stats.spurious, 1);
  a.kcp.write(pattern(6 * MSS));
  a.poll(now + 30);
  const ts = Math.floor(now + 30);
  for (const sn of [8, 9, 10]) a.give(ack(sn, ts, 7), now + 50);
  t.deepEqual(sns(a.poll(now + 50)), [], "not given up at the third");
  const at = a.kcp.nextTimeout;
  t.true(at > now + 53, `${at - now}`);
  t.true(sns(a.poll(at)).includes(7));
});

test("a timeout sends the two oldest segments, not the whole window", (t) => {
  const { a, now } = sender(10);
  const at = a.kcp.nextTimeout;
  t.true(at > now + 20 && at < now + 100, `${at - now}`);
  t.deepEqual(sns(a.poll(at)), [1, 2]);
  // And no more before another timeout, half as long again.
  const next = a.kcp.nextTimeout;
  t.true(next - at > 1.4 * (at - now), `${next - at} after ${at - now}`);
  t.deepEqual(a.poll((at + next) / 2), []);
});

test("the acknowledgement of a timeout's probe reveals all the other losses at once", (t) => {
  const { a, now } = sender(10);
  const at = a.kcp.nextTimeout;
  a.poll(at);
  a.give(ack(1, Math.floor(at), 2), at + 20);
  a.give(ack(2, Math.floor(at), 3), at + 20);
  t.deepEqual(sns(a.poll(at + 20)).slice(0, 4), [3, 4, 5, 6]);
  t.true(now < at);
});

test("after a pause of the host, a late acknowledgement of everything does not count as loss of everything", (t) => {
  for (const extended of [false, true]) {
    const { a, now } = sender(30, { extended, mtu: 1200 });
    // The peer stood still: our timeout struck meanwhile.
    const at = a.kcp.nextTimeout;
    a.poll(at);
    a.give(ack(30, now, 3), at + 15);
    a.poll(at + 15);
    t.true(a.kcp.stats.retransmitted <= 2 + 27, "sanity");
    a.give(ack(30, now, 31), at + 15);
    a.poll(at + 16);
    t.is(a.kcp.unacknowledgedBytes, 0);
  }
});

test("an unanswered first segment is repeated after 40 ms, then with backoff, never more than 4 s apart", (t) => {
  const a = new Bare({ secondCopies: false });
  a.kcp.write(text("hello"));
  a.poll(0);
  const times: number[] = [];
  for (let i = 0; i < 25; i++) {
    const at = a.kcp.nextTimeout;
    t.deepEqual(sns(a.poll(at)), [0]);
    times.push(at);
  }
  t.is(times[0], 40);
  t.is(times[1], 40 + 60);
  for (let i = 1; i < times.length; i++) t.true(times[i]! - times[i - 1]! <= 4000);
  t.true(times[24]! - times[23]! >= 3999);
});

test("each segment of a thin stream goes a second time a few milliseconds later, unless it was acknowledged", (t) => {
  const a = new Bare();
  a.kcp.write(text("hello"));
  const [first] = a.poll(0);
  const due = a.kcp.nextTimeout;
  t.true(due >= 1 && due <= 4, `${due}`);
  const [copy] = a.poll(due);
  t.deepEqual(copy, first, "the same datagram, the same ts");
  t.is(a.kcp.stats.duplicated, 1);
  t.is(a.kcp.stats.retransmitted, 0);
  a.kcp.write(text("again"));
  a.poll(10);
  a.give(ack(1, 10, 2), 10.5);
  a.poll(10.5);
  t.is(a.kcp.nextTimeout, Infinity);
});

test("bulk is not sent twice, and a thin stream not faster than its budget", (t) => {
  const bulk = new Bare();
  bulk.kcp.write(pattern(30 * MSS));
  bulk.poll(0);
  t.is(
    bulk.kcp.nextTimeout > 3.5 ||
      bulk
        .poll(3.2)
        .flat()
        .every((s) => s.sn > 9),
    true,
  );

  const a = new Bare({ mtu: 1200 });
  let bytes = 0;
  for (let sn = 0, now = 0; now < 2000; sn++, now += 5) {
    a.kcp.write(pattern(1000));
    for (const s of a.poll(now).flat()) bytes += s.data.length;
    for (const s of a.poll(now + 4).flat()) bytes += s.data.length;
    a.give(ack(sn, now, sn + 1), now + 4.5);
  }
  // 400 kB of data; copies get 16 KiB and 64 bytes per millisecond.
  t.true(bytes <= 400_000 + 16_384 + 64 * 2000 + 2048, `${bytes}`);
  t.true(bytes >= 500_000);
});

test("the queue of second copies is bounded", (t) => {
  const copies = new SecondCopies(true, new RoundTrip(5));
  for (let i = 0; i < 10_000; i++) copies.handleRepair(i, i, 2, 0);
  let waiting = 0;
  for (; copies.dueAtMs < 10; waiting++) {
    t.is(copies.sn, waiting);
    copies.next(true, 5);
  }
  t.is(waiting, MAX_QUEUED_COPIES);
});

test("nothing is lost when the clock jumps by hours", (t) => {
  const { a, now } = sender(5);
  const later = now + 3_600_000;
  t.true(a.kcp.nextTimeout < later);
  t.deepEqual(sns(a.poll(later)), [1, 2]);
  for (const sn of [1, 2]) a.give(ack(sn, later | 0, sn + 1), later + 20);
  t.deepEqual(sns(a.poll(later + 20)), [3, 4, 5]);
});

test("acknowledgements of what was never sent are ignored", (t) => {
  const { a, now } = sender(3);
  a.give(ack(50, 0, 1), now + 20);
  a.give(ack(0xffff_fff0, 0, 1), now + 20);
  a.give(ack(2, 0, 100), now + 20);
  t.is(a.kcp.stats.sendQueueSegments, 3);
  t.is(a.kcp.stats.rejected, 1);
  t.is(a.kcp.remoteWindow, 1024);
});
