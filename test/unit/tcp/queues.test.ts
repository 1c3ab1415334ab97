import test from "ava";
import fc from "fast-check";
import { FixedSlotPool, RUN_WORDS, RunEntry } from "kcp-ts";
import { Assembler, MAX_REORDER_RUNS, ReorderStore } from "../../../router-daemon/src/tcp/assembler.ts";
import { bytesIn, SendQueue } from "../../../router-daemon/src/tcp/send-queue.ts";
import { pattern } from "./world.ts";

const SLOT_BYTES = 64;

test("the send queue is the stream, whatever the pieces, up to its bound", (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), bytes: fc.integer({ min: 1, max: SLOT_BYTES }) }),
    fc.record({
      kind: fc.constant("run" as const),
      bytes: fc.array(fc.integer({ min: 1, max: SLOT_BYTES }), { maxLength: 12 }),
    }),
    fc.record({ kind: fc.constant("release" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({
      kind: fc.constant("fill" as const),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
      pairs: fc.integer({ min: 1, max: 20 }),
    }),
  );
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 120 }), (start, steps) => {
      const pool = new FixedSlotPool(80, { slotBytes: SLOT_BYTES });
      const queue = new SendQueue(pool, 64, start | 0);
      const words = new Int32Array(64);
      const stream: number[] = [];
      const ends: number[] = [];
      let released = 0;
      for (const one of steps) {
        if (one.kind === "push") {
          const slot = pool.alloc();
          const offset = slot * SLOT_BYTES + (SLOT_BYTES - one.bytes);
          for (let index = 0; index < one.bytes; index++) pool.bytes[offset + index] = stream.length + index;
          const held = ends.filter((end) => end > released).length;
          const taken = queue.push(slot, offset, one.bytes);
          if (taken !== held < 64) throw new Error("the bound");
          if (!taken) {
            pool.free(slot);
            continue;
          }
          for (let index = 0; index < one.bytes; index++) stream.push(stream.length & 255);
          ends.push(stream.length);
        } else if (one.kind === "run") {
          const run = new Int32Array(RUN_WORDS * one.bytes.length);
          const before = stream.length;
          const held = ends.filter((end) => end > released).length;
          one.bytes.forEach((bytes, i) => {
            const slot = pool.alloc();
            const offset = slot * SLOT_BYTES;
            for (let index = 0; index < bytes; index++) {
              pool.bytes[offset + index] = stream.length;
              stream.push(stream.length & 255);
            }
            ends.push(stream.length);
            run.set([slot, offset, bytes], i * RUN_WORDS);
          });
          const taken = queue.pushRun(run, 0, one.bytes.length);
          if (taken !== held + one.bytes.length <= 64) throw new Error("the bound");
          if (!taken) {
            stream.length = before;
            ends.length -= one.bytes.length;
            for (let i = 0; i < one.bytes.length; i++) pool.free(run[i * RUN_WORDS + RunEntry.slot]!);
          }
        } else if (one.kind === "release") {
          released += Math.floor((stream.length - released) * one.share);
          queue.release((start + released) | 0);
        } else if (stream.length > released) {
          const length = stream.length - released;
          const from = released + Math.min(length - 1, Math.floor(one.from * length));
          const bytes = 1 + Math.floor(one.to * (stream.length - from - 1));
          const pairs = queue.fill(words, 3, one.pairs, (start + from) | 0, bytes);
          const seen: number[] = [];
          for (let pair = 0; pair < pairs; pair++) {
            const offset = words[3 + 2 * pair]!;
            seen.push(...pool.bytes.subarray(offset, offset + words[4 + 2 * pair]!));
          }
          if (bytesIn(words, 3, pairs) !== seen.length) throw new Error("bytesIn");
          if (pairs > one.pairs || (pairs < one.pairs && seen.length !== bytes)) throw new Error("too short");
          if (seen.join() !== stream.slice(from, from + seen.length).join()) throw new Error("other bytes");
        }
        if (queue.end !== ((start + stream.length) | 0)) throw new Error("end");
        const held = ends.filter((end) => end > released).length;
        if (queue.slots !== held || pool.freeSlots !== 80 - held)
          throw new Error(`${queue.slots} slots, not ${held}`);
      }
      queue.clear();
      if (pool.freeSlots !== 80) throw new Error("leak");
    }),
  );
  t.pass();
});

test("the assembler yields what a naive map of bytes yields, in the same order, and leaks nothing", (t) => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("insert" as const),
      at: fc.nat(600),
      bytes: fc.integer({ min: 1, max: 200 }),
    }),
    fc.record({ kind: fc.constant("drain" as const), take: fc.nat(300), arrived: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 60 }), (start, steps) => {
      const pool = new FixedSlotPool(60, { slotBytes: SLOT_BYTES });
      const source = 60 * SLOT_BYTES;
      const arena = new ArrayBuffer(source + 2000);
      const roomy = new FixedSlotPool(60, { arena, slotBytes: SLOT_BYTES });
      const stream = pattern(1500, 5);
      const bytes = new Uint8Array(arena);
      bytes.set(stream, source);
      const store = new ReorderStore(roomy, 60, 60);
      const assembler = new Assembler(store);
      const naive = new Set<number>();
      let expected = 0;
      let wasFull = false;
      for (const one of steps) {
        if (one.kind === "insert") {
          const from = Math.max(one.at, expected);
          const to = Math.min(one.at + one.bytes, 800);
          if (to <= from) continue;
          assembler.insert((start + from) | 0, source + from, to - from);
          for (let at = from; at < to; at++) naive.add(at);
          if (roomy.freeSlots === 0) wasFull = true;
        } else {
          // Bytes that came in order meanwhile make stored ones old.
          expected += one.arrived;
          let left = one.take;
          const taken = assembler.drain((start + expected) | 0, {
            space: left,
            receive: (offset, length) => {
              const take = Math.min(left, length);
              for (let index = 0; index < take; index++) {
                if (bytes[offset + index] !== stream[expected + index]) throw new Error("other bytes");
              }
              expected += take;
              left -= take;
              return take;
            },
          });
          if (taken !== one.take - left) throw new Error("taken");
          // As far as there was room for everything, all of it is there.
          if (!wasFull && left > 0 && naive.has(expected)) throw new Error(`byte ${expected} is missing`);
        }
        const edges = new Int32Array(2 * MAX_REORDER_RUNS);
        const blocks = assembler.sackBlocks(edges, 0, MAX_REORDER_RUNS, (start + expected) | 0);
        for (let block = 0; block < blocks; block++) {
          const from = (edges[2 * block]! - start) | 0;
          const to = (edges[2 * block + 1]! - start) | 0;
          for (let at = Math.max(from, expected); at < to; at++)
            if (!naive.has(at)) throw new Error("never came");
        }
        if (assembler.slots !== store.usedSlots || 60 - roomy.freeSlots !== store.usedSlots)
          throw new Error("slots");
      }
      assembler.clear();
      if (roomy.freeSlots !== 60 || pool.freeSlots !== 60) throw new Error("leak");
    }),
    { numRuns: 300 },
  );
  t.pass();
});
