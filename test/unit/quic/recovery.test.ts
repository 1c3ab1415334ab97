import test from "ava";
import fc from "fast-check";
import { PacketKind } from "../../../router-daemon/src/quic/packet.ts";
import { PacketSpace } from "../../../router-daemon/src/quic/packet-space.ts";
import { Recovery } from "../../../router-daemon/src/quic/recovery.ts";
import { RecordState, Record as Sent } from "../../../router-daemon/src/quic/sent-packets.ts";

const BYTES = 1000;
const NO_ITEMS = 0;

/** One space of a sender, and a naive account of what it has been told. */
function sender(maxRecords: number) {
  const space = new PacketSpace(PacketKind.short, maxRecords);
  const acknowledged = new Map<number, number>();
  const lost = new Set<number>();
  const recovery = new Recovery(
    {
      packetAcknowledged: (_, record) => {
        const number = space.sent.number(record);
        acknowledged.set(number, (acknowledged.get(number) ?? 0) + 1);
      },
      packetLost: (_, record) => {
        // A probe repeats what flies on.
        const state = space.sent.cells[space.sent.cell(record) + Sent.state];
        if (state === RecordState.lost) lost.add(space.sent.number(record));
        return true;
      },
    },
    [new PacketSpace(PacketKind.initial, 1), new PacketSpace(PacketKind.handshake, 1), space],
    10,
    0,
  );
  const sent: number[] = [];
  const send = (): void => {
    const number = space.nextNumber++;
    recovery.handleSent(space, number, BYTES, NO_ITEMS, undefined, -1, -1);
    sent.push(number);
  };
  /** The peer says all that has arrived, highest first. */
  const hear = (arrived: ReadonlySet<number>, now: number): void => {
    recovery.beginAck(0, now);
    const numbers = [...arrived].sort((a, b) => b - a);
    for (let i = 0; i < numbers.length; ) {
      const high = numbers[i]!;
      let low = high;
      while (++i < numbers.length && numbers[i] === low - 1) low--;
      recovery.handleRange(space, low, high);
    }
    recovery.settle(now);
  };
  return { space, recovery, acknowledged, lost, sent, send, hear };
}

test("whatever arrives in whatever order, every packet is told once, and what flies is what is neither here nor lost", (t) => {
  const steps = fc.array(
    fc.record({
      /** Packets sent, those among them that ask for nothing, and how long that takes. */
      burst: fc.nat(12),
      silent: fc.nat(3),
      ms: fc.nat(8),
      /** Which of those under way arrive now. */
      arriving: fc.array(fc.nat(30), { maxLength: 12 }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const { space, recovery, acknowledged, lost, sent, send, hear } = sender(4096);
      const arrived = new Set<number>();
      let now = 1;
      for (const { burst, silent, ms, arriving } of list) {
        recovery.settle(now);
        for (let i = 0; i < burst; i++) send();
        space.nextNumber += silent;
        now += ms;
        const under = sent.filter((number) => !arrived.has(number));
        const news = arriving.filter((i) => i < under.length).map((i) => under[i]!);
        for (const number of news) arrived.add(number);
        // The silent ones are in the peer's ranges, too.
        for (let number = 0; number < space.nextNumber; number++) {
          if (news.length > 0 && !sent.includes(number)) arrived.add(number);
        }
        if (news.length > 0) hear(arrived, now);
        for (const number of sent) {
          const told = acknowledged.get(number) ?? 0;
          if (!arrived.has(number)) t.is(told, 0, `packet ${number} is not there`);
          else if (lost.has(number)) t.true(told <= 1, `packet ${number}, given up before`);
          else t.is(told, 1, `packet ${number}`);
        }
        const flying = sent.filter((number) => !arrived.has(number) && !lost.has(number));
        t.is(space.sent.flying, flying.length);
        t.is(recovery.inflightBytes, flying.length * BYTES);
      }
    }),
  );
});

test("the peer may repeat what it has said, and contradict itself: nothing is counted twice", (t) => {
  const { recovery, space, acknowledged, send } = sender(64);
  recovery.settle(1);
  for (let i = 0; i < 20; i++) send();
  const ranges = [
    [5, 9],
    [5, 9],
    [7, 12],
    [0, 12],
    [3, 3],
    [0, 19],
  ] as const;
  for (const [i, [low, high]] of ranges.entries()) {
    recovery.beginAck(0, 2 + i / 10);
    recovery.handleRange(space, low, high);
    recovery.settle(2 + i / 10);
  }
  t.deepEqual(
    [...acknowledged].sort(([a], [b]) => a - b),
    Array.from({ length: 20 }, (_, number) => [number, 1]),
  );
  t.is(recovery.inflightBytes, 0);
  t.is(space.sent.tail - space.sent.head, 0);
});

test("packets that are lost are remembered for late arrivals, but not at the price of sending", (t) => {
  const limit = 64;
  const { recovery, space, acknowledged, lost, sent, send, hear } = sender(limit);
  recovery.settle(1);
  send();
  const arrived = new Set<number>();
  // All within much less than a round trip of 10 ms each, so that age alone would keep packet 0.
  for (let i = 0; i < 3 * limit; i++) {
    t.false(space.sent.isFull, `after ${i} packets`);
    send();
    arrived.add(sent.at(-1)!);
    hear(arrived, 11 + i / 1000);
    if (i === 4) t.deepEqual([[...lost], space.sent.head], [[0], 0], "given up, and remembered");
  }
  t.is(acknowledged.size, 3 * limit);
  t.true(space.sent.head > 0);
});
