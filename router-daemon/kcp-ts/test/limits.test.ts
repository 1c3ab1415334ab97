import test from "ava";
import {
  Command,
  encodeSegment,
  HEADER_BYTES,
  MAX_PENDING_ACKS,
  MAX_SCRATCH_SLOTS,
  MAX_WINDOW_SEGMENTS,
  MIN_EXTENDED_MTU,
  MIN_RECEIVE_WINDOW_SEGMENTS,
  MIN_UNSENT_SEGMENTS,
} from "../src/index.ts";
import { Bare, pattern } from "./bare.ts";

function push(sn: number, ts: number): Uint8Array {
  return encodeSegment({ conv: 7, cmd: Command.push, frg: 0, wnd: 1, ts, sn, una: 0, data: pattern(1) });
}

test("acknowledgements that nobody fetches are bounded", (t) => {
  const b = new Bare({ mtu: 1200, slots: 1000 });
  for (let i = 0; i < 3 * MAX_PENDING_ACKS; i++) b.give(push(1 + (i % 500), i), 0);
  let acks = 0;
  for (let turn = 0; turn < 10; turn++) for (const datagram of b.poll(turn * 10)) acks += datagram.length;
  // And the few that are repeated because loss was seen.
  t.true(acks >= MAX_PENDING_ACKS && acks <= MAX_PENDING_ACKS + 16, `${acks}`);
});

test("one poll hands out a bounded number of acknowledgement datagrams, the next goes on", (t) => {
  // Two acknowledgements per datagram.
  const b = new Bare({ mtu: 2 * HEADER_BYTES, slots: 2000 });
  for (let sn = 1; sn <= 1000; sn++) b.give(push(sn, sn), 0);
  t.is(b.poll(0).length, MAX_SCRATCH_SLOTS);
  t.is(b.usedSlots, 1000 + MAX_SCRATCH_SLOTS);
  t.is(b.kcp.nextTimeout, 0);
  let total = MAX_SCRATCH_SLOTS;
  for (let turn = 0; turn < 10; turn++) total += b.poll(0).length;
  total += b.poll(1).length;
  t.is(total, 500);
  t.is(b.poll(1).length, 0);
  t.is(b.usedSlots, 1000);
});

test("an extended acknowledgement of a full window fits the smallest mtu allowed for it", (t) => {
  const b = new Bare({
    extended: true,
    mtu: MIN_EXTENDED_MTU,
    receiveWindow: MAX_WINDOW_SEGMENTS,
    slots: 5000,
  });
  for (let sn = 0; sn < 30; sn++) b.give(push(sn, 0), 0);
  b.read();
  b.poll(0);
  b.give(push(31, 0), 5);
  b.give(push(30 + MAX_WINDOW_SEGMENTS - 1, 0), 5);
  const [segment] = b.poll(5).flat();
  t.is(b.out[0]!.length, MIN_EXTENDED_MTU);
  t.is(segment!.data.length, 129 * 4);
});

test("a ring holds the largest window and not one segment more", (t) => {
  const b = new Bare({ receiveWindow: MAX_WINDOW_SEGMENTS, slots: 5000 });
  for (let sn = MAX_WINDOW_SEGMENTS + 10; sn > 0; sn--) b.give(push(sn, 0), 0);
  t.is(b.kcp.stats.heldSegments, MAX_WINDOW_SEGMENTS - 1);
  t.is(b.kcp.stats.dropped, 11);
  b.give(push(0, 0), 0);
  t.is(b.kcp.readableBytes, MAX_WINDOW_SEGMENTS);
});

test("a peer that assumes the smallest window of KCP is not disappointed", (t) => {
  const b = new Bare({ receiveWindow: MIN_RECEIVE_WINDOW_SEGMENTS, slots: 500 });
  for (let sn = 0; sn < 128; sn++) b.give(push(sn, 0), 0);
  t.is(b.kcp.stats.dropped, 0);
});

test("a writer without a reader fills a bounded queue", (t) => {
  const a = new Bare({ slots: 5000, mtu: 1200 });
  let written = 0;
  for (let now = 0; now < 100; now++) {
    written += a.kcp.write(new Uint8Array(100_000));
    a.poll(now);
  }
  const inFlight = a.kcp.stats.sent;
  t.is(written, (inFlight + MIN_UNSENT_SEGMENTS) * (1200 - HEADER_BYTES));
  t.true(inFlight <= 32, `${inFlight}`);
});
