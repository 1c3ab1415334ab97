import test from "ava";
import fc from "fast-check";
import { AgeList } from "../../../router-daemon/src/tcp/age-list.ts";
import { TIMER_COUNT, Timer, TimerTable } from "../../../router-daemon/src/tcp/timer-table.ts";
import { TupleTable } from "../../../router-daemon/src/tcp/tuple-table.ts";

test("timers fire in order, once, like those of a naive list", (t) => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("arm" as const),
      flow: fc.nat(9),
      timer: fc.nat(TIMER_COUNT - 1),
      at: fc.nat(100),
    }),
    fc.record({ kind: fc.constant("disarm" as const), flow: fc.nat(9), timer: fc.nat(TIMER_COUNT - 1) }),
    fc.record({ kind: fc.constant("clear" as const), flow: fc.nat(9) }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const table = new TimerTable(10);
      const naive = new Map<number, number>();
      let now = 0;
      for (const one of steps) {
        if (one.kind === "arm") {
          table.arm(one.flow, one.timer, now + 1 + one.at);
          naive.set(one.flow * TIMER_COUNT + one.timer, now + 1 + one.at);
        } else if (one.kind === "disarm") {
          table.disarm(one.flow, one.timer);
          naive.delete(one.flow * TIMER_COUNT + one.timer);
        } else if (one.kind === "clear") {
          table.clear(one.flow);
          for (const key of [...naive.keys()])
            if (Math.floor(key / TIMER_COUNT) === one.flow) naive.delete(key);
        } else {
          now += one.ms;
          const fired: number[] = [];
          for (let due = table.popExpired(now); due >= 0; due = table.popExpired(now)) fired.push(due);
          const expected = [...naive].filter(([, at]) => at <= now).map(([key]) => key);
          t.deepEqual(
            [...fired].sort((a, b) => a - b),
            expected.sort((a, b) => a - b),
          );
          for (const key of expected) naive.delete(key);
        }
        const earliest = Math.min(Number.POSITIVE_INFINITY, ...naive.values());
        if (table.next > earliest) throw new Error(`${table.next} is later than ${earliest}`);
        for (let key = 0; key < 10 * TIMER_COUNT; key++) {
          if (table.isArmed(Math.floor(key / TIMER_COUNT), key % TIMER_COUNT) !== naive.has(key)) {
            throw new Error("armed or not?");
          }
        }
      }
    }),
  );
});

test("moving a deadline back does not make a timer fire early, nor late", (t) => {
  const table = new TimerTable(3);
  table.arm(0, Timer.retransmit, 10);
  table.arm(1, Timer.retransmit, 20);
  for (let at = 11; at < 100; at++) table.arm(0, Timer.retransmit, at);
  t.is(table.popExpired(15), -1);
  t.is(table.next, 20);
  t.is(table.popExpired(20), TIMER_COUNT + Timer.retransmit);
  t.is(table.popExpired(98), -1);
  t.is(table.popExpired(99), Timer.retransmit);
  t.is(table.popExpired(1e9), -1);
  t.is(table.next, Number.POSITIVE_INFINITY);
});

test("tuples are found like in a naive map, up to the capacity", (t) => {
  const tuple = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3));
  const step = fc.record({ add: fc.boolean(), tuple });
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 100 }), (seed, steps) => {
      const table = new TupleTable(12, seed);
      const naive = new Map<string, number>();
      for (const { add, tuple: key } of steps) {
        const name = key.join();
        const id = table.find(...key);
        if (id !== (naive.get(name) ?? -1)) throw new Error("found something else");
        if (add && id < 0) {
          const inserted = table.insert(...key);
          if (inserted < 0 !== naive.size >= 12) throw new Error("capacity");
          if (inserted >= 0) {
            if ([...naive.values()].includes(inserted)) throw new Error("an id in use");
            naive.set(name, inserted);
          }
        } else if (!add && id >= 0) {
          table.remove(id);
          naive.delete(name);
        }
        if (table.size !== naive.size) throw new Error("size");
      }
    }),
  );
  t.pass();
});

test("real addresses spread over the buckets", (t) => {
  // 4096 connections of one client to one target: as long as chains are short, this is quick.
  const table = new TupleTable(4096, 12_345);
  for (let port = 0; port < 4096; port++) table.insert(0xc0a80102 | 0, 0x0a000001, (port << 16) | 443);
  for (let port = 0; port < 4096; port++) {
    const id = table.find(0xc0a80102 | 0, 0x0a000001, (port << 16) | 443);
    if (table.ports[id] !== ((port << 16) | 443)) throw new Error("not found");
  }
  t.is(table.insert(1, 2, 3), -1);
  t.is(table.find(1, 2, 3), -1);
});

test("numbers keep their order of coming", (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(7), { maxLength: 60 }), (steps) => {
      const list = new AgeList(8);
      let naive: number[] = [];
      for (const id of steps) {
        if (naive.includes(id)) {
          list.remove(id);
          naive = naive.filter((one) => one !== id);
        } else {
          list.add(id);
          naive.push(id);
        }
        const order: number[] = [];
        for (let at = list.oldest; at >= 0; at = list.after(at)) order.push(at);
        if (order.join() !== naive.join()) throw new Error(`${order} is not ${naive}`);
      }
    }),
  );
  t.pass();
});
