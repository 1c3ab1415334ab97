/** Connections that are carried over KCP from a LAN client to a service behind another router. */

import { pattern } from "./random.ts";
import { collect, NAS, open, PORT, same, twoRouters } from "./scene.ts";
import { story } from "./story.ts";

const BAD_UNDERLAY = {
  delayMs: 25,
  jitterMs: 8,
  loss: 0.03,
  reorder: 0.05,
  reorderMs: 15,
  duplicate: 0.02,
} as const;

story("both directions arrive whole over a clean path, and the rows say so", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  const up = pattern(120_000, 1);
  const down = pattern(150_000, 2);
  near.write(up);
  far.write(down);
  world.until(() => far.receivedBytes === up.length && near.receivedBytes === down.length, "all bytes");
  t.true(same(far.received(), up));
  t.true(same(near.received(), down));
  const row = a.row(`${NAS}:${PORT}`);
  t.like(row, { role: "source", transport: "kcp", reason: "kcp_allowed", state: "Connected" });
  t.is(row.src, "192.168.1.10:40000");
  t.is(row.upBytes, up.length);
  t.is(row.downBytes, down.length);
  t.true(row.rttMs! > 19 && row.rttMs! < 40);
  t.like(b.row(`${NAS}:${PORT}`), { role: "destination", transport: "kcp", state: "Connected" });
  near.end();
  far.end();
  world.until(() => near.hasEnded && far.hasEnded, "both ends");
  world.run(2000);
  for (const router of [a, b])
    t.like(router.row(`${NAS}:${PORT}`), { state: "Closed", reason: "kcp_allowed" });
});

story(
  "loss, reordering and duplication between the routers change nothing but the time",
  { underlay: BAD_UNDERLAY, seeds: 3 },
  (t, world) => {
    const { phone, nas } = twoRouters(world);
    const up = pattern(250_000, world.seed);
    const down = pattern(250_000, world.seed + 100);
    const { near, far } = open(world, phone, nas);
    near.write(up);
    near.end();
    far.write(down);
    far.end();
    world.until(() => near.hasEnded && far.hasEnded, "both ends", 60_000);
    t.true(same(far.received(), up));
    t.true(same(near.received(), down));
    t.false(near.wasReset);
    t.false(far.wasReset);
  },
);

story(
  "the client finishes first: the service's answer still arrives",
  { underlay: { loss: 0.02 } },
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    const { near, far } = open(world, phone, nas);
    const question = pattern(40_000, 1);
    near.write(question);
    near.end();
    world.until(() => far.hasEnded, "the client's end at the service");
    t.true(same(far.received(), question));
    world.run(5000);
    t.false(near.hasEnded);
    t.is(a.row(`${NAS}:${PORT}`).state, "ClosingDst");
    const answer = pattern(90_000, 2);
    far.write(answer);
    far.end();
    world.until(() => near.hasEnded, "the answer");
    t.true(same(near.received(), answer));
  },
);

story(
  "the service finishes first: what the client still writes arrives",
  { underlay: { loss: 0.02 } },
  (t, world) => {
    const { a, phone, nas } = twoRouters(world);
    const { near, far } = open(world, phone, nas);
    const greeting = pattern(40_000, 1);
    far.write(greeting);
    far.end();
    world.until(() => near.hasEnded, "the service's end at the client");
    t.true(same(near.received(), greeting));
    world.run(5000);
    t.false(far.hasEnded);
    t.is(a.row(`${NAS}:${PORT}`).state, "ClosingSrc");
    const rest = pattern(90_000, 2);
    near.write(rest);
    near.end();
    world.until(() => far.hasEnded, "the rest");
    t.true(same(far.received(), rest));
  },
);

story("both finish at once, without a byte", {}, (t, world) => {
  const { phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  near.end();
  far.end();
  world.until(() => near.hasEnded && far.hasEnded, "both ends");
  t.is(near.receivedBytes + far.receivedBytes, 0);
});

story("the client resets: the service is reset, whatever is under way", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  near.write(pattern(200_000, 1));
  far.write(pattern(200_000, 2));
  world.run(25);
  near.reset();
  world.until(() => far.wasReset, "the reset at the service");
  t.like(a.row(`${NAS}:${PORT}`), { state: "Closed", reason: "client_reset" });
  t.like(b.row(`${NAS}:${PORT}`), { state: "Closed", reason: "client_reset" });
});

story("the service resets: the client is reset, whatever is under way", {}, (t, world) => {
  const { a, b, phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  near.write(pattern(200_000, 1));
  far.write(pattern(200_000, 2));
  world.run(25);
  far.reset();
  world.until(() => near.wasReset, "the reset at the client");
  t.like(a.row(`${NAS}:${PORT}`), { state: "Closed", reason: "service_reset" });
  t.like(b.row(`${NAS}:${PORT}`), { state: "Closed", reason: "service_reset" });
});

for (const uploading of [false, true]) {
  const title = `a service answers and resets${uploading ? " in the middle of an upload" : ""}`;
  story(
    `${title}: the client has the answer, then the reset`,
    { seeds: 4, underlay: BAD_UNDERLAY },
    (t, world) => {
      const { a, b, phone, nas } = twoRouters(world);
      const { near, far } = open(world, phone, nas);
      if (uploading) {
        far.pause();
        near.write(pattern(600_000, 1));
        world.run(500);
      }
      const answer = pattern(200_000, 2);
      far.write(answer);
      far.reset();
      world.until(() => near.wasReset, "the reset at the client", 5000);
      t.true(same(near.received(), answer), `${near.receivedBytes} bytes`);
      for (const router of [a, b])
        t.like(router.row(`${NAS}:${PORT}`), { state: "Closed", reason: "service_reset" });
    },
  );
}

story(
  "a service finishes, then resets because the client goes on: the client has everything",
  { seeds: 4 },
  (t, world) => {
    const { phone, nas } = twoRouters(world);
    const { near, far } = open(world, phone, nas);
    const answer = pattern(200_000, 2);
    far.write(answer);
    far.end();
    near.write(pattern(50_000, 1));
    world.run(15);
    far.reset();
    world.until(() => near.wasReset, "the reset at the client", 5000);
    t.true(same(near.received(), answer), `${near.receivedBytes} bytes`);
  },
);

for (const side of ["a", "b"] as const) {
  story(`a connection closed by request at ${side} ends with resets at both ends`, {}, (t, world) => {
    const scene = twoRouters(world);
    const { near, far } = open(world, scene.phone, scene.nas);
    near.write(pattern(100_000, 1));
    world.run(15);
    t.true(scene[side].daemon.closeConnection(scene[side].row(`${NAS}:${PORT}`).id));
    world.until(() => near.wasReset && far.wasReset, "resets at both ends");
    t.like(scene[side].row(`${NAS}:${PORT}`), { state: "Closed", reason: "closed_by_user" });
    t.false(scene[side].daemon.closeConnection(scene[side].row(`${NAS}:${PORT}`).id));
  });
}

story("a reset that is lost three times still arrives", {}, (t, world) => {
  const { phone, nas } = twoRouters(world);
  const { near, far } = open(world, phone, nas);
  world.run(1000);
  world.setCut("203.0.113.1", "203.0.113.2", true);
  near.reset();
  world.run(300);
  world.setCut("203.0.113.1", "203.0.113.2", false);
  world.until(() => far.wasReset, "the reset", 5000);
  t.pass();
});

story("the router's own programs are carried too, and its own services are reached", {}, (t, world) => {
  const { a, b } = twoRouters(world);
  const streams = collect(b.kernel.local, 22);
  const near = a.kernel.connect(b.virtualAddress, 22);
  world.until(() => streams.length > 0, "the connection");
  const far = streams[0]!;
  near.write(pattern(50_000, 3));
  near.end();
  far.end();
  world.until(() => far.hasEnded && near.hasEnded, "both ends");
  t.true(same(far.received(), pattern(50_000, 3)));
  const row = a.row("10.126.126.2:22");
  t.is(row.transport, "kcp");
  t.regex(row.src, /^10\.126\.126\.1:/);
});

story("stock-sized worlds: a stand-in cipher carries the same story", {}, (t, world) => {
  const { phone, nas } = twoRouters(world, { a: { cipher: "stand-in" }, b: { cipher: "stand-in" } });
  const { near, far } = open(world, phone, nas);
  near.write(pattern(300_000, 3));
  near.end();
  far.end();
  world.until(() => far.hasEnded && near.hasEnded, "both ends");
  t.true(same(far.received(), pattern(300_000, 3)));
});
