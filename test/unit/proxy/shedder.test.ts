import test from "ava";
import { EntryTable } from "../../../router-daemon/src/proxy/entry.ts";
import { SHED_IDLE_MS, SHED_PERIOD_MS, Shedder } from "../../../router-daemon/src/proxy/shedder.ts";

const NOW = 100_000;

interface Scene {
  readonly shedder: Shedder;
  readonly closed: string[];
  readonly budget: { level: "normal" | "saving" | "shedding"; slotsToShed: number };
  add(name: string, idleMs: number, heldSlots: number): void;
}

/** A table of connections, each with its idle time and what it holds; closing one gives its slots back. */
function scene(slotsToShed: number): Scene {
  const entries = new EntryTable();
  const closed: string[] = [];
  const budget: Scene["budget"] = { level: "shedding", slotsToShed };
  const add = (name: string, idleMs: number, heldSlots: number) => {
    const key = { sourceIp: 1, sourcePort: 1, destinationIp: 2, destinationPort: 2, peerId: 3 };
    const entry = entries.open({ role: "source", ...key }, "kcp", "kcp_allowed", 0);
    entry.activeAt = NOW - idleMs;
    entry.carrier = { stats: { srttMs: 1, retransmittedShare: 0, heldSlots } };
    entry.close = (now, reason) => {
      closed.push(`${name} ${reason}`);
      budget.slotsToShed -= heldSlots;
      entries.end(entry, reason, now);
    };
  };
  return { shedder: new Shedder(budget, entries), closed, budget, add };
}

test("idle connections that hold memory are closed, longest idle first, until enough is free", (t) => {
  const { shedder, closed, add } = scene(150);
  add("short", SHED_IDLE_MS, 100);
  add("longest", 9 * SHED_IDLE_MS, 100);
  add("empty", 8 * SHED_IDLE_MS, 0);
  add("long", 7 * SHED_IDLE_MS, 100);
  t.true(shedder.nextTimeout <= NOW);
  shedder.handleTimeout(NOW);
  t.deepEqual(closed, ["longest memory_shed", "long memory_shed"]);
  t.is(shedder.shed, 2);
  t.is(shedder.nextTimeout, NOW + SHED_PERIOD_MS);
});

test("busy connections stay, however little memory there is", (t) => {
  const { shedder, closed, add } = scene(1000);
  add("busy", SHED_IDLE_MS - 1, 500);
  shedder.handleTimeout(NOW);
  t.deepEqual(closed, []);
});

test("before memory is used up nothing is closed, nor looked at", (t) => {
  const { shedder, closed, budget, add } = scene(1000);
  add("idle", 9 * SHED_IDLE_MS, 500);
  for (const level of ["normal", "saving"] as const) {
    budget.level = level;
    t.is(shedder.nextTimeout, Number.POSITIVE_INFINITY);
    shedder.handleTimeout(NOW);
  }
  t.deepEqual(closed, []);
});
