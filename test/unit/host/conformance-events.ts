import { END_OF_STREAM, NO_CIPHER, PollEvent, TIMER_HANDLE } from "../../../router-daemon/src/host/host.ts";
import { E, LOOPBACK_NUMBER } from "./desk.ts";
import type { Suite } from "./suite.ts";

/** Clock, timer, readiness, handles. */
export function eventConformance(suite: Suite): void {
  suite.test("the clock never goes back and knows fractions of a millisecond", async (t, desk, world) => {
    const { host } = desk();
    const start = host.now();
    let last = start;
    let fractions = 0;
    for (let i = 0; i < 100; i++) {
      const now = host.now();
      t.true(now >= last);
      if (now % 1 !== 0) fractions++;
      last = now;
    }
    await world.pass(5);
    t.true(host.now() >= start + 4.9);
    t.true(world.name.includes("simulated") || fractions > 0);
    t.true(Number.isInteger(host.unixTime()) && host.unixTime() > 1_700_000_000);
  });

  suite.test("randomness fills exactly the bytes asked for", (t, desk) => {
    const d = desk();
    d.bytes.fill(0, d.scratch, d.scratch + 300);
    d.host.random(d.scratch + 10, 256);
    t.true(d.bytes.subarray(d.scratch, d.scratch + 10).every((byte) => byte === 0));
    t.true(d.bytes.subarray(d.scratch + 266, d.scratch + 300).every((byte) => byte === 0));
    t.true(new Set(d.bytes.subarray(d.scratch + 10, d.scratch + 266)).size > 100);
    t.throws(() => d.host.random(d.bytes.length - 4, 8), { instanceOf: RangeError });
  });

  suite.test("the timer fires once, not before its time", async (t, desk, world) => {
    const d = desk();
    const at = d.host.now() + 3.5;
    d.host.setTimer(at);
    await world.until(() => d.saw(TIMER_HANDLE, PollEvent.timer), "the timer");
    t.true(d.host.now() >= at);
    d.forget();
    await world.pass(10);
    t.false(d.saw(TIMER_HANDLE, PollEvent.timer));
  });

  suite.test(
    "a second setTimer replaces the first, a past one fires at once, Infinity is off",
    async (t, desk, world) => {
      const d = desk();
      d.host.setTimer(d.host.now() + 2);
      d.host.setTimer(Number.POSITIVE_INFINITY);
      await world.pass(6);
      t.false(d.saw(TIMER_HANDLE, PollEvent.timer));
      d.host.setTimer(d.host.now() + 60_000);
      const soon = d.host.now() + 2;
      d.host.setTimer(soon);
      await world.until(() => d.saw(TIMER_HANDLE, PollEvent.timer), "the replaced timer");
      t.true(d.host.now() >= soon && d.host.now() < soon + 30_000);
      for (const past of [d.host.now() - 1000, 0, -5]) {
        d.forget();
        d.host.setTimer(past);
        await world.until(() => d.saw(TIMER_HANDLE, PollEvent.timer), `the timer at ${past}`);
      }
      // The same time again after it fired is a new timer.
      const same = d.host.now() - 1;
      for (const which of ["first", "second"]) {
        d.forget();
        d.host.setTimer(same);
        await world.until(() => d.saw(TIMER_HANDLE, PollEvent.timer), `the ${which} timer of the same time`);
      }
    },
  );

  suite.test(
    "wake is called for the timer and for datagrams, and a later onReady replaces it",
    async (t, desk, world) => {
      const d = desk();
      const wakes = { first: 0, second: 0 };
      d.host.onReady(() => {
        wakes.first++;
        d.look();
      });
      d.host.setTimer(d.host.now() + 1);
      await world.until(() => wakes.first > 0, "a wake for the timer");
      const socket = d.udp();
      d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 1, 0, 9));
      const before = wakes.first;
      await world.until(() => wakes.first > before, "a wake for a datagram");
      t.is(d.receive(socket).length, 1);
      d.host.onReady(() => {
        wakes.second++;
        d.look();
      });
      const last = wakes.first;
      d.host.setTimer(d.host.now() + 1);
      await world.until(() => wakes.second > 0, "a wake of the second function");
      t.is(wakes.first, last);
    },
    ["wake"],
  );

  suite.test(
    "a socket is reported once per arrival, not as long as there is something",
    async (t, desk, world) => {
      const d = desk();
      const socket = d.udp();
      t.is(d.host.poll(d.events, 16), 0);
      d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0));
      await world.until(() => d.saw(socket.handle, PollEvent.readable), "the datagram");
      d.forget();
      t.false(d.saw(socket.handle, PollEvent.readable));
      d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0));
      await world.until(() => d.saw(socket.handle, PollEvent.readable), "the second datagram");
      t.is(d.drain(socket).length, 2);
    },
  );

  suite.test("the first read after an event finds what was announced", async (t, desk, world) => {
    const d = desk();
    const socket = d.udp();
    for (let i = 0; i < 5; i++) {
      d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0));
      await world.until(() => d.saw(socket.handle, PollEvent.readable), "the datagram");
      d.forget();
      // Only one call, which may have learnt that there is nothing more.
      t.is(d.receive(socket).length, 1);
    }
  });

  suite.test("poll reports no more than asked for and the rest later", async (t, desk, world) => {
    const d = desk();
    const sockets = [d.udp(), d.udp(), d.udp()];
    for (const socket of sockets) d.datagram(socket, socket.port, Uint8Array.of(1, 2, 3, 4, 1, 0, 0, 0));
    const seen = new Set<number>();
    await world.until(() => {
      const count = d.host.poll(d.events, 1);
      t.true(count <= 1);
      if (count === 1) seen.add(d.words[d.events]!);
      return seen.size === 3;
    }, "three sockets");
    t.deepEqual([...seen].sort(), sockets.map((socket) => socket.handle).sort());
    t.is(d.host.poll(d.events, 0), 0);
  });

  suite.test("a closed handle is refused by every call, also when its place is taken again", (t, desk) => {
    const d = desk();
    const { host } = d;
    const first = d.udp();
    d.link(5, first, 9, 9);
    d.route(5, 5, new Uint8Array(16));
    host.close(first.handle);
    const second = d.udp();
    t.not(second.handle, first.handle);
    for (const handle of [first.handle, 0, -1, 0x7fff_ffff, first.handle + 1_000_000]) {
      t.is(host.udpReceive(handle, d.slots, 1, d.out), E.BADF);
      t.is(host.sendDatagram(handle, d.endpoint("127.0.0.1", 9), d.scratch, 4), E.BADF);
      t.is(host.linkSet(0, handle, d.endpoint("127.0.0.1", 9), 1), E.BADF);
      t.is(host.tcpError(handle), E.BADF);
      t.is(host.tcpRead(handle, d.list, 0), E.BADF);
      t.is(host.tcpWrite(handle, d.list, 0), E.BADF);
      t.is(host.tcpShutdown(handle), E.BADF);
      t.is(host.tunRead(handle, d.out, 1), E.BADF);
      t.is(host.tunWrite(handle, d.list, 1), E.BADF);
      t.is(host.tunConfigure(handle, LOOPBACK_NUMBER, 24, 1400), E.BADF);
      t.is(host.tunRoute(handle, true, 0, 0), E.BADF);
      t.notThrows(() => host.close(handle));
      t.notThrows(() => host.tcpAbort(handle));
    }
    // A handle of another kind is as good as closed.
    t.is(host.tcpRead(second.handle, d.list, 0), E.BADF);
    // The socket's links went with it.
    t.is(host.sendOnLink(5, d.scratch, 20), E.NOENT);
    t.is(d.send([{ bytes: Uint8Array.of(1), route: 5 }]), 0);
    t.is(d.count("txNoRoute") >= 1, true);
  });

  suite.test("handles are used again a thousand times without a stale one coming alive", (t, desk) => {
    const d = desk();
    const old = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      const { handle } = d.udp();
      t.false(old.has(handle));
      old.add(handle);
      d.host.close(handle);
    }
    for (const handle of old) t.is(d.host.udpReceive(handle, d.slots, 1, d.out), E.BADF);
  });

  suite.test("a disposed host refuses everything and can be disposed again", (t, desk) => {
    const d = desk();
    const socket = d.udp();
    d.host.dispose();
    d.host.dispose();
    t.true(d.host.udpReceive(socket.handle, d.slots, 1, d.out) < 0);
    t.true(d.host.send(d.list, 0) < 0);
    t.true(d.host.tcpConnect(LOOPBACK_NUMBER, 1) < 0);
    t.true("error" in d.host.udpOpen(d.endpoint("127.0.0.1", 0)));
    t.true("error" in d.host.tunOpen("kr0"));
    t.true(d.host.poll(d.events, 1) <= 0);
  });

  suite.test("every error has a sentence", (t, desk) => {
    const { host } = desk();
    for (let code = -1; code > -140; code--) t.regex(host.describeError(code), /^[A-Z].*\.$/);
    for (const code of [0, 5, END_OF_STREAM, NO_CIPHER, -99_999, 0x7fff_ffff, -0x8000_0000]) {
      t.regex(host.describeError(code), /^[A-Z].*\.$/);
    }
  });
}
