import test from "ava";
import fc from "fast-check";
import { encodeFrame, type NaiveSegment } from "./naive.ts";
import { pattern, Random, World } from "./world.ts";

const RUNS = Number(process.env.TCP_FUZZ_RUNS ?? 60);

test("arbitrary bytes are plain or dropped: no throw, no state", (t) => {
  const world = new World({ slots: 64 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, dressed) => {
      if (dressed && bytes.length > 20) {
        // Close enough to a packet to come past the first tests.
        bytes.set([0x45, 0, 0, Math.max(0, bytes.length - 10)], 10);
        bytes[16] = 0x40;
        bytes[17] = 0;
        bytes[19] = 6;
      }
      world.feed(bytes);
      world.stack.sendResetFor(0, Math.min(bytes.length, 64));
      world.poll();
      world.output.length = 0;
      return world.stack.heldCount <= 64;
    }),
    { numRuns: 2000 },
  );
  world.stack.dispose();
  t.is(world.usedSlots, 0);
});

/** A frame near a live connection: right tuple, numbers near the edges, anything else at random. */
function strange(world: World, random: Random, port: number): Uint8Array {
  const client = world.clients.find((one) => one.options.port === port)!;
  const near = (value: number) => {
    const far = random.below(8) === 0 ? random.int32() : random.below(5000) - 2500;
    return (value + (random.below(3) === 0 ? 0 : far)) >>> 0;
  };
  const names = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];
  const flags = new Set(names.filter(() => random.below(5) === 0));
  if (random.below(4) > 0) flags.add("ack");
  if (random.below(3) > 0) {
    flags.delete("syn");
    flags.delete("rst");
  }
  const segment: NaiveSegment = {
    source: client.options.address,
    destination: client.options.targetAddress,
    sourcePort: port,
    destinationPort: client.options.targetPort,
    sequence: near(client.nextSequence),
    acknowledgement: near(client.expectedSequence),
    flags,
    window: random.below(3) === 0 ? 0 : random.below(65_536),
    payload: pattern(
      random.below(3) === 0 ? 0 : random.below(random.below(20) === 0 ? 40_000 : 2000),
      random.below(256),
    ),
  };
  if (random.below(4) > 0) {
    segment.timestamps = {
      value: (world.now - 256 + random.below(100)) >>> 0,
      echo: (world.output.at(-1)?.timestamps?.value ?? 0) >>> 0,
    };
  }
  if (random.below(4) === 0) {
    segment.sack = Array.from({ length: 1 + random.below(segment.timestamps === undefined ? 4 : 3) }, () => [
      near(client.expectedSequence),
      near(client.expectedSequence + 3000),
    ]);
  }
  if (random.below(10) === 0) segment.mss = random.below(3000);
  if (segment.payload.length > 1400 && random.below(2) === 0) segment.gsoSize = 1 + random.below(1448);
  const frame = encodeFrame(segment, "partial");
  // Now and then a bit falls over, behind the addresses.
  for (let flips = random.below(3) === 0 ? 1 + random.below(4) : 0; flips > 0; flips--) {
    const at = random.below(Math.min(frame.length, 90));
    if (at < 22 || at > 33) frame[at]! ^= 1 << random.below(8);
  }
  return frame;
}

test("strange frames beside live connections: nothing throws, nothing grows, nothing leaks", (t) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const limits = {
        maxHeldSyns: 8,
        maxFlows: 16,
        maxReorderSlots: 40,
        maxReorderSlotsInAll: 80,
        maxLingering: 8,
      };
      const world = new World({ seed, slots: 600, stack: { limits } });
      for (let port = 1; port <= 4; port++) {
        const { client, server } = world.connected({ port, sack: port !== 3, timestamps: port !== 4 });
        client.silent = true;
        server.write(pattern(random.below(100_000)));
      }
      for (let count = 0; count < 150; count++) {
        const port = 1 + random.below(4);
        world.feed(strange(world, random, port));
        if (random.below(3) > 0) world.poll();
        const server = world.servers[random.below(world.servers.length)]!;
        const what = random.below(20);
        if (what === 0) server.shutdown();
        if (what === 1) server.flow.abort(world.now);
        if (what === 2) server.allow(random.below(50_000));
        if (what === 3) server.takesAtMost = random.below(2000);
        if (what === 4) server.takesAtMost = Number.POSITIVE_INFINITY;
        if (what === 5) server.write(pattern(random.below(3000)));
        if (what === 6) world.sinkFull = !world.sinkFull;
        if (what < 10) world.run(random.below(400));
        if (world.stack.reorderSlots > 80) throw new Error("too much out of order");
        if (world.stack.heldCount > 8 || world.stack.flowCount > 16 || world.stack.lingeringCount > 8) {
          throw new Error("too many flows");
        }
        for (const flow of world.stack.flows()) {
          if (flow.unacknowledgedBytes > 1024 * 1024 || flow.sendSpace < 0 || flow.promisedBytes < 0) {
            throw new Error(`${flow.unacknowledgedBytes} ${flow.sendSpace} ${flow.promisedBytes}`);
          }
        }
      }
      world.sinkFull = false;
      // Left alone, everything ends by its own timers.
      world.run(3_600_000);
      if (world.stack.flowCount !== 0) throw new Error(`${world.stack.flowCount} flows live on`);
      if (world.usedSlots !== 0) throw new Error(`${world.usedSlots} slots leaked`);
      if (world.stack.nextTimeout !== Number.POSITIVE_INFINITY) throw new Error("a timer is left");
    }),
    { numRuns: RUNS, includeErrorInReport: true, interruptAfterTimeLimit: 15_000 },
  );
  t.pass();
});
