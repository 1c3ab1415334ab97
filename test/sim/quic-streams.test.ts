/** A thousand streams on one QUIC connection, opened and closed at random over a bad path: every byte right, memory flat. */
import test from "ava";
import { World } from "../../router-daemon/kcp-ts/test/world.ts";
import { seededRandom } from "../random.ts";
import type { Plan } from "../unit/kcp/side.ts";
import { Side } from "../unit/quic/side.ts";

const STREAMS = 1000;
/** Open at the same time, about. */
const WIDTH = 60;
const PATH = {
  delayMs: 10,
  jitterMs: 8,
  reorder: true,
  loss: 0.03,
  duplicate: 0.03,
  bytesPerMs: 6_000,
  queueBytes: 400_000,
};

for (const seed of [1, 2]) {
  test(`${STREAMS} streams of all kinds under loss, reordering and duplication (seed ${seed})`, (t) => {
    const random = seededRandom(seed);
    const upTo = (most: number): number => random() % (most + 1);
    const size = (): number => (upTo(9) === 0 ? upTo(200_000) : upTo(4_000));
    const world = new World();
    const limits = { maxStreamsPerConnection: 255 };
    const source = new Side("source", 1, 2, { seed, limits, rttMs: 28, slots: 4096 });
    const destination = new Side("destination", 2, 1, { seed: seed + 1, limits, rttMs: 28, slots: 4096 });
    world.connect(source, destination, PATH, PATH, seed);
    destination.plan = () => {
      const kind = upTo(19);
      if (kind === 0) return { refuse: "target_refused" };
      if (kind === 1) return { abortAfter: upTo(3_000) + 1, send: size(), end: "after-peer" };
      return { send: size(), end: "after-peer", decideAfterMs: upTo(30) };
    };
    const plan = (): Plan => {
      const aborts = upTo(19) === 0;
      return { send: size(), end: "after-sending", ...(aborts ? { abortAfter: 1 } : {}) };
    };
    let opened = 0;
    let used = 0;
    const isOver = (): boolean => opened === STREAMS && source.endpoint.connectionCount === 0;
    while (!isOver()) {
      while (opened < STREAMS && source.endpoint.connectionCount < WIDTH) {
        source.connect(1 + opened++, plan(), world.now, 10_000);
      }
      world.run(world.now + 20);
      used = Math.max(used, source.pool.slotCount - source.pool.freeSlots);
      if (world.now > 600_000) return t.fail(`Not over after ten minutes: ${opened} opened.`);
    }
    world.run(world.now + 5_000);
    // Talkers throw on a wrong byte; here the ends are counted.
    const reasons = new Map<string, number>();
    for (const { closeReason } of source.talkers) {
      reasons.set(closeReason ?? "none", (reasons.get(closeReason ?? "none") ?? 0) + 1);
    }
    t.deepEqual(
      [...reasons.keys()].sort(),
      ["aborted", "far_end_reset", "finished", "target_refused"].filter((reason) => reasons.has(reason)),
    );
    t.true(reasons.get("finished")! > 0.8 * STREAMS);
    for (const talker of source.talkers) {
      if (talker.closeReason !== "finished") continue;
      const far = destination.talkers.find(
        ({ connection }) => connection.source.port === talker.connection.source.port,
      )!;
      t.is(talker.received, far.plan.send!);
      t.is(far.received, talker.plan.send!);
    }
    t.is(source.endpoint.counters.handshakes, 1, "one QUIC connection carries them all");
    t.is(destination.endpoint.connectionCount, 0);
    for (const side of [source, destination]) {
      t.is(side.leakedSlots, 0);
      t.is(side.endpoint.counters.protocolErrors, 0);
    }
    t.true(used < 3_600, `${used} slots at most`);
  });
}
