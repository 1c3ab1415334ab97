import test from "ava";
import { Command, encodeSegment } from "../src/index.ts";
import { Bare, exchange, pattern, text } from "./bare.ts";

function tell(wnd: number, una: number, cmd: number = Command.tellWindow): Uint8Array {
  return encodeSegment({ conv: 7, cmd, frg: 0, wnd, ts: 0, sn: 0, una, data: text("") });
}

test("before anything was heard, a window of 128 segments is assumed", (t) => {
  const a = new Bare({ mtu: 100 });
  t.is(a.kcp.remoteWindow, 128);
  t.is(a.kcp.largestRemoteWindow, 0);
});

test("no more is sent than the peer has room for", (t) => {
  const a = new Bare({ mtu: 100 });
  a.give(tell(5, 0), 0);
  a.kcp.write(pattern(20 * 76));
  t.is(a.poll(0).length, 5);
  t.is(a.kcp.remoteWindow, 5);
});

test("a closed window is asked about after 100 ms, then less often, at least every two seconds", (t) => {
  const a = new Bare();
  a.give(tell(0, 0), 0);
  a.kcp.write(text("hello"));
  t.is(a.poll(0).length, 0);
  const asked: number[] = [];
  for (let now = a.kcp.nextTimeout; now < 60_000; now = a.kcp.nextTimeout) {
    const segments = a.poll(now).flat();
    if (segments.length > 0) {
      t.deepEqual(
        segments.map((s) => s.cmd),
        [Command.askWindow],
      );
      asked.push(now);
    }
  }
  t.is(asked[0], 100);
  t.true(asked.length > 25, `${asked.length}`);
  for (let i = 1; i < asked.length; i++) t.true(asked[i]! - asked[i - 1]! <= 2000.001);
});

test("the answer opens the window, and sending goes on at once", (t) => {
  const a = new Bare();
  a.give(tell(0, 0), 0);
  a.kcp.write(text("hello"));
  a.poll(0);
  a.give(tell(3, 0), 150);
  t.true(a.kcp.nextTimeout <= 150);
  t.is(a.poll(150).flat()[0]!.cmd, Command.push);
});

test("a question is answered with the next poll", (t) => {
  const b = new Bare({ receiveWindow: 200 });
  b.give(tell(9, 0, Command.askWindow), 5);
  t.true(b.kcp.nextTimeout <= 5);
  const segments = b.poll(5).flat();
  t.is(segments.length, 1);
  t.like(segments[0], { cmd: Command.tellWindow, wnd: 200, una: 0 });
});

test("asking on demand shows when the peer's reader has taken everything", (t) => {
  const a = new Bare();
  const b = new Bare({ receiveWindow: 300 });
  a.kcp.write(pattern(10_000));
  exchange(a, b, 0);
  t.is(a.kcp.unacknowledgedBytes, 0);
  t.is(a.kcp.remoteWindow, 300 - 9);
  b.read();
  exchange(a, b, 10);
  t.is(a.kcp.remoteWindow, 300 - 9, "it does not say so by itself");
  a.kcp.askWindow();
  exchange(a, b, 20);
  t.is(a.kcp.stats.windowAnswers, 1);
  t.is(a.kcp.remoteWindow, 300);
  t.is(a.kcp.largestRemoteWindow, 300);
});

test("an older datagram that arrives late does not change the window back", (t) => {
  const a = new Bare();
  a.kcp.write(pattern(5000));
  a.poll(0);
  a.give(tell(50, 3, Command.tellWindow), 10);
  a.give(tell(2, 1, Command.tellWindow), 11);
  t.is(a.kcp.remoteWindow, 50);
});

test("retransmissions leave although the window is closed", (t) => {
  const a = new Bare({ secondCopies: false });
  a.kcp.write(text("hello"));
  a.poll(0);
  a.give(tell(0, 0), 10);
  a.poll(10);
  t.is(a.poll(a.kcp.nextTimeout).flat()[0]!.sn, 0);
});

test("a disposed connection is silent and owns nothing", (t) => {
  const a = new Bare();
  const b = new Bare();
  a.kcp.write(pattern(50_000));
  a.kcp.reserve(new Int32Array(16), 0, 8);
  a.poll(0);
  const sent = [...a.out];
  for (const datagram of sent.slice(1)) b.give(datagram, 0);
  b.poll(0);
  t.true(a.usedSlots > 0 && b.usedSlots > 0);
  for (const end of [a, b]) {
    end.kcp.dispose();
    end.kcp.dispose();
    t.is(end.usedSlots, 0);
    t.is(end.kcp.nextTimeout, Infinity);
    t.is(end.kcp.writableBytes, 0);
    t.is(end.kcp.write(text("x")), 0);
    t.is(end.kcp.readableBytes, 0);
    t.false(end.give(sent[0]!, 5));
    t.deepEqual(end.poll(5), []);
    t.is(end.usedSlots, 0);
  }
});
