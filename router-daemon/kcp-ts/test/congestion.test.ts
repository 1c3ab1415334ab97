import test from "ava";
import { DeliveryRateController } from "../src/delivery-rate.ts";
import {
  type AckSample,
  type CongestionFactory,
  cubic,
  deliveryRate,
  fixedWindow,
  Limit,
} from "../src/index.ts";
import { RateFilter } from "../src/rate-filter.ts";
import { BusyHosts, type HostOptions } from "./busy-hosts.ts";
import { KcpEnd } from "./kcp-end.ts";
import { World } from "./world.ts";

const CONTEXT = { datagramBytes: 1400, ackDelayMs: 0, seed: 1 };

function sample(fields: Partial<AckSample>): AckSample {
  return {
    nowMs: 0,
    ackedBytes: 1400,
    lostBytes: 0,
    quietAckedBytes: 0,
    quietLostBytes: 0,
    rttMs: 20,
    smoothedRttMs: 20,
    rateBytesPerMs: 0,
    limit: Limit.path,
    deliveredBytes: 0,
    priorDeliveredBytes: 0,
    inflightBytes: 0,
    ...fields,
  };
}

// ── what every controller must do ─────────────────────────────────────────────────────────────────────────────────────

const controllers: [string, CongestionFactory][] = [
  ["delivery rate", deliveryRate()],
  ["cubic", cubic()],
  ["fixed window", fixedWindow(512)],
];
for (const [name, factory] of controllers) {
  test(`${name}: something may be sent before anything is known`, (t) => {
    const controller = factory(CONTEXT);
    t.true(controller.windowBytes >= 4 * CONTEXT.datagramBytes);
    t.true(controller.bytesPerMs > 0);
  });

  test(`${name}: whatever it is told, window and pace stay positive and finite enough to send by`, (t) => {
    const controller = factory(CONTEXT);
    let delivered = 0;
    for (let i = 0; i < 5000; i++) {
      const acked = (i * 7919) % 20_000;
      const prior = Math.max(0, delivered - ((i * 104_729) % 100_000));
      delivered += acked;
      controller.handleAcks(
        sample({
          nowMs: i * 3,
          ackedBytes: acked,
          lostBytes: (i * 31) % 5000,
          quietAckedBytes: i % 3 === 0 ? acked : 0,
          quietLostBytes: i % 3 === 0 ? (i * 31) % 5000 : 0,
          rttMs: i % 5 === 0 ? -1 : 0.05 + ((i * 17) % 200),
          rateBytesPerMs: i % 4 === 0 ? 0 : (i * 13) % 100_000,
          limit: i % 3,
          deliveredBytes: delivered,
          priorDeliveredBytes: prior,
          inflightBytes: (i * 997) % 200_000,
        }),
      );
      if (i % 50 === 0) controller.handleTimeout(1 + (i % 7));
      t.true(controller.windowBytes >= 4 * CONTEXT.datagramBytes);
      t.true(controller.bytesPerMs > 0);
      t.false(Number.isNaN(controller.windowBytes) || Number.isNaN(controller.bytesPerMs));
    }
  });

  test(`${name}: a whole stream arrives over a path with loss`, (t) => {
    const options = { conv: 7, congestion: factory };
    const a = new KcpEnd(options, { sendBytes: 3_000_000 });
    const b = new KcpEnd(options);
    const world = new World();
    const link = { delayMs: 10, loss: 0.03, bytesPerMs: 5000, queueBytes: 200_000 };
    world.connect(a, b, link, link, 1);
    world.run(20_000, () => b.receivedBytes === 3_000_000);
    t.is(b.receivedBytes, 3_000_000);
    world.run(world.now + 1000);
    t.is(a.kcp.unacknowledgedBytes, 0);
  });
}

// ── the delivery-rate controller ──────────────────────────────────────────────────────────────────────────────────────

test("a few bytes that were answered do not make the path look slow", (t) => {
  const controller = new DeliveryRateController(CONTEXT);
  controller.handleAcks(sample({ nowMs: 20, ackedBytes: 60, rateBytesPerMs: 3, limit: Limit.data }));
  t.true(controller.windowBytes >= 32 * 1400);
  t.true(controller.bytesPerMs >= 4000);
});

test("an interactive stream that becomes a transfer is not held back", (t) => {
  const options = { conv: 7, extended: true };
  const a = new KcpEnd(options, { sendBytes: 100 });
  const b = new KcpEnd(options);
  const world = new World();
  const link = { delayMs: 10, bytesPerMs: 12_500, queueBytes: 500_000 };
  world.connect(a, b, link, link, 1);
  for (let i = 1; i <= 40; i++) {
    world.run(50 * i);
    a.app.sendBytes! += 100;
  }
  const before = world.now;
  a.app.sendBytes! += 1_000_000;
  world.run(before + 5000, () => b.receivedBytes === a.app.sendBytes);
  // 80 ms at the full rate, and five round trips to find it.
  t.true(world.now - before < 300, `${world.now - before} ms`);
});

test("loss that the path has by itself is compensated, loss of our own making is not", (t) => {
  const run = (loss: number, queueBytes: number) => {
    let controller: DeliveryRateController | undefined;
    const options = {
      conv: 7,
      extended: true,
      sendWindow: 4096,
      receiveWindow: 4096,
      congestion: (context: typeof CONTEXT) => {
        controller ??= new DeliveryRateController(context);
        return controller;
      },
    };
    const a = new KcpEnd(options, { sendBytes: Infinity });
    const b = new KcpEnd({ ...options, congestion: fixedWindow(4) });
    const world = new World();
    const link = { delayMs: 10, loss, bytesPerMs: 12_500, queueBytes };
    world.connect(a, b, link, link, 3);
    world.run(5000);
    return controller!.pathLoss;
  };
  const own = run(0, 15_000);
  t.true(own < 0.04, `${own} with a short queue`);
  const path = run(0.1, 500_000);
  t.true(path > 0.06 && path < 0.14, `${path} with a tenth lost`);
});

test("the rate filter forgets after ten rounds, but not within a quarter of a second", (t) => {
  const filter = new RateFilter();
  filter.update(100, true, 0);
  for (let now = 1; now < 240; now++) filter.update(10, true, now);
  t.is(filter.max, 100);
  for (let now = 240; now < 300; now++) filter.update(10, true, now);
  t.is(filter.max, 10);
  filter.update(50, false, 301);
  t.is(filter.max, 50);
  filter.reset(7);
  t.is(filter.max, 7);
});

// ── where the processor is the bottleneck ─────────────────────────────────────────────────────────────────────────────

const HOST: HostOptions = {
  receiveUs: 1.5,
  sendUs: 1.5,
  turnUs: 10,
  batch: 512,
  socketDatagrams: 4000,
  linkUs: 20,
};

function busy(congestion: CongestionFactory, extended: boolean, host: Partial<HostOptions>): number {
  const options = { conv: 7, sendWindow: 2048, receiveWindow: 2048, extended, mtu: 1400, congestion };
  const a = new KcpEnd(options, { sendBytes: Infinity });
  const b = new KcpEnd(options);
  const hosts = new BusyHosts(a, b, { ...HOST, ...host }, 1);
  hosts.run(100);
  const before = b.receivedBytes;
  hosts.run(350);
  return b.receivedBytes - before;
}

for (const [name, host] of [
  ["two cores", {}],
  ["one core for both ends", { sharedCore: true }],
  ["one core that stalls now and then", { sharedCore: true, stall: { turns: 500, us: 8000 } }],
  ["two cores and 5 % loss", { loss: 0.05 }],
] as const) {
  for (const extended of [true, false]) {
    test(`pacing costs nothing where the processor is the limit: ${name}, ${extended ? "extended" : "plain"}`, (t) => {
      const fixed = busy(fixedWindow(2048), extended, host);
      const paced = busy(deliveryRate(), extended, host);
      t.log(
        `${((100 * paced) / fixed).toFixed(0)} % of unpaced, ${((paced * 8) / 250_000).toFixed(0)} Mbit/s`,
      );
      t.true(paced > 0.9 * fixed, `${paced} : ${fixed}`);
    });
  }
}

// ── CUBIC ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("cubic: a path without loss of its own is filled, and its queue is left room", (t) => {
  const options = { conv: 7, extended: true, congestion: cubic(), sendWindow: 4096, receiveWindow: 4096 };
  const a = new KcpEnd(options, { sendBytes: 12_000_000 });
  const b = new KcpEnd(options);
  const world = new World();
  const link = { delayMs: 10, bytesPerMs: 5_000, queueBytes: 120_000 };
  world.connect(a, b, link, link, 1);
  world.run(20_000, () => b.receivedBytes === 12_000_000);
  // 2.4 s at the full rate.
  t.true(world.now < 3_000, `${world.now} ms`);
});

test("cubic: the window falls once per round trip of losses, comes back, and passes the old one", (t) => {
  const controller = cubic()(CONTEXT);
  let delivered = 0;
  const acknowledge = (nowMs: number, bytes: number, lostBytes = 0): void => {
    delivered += bytes;
    const inflightBytes = controller.windowBytes;
    controller.handleAcks(
      sample({ nowMs, ackedBytes: bytes, lostBytes, deliveredBytes: delivered, inflightBytes }),
    );
  };
  for (let i = 0; i < 5; i++) acknowledge(i * 20, controller.windowBytes);
  const before = controller.windowBytes;
  t.true(before >= 500_000, "slow start doubles");
  acknowledge(100, 1400, 1400);
  const after = controller.windowBytes;
  t.true(Math.abs(after / before - 0.7) < 0.01);
  acknowledge(101, 1400, 1400);
  t.true(controller.windowBytes >= after);
  let ms = 200;
  for (; controller.windowBytes < before && ms < 60_000; ms += 20) acknowledge(ms, controller.windowBytes);
  t.true(controller.windowBytes >= before);
  t.true(ms > 1_000, "not at once");
});
