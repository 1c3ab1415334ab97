import test from "ava";
import fc from "fast-check";
import {
  Command,
  commandWord,
  decodeSegments,
  encodeSegment,
  HEADER_BYTES,
  readInt32,
  type Segment,
  writeHeader,
} from "../src/segment.ts";
import { fromHex, proxies, toHex } from "./vectors.ts";

/** The same codec, written for reading only. */
const naive = {
  encode(s: Segment): Uint8Array {
    const bytes = new Uint8Array(24 + s.data.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, s.conv, true);
    view.setUint8(4, s.cmd);
    view.setUint8(5, s.frg);
    view.setUint16(6, s.wnd, true);
    view.setUint32(8, s.ts, true);
    view.setUint32(12, s.sn, true);
    view.setUint32(16, s.una, true);
    view.setUint32(20, s.data.length, true);
    bytes.set(s.data, 24);
    return bytes;
  },
};

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const segments: fc.Arbitrary<Segment> = fc.record({
  conv: uint32,
  cmd: fc.integer({ min: 0, max: 255 }),
  frg: fc.integer({ min: 0, max: 255 }),
  wnd: fc.integer({ min: 0, max: 0xffff }),
  ts: uint32,
  sn: uint32,
  una: uint32,
  data: fc.uint8Array({ maxLength: 50 }),
});

const known: Record<string, Partial<Segment>> = {
  "ACK sn=0 ts=0 una=1": { cmd: Command.ack, sn: 0, ts: 0, una: 1, wnd: 1024 },
  WASK: { cmd: Command.askWindow, wnd: 1024, una: 5 },
  "WINS wnd=3": { cmd: Command.tellWindow, wnd: 3, una: 5 },
};

for (const vector of proxies.kcp_segment) {
  test(`the vector "${vector.name}" decodes to its fields and encodes to its bytes`, (t) => {
    const { segments, error } = decodeSegments(fromHex(vector.hex));
    t.is(error, undefined);
    t.is(segments.length, 1);
    const segment = segments[0]!;
    t.is(toHex(encodeSegment(segment)), vector.hex);
    for (const field of ["conv", "cmd", "frg", "wnd", "ts", "sn", "una"] as const) {
      if (vector[field] !== undefined) t.is(segment[field], vector[field] as number, field);
    }
    if (vector.data !== undefined) t.is(toHex(segment.data), vector.data as string);
    const fields = known[vector.name];
    if (fields) t.like(segment, fields);
    if (vector.name.startsWith("wrap-around")) {
      t.like(segment, { sn: 0xfffffffe, ts: 0xffffffff, una: 0xffffff00 });
      t.is(toHex(segment.data), "78");
    }
  });
}

test("encoding agrees with the naive twin, and decoding gives the fields back", (t) => {
  fc.assert(
    fc.property(
      fc.array(segments, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 23 }),
      (all, tail) => {
        const parts = all.map(encodeSegment);
        t.deepEqual(
          parts.map(toHex),
          all.map((s) => toHex(naive.encode(s))),
        );
        const datagram = new Uint8Array([...parts.flatMap((part) => [...part]), ...new Uint8Array(tail)]);
        t.deepEqual(decodeSegments(datagram), { segments: all });
      },
    ),
  );
});

test("a header written by words equals the one written by bytes", (t) => {
  fc.assert(
    fc.property(segments, fc.integer({ min: 0, max: 3 }), (s, at) => {
      const words = new Int32Array(10);
      writeHeader(
        words,
        at,
        s.conv | 0,
        commandWord(s.cmd, s.frg, s.wnd),
        s.ts | 0,
        s.sn | 0,
        s.una | 0,
        s.data.length,
      );
      const bytes = new Uint8Array(words.buffer, 4 * at, HEADER_BYTES);
      t.is(toHex(bytes), toHex(naive.encode(s).slice(0, HEADER_BYTES)));
      t.is(readInt32(bytes, 12) >>> 0, s.sn);
    }),
  );
});

test("decoding stops at a length that points behind the end, and keeps what came before", (t) => {
  const good = encodeSegment({
    conv: 1,
    cmd: 81,
    frg: 0,
    wnd: 1,
    ts: 2,
    sn: 3,
    una: 4,
    data: fromHex("aabb"),
  });
  const bad = good.slice();
  bad[20] = 3;
  const both = new Uint8Array([...good, ...bad]);
  const result = decodeSegments(both);
  t.is(result.error, "length");
  t.is(result.segments.length, 1);
  t.deepEqual(decodeSegments(good.slice(0, 23)), { segments: [], error: "short" });
  bad.set([0xff, 0xff, 0xff, 0xff], 20);
  t.is(decodeSegments(bad).error, "length");
});
