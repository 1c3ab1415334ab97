import test from "ava";
import fc from "fast-check";
import {
  LATENCY_WINDOW,
  LOSS_WINDOW,
  PING_DOUBT_TICK_MS,
  PING_LOSSES_TO_CLOSE,
  PING_LOSSES_TO_CLOSE_SUSPECT,
  PING_TIMEOUT_MS,
} from "../../../router-daemon/src/mesh/limits.ts";
import { Pinger } from "../../../router-daemon/src/mesh/pinger.ts";
import { Seeded } from "./fake-underlay.ts";

/** Never early: the interval's random shortening needs a value below a fifth. */
const steady = (): number => 0xffffffff;

interface Run {
  readonly sentAt: number[];
  readonly pinger: Pinger;
  now: number;
  tx: number;
  rx: number;
}

/** Runs a pinger for `ms`; `answer` gives the round trip of a ping, or undefined when it is lost. */
function run(ms: number, answer: (sequence: number, atMs: number) => number | undefined, before?: Run): Run {
  const state = before ?? { sentAt: [], pinger: new Pinger(steady, 0), now: 0, tx: 0, rx: 0 };
  const { pinger } = state;
  const end = state.now + ms;
  const pongs: { atMs: number; sequence: number }[] = [];
  for (;;) {
    const pong = pongs[0];
    const next = Math.min(pinger.nextTimeout, pong?.atMs ?? Number.POSITIVE_INFINITY);
    if (next > end || pinger.isDead) break;
    state.now = next;
    if (pong !== undefined && pong.atMs <= next) {
      pongs.shift();
      state.rx++;
      pinger.handlePong(pong.sequence, next);
      continue;
    }
    pinger.expire(next, state.rx);
    const sequence = pinger.tick(next, state.tx, state.rx);
    if (sequence < 0) continue;
    state.tx++;
    state.sentAt.push(next);
    const rtt = answer(sequence, next);
    if (rtt !== undefined) {
      pongs.push({ atMs: next + rtt, sequence });
      pongs.sort((a, b) => a.atMs - b.atMs);
    }
  }
  if (!pinger.isDead) state.now = end;
  return state;
}

test("on a healthy link pings thin out to 2, 4, 8, 16 and 32 seconds", (t) => {
  const { sentAt } = run(130_000, () => 10);
  t.deepEqual(
    sentAt.map((at) => at / 1000),
    [0, 2, 6, 14, 30, 62, 94, 126],
  );
});

test("a ping without an answer brings the next ones soon, until one is answered", (t) => {
  // The ping at 14 s is lost. At 15 s nothing was heard since: the next one goes out.
  const { sentAt, pinger } = run(40_000, (_sequence, at) => (at === 14_000 ? undefined : 10));
  t.deepEqual(
    sentAt.map((at) => at / 1000),
    [0, 2, 6, 14, 15, 16.2, 17.4, 21.4, 29.4],
  );
  t.is(pinger.lossesInARow, 0);
  t.false(pinger.isDead);
});

test("a link that falls silent is dead six seconds after the first lost ping", (t) => {
  const { now, pinger } = run(200_000, (_sequence, at) => (at < 30_000 ? 10 : undefined));
  t.true(pinger.isDead);
  t.is(pinger.lossesInARow, PING_LOSSES_TO_CLOSE);
  t.true(now - 30_000 <= 6000, `${now - 30_000} ms`);
});

test("lost pings alone do not end a link while anything else comes; silence afterwards does", (t) => {
  const state = run(30_000, () => 10);
  const { pinger } = state;
  for (let second = 0; second < 60; second++) {
    state.rx++;
    run(1000, () => undefined, state);
    t.false(pinger.isDead);
  }
  t.true(pinger.lossesInARow > 2 * PING_LOSSES_TO_CLOSE);
  const silentAt = state.now;
  run(60_000, () => undefined, state);
  t.true(pinger.isDead);
  t.true(state.now - silentAt <= 10_000, `${state.now - silentAt} ms`);
});

test("a link in doubt is pinged five times a second, and no more", (t) => {
  const { sentAt } = run(40_000, (_sequence, at) => (at < 20_000 ? 10 : undefined));
  const gaps = sentAt.slice(1).map((at, i) => at - sentAt[i]!);
  t.is(Math.min(...gaps), PING_DOUBT_TICK_MS);
});

test("sending without hearing anything brings a ping at the next tick", (t) => {
  const state = run(31_000, () => 10);
  const before = state.sentAt.length;
  // A payload packet leaves, nothing comes back: without this the next ping would be due at 62 s.
  state.tx++;
  run(2_000, () => 10, state);
  t.is(state.sentAt.length, before + 1);
});

test("a pong counts once, and only for a ping of ours that is still waited for", (t) => {
  const pinger = new Pinger(steady, 0);
  t.false(pinger.handlePong(0, 0));
  t.is(pinger.tick(0, 0, 0), 0);
  t.false(pinger.handlePong(1, 5));
  t.false(pinger.handlePong(8, 5), "the same place in the ring, another ping");
  t.true(pinger.handlePong(0, 5));
  t.false(pinger.handlePong(0, 6));
  t.is(pinger.latencyMs, 5);
  pinger.tick(1000, 1, 1);
  const second = pinger.tick(2000, 1, 1);
  t.is(second, 1);
  t.true(pinger.expire(2000 + PING_TIMEOUT_MS, 1));
  t.false(pinger.handlePong(second, 2000 + PING_TIMEOUT_MS + 1), "too late");
});

test("latency is the mean of the last 15 answers, loss the share of the last 100 pings", (t) => {
  let pings = 0;
  const { pinger } = run(60 * 60_000, (sequence) => {
    pings++;
    return sequence % 4 === 3 ? undefined : 10 + (sequence % 2);
  });
  t.true(pings > LOSS_WINDOW + LATENCY_WINDOW);
  const latency = pinger.latencyMs ?? 0;
  t.true(latency > 10 && latency < 11, `${latency}`);
  t.is(pinger.lossShare, 0.25);
});

test("before the first result nothing is claimed", (t) => {
  const pinger = new Pinger(steady, 0);
  t.is(pinger.latencyMs, null);
  t.is(pinger.lossShare, null);
  t.is(pinger.nextTimeout, 0);
});

test("a suspect is asked at once and given up within three seconds; an answer clears it", (t) => {
  const state = run(31_000, () => 10);
  const { pinger, sentAt } = state;
  const before = sentAt.length;
  pinger.suspect(state.now);
  run(500, () => 10, state);
  t.is(sentAt.length, before + 1);
  t.false(pinger.isSuspect);

  pinger.suspect(state.now);
  const since = state.now;
  run(20_000, () => undefined, state);
  t.true(pinger.isDead);
  t.is(pinger.lossesInARow, PING_LOSSES_TO_CLOSE_SUSPECT);
  t.true(state.now - since <= 3_000, `${state.now - since} ms`);
});

test("a machine that slept catches up with one tick, not with thousands", (t) => {
  const state = run(10_000, () => 10);
  const { pinger } = state;
  const woken = state.now + 3_600_000;
  pinger.expire(woken, 1);
  pinger.tick(woken, 1, 1);
  t.true(pinger.nextTimeout > woken);
});

test("whatever is lost, the wait is never longer than a second for the tick and 2 s for a verdict", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 90 }), (seed, lossPercent) => {
      const random = new Seeded(seed);
      const pinger = new Pinger(random.u32, 0);
      let now = 0;
      let tx = 0;
      let rx = 0;
      for (let step = 0; step < 500 && !pinger.isDead; step++) {
        const next = pinger.nextTimeout;
        t.true(next >= now && next <= now + 1000);
        now = next;
        pinger.expire(now, rx);
        const sequence = pinger.tick(now, tx, rx);
        if (sequence < 0) continue;
        tx++;
        if (random.below(100) < lossPercent) continue;
        rx++;
        t.true(pinger.handlePong(sequence, now + 3));
      }
      t.true(pinger.lossesInARow < 2 * PING_LOSSES_TO_CLOSE);
    }),
    { numRuns: 50 },
  );
});
