import test from "ava";
import fc from "fast-check";
import { pattern, Random, World } from "./world.ts";

/** One story: a client, a link, and what both sides do. Everything follows from the numbers in it. */
const story = fc.record({
  seed: fc.integer(),
  isn: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  mss: fc.constantFrom(undefined, 536, 1200, 1460, 9000),
  windowShift: fc.constantFrom(undefined, 0, 2, 7, 14),
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  receiveBuffer: fc.constantFrom(3000, 16_000, 65_535, 200_000),
  delayedAckMs: fc.constantFrom(0, 40),
  loss: fc.constantFrom(0, 0.01, 0.05, 0.15),
  jitterMs: fc.constantFrom(0, 0.2, 3, 20),
  duplication: fc.constantFrom(0, 0.02),
  coalescing: fc.boolean(),
  space: fc.constantFrom(5000, 40_000, 300_000),
  slots: fc.constantFrom(400, 2048),
  slotPayload: fc.constantFrom(100, 1376, 1400),
  maxSegmentBytes: fc.constantFrom(1400, 65_535),
  upBytes: fc.integer({ min: 0, max: 40_000 }),
  downBytes: fc.integer({ min: 0, max: 60_000 }),
  /** Who closes when: after its bytes, or only after the other's end. */
  clientWaits: fc.boolean(),
  serverWaits: fc.boolean(),
  stalls: fc.boolean(),
});

test("whatever the client, the link and the order of things, every byte arrives and every slot comes back", (t) => {
  const runs = Number(process.env.TCP_RUNS ?? 120);
  fc.assert(
    fc.property(story, (one) => {
      const world = new World({
        seed: one.seed,
        slots: one.slots,
        space: one.space,
        up: {
          loss: one.loss,
          jitterMs: one.jitterMs,
          duplication: one.duplication,
          coalescing: one.coalescing,
        },
        down: { loss: one.loss, jitterMs: one.jitterMs, duplication: one.duplication },
        stack: { maxSegmentBytes: one.maxSegmentBytes },
      });
      world.slotPayload = one.slotPayload;
      const random = new Random(one.seed);
      const { isn, mss, windowShift, sack, timestamps, delayedAckMs } = one;
      // A client that counts its window in large units has a buffer of some of them.
      const receiveBuffer = Math.max(one.receiveBuffer, 4 << (windowShift ?? 0));
      const { client, server } = world.connected({
        isn,
        mss,
        windowShift,
        sack,
        timestamps,
        receiveBuffer,
        delayedAckMs,
      });
      const up = pattern(one.upBytes, 1);
      const down = pattern(one.downBytes, 2);
      let upAt = 0;
      let downAt = 0;
      let clientDone = false;
      let serverDone = false;
      while (!clientDone || !serverDone) {
        if (upAt < up.length) {
          const piece = 1 + random.below(8000);
          client.write(up.subarray(upAt, upAt + piece), world.now);
          upAt += piece;
        } else if (!clientDone && !(one.clientWaits && !one.serverWaits && !client.finReceived)) {
          client.close(world.now);
          clientDone = true;
        }
        if (downAt < down.length) {
          const piece = 1 + random.below(12_000);
          server.write(down.subarray(downAt, downAt + piece));
          downAt += piece;
        } else if (!serverDone && !(one.serverWaits && !server.finished)) {
          server.shutdown();
          serverDone = true;
        }
        if (one.stalls && random.below(6) === 0) {
          server.allow(0);
          client.reading = false;
          world.run(random.below(700));
          client.resumeReading(world.now);
          server.allow(one.space);
        }
        world.run(random.below(30));
      }
      world.until(() => server.reason !== undefined && client.allAcknowledged && client.finReceived, 400_000);
      const same = (a: Uint8Array, b: Uint8Array) =>
        a.length === b.length && a.every((byte, at) => byte === b[at]);
      if (!same(server.received, up))
        throw new Error(`upload differs: ${server.received.length} of ${up.length}`);
      if (!same(client.received, down))
        throw new Error(`download differs: ${client.received.length} of ${down.length}`);
      if (server.reason !== "finished") throw new Error(`ended as ${server.reason}`);
      if (world.usedSlots !== 0) throw new Error(`${world.usedSlots} slots leaked`);
      world.run(20_000);
      if (world.stack.lingeringCount !== 0 || world.stack.flowCount !== 0)
        throw new Error("something is left");
      if (world.stack.nextTimeout !== Number.POSITIVE_INFINITY) throw new Error("a timer is left");
    }),
    { numRuns: runs, includeErrorInReport: true, interruptAfterTimeLimit: 60_000 },
  );
  t.pass();
});
