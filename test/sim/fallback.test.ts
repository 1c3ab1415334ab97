/** A peer that says it takes KCP and does not: the held SYN goes on as plain TCP, within a bound, and the table says why. */
import { PLAIN_IDLE_MS } from "../../router-daemon/src/proxy/plain-flows.ts";
import { FAILING_MS, MAX_FAILING_MS } from "../../router-daemon/src/proxy/policy.ts";
import { HOLD_MS } from "../../router-daemon/src/proxy/source.ts";
import { PacketType } from "../../router-daemon/src/wire/peer-header.ts";
import { pattern } from "./random.ts";
import { collect, NAS, PORT, same, twoRouters } from "./scene.ts";
import { story } from "./story.ts";
import { isPacket, loseKcp } from "./wire-tap.ts";

const TARGET = `${NAS}:${PORT}`;

story(
  "no answer at all: plain TCP after HOLD_MS, at once for the next ones, KCP again later",
  {},
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    const streams = collect(nas, PORT);
    world.network.filter = loseKcp();
    const first = phone.connect(nas.address, PORT);
    const startedAt = world.now;
    world.run(HOLD_MS - 100);
    t.false(first.isOpen);
    t.like(a.row(TARGET), { transport: "kcp", state: "ConnectingDst" });
    world.until(() => first.isOpen, "the plain connection", 400);
    t.true(world.now - startedAt < HOLD_MS + 200);
    t.like(a.row(TARGET), { transport: "tcp", reason: "kcp_timeout" });
    first.write(pattern(30_000, 1));
    first.end();
    world.until(() => streams[0]?.hasEnded === true, "the bytes");
    t.true(same(streams[0]!.received(), pattern(30_000, 1)));
    streams[0]!.end();
    world.until(() => first.hasEnded, "the end");
    t.like(a.row(TARGET), { state: "Closed", reason: "kcp_timeout", upBytes: 30_000 });

    const second = phone.connect(nas.address, PORT);
    world.until(() => second.isOpen, "the second connection", 100);
    t.like(a.row(TARGET), { transport: "tcp", reason: "peer_failing" });
    second.reset();

    // KCP works again, but nobody tries before the time is over.
    world.network.filter = undefined;
    world.run(FAILING_MS / 2);
    const third = phone.connect(nas.address, PORT);
    world.until(() => third.isOpen, "the third connection", 100);
    t.like(a.row(TARGET), { transport: "tcp", reason: "peer_failing" });
    third.reset();
    world.run(FAILING_MS / 2 + 1000);
    const fourth = phone.connect(nas.address, PORT);
    world.until(() => fourth.isOpen, "the fourth connection", 1000);
    t.like(a.row(TARGET), { transport: "kcp", reason: "kcp_allowed" });
    fourth.reset();
  },
);

story("a peer that keeps failing is tried ever more rarely", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  collect(nas, PORT);
  world.network.filter = loseKcp();
  const tries: number[] = [];
  const end = world.now + 400_000;
  while (world.now < end) {
    const near = phone.connect(nas.address, PORT);
    world.until(() => near.isOpen, "a connection");
    if (a.row(TARGET).reason === "kcp_timeout") tries.push(world.now);
    near.reset();
    world.run(1000);
  }
  const pauses = tries.slice(1).map((at, i) => at - tries[i]!);
  t.true(pauses.length >= 4);
  t.true(pauses[0]! >= FAILING_MS && pauses[0]! < FAILING_MS + 5000);
  for (let i = 1; i < pauses.length; i++) {
    t.true(pauses[i]! > pauses[i - 1]! * 1.5 || pauses[i]! > MAX_FAILING_MS);
  }
});

story("a peer that worked in between is not punished for what was before", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  collect(nas, PORT);
  const connect = () => {
    const near = phone.connect(nas.address, PORT);
    world.until(() => near.isOpen, "a connection");
    near.reset();
    world.run(1000);
  };
  for (let round = 0; round < 3; round++) {
    world.network.filter = loseKcp();
    connect();
    t.is(a.row(TARGET).transport, "tcp");
    world.network.filter = undefined;
    world.run(FAILING_MS);
    connect();
    t.is(a.row(TARGET).transport, "kcp", `round ${round}`);
  }
});

story("many SYNs at once to a peer that does not answer: all go on as plain TCP", {}, (t, world) => {
  const { phone, nas } = twoRouters(world);
  collect(nas, PORT);
  world.network.filter = loseKcp();
  const clients = Array.from({ length: 100 }, () => phone.connect(nas.address, PORT));
  world.until(() => clients.every(({ isOpen }) => isOpen), "all connections", HOLD_MS + 500);
  for (const client of clients) client.reset();
  t.pass();
});

story("the client repeats its SYN while it is held: one connection comes of it", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  const streams = collect(nas, PORT);
  let isLost = true;
  const lose = loseKcp();
  world.network.filter = (datagram) => !isLost || lose(datagram);
  const near = phone.connect(nas.address, PORT, { rtoMs: 50 });
  world.run(1500);
  t.true(near.client.sent.filter(({ flags }) => flags.has("syn")).length >= 3);
  isLost = false;
  world.until(() => near.isOpen, "the connection", 2000);
  near.write(pattern(1000, 1));
  world.until(() => streams[0]?.receivedBytes === 1000, "the bytes");
  t.is(streams.length, 1);
  t.is(a.rows(TARGET).length, 1);
  t.is(a.row(TARGET).transport, "kcp");
  near.reset();
});

story("the client gives up while its SYN is held: nothing is left", {}, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  const streams = collect(nas, PORT);
  world.network.filter = loseKcp();
  const near = phone.connect(nas.address, PORT);
  world.run(1000);
  near.client.inject({ sequence: near.client.nextSequence }, ["rst"], world.now);
  world.run(200);
  t.like(a.row(TARGET), { state: "Closed", reason: "client_reset" });
  near.client.silent = true;
  world.network.filter = undefined;
  world.run(HOLD_MS);
  // What the source gave up is given up at the destination too.
  t.true(streams.every(({ wasReset }) => wasReset));
});

story(
  "the client falls silent while its SYN is held: the plain SYN is answered in vain",
  { seeds: 1 },
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    collect(nas, PORT);
    world.network.filter = loseKcp();
    const near = phone.connect(nas.address, PORT);
    world.run(1000);
    near.client.silent = true;
    world.run(HOLD_MS);
    t.is(a.row(TARGET).reason, "kcp_timeout");
    world.run(PLAIN_IDLE_MS + 10_000);
    t.is(a.row(TARGET).state, "Closed");
  },
);

for (const [what, type] of [
  ["the KCP SYN", PacketType.kcpSource],
  ["its answer", PacketType.kcpDestination],
] as const) {
  story(`${what} is lost three times: the connection is carried all the same`, {}, (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    collect(nas, PORT);
    let lost = 0;
    world.network.filter = (datagram) => !isPacket(datagram, type) || ++lost > 3;
    const near = phone.connect(nas.address, PORT);
    world.until(() => near.isOpen, "the connection", HOLD_MS);
    t.is(a.row(TARGET).transport, "kcp");
    t.true(lost >= 3);
    near.reset();
  });
}

story("a slow service is waited for: signs of life keep the SYN held beyond HOLD_MS", {}, (t, world) => {
  const { a, b, phone } = twoRouters(world);
  // Its kernel looks for a machine that is not there, for three seconds.
  const near = phone.connect(b.station("192.168.2.30").address, PORT);
  b.station("192.168.2.30").isOff = true;
  world.run(HOLD_MS + 1000);
  t.like(a.row("192.168.2.30:80"), { transport: "kcp", state: "ConnectingDst" });
  world.until(() => near.wasReset, "the refusal", 15_000);
  t.like(a.row("192.168.2.30:80"), { state: "Closed", reason: "destination_unreachable" });
});

story("a lossy path is no failing peer", { underlay: { delayMs: 40 }, seeds: 4 }, (t, world) => {
  const { a, phone, nas } = twoRouters(world);
  collect(nas, PORT);
  world.network.shape({ loss: 0.3 });
  const clients = Array.from({ length: 10 }, () => phone.connect(nas.address, PORT));
  world.until(() => clients.every(({ isOpen }) => isOpen), "all connections", HOLD_MS + 500);
  t.true(a.rows(TARGET).every(({ transport }) => transport === "kcp"));
  for (const client of clients) client.reset();
  world.network.shape({ loss: 0 });
});
