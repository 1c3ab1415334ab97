import test from "ava";
import { encodeFrame, type NaiveSegment } from "./naive.ts";
import { pattern, World } from "./world.ts";

const MSS = 1448;

/** A download whose acknowledgements are made by hand: positions in our stream, 0 = its first byte. */
function byHand(segments: number, rttMs = 10) {
  const world = new World({ down: { delayMs: rttMs / 2 }, up: { delayMs: rttMs / 2 } });
  const { client, server } = world.connected();
  const first = client.expectedSequence;
  client.silent = true;
  server.write(pattern(segments * MSS));
  world.poll();
  const base: NaiveSegment = {
    source: client.options.address,
    destination: client.options.targetAddress,
    sourcePort: client.options.port,
    destinationPort: client.options.targetPort,
    sequence: client.nextSequence,
    acknowledgement: 0,
    flags: new Set(["ack"]),
    window: 2000,
    payload: new Uint8Array(0),
  };
  const place = (sequence: number) => (sequence - first) | 0;
  /** Feeds an acknowledgement and returns what goes out then: [position, bytes] of each frame with payload. */
  const acknowledge = (to: number, sack: [number, number][] = [], change: Partial<NaiveSegment> = {}) => {
    const echo = world.output.at(-1)!.timestamps!.value;
    const segment: NaiveSegment = {
      ...base,
      acknowledgement: (first + to) >>> 0,
      timestamps: { value: Math.floor(world.now), echo },
      ...change,
    };
    if (sack.length > 0)
      segment.sack = sack.map(([from, end]) => [(first + from) >>> 0, (first + end) >>> 0]);
    world.feed(encodeFrame(segment, "partial"));
    return output(() => world.poll());
  };
  const output = (work: () => void) => {
    const before = world.output.length;
    work();
    return world.output
      .slice(before)
      .filter((one) => one.payload.length > 0 || one.flags.has("fin"))
      .map((one): [number, number] => [place(one.sequence), one.payload.length]);
  };
  const wait = (ms: number) =>
    output(() => {
      world.run(ms);
    });
  /** Behind the furthest byte that went out. */
  const sentEnd = () => {
    const ends = world.output.filter((one) => one.payload.length > 0);
    return Math.max(...ends.map((one) => place(one.sequence) + one.payload.length));
  };
  return { world, server, acknowledge, wait, sentEnd };
}

const seg = (from: number, to: number): [number, number] => [from * MSS, to * MSS];

test("three segments acknowledged behind a hole prove the loss: it is sent again at once", (t) => {
  const { acknowledge, wait } = byHand(10);
  wait(10);
  t.deepEqual(acknowledge(0, [seg(1, 3)]), [], "two could be reordering");
  t.deepEqual(acknowledge(0, [seg(1, 4)]), [[0, MSS]]);
  t.deepEqual(acknowledge(0, [seg(1, 10)]), [], "once");
});

test("fewer than three prove it after a quarter of a round trip", (t) => {
  const { acknowledge, wait } = byHand(3, 40);
  wait(40);
  t.deepEqual(acknowledge(0, [seg(2, 3)]), []);
  t.deepEqual(wait(9), []);
  t.deepEqual(wait(2), [[0, 2 * MSS]]);
});

test("the first retransmission does not wait for the shrunken window", (t) => {
  const { acknowledge, wait } = byHand(60);
  wait(10);
  // Slow start: twenty segments in flight.
  acknowledge(10 * MSS);
  wait(10);
  t.deepEqual(acknowledge(10 * MSS, [seg(11, 14)]), [[10 * MSS, MSS]]);
});

test("a hole that comes late, after all, is no loss: nothing is sent again", (t) => {
  const { acknowledge, wait, server } = byHand(10);
  wait(10);
  acknowledge(0, [seg(1, 3)]);
  wait(0.5);
  acknowledge(3 * MSS);
  acknowledge(10 * MSS);
  wait(50);
  t.is(server.flow.retransmittedBytes, 0);
});

test("a needless recovery is taken back by the timestamps, and what was not sent again is not lost any more", (t) => {
  const { world, acknowledge, wait, server } = byHand(10);
  wait(5);
  // Nothing is heard for longer than the timeout.
  const again = wait(300);
  t.deepEqual(again, [
    [9 * MSS, MSS],
    [0, MSS],
  ]);
  // Then the acknowledgements of the first transmission come, one by one.
  const echo = world.output.find((one) => one.payload.length > 0)!.timestamps!.value;
  for (let segments = 1; segments < 10; segments++) {
    t.deepEqual(acknowledge(segments * MSS, [], { timestamps: { value: Math.floor(world.now), echo } }), []);
    t.deepEqual(wait(0.2), []);
  }
  t.is(server.flow.retransmittedBytes, 2 * MSS);
});

test("the timeout is doubled each time, and back to normal after progress", (t) => {
  const { world, acknowledge, wait } = byHand(4);
  wait(10);
  const times: number[] = [];
  const before = world.output.length;
  while (times.length < 6) {
    wait(1);
    if (world.output.length > before + times.length) times.push(world.now);
  }
  // The first is the tail probe; the rest are timeouts.
  const gaps = times.slice(2).map((time, index) => time - times[index + 1]!);
  for (let index = 1; index < gaps.length; index++) {
    t.true(gaps[index]! > 1.8 * gaps[index - 1]! && gaps[index]! < 2.2 * gaps[index - 1]!, gaps.join());
  }
  acknowledge(MSS);
  const start = world.now;
  while (wait(1).length === 0 && world.now - start < 5000);
  t.true(world.now - start < 600, `${world.now - start} ms until the next try`);
});

test("D-SACK widens the patience with reordering, one step per round trip", (t) => {
  /** How long the sender waits for a hole, after `rounds` round trips with copies told of, `copies` in each. */
  const patience = (rounds: number, copies: number) => {
    const { acknowledge, wait, sentEnd, world } = byHand(400, 40);
    wait(40);
    // The network reorders: the first segment comes after the second.
    acknowledge(0, [seg(1, 2)]);
    acknowledge(sentEnd());
    for (let round = 0; round < rounds; round++) {
      wait(40);
      const end = sentEnd();
      acknowledge(end);
      for (let copy = 0; copy < copies; copy++) acknowledge(end, [[end - MSS, end]]);
    }
    wait(40);
    const end = sentEnd();
    acknowledge(end);
    wait(40);
    acknowledge(end, [[end + MSS, end + 6 * MSS]]);
    const start = world.now;
    while (!wait(0.5).some(([at]) => at === end) && world.now - start < 100);
    return world.now - start;
  };
  const plain = patience(0, 0);
  t.true(plain > 5 && plain < 15, `${plain} ms: a quarter of the round trip`);
  const once = patience(1, 1);
  t.true(once > 1.5 * plain, `${once} ms after one copy, ${plain} ms without`);
  t.true(Math.abs(patience(1, 5) - once) < 3, "copies of the same round trip count once");
  t.true(patience(2, 1) > 1.3 * once);
});

test("selective acknowledgements of nonsense change nothing", (t) => {
  const { acknowledge, wait, server, world } = byHand(10);
  wait(10);
  const nonsense: [number, number][][] = [
    [[5000, 5000]],
    [[9000, 5000]],
    [[-5000, -2000]],
    [[0, 1_000_000]],
    [[100_000, 200_000]],
    [[-100, 100]],
  ];
  for (const blocks of nonsense) acknowledge(0, blocks);
  wait(3);
  t.is(server.flow.retransmittedBytes, 0);
  acknowledge(10 * MSS);
  t.is(server.flow.unacknowledgedBytes, 0);
  t.is(world.usedSlots, 0);
});

test("blocks that cut segments anywhere lead to the exact bytes that are missing", (t) => {
  const { acknowledge, wait } = byHand(10);
  wait(10);
  acknowledge(100, [
    [777, 5000],
    [6001, 14_000],
  ]);
  const again = wait(5);
  t.deepEqual(again.slice(0, 2), [
    [100, 677],
    [5000, 1001],
  ]);
});

test("a FIN needs room in the window like a byte", (t) => {
  const { acknowledge, wait, server } = byHand(10);
  wait(10);
  acknowledge(10 * MSS, [], { window: 10 });
  server.write(pattern(1280));
  server.shutdown();
  t.deepEqual(wait(1), [[10 * MSS, 1280]]);
  t.is(server.flow.state, "established", "the window of 1280 bytes is full");
  t.deepEqual(acknowledge(10 * MSS + 1280, [], { window: 1 }), [[10 * MSS + 1280, 0]]);
  t.is(server.flow.state, "finWait1");
});

test("a window that shrinks stops new data, not the repair of what is lost", (t) => {
  const { acknowledge, wait } = byHand(30);
  wait(10);
  t.deepEqual(acknowledge(0, [seg(1, 10)], { window: 0 }), [[0, MSS]]);
  t.deepEqual(wait(3), []);
  t.true(acknowledge(10 * MSS, [], { window: 2000 }).length > 0);
});

test("an application that sends little does not grow its window without proof", (t) => {
  const { acknowledge, server, world, wait } = byHand(1);
  let at = MSS;
  for (let round = 0; round < 200; round++) {
    wait(10);
    acknowledge(at);
    server.write(pattern(MSS));
    world.poll();
    at += MSS;
  }
  wait(10);
  acknowledge(at);
  server.write(pattern(200 * MSS));
  const flight = wait(4).reduce((sum, [, bytes]) => sum + bytes, 0);
  t.true(flight <= 22 * MSS, `${flight / MSS} segments at once`);
});

test("after a long silence the window has aged", (t) => {
  const { acknowledge, server, wait, sentEnd } = byHand(400);
  while (server.waitingBytes > 0 || server.flow.unacknowledgedBytes > 0) {
    wait(10);
    acknowledge(sentEnd());
  }
  server.write(pattern(80 * MSS));
  const grown = wait(1).reduce((sum, [, bytes]) => sum + bytes, 0);
  t.is(grown, 80 * MSS);
  acknowledge(sentEnd());
  wait(20_000);
  server.write(pattern(80 * MSS));
  const flight = wait(1).reduce((sum, [, bytes]) => sum + bytes, 0);
  t.is(flight, 10 * MSS);
});

test("fast recovery sends less afterwards, a timeout begins at one segment", (t) => {
  const { acknowledge, wait, world, sentEnd } = byHand(600);
  for (let round = 0; round < 3; round++) {
    wait(10);
    acknowledge(sentEnd());
  }
  wait(10);
  const flights = () => world.output.at(-1)!.payload.length;
  const before = sentEnd();
  const first = before - 80 * MSS;
  // Eighty segments in flight, the first one lost.
  acknowledge(first, [[first + MSS, before]]);
  wait(10);
  const middle = sentEnd();
  acknowledge(middle);
  wait(10);
  const inFlight = (sentEnd() - middle) / MSS;
  t.true(inFlight >= 40 && inFlight <= 58, `${inFlight} segments after the recovery`);
  // Silence: the next tries are single segments.
  world.run(1500);
  t.true(flights() <= MSS);
});
