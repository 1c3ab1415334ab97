/** KCP and QUIC through one bottleneck: nobody starves. */
import test from "ava";
import { World } from "../../router-daemon/kcp-ts/test/world.ts";
import { Side as KcpSide } from "../unit/kcp/side.ts";
import { Side as QuicSide } from "../unit/quic/side.ts";

/** 50 Mbit/s, 20 ms round trip, two round trips of queue. */
const BOTTLENECK = { delayMs: 10, bytesPerMs: 6_250, queueBytes: 250_000, overheadBytes: 90 };
const SECONDS = 15;
const ENDLESS = { send: 1_000_000_000, end: "never" } as const;

for (const seed of [1, 2]) {
  test(`a KCP and two QUIC connections on 50 Mbit/s: each has at least half of its fair share (seed ${seed})`, (t) => {
    const world = new World();
    const up = world.link(BOTTLENECK, 10 * seed);
    const down = world.link(BOTTLENECK, 10 * seed + 1);
    const kcpSource = new KcpSide("source", 1, 2, { seed });
    const kcpDestination = new KcpSide("destination", 2, 1, { seed: seed + 1 });
    kcpSource.isRecording = false;
    kcpDestination.isRecording = false;
    kcpDestination.plan = () => ENDLESS;
    world.connect(kcpSource, kcpDestination, up, down, seed);
    const talkers = [kcpSource.connect(5000, { end: "never" }, 0, 20)];
    for (const id of [11, 21]) {
      const source = new QuicSide("source", id, id + 1, { seed: seed + id, rttMs: 20 });
      const destination = new QuicSide("destination", id + 1, id, { seed: seed + id + 1, rttMs: 20 });
      destination.plan = () => ENDLESS;
      world.connect(source, destination, up, down, seed + id);
      talkers.push(source.connect(5000, { end: "never" }, 0));
    }
    // The first seconds belong to whoever started first.
    world.run(5_000);
    const before = talkers.map(({ received }) => received);
    world.run((5 + SECONDS) * 1_000);
    const shares = talkers.map(({ received }, i) => received - before[i]!);
    const fair = (SECONDS * 1_000 * BOTTLENECK.bytesPerMs) / talkers.length;
    t.log(shares.map((share) => (share / fair).toFixed(2)).join(" "));
    for (const share of shares) t.true(share > fair / 2, `${shares}`);
  });
}
