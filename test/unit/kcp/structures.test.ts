/** The small structures under the endpoint, each against a naive twin. */
import test from "ava";
import fc from "fast-check";
import { ClosedMemory } from "../../../router-daemon/src/kcp/closed-memory.ts";
import { ConvTable } from "../../../router-daemon/src/kcp/conv-table.ts";
import { type Due, DueHeap } from "../../../router-daemon/src/kcp/due-heap.ts";
import {
  CLOSED_MEMORY_MS,
  MAX_PENDING_RESETS,
  RESET_BURST,
  RESETS_PER_SECOND,
} from "../../../router-daemon/src/kcp/limits.ts";
import { StockDrain } from "../../../router-daemon/src/kcp/stock-drain.ts";
import { StrayAnswers } from "../../../router-daemon/src/kcp/stray-answers.ts";

test("the table finds what a Map finds, whatever is added and removed", (t) => {
  const keys = fc.record({ conv: fc.nat(40), peer: fc.constantFrom(1, 2, 0xffffffff) });
  const operations = fc.array(fc.record({ key: keys, add: fc.boolean() }), { maxLength: 400 });
  fc.assert(
    fc.property(operations, fc.integer(), (list, seed) => {
      const table = new ConvTable<{ id: number }>(seed);
      const twin = new Map<string, { id: number }>();
      list.forEach(({ key: { conv, peer }, add }, id) => {
        const name = `${conv} ${peer}`;
        if (add) {
          table.set(conv, peer, { id });
          twin.set(name, { id });
        } else if (table.delete(conv, peer) !== twin.delete(name)) throw new Error(name);
      });
      if (table.size !== twin.size) throw new Error(`${table.size} != ${twin.size}`);
      for (let conv = 0; conv <= 40; conv++) {
        for (const peer of [1, 2, 0xffffffff]) {
          if (table.get(conv, peer)?.id !== twin.get(`${conv} ${peer}`)?.id)
            throw new Error(`${conv} ${peer}`);
        }
      }
    }),
  );
  t.pass();
});

test("the table grows to thousands of neighbouring convs and shrinks to nothing", (t) => {
  const table = new ConvTable<{ id: number }>(7);
  for (let i = 0; i < 5_000; i++) table.set((0xfffff000 + i) >>> 0, 9, { id: i });
  t.is(table.size, 5_000);
  for (let i = 0; i < 5_000; i++) t.is(table.get((0xfffff000 + i) >>> 0, 9)?.id, i);
  for (let i = 0; i < 5_000; i++) t.true(table.delete((0xfffff000 + i) >>> 0, 9));
  t.is(table.size, 0);
  t.is(table.get(0xfffff000, 9), undefined);
});

test("the heap names the item that is due first, however items are moved", (t) => {
  const moves = fc.array(fc.tuple(fc.nat(15), fc.oneof(fc.nat(100), fc.constant(Infinity))), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(moves, (list) => {
      const items = Array.from({ length: 16 }, (): Due => ({ dueAt: Infinity, heapIndex: -1 }));
      const heap = new DueHeap<Due>();
      for (const [at, dueAt] of list) {
        heap.set(items[at]!, dueAt);
        const first = Math.min(...items.map((item) => item.dueAt));
        if (heap.nextAt !== first) throw new Error(`${heap.nextAt} != ${first}`);
        if (heap.size !== items.filter((item) => item.dueAt !== Infinity).length) throw new Error("size");
        const due = heap.due(50);
        if ((due !== undefined) !== first <= 50 || (due !== undefined && due.dueAt !== first))
          throw new Error("due");
      }
    }),
  );
  t.pass();
});

test("closed convs are remembered for a while and no longer", (t) => {
  const memory = new ClosedMemory(3);
  memory.add(10, 20, 5, 1_000);
  t.is(memory.find(10, 20, 1_000), 5);
  t.is(memory.find(10, 21, 1_000), -1);
  t.is(memory.find(10, 20, 999 + CLOSED_MEMORY_MS), 5);
  t.is(memory.find(10, 20, 1_000 + CLOSED_MEMORY_MS), -1);
});

test("answers to strangers are bounded at once and per second, one per key", (t) => {
  const resets = new StrayAnswers();
  const sent: number[] = [];
  const drain = () =>
    resets.drain((_peer, conv) => {
      sent.push(conv);
      return true;
    });
  for (let conv = 0; conv < 1_000; conv++) resets.add(1, conv, 0, 0);
  t.is(resets.count, MAX_PENDING_RESETS);
  drain();
  t.is(sent.length, MAX_PENDING_RESETS);
  for (let round = 0; round < 100; round++) {
    for (let conv = 0; conv < 50; conv++) resets.add(1, conv, 0, 0);
    drain();
  }
  t.is(sent.length, RESET_BURST);
  t.false(resets.add(1, 1, 0, 0));
  // A second later there is credit again.
  for (let conv = 0; conv < 50; conv++) t.true(resets.add(1, conv, 0, 1_000));
  t.true(resets.add(1, 7, 0, 1_000), "the same key again costs nothing");
  t.is(resets.count, 50);
  drain();
  sent.length = 0;
  for (let ms = 1_000; ms <= 11_000; ms++) {
    for (let i = 0; i < 5; i++) resets.add(1, ms * 10 + i, 0, ms);
    drain();
  }
  t.true(sent.length <= RESET_BURST + 10 * RESETS_PER_SECOND);
});

test("a drain asks for the window until it is whole, and then waits for the reader", (t) => {
  const delivery = { unacknowledgedBytes: 100, remoteWindow: 900, largestRemoteWindow: 1023 };
  const drain = new StockDrain(4_000_000, 0, 1_000);
  t.is(drain.step(1_000, delivery, 1_000, 0), "wait");
  t.is(drain.nextAt, Infinity);
  delivery.unacknowledgedBytes = 0;
  t.is(drain.step(1_010, delivery, 1_010, 0), "probe");
  t.is(drain.step(1_020, delivery, 1_010, 0), "wait");
  t.is(drain.step(1_030, delivery, 1_010, 0), "probe");
  // 1023 was never the whole window.
  delivery.remoteWindow = 1023;
  t.is(drain.step(1_040, delivery, 1_010, 0), "wait");
  t.is(drain.step(1_050, delivery, 1_010, 0), "probe");
  delivery.remoteWindow = 1024;
  delivery.largestRemoteWindow = 1024;
  t.is(drain.step(1_060, delivery, 1_010, 0), "wait");
  const settledAt = drain.nextAt;
  t.true(settledAt >= 1_060 + 200);
  t.is(drain.step(settledAt - 1, delivery, 1_010, 0), "wait");
  t.is(drain.step(settledAt, delivery, 1_010, 0), "done");
});

test("a drain of a connection that has been idle ends at once, if nobody has to speak first", (t) => {
  const delivery = { unacknowledgedBytes: 0, remoteWindow: 1024, largestRemoteWindow: 1024 };
  t.is(new StockDrain(4_000_000, 0, 60_000).step(60_000, delivery, 30_000, 0), "done");
  const polite = new StockDrain(4_000_000, 0, 60_000);
  t.is(polite.step(60_000, delivery, 30_000, 61_000), "wait");
  t.is(polite.nextAt, 61_000);
  t.is(polite.step(61_000, delivery, 30_000, 61_000), "done");
});

test("a drain of a reader that has paused asks less and less often, but goes on", (t) => {
  const delivery = { unacknowledgedBytes: 0, remoteWindow: 10, largestRemoteWindow: 1024 };
  const drain = new StockDrain(4_000_000, 0, 0);
  let probes = 0;
  for (let now = 0; now <= 60_000; now = drain.nextAt) {
    if (drain.step(now, delivery, 0, 0) === "probe") probes++;
  }
  t.true(probes > 60 && probes < 300, `${probes} probes in a minute`);
  t.is(drain.lastProgressAt, 0);
});
