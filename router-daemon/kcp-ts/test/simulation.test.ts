import test from "ava";
import type { KcpOptions } from "../src/index.ts";
import { KcpEnd } from "./kcp-end.ts";
import type { LinkOptions } from "./link.ts";
import { PlainEnd } from "./plain-end.ts";
import { type End, World } from "./world.ts";

/** 300 Mbit/s, 20 ms round trip, 1.5 MB of queue, and what a datagram costs besides itself in the daemon. */
const wan = (loss: number): LinkOptions => ({
  delayMs: 10,
  loss,
  bytesPerMs: 37_500,
  queueBytes: 1_500_000,
  overheadBytes: 72,
});
const OURS = { conv: 7, mtu: 1400, sendWindow: 4096, receiveWindow: 4096, extended: true };
const STOCK = { conv: 7 };

interface Bulk {
  /** Goodput after the first second, as a share of what the link can carry. */
  share: number;
  a: KcpEnd;
  b: KcpEnd;
  world: World;
}

function bulk(
  options: Omit<KcpOptions, "pool">,
  forward: LinkOptions,
  seed: number,
  backward = forward,
  ms = 3000,
): Bulk {
  const a = new KcpEnd(options, { sendBytes: Infinity });
  const b = new KcpEnd(options);
  const world = new World();
  world.connect(a, b, { ...forward }, { ...backward }, seed);
  world.run(1000);
  const before = b.receivedBytes;
  world.run(ms);
  const mtu = options.mtu ?? 1200;
  const overhead = forward.overheadBytes ?? 0;
  const ideal = ((forward.bytesPerMs! * (mtu - 24)) / (mtu + overhead)) * (1 - (forward.loss ?? 0));
  return { share: (b.receivedBytes - before) / (ms - 1000) / ideal, a, b, world };
}

for (const loss of [0, 0.01, 0.05, 0.1]) {
  test(`300 Mbit/s, 20 ms, ${100 * loss} % loss each way: at least 95 % of ideal, hardly a needless retransmission`, (t) => {
    const seed = 11;
    const { share, a, b } = bulk(OURS, wan(loss), seed);
    const { retransmitted } = a.kcp.stats;
    t.log(
      `${(100 * share).toFixed(1)} %, ${retransmitted} retransmitted, ${b.kcp.stats.duplicatesReceived} needless`,
    );
    t.true(share >= 0.95, `${share} with seed ${seed}`);
    t.true(
      a.kcp.stats.spurious <= 0.01 * retransmitted + 2,
      `spurious ${a.kcp.stats.spurious} of ${retransmitted}`,
    );
    t.true(b.kcp.stats.duplicatesReceived <= 0.02 * retransmitted + 10, `${b.kcp.stats.duplicatesReceived}`);
  });
}

test("the queue of a path stays short: cruising adds less than half a round trip", (t) => {
  const { a, world } = bulk(OURS, wan(0), 12);
  const samples: number[] = [];
  for (let now = 3000; now < 5000; now += 10) {
    world.run(now);
    samples.push(a.kcp.stats.srttMs);
  }
  const mean = samples.reduce((x, y) => x + y) / samples.length;
  t.log(`mean round trip ${mean.toFixed(1)} ms`);
  t.true(mean < 30, `${mean}`);
});

const paths: Record<string, { link: LinkOptions; back?: LinkOptions; share: number }> = {
  "2 Mbit/s": { link: { delayMs: 20, bytesPerMs: 250, queueBytes: 64_000 }, share: 0.95 },
  "20 Mbit/s with 10 % loss": {
    link: { delayMs: 15, bytesPerMs: 2500, queueBytes: 200_000, loss: 0.1 },
    share: 0.9,
  },
  "100 Mbit/s with a queue of 20 kB": {
    link: { delayMs: 15, bytesPerMs: 12_500, queueBytes: 20_000 },
    share: 0.9,
  },
  "10 Mbit/s policed": { link: { delayMs: 30, bytesPerMs: 1250, queueBytes: 6_000 }, share: 0.85 },
  "100 Mbit/s with 5 ms of jitter": {
    link: { delayMs: 10, jitterMs: 5, bytesPerMs: 12_500, queueBytes: 500_000 },
    share: 0.95,
  },
  "100 Mbit/s with bursts of loss": {
    link: { delayMs: 10, burst: { start: 0.004, length: 8 }, bytesPerMs: 12_500, queueBytes: 500_000 },
    share: 0.9,
  },
  "100 Mbit/s down, 2 Mbit/s up": {
    link: { delayMs: 10, bytesPerMs: 12_500, queueBytes: 500_000 },
    back: { delayMs: 10, bytesPerMs: 250, queueBytes: 64_000, overheadBytes: 72 },
    share: 0.95,
  },
};
for (const [name, { link, back, share }] of Object.entries(paths)) {
  for (const extended of [true, false]) {
    test(`${name}, ${extended ? "extended" : "plain"}: filled`, (t) => {
      const options = extended ? OURS : { ...STOCK, mtu: 1400 };
      const result = bulk(
        options,
        { ...link, overheadBytes: 72 },
        13,
        back ?? { ...link, overheadBytes: 72 },
      );
      t.log(`${(100 * result.share).toFixed(1)} %`);
      t.true(result.share >= share, `${result.share}`);
    });
  }
}

test("a path that reorders by half a round trip does not cause a storm", (t) => {
  for (const extended of [true, false]) {
    const link = {
      delayMs: 10,
      jitterMs: 10,
      reorder: true,
      bytesPerMs: 12_500,
      queueBytes: 500_000,
      overheadBytes: 72,
    };
    const { share, a } = bulk(extended ? OURS : { ...STOCK, mtu: 1400 }, link, 14);
    const { sent, retransmitted } = a.kcp.stats;
    t.log(`${(100 * share).toFixed(1)} %, ${retransmitted} of ${sent} sent again`);
    t.true(share > 0.9);
    t.true(retransmitted < 0.05 * sent, `${retransmitted} of ${sent}`);
  }
});

test("duplicated packets are taken once", (t) => {
  const { share, b } = bulk(
    OURS,
    { delayMs: 10, duplicate: 0.2, bytesPerMs: 12_500, queueBytes: 500_000 },
    15,
  );
  t.true(share > 0.95);
  t.true(b.kcp.stats.duplicatesReceived > 0);
});

function goodput(a: End, b: End & { receivedBytes: number }, loss: number, seed: number, ms = 2000): number {
  const world = new World();
  // Half the rate and twice the round trip: the same product, half the work.
  const link = { ...wan(loss), bytesPerMs: 18_750, delayMs: 20 };
  world.connect(a, b, link, { ...link }, seed);
  world.run(ms);
  return (b.receivedBytes * 8) / ms / 1000;
}

for (const loss of [0, 0.05]) {
  test(`plain KCP, window 1024, ${100 * loss} % loss: beside the stock peer at either end, ${loss === 0 ? "as fast as" : "faster than"} stock to stock`, (t) => {
    const seed = 16;
    const stock = goodput(new PlainEnd(STOCK, 1e12), new PlainEnd(STOCK), loss, seed);
    const sending = goodput(new KcpEnd(STOCK, { sendBytes: Infinity }), new PlainEnd(STOCK), loss, seed);
    const receiving = goodput(new PlainEnd(STOCK, 1e12), new KcpEnd(STOCK), loss, seed);
    const both = goodput(new KcpEnd(STOCK, { sendBytes: Infinity }), new KcpEnd(STOCK), loss, seed);
    t.log(
      `stock ${stock.toFixed(0)}, ours sends ${sending.toFixed(0)}, receives ${receiving.toFixed(0)}, both ${both.toFixed(0)} Mbit/s`,
    );
    // Without loss all fill the link; stock bursts its whole window at once, we look for the rate first.
    const factor = loss === 0 ? 0.95 : 1.1;
    t.true(sending >= factor * stock, `${sending} : ${stock}`);
    t.true(receiving >= factor * stock, `${receiving} : ${stock}`);
    t.true(both >= (loss === 0 ? 0.95 : 1.5) * stock, `${both} : ${stock}`);
  });
}

test("the stock peer and ours carry both directions at once through loss, reordering and duplication", (t) => {
  const bytes = 600_000;
  const link: LinkOptions = { delayMs: 15, jitterMs: 8, reorder: true, loss: 0.05, duplicate: 0.02 };
  for (const seed of [1, 2, 3]) {
    const a = new KcpEnd(STOCK, { sendBytes: bytes });
    const b = new PlainEnd(STOCK, bytes);
    const world = new World();
    world.connect(a, b, link, link, seed);
    world.run(60_000, () => a.receivedBytes === bytes && b.receivedBytes === bytes);
    t.is(a.receivedBytes, bytes, `seed ${seed}`);
    t.is(b.receivedBytes, bytes, `seed ${seed}`);
    world.run(world.now + 2000);
    t.is(a.kcp.unacknowledgedBytes, 0);
    a.kcp.dispose();
    t.is(a.pool.freeSlots, a.pool.slotCount);
  }
});

test("two flows share a path fairly", (t) => {
  const world = new World();
  const link = { delayMs: 10, bytesPerMs: 12_500, queueBytes: 500_000, overheadBytes: 72 };
  const forward = world.link(link, 1);
  const backward = world.link(link, 2);
  const receivers = [21, 22].map((conv) => {
    const a = new KcpEnd({ ...OURS, conv }, { sendBytes: Infinity });
    const b = new KcpEnd({ ...OURS, conv });
    world.connect(a, b, forward, backward, 3);
    return b;
  });
  world.run(2000);
  const before = receivers.map((b) => b.receivedBytes);
  world.run(8000);
  const [x, y] = receivers.map((b, i) => b.receivedBytes - before[i]!);
  const ideal = (12_500 * 1376 * 6000) / 1472;
  t.log(`${((100 * x!) / ideal).toFixed(0)} % and ${((100 * y!) / ideal).toFixed(0)} %`);
  t.true(x! + y! > 0.93 * ideal);
  t.true(Math.min(x!, y!) > 0.25 * (x! + y!), `${x} and ${y}`);
});

test("a newcomer gets its share beside an established flow", (t) => {
  const world = new World();
  const link = { delayMs: 10, bytesPerMs: 12_500, queueBytes: 500_000, overheadBytes: 72 };
  const forward = world.link(link, 1);
  const backward = world.link(link, 2);
  const pair = (conv: number, sendBytes: number) => {
    const a = new KcpEnd({ ...OURS, conv }, { sendBytes });
    const b = new KcpEnd({ ...OURS, conv });
    world.connect(a, b, forward, backward, 3);
    return { a, b };
  };
  pair(31, Infinity);
  world.run(2000);
  const late = pair(32, Infinity);
  world.run(5000);
  const before = late.b.receivedBytes;
  world.run(10_000);
  const share = (late.b.receivedBytes - before) / ((12_500 * 1376 * 5000) / 1472);
  t.log(`${(100 * share).toFixed(0)} %`);
  t.true(share > 0.2, `${share}`);
});

test("a slow reader holds memory within its window, and the stream goes on at its speed", (t) => {
  const options = { ...OURS, receiveWindow: 256 };
  const a = new KcpEnd(options, { sendBytes: Infinity });
  const b = new KcpEnd(options, { readBytesPerMs: 500 });
  const world = new World();
  world.connect(a, b, { delayMs: 5 }, { delayMs: 5 }, 17);
  world.run(3000);
  t.true(b.peakSlots <= 256 + 8, `${b.peakSlots}`);
  const rate = b.receivedBytes / 3000;
  t.true(rate > 0.9 * 500 && rate <= 505, `${rate} bytes per ms`);
  t.true(a.peakSlots <= 256 + 1024 + 64, `${a.peakSlots}`);
});

test("a reader that stops and starts again loses nothing, even if the news of it is lost", (t) => {
  for (const [kind, seed] of [
    ["ours", 18],
    ["ours", 19],
    ["stock", 18],
    ["stock", 19],
  ] as const) {
    const a = kind === "ours" ? new KcpEnd(STOCK, { sendBytes: Infinity }) : new PlainEnd(STOCK, 1e12);
    const b = new KcpEnd(STOCK, { readBytesPerMs: 0 });
    const world = new World();
    world.connect(a, b, { delayMs: 5 }, { delayMs: 5 }, seed);
    world.run(2000);
    t.is(b.receivedBytes, 0);
    t.is(b.kcp.stats.receiveQueueSegments, 1024);
    world.links[1]!.options.loss = 0.5;
    delete b.app.readBytesPerMs;
    world.run(2001);
    world.run(4000);
    t.true(b.receivedBytes > 3e6, `${kind}, seed ${seed}: ${b.receivedBytes} bytes two seconds later`);
  }
});

test("a link that was dead for half a minute carries on within seconds", (t) => {
  const a = new KcpEnd(OURS, { sendBytes: Infinity });
  const b = new KcpEnd(OURS);
  const world = new World();
  world.connect(a, b, wan(0), wan(0), 19);
  world.run(1000);
  for (const link of world.links) link.options.loss = 1;
  const sentBefore = world.links[0]!.sent;
  world.run(1500);
  const inTheDark = world.links[0]!.sent;
  world.run(31_000);
  t.true(inTheDark - sentBefore < 4200, "a window at most, then probes");
  t.true(world.links[0]!.sent - inTheDark < 60, `${world.links[0]!.sent - inTheDark} probes`);
  for (const link of world.links) link.options.loss = 0;
  const before = b.receivedBytes;
  world.run(38_000);
  t.true((b.receivedBytes - before) / 7000 > 0.5 * 35_000 * 0.5, `${b.receivedBytes - before}`);
});

test("ping-pong at 5 % loss each way: 99 of 100 answers within 1.35 round trips", (t) => {
  for (const extended of [true, false]) {
    const times: number[] = [];
    const options = { conv: 7, extended };
    const rounds = 2000;
    let askedAt = 0;
    const message = new Uint8Array(64);
    const client = new KcpEnd(options, {});
    const server = new KcpEnd(options, {});
    client.read = (kcp, now) => {
      if (kcp.readableBytes === 64) {
        kcp.consume(64);
        times.push(now - askedAt);
      }
      if (
        times.length < rounds &&
        kcp.unacknowledgedBytes === 0 &&
        askedAt <= now &&
        times.length * 64 === asked
      ) {
        asked += 64;
        askedAt = now;
        kcp.write(message);
      }
    };
    let asked = 0;
    server.read = (kcp) => {
      while (kcp.readableBytes >= 64) {
        kcp.consume(64);
        kcp.write(message);
      }
    };
    const world = new World();
    world.connect(client, server, { delayMs: 10, loss: 0.05 }, { delayMs: 10, loss: 0.05 }, 20);
    world.run(1e6, () => times.length === rounds);
    times.sort((x, y) => x - y);
    const p = (q: number) => times[Math.floor(rounds * q)]!;
    t.log(`p50 ${p(0.5).toFixed(1)} p99 ${p(0.99).toFixed(1)} p99.9 ${p(0.999).toFixed(1)} ms`);
    t.true(p(0.5) < 20.5);
    t.true(p(0.99) < 27, `${p(0.99)}`);
  }
});
