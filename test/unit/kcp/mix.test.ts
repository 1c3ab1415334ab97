/** Many connections at once over a bad link, chosen by a seed: every byte right, nothing left behind. */
import test from "ava";
import type { LinkOptions } from "../../../router-daemon/kcp-ts/test/link.ts";
import { Random } from "../../../router-daemon/kcp-ts/test/random.ts";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { type Plan, Side, type Talker } from "./side.ts";
import { StockNode, type StockPlan } from "./stock-model.ts";

const SOURCE = 1001;
const DESTINATION = 2002;

const BAD_LINK: LinkOptions = { delayMs: 10, jitterMs: 8, reorder: true, loss: 0.05, duplicate: 0.02 };

function sizeOf(random: Random): number {
  return [0, 1, random.below(500), random.below(20_000), random.below(200_000)][random.below(5)]!;
}

/** What both ends of one connection do, and what must come of it. */
interface Pair {
  client: Plan;
  server: Plan;
  ends: "finished" | "aborted" | "refused";
}

function choose(random: Random): Pair {
  const client: Plan = { send: sizeOf(random), end: "after-sending" };
  const server: Plan = { send: sizeOf(random), end: "after-peer" };
  switch (random.below(6)) {
    case 0:
      // The service ends first, the client goes on.
      client.sendAfter = server.send!;
      server.end = "after-sending";
      return { client, server, ends: "finished" };
    case 1:
      // The client ends first, the answer follows.
      server.sendAfter = client.send!;
      return { client, server, ends: "finished" };
    case 2:
      client.abortAfter = Math.floor(server.send! / 2);
      client.end = "never";
      return { client, server, ends: "aborted" };
    case 3:
      return {
        client,
        server: { refuse: "target_refused", decideAfterMs: random.below(400) },
        ends: "refused",
      };
    case 4:
      server.decideAfterMs = random.below(1_000);
      client.readBytesPerMs = 50 + random.below(500);
      return { client, server, ends: "finished" };
    default:
      return { client, server, ends: "finished" };
  }
}

function check(
  t: import("ava").ExecutionContext,
  client: Talker,
  server: Talker | undefined,
  pair: Pair,
): void {
  const name = `port ${client.connection.source.port}: ${JSON.stringify(pair)}`;
  t.is(client.connection.state, "closed", name);
  if (pair.ends === "refused") {
    t.is(client.closeReason, "target_refused", name);
    t.is(client.received, 0, name);
  } else if (pair.ends === "finished") {
    t.is(client.closeReason, "finished", name);
    t.is(server!.closeReason, "finished", name);
    t.is(client.received, pair.server.send!, name);
    t.is(server!.received, pair.client.send!, name);
    t.true(client.sawEnd && server!.sawEnd, name);
  } else {
    t.is(client.closeReason, "aborted", name);
    t.is(server!.connection.state, "closed", name);
  }
}

for (const seed of [1, 2]) {
  test(`two of ours, 200 connections of mixed size and fate over a bad link (seed ${seed})`, (t) => {
    const random = new Random(seed);
    const world = new World();
    const source = new Side("source", SOURCE, DESTINATION, { seed, slots: 16384 });
    const destination = new Side("destination", DESTINATION, SOURCE, { seed: seed + 100, slots: 16384 });
    source.isRecording = destination.isRecording = false;
    world.connect(source, destination, BAD_LINK, BAD_LINK, seed);
    const pairs = new Map<number, Pair>();
    destination.plan = (connection) => pairs.get(connection.source.port)!.server;
    const clients: Talker[] = [];
    for (let i = 0; i < 200; i++) {
      const port = 10_000 + 2 * i;
      const pair = choose(random);
      pairs.set(port, pair);
      source.at(random.below(2_000), (now) => {
        clients.push(source.connect(port, pair.client, now, random.chance(0.5) ? 20 : undefined));
      });
    }
    world.run(120_000, () => clients.length === 200 && source.endpoint.connectionCount === 0);
    for (const client of clients) {
      const { port } = client.connection.source;
      const servers = destination.talkers.filter((talker) => talker.connection.source.port === port);
      t.is(servers.length, 1, `port ${port} was taken once`);
      check(t, client, servers[0], pairs.get(port)!);
    }
    world.run(world.now + 5_000);
    for (const side of [source, destination]) {
      t.is(side.endpoint.connectionCount, 0, `${side.role} has connections left`);
      t.is(side.leakedSlots, 0, `${side.role} has lost slots`);
      t.is(side.endpoint.nextTimeout, Infinity, `${side.role} is at rest`);
    }
  });
}

/** A mix toward and from stock nodes: what they can do at all must come out whole. */
for (const version of ["264", "814"] as const) {
  for (const seed of version === "264" ? [11] : [12]) {
    test(`our source, a ${version} destination, 60 connections over a bad link (seed ${seed})`, (t) => {
      const random = new Random(seed);
      const world = new World();
      const source = new Side("source", SOURCE, DESTINATION, { seed, slots: 16384 });
      const stock = new StockNode("destination", DESTINATION, SOURCE, version);
      source.isRecording = false;
      world.connect(source, stock, BAD_LINK, BAD_LINK, seed);
      const expected: { talker: Talker; down: number; up: number }[] = [];
      const portOf = new Map<number, number>();
      const plans = new Map<number, StockPlan>();
      stock.portOf = (conv) => portOf.get(conv) ?? 0;
      stock.plan = (conv) => plans.get(portOf.get(conv) ?? 0) ?? { end: "after-peer" };
      for (let i = 0; i < 60; i++) {
        const port = 10_000 + 2 * i;
        source.at(random.below(1_000), (now) => {
          const down = sizeOf(random);
          const up = sizeOf(random);
          // The service answers after the request and closes, or the client uploads and closes.
          const isDownload = random.chance(0.5);
          const talker = source.connect(
            port,
            isDownload ? { send: up, end: "after-peer" } : { send: up, end: "after-sending" },
            now,
          );
          plans.set(
            port,
            isDownload ? { sendAfter: up, send: down, end: "after-sending" } : { end: "after-peer" },
          );
          expected.push({ talker, down: isDownload ? down : 0, up });
        });
      }
      // Racing convs all belong to the port.
      source.filter = (packet) => {
        if (packet.flags === 1) {
          for (const { talker } of expected) {
            const connection = talker.connection as unknown as { racingConvs: readonly number[] };
            for (const conv of connection.racingConvs) portOf.set(conv, talker.connection.source.port);
          }
        }
        return true;
      };
      world.run(90_000, () => expected.length === 60 && source.endpoint.connectionCount === 0);
      for (const { talker, down, up } of expected) {
        const { port } = talker.connection.source;
        const taken = stock.taken.filter((connection) => portOf.get(connection.conv) === port);
        t.is(taken.length, 1, `port ${port} was taken once`);
        t.is(talker.received, down, `port ${port}, down`);
        t.is(taken[0]!.received, up, `port ${port}, up`);
        t.is(talker.closeReason, "finished", `port ${port}`);
      }
      t.is(source.endpoint.connectionCount, 0);
      t.is(source.leakedSlots, 0);
    });

    test(`a ${version} source, our destination, 60 downloads over a bad link (seed ${seed})`, (t) => {
      const random = new Random(seed);
      const world = new World();
      const stock = new StockNode("source", SOURCE, DESTINATION, version);
      const destination = new Side("destination", DESTINATION, SOURCE, { seed, slots: 16384 });
      destination.isRecording = false;
      world.connect(stock, destination, BAD_LINK, BAD_LINK, seed);
      const plans = new Map<number, { down: number; up: number }>();
      destination.plan = (connection) => {
        const { down, up } = plans.get(connection.source.port)!;
        return { sendAfter: up, send: down, end: "after-sending" };
      };
      for (let i = 0; i < 60; i++) {
        const port = 10_000 + 2 * i;
        const plan = { down: sizeOf(random), up: random.below(3_000) };
        plans.set(port, plan);
        stock.connect(port, { send: plan.up, end: "never", readBytesPerMs: 200 }, 0);
      }
      world.run(90_000, () => stock.races.every((race) => race.winner?.state === "Closed"));
      for (const race of stock.races) {
        const { down, up } = plans.get(race.port)!;
        t.truthy(race.winner, `port ${race.port} won`);
        t.is(race.winner?.received, down, `port ${race.port}, down`);
        const servers = destination.talkers.filter((talker) => talker.connection.source.port === race.port);
        t.true(
          servers.some((server) => server.received === up),
          `port ${race.port}, up`,
        );
      }
      world.run(world.now + 80_000);
      t.is(destination.endpoint.connectionCount, 0);
      t.is(destination.leakedSlots, 0);
    });
  }
}
