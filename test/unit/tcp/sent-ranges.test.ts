import test from "ava";
import fc from "fast-check";
import { MAX_SENT_RANGES, SentRanges } from "../../../router-daemon/src/tcp/sent-ranges.ts";

/** The fate of every byte by itself: what the ranges must add up to. */
class NaiveBytes {
  readonly fates: ("sent" | "sacked" | "lost" | "resent")[] = [];
  readonly sentAt: number[] = [];
  una = 0;

  count(fate: string): number {
    return this.fates.slice(this.una).filter((one) => one === fate).length;
  }
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const step = fc.oneof(
  fc.record({
    kind: fc.constant("send" as const),
    bytes: fc.integer({ min: 1, max: 50 }),
    later: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("sack" as const), from: share, to: share }),
  fc.record({ kind: fc.constant("ack" as const), to: share }),
  fc.record({ kind: fc.constant("detect" as const), waitMs: fc.nat(6) }),
  fc.record({ kind: fc.constant("resend" as const), bytes: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant("probe" as const), bytes: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant("timeout" as const) }),
  fc.record({ kind: fc.constant("undo" as const) }),
  fc.record({ kind: fc.constant("renege" as const) }),
);

test("ranges add up to the fates of single bytes, whatever happens to them", (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 80 }), (start, steps) => {
      const ranges = new SentRanges();
      const naive = new NaiveBytes();
      let now = 0;
      let newestSentAt = Number.NEGATIVE_INFINITY;
      let newestEnd = 0;
      const at = (position: number) => (start + position) | 0;
      const place = (sequence: number) => (sequence - start) | 0;
      const deliver = (work: () => void, bytes: number[]) => {
        ranges.begin();
        work();
        if (ranges.deliveredBytes !== bytes.length)
          throw new Error(`${ranges.deliveredBytes}, not ${bytes.length}`);
        if (bytes.length === 0) return;
        const newest = Math.max(...bytes.map((byte) => naive.sentAt[byte]!));
        if (ranges.newestSentAt !== newest) throw new Error("newest delivered");
        const last = Math.max(...bytes.filter((byte) => naive.sentAt[byte] === newest));
        if (place(ranges.newestEnd) !== last + 1) throw new Error("end of the newest delivered");
        if (newest > newestSentAt || (newest === newestSentAt && last + 1 > newestEnd)) {
          newestSentAt = newest;
          newestEnd = last + 1;
        }
      };
      for (const one of steps) {
        const total = naive.fates.length;
        if (one.kind === "send") {
          if (one.later) now++;
          ranges.append(at(total), at(total + one.bytes), now);
          for (let byte = 0; byte < one.bytes; byte++) {
            naive.fates.push("sent");
            naive.sentAt.push(now);
          }
        } else if (one.kind === "sack") {
          const from = naive.una + Math.floor(one.from * (total - naive.una));
          const to = from + Math.floor(one.to * (total - from));
          if (to === from) continue;
          const fresh: number[] = [];
          for (let byte = from; byte < to; byte++) if (naive.fates[byte] !== "sacked") fresh.push(byte);
          deliver(() => ranges.sack(at(from), at(to)), fresh);
          for (const byte of fresh) naive.fates[byte] = "sacked";
        } else if (one.kind === "ack") {
          const to = naive.una + Math.floor(one.to * (total - naive.una));
          const fresh: number[] = [];
          for (let byte = naive.una; byte < to; byte++) if (naive.fates[byte] !== "sacked") fresh.push(byte);
          deliver(() => ranges.acknowledge(at(to)), fresh);
          naive.una = to;
        } else if (one.kind === "detect") {
          now++;
          const due = ranges.findLost(newestSentAt, at(newestEnd), one.waitMs, now);
          let next = Number.POSITIVE_INFINITY;
          for (let byte = naive.una; byte < total; byte++) {
            if (naive.fates[byte] === "sacked" || naive.fates[byte] === "lost") continue;
            const sentAt = naive.sentAt[byte]!;
            // Whole ranges are compared by their ends; bytes of a moment and range share their fate.
            if (sentAt >= newestSentAt) continue;
            if (sentAt + one.waitMs <= now) naive.fates[byte] = "lost";
            else next = Math.min(next, sentAt + one.waitMs - now);
          }
          if (next !== Number.POSITIVE_INFINITY && due !== next)
            throw new Error(`due in ${due}, not ${next}`);
          syncSameMoment();
        } else if (one.kind === "resend") {
          const range = ranges.firstLost();
          const first = naive.fates.indexOf("lost", naive.una);
          if (range >= 0 !== first >= 0) throw new Error("is something lost?");
          if (range < 0) continue;
          if (place(ranges.startOf(range)) !== first) throw new Error("first lost");
          now++;
          const end = Math.min(place(ranges.endOf(range)), first + one.bytes);
          ranges.resent(range, at(end), now);
          for (let byte = first; byte < end; byte++) {
            if (naive.fates[byte] !== "lost") throw new Error("a range of two fates");
            naive.fates[byte] = "resent";
            naive.sentAt[byte] = now;
          }
        } else if (one.kind === "probe") {
          const bytes = ranges.tailProbeBytes(one.bytes);
          const last = naive.fates.at(-1);
          const possible = total > naive.una && (last === "sent" || last === "resent");
          if (bytes > 0 !== possible) throw new Error("can the tail be probed?");
          if (bytes === 0) continue;
          now++;
          ranges.tailProbed(bytes, now);
          for (let byte = total - bytes; byte < total; byte++) {
            naive.fates[byte] = "resent";
            naive.sentAt[byte] = now;
          }
        } else if (one.kind === "timeout") {
          ranges.loseAll();
          for (let byte = naive.una; byte < total; byte++)
            if (naive.fates[byte] !== "sacked") naive.fates[byte] = "lost";
        } else if (one.kind === "undo") {
          now++;
          ranges.unloseAll(now);
          for (let byte = naive.una; byte < total; byte++) {
            if (naive.fates[byte] !== "lost") continue;
            naive.fates[byte] = "resent";
            naive.sentAt[byte] = now;
          }
        } else {
          if (ranges.headIsSacked !== (naive.fates[naive.una] === "sacked")) throw new Error("head");
          ranges.forgetSacks();
          for (let byte = naive.una; byte < total; byte++)
            if (naive.fates[byte] === "sacked") naive.fates[byte] = "lost";
        }
        check();
      }

      /** Bytes sent in the very moment of the newest delivered may or may not count as lost: follow the ranges. */
      function syncSameMoment(): void {
        for (const line of ranges.describe()) {
          const [span, fate] = line.split(" ") as [string, string];
          if (fate !== "lost") continue;
          const [from, to] = span.split("..").map(Number) as [number, number];
          for (let byte = place(from); byte < place(to); byte++) {
            if (naive.fates[byte] !== "lost" && naive.sentAt[byte] !== newestSentAt)
              throw new Error("lost too soon");
            naive.fates[byte] = "lost";
          }
        }
      }

      function check(): void {
        if (ranges.totalBytes !== naive.fates.length - naive.una) throw new Error("total");
        if (ranges.sackedBytes !== naive.count("sacked")) throw new Error("sacked");
        if (ranges.lostBytes !== naive.count("lost")) throw new Error("lost");
        if (ranges.inFlightBytes !== naive.count("sent") + naive.count("resent"))
          throw new Error("in flight");
        let position = naive.una;
        for (const line of ranges.describe()) {
          const [span, fate] = line.split(" ") as [string, string];
          const [from, to] = span.split("..").map(Number) as [number, number];
          if (place(from) !== position) throw new Error("a gap between ranges");
          for (let byte = position; byte < place(to); byte++) {
            if (naive.fates[byte] !== fate)
              throw new Error(`byte ${byte} is ${naive.fates[byte]}, not ${fate}`);
          }
          position = place(to);
        }
        if (position !== naive.fates.length) throw new Error("ranges end too early");
        if (ranges.isEmpty !== (naive.una === naive.fates.length)) throw new Error("empty");
      }
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test("what is sent in one moment is one range", (t) => {
  const ranges = new SentRanges();
  for (let at = 0; at < 100; at++) ranges.append(at, at + 1, 5);
  t.deepEqual(ranges.describe(), ["0..100 sent"]);
  ranges.append(100, 101, 6);
  t.is(ranges.describe().length, 2);
});

test("ranges are bounded: without room nothing is cut, and the sums stay right", (t) => {
  const ranges = new SentRanges();
  for (let at = 0; ranges.hasRoom; at++) ranges.append(10 * at, 10 * at + 10, at);
  t.is(ranges.describe().length, MAX_SENT_RANGES);
  ranges.begin();
  ranges.sack(5, 8);
  t.is(ranges.sackedBytes, 0);
  ranges.sack(10, 20);
  t.is(ranges.sackedBytes, 10);
  ranges.loseAll();
  const range = ranges.firstLost();
  ranges.resent(range, 3, 5000);
  t.is(ranges.lostBytes, 10 * (MAX_SENT_RANGES - 2));
  ranges.acknowledge(10 * MAX_SENT_RANGES);
  t.is(ranges.totalBytes, 0);
  t.is(ranges.lostBytes, 0);
  t.is(ranges.sackedBytes, 0);
  t.true(ranges.isEmpty);
  ranges.append(0, 1, 9000);
  t.is(ranges.describe().length, 1);
});

test("neighbours that were acknowledged selectively are one range", (t) => {
  const ranges = new SentRanges();
  for (let at = 0; at < 10; at++) ranges.append(at, at + 1, at);
  ranges.begin();
  for (const at of [2, 4, 3, 8, 9]) ranges.sack(at, at + 1);
  t.deepEqual(ranges.describe().slice(2), [
    "2..5 sacked",
    "5..6 sent",
    "6..7 sent",
    "7..8 sent",
    "8..10 sacked",
  ]);
});
