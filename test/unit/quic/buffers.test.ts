import test from "ava";
import fc from "fast-check";
import { FixedSlotPool, SlotQuota } from "kcp-ts";
import { MAX_CHUNKS, MAX_HELD_PIECES, MIN_UNSENT_CHUNKS } from "../../../router-daemon/src/quic/limits.ts";
import { Arrival, ReceiveBuffer } from "../../../router-daemon/src/quic/receive-buffer.ts";
import { SendBuffer } from "../../../router-daemon/src/quic/send-buffer.ts";

/** Byte `i` of the stream. */
const streamByte = (i: number): number => (i * 31 + (i >>> 8) * 7) & 0xff;

function receiver(slots: number) {
  const pool = new FixedSlotPool(slots);
  const buffer = new ReceiveBuffer(pool, new SlotQuota(pool));
  /** A frame as it arrives: in a slot of its own, some way into it. */
  const insert = (offset: number, length: number, mayTake: boolean, reserve = 0): number => {
    const slot = pool.alloc();
    if (slot < 0) return Arrival.noRoom;
    const at = slot * pool.slotBytes + 40;
    for (let i = 0; i < length; i++) pool.bytes[at + i] = streamByte(offset + i);
    const result = buffer.insert(offset, mayTake ? slot : -1, at, length, reserve);
    if (result !== Arrival.tookSlot) pool.free(slot);
    return result;
  };
  return { pool, buffer, insert };
}

test("whatever frames come in whatever order, the bytes read are the stream's, and no slot is lost", (t) => {
  const frames = fc.array(
    fc.record({ offset: fc.nat(6_000), length: fc.nat(1_200), take: fc.boolean(), read: fc.nat(3_000) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(frames, (list) => {
      const { pool, buffer, insert } = receiver(256);
      const words = new Int32Array(64);
      const has = new Set<number>();
      let read = 0;
      for (const { offset, length, take, read: wanted } of list) {
        const result = insert(offset, length, take);
        t.not(result, Arrival.noRoom);
        for (let i = offset; i < offset + length; i++) has.add(i);
        let next = read;
        while (has.has(next)) next++;
        t.is(buffer.nextOffset, next);
        t.is(buffer.readableBytes, next - read);
        let left = Math.min(wanted, buffer.readableBytes);
        while (left > 0) {
          buffer.view(words, 0, 1);
          const count = Math.min(left, words[1]!);
          for (let i = 0; i < count; i++) t.is(pool.bytes[words[0]! + i], streamByte(read + i));
          buffer.consume(count);
          read += count;
          left -= count;
        }
        t.is(pool.slotCount - pool.freeSlots, buffer.slots);
      }
      buffer.dispose();
      t.is(pool.freeSlots, pool.slotCount);
      t.is(buffer.slots, 0);
    }),
  );
});

test("single bytes share slots", (t) => {
  const { buffer, insert } = receiver(64);
  for (let i = 0; i < 2_000; i++) t.not(insert(i, 1, true), Arrival.noRoom);
  t.true(buffer.slots <= 3, `${buffer.slots} slots`);
  t.is(buffer.readableBytes, 2_000);
});

test("pieces ahead of a hole are bounded, and leave the reserve alone", (t) => {
  const { buffer, insert } = receiver(MAX_HELD_PIECES + 100);
  for (let i = 0; i < MAX_HELD_PIECES; i++) t.not(insert(10 + 2 * i, 1, true), Arrival.noRoom);
  t.is(insert(10 + 2 * MAX_HELD_PIECES, 1, true), Arrival.noRoom);
  t.is(buffer.heldPieces, MAX_HELD_PIECES);
  const small = receiver(50);
  let kept = 0;
  while (small.insert(1_000 + 2 * kept, 1, true, 20) !== Arrival.noRoom) kept++;
  t.is(small.pool.freeSlots, 21);
  t.not(small.insert(0, 100, true, 20), Arrival.noRoom, "what closes the hole still comes in");
});

function sender(
  options: { slots?: number; spareSlots?: number; windowChunks?: number; chunkBytes?: number } = {},
) {
  const pool = new FixedSlotPool(options.slots ?? 512);
  const limits = {
    pool,
    spareSlots: options.spareSlots ?? 0,
    chunkBytes: options.chunkBytes ?? 100,
    windowChunks: options.windowChunks ?? 64,
    quota: new SlotQuota(pool),
  };
  return { pool, limits, buffer: new SendBuffer(limits) };
}

test("whatever is written, sent, lost and acknowledged: every byte leaves as it was written, and every slot comes back", (t) => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("write" as const), bytes: fc.nat(700) }),
      fc.record({ kind: fc.constant("reserve" as const), bytes: fc.nat(700) }),
      fc.record({ kind: fc.constant("send" as const), count: fc.nat(6) }),
      fc.record({ kind: fc.constant("lose" as const), which: fc.nat(200) }),
      fc.record({ kind: fc.constant("acknowledge" as const), which: fc.nat(200) }),
    ),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const { pool, buffer } = sender();
      const words = new Int32Array(32);
      const flights: { chunk: number; order: number }[] = [];
      const acknowledged = new Set<number>();
      let written = 0;
      let order = 0;
      const send = (): boolean => {
        const chunk = buffer.candidate;
        if (chunk < 0) return false;
        const at = buffer.dataAt(chunk);
        const start = buffer.start(chunk);
        for (let i = 0; i < buffer.length(chunk); i++) t.is(pool.bytes[at + i], streamByte(start + i));
        buffer.handleSent(chunk, order);
        flights.push({ chunk, order: order++ });
        return true;
      };
      const acknowledge = ({ chunk }: { chunk: number }): void => {
        t.is(buffer.handleAcknowledged(chunk), !acknowledged.has(chunk));
        acknowledged.add(chunk);
      };
      for (const step of list) {
        if (step.kind === "write") {
          written += buffer.write(Uint8Array.from({ length: step.bytes }, (_, i) => streamByte(written + i)));
        } else if (step.kind === "reserve") {
          const pairs = buffer.reserve(words, 0, 16);
          let filled = 0;
          for (let i = 0; i < pairs; i++) {
            const count = Math.min(words[2 * i + 1]!, step.bytes - filled);
            for (let k = 0; k < count; k++) pool.bytes[words[2 * i]! + k] = streamByte(written + filled + k);
            filled += count;
          }
          buffer.commit(filled);
          written += filled;
        } else if (step.kind === "send") for (let i = 0; i < step.count; i++) send();
        else if (flights.length > 0) {
          const flight = flights[step.which % flights.length]!;
          if (step.kind === "acknowledge") acknowledge(flight);
          else buffer.handleLost(flight.chunk, flight.order);
        }
        t.is(buffer.endOffset, written);
        t.is(pool.slotCount - pool.freeSlots, buffer.slots);
      }
      while (send());
      for (const flight of [...flights]) acknowledge(flight);
      t.is(buffer.unacknowledgedBytes, 0);
      t.is(buffer.una, buffer.end);
      t.is(pool.freeSlots, pool.slotCount);
    }),
  );
});

test("a loss is believed only of the last transmission", (t) => {
  const { buffer } = sender();
  buffer.write(new Uint8Array(10));
  buffer.handleSent(buffer.candidate, 1);
  t.true(buffer.handleLost(0, 1));
  buffer.handleSent(buffer.candidate, 2);
  t.false(buffer.handleLost(0, 1));
  t.is(buffer.candidate, -1);
});

test("writing stops at the unsent bound, at the ring's, and at the spare slots", (t) => {
  const unsent = sender({ windowChunks: 0 });
  t.is(unsent.buffer.write(new Uint8Array(100_000)), MIN_UNSENT_CHUNKS * 100);
  t.is(unsent.buffer.writableBytes, 0);
  const spare = sender({ slots: 40, spareSlots: 30 });
  t.is(spare.buffer.write(new Uint8Array(100_000)), 10 * 100);
  const ring = sender({ slots: 40_000, windowChunks: 1 << 20, chunkBytes: 1 });
  t.is(ring.buffer.write(new Uint8Array(10_000)), MAX_CHUNKS);
});
