import test from "ava";
import fc from "fast-check";
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "../../../router-daemon/src/ubus/limits.ts";
import { decodeMessage, encodeMessage, type UbusMessage } from "../../../router-daemon/src/ubus/message.ts";
import { MessageReader } from "../../../router-daemon/src/ubus/message-reader.ts";
import { hex, MESSAGE_VECTORS, unhex } from "./vectors.ts";

function drain(reader: MessageReader): UbusMessage[] {
  const all: UbusMessage[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) all.push(next);
  return all;
}

/** Nested bytes as hex, so that views and copies compare. */
function shown(message: UbusMessage | undefined): unknown {
  if (message === undefined) return undefined;
  const { signature, data, ...rest } = message;
  return { ...rest, ...(signature && { signature: hex(signature) }), ...(data && { data: hex(data) }) };
}

test("every message vector is written and read as it is on the wire", (t) => {
  for (const { name, message, hex: expected } of MESSAGE_VECTORS) {
    t.is(hex(encodeMessage(message)), expected, name);
    t.deepEqual(shown(decodeMessage(unhex(expected))), shown(message), name);
  }
});

test("a message may come in two pieces, cut anywhere", (t) => {
  for (const { name, message, hex: bytes } of MESSAGE_VECTORS) {
    const whole = unhex(bytes);
    for (let cut = 0; cut <= whole.length; cut++) {
      const reader = new MessageReader();
      reader.push(whole.subarray(0, cut));
      const early = drain(reader);
      t.is(early.length, cut === whole.length ? 1 : 0);
      reader.push(whole.subarray(cut));
      t.deepEqual([...early, ...drain(reader)].map(shown), [shown(message)], `${name} cut at ${cut}`);
    }
  }
});

test("all messages in one piece, and in pieces of any size, are the same messages", (t) => {
  const stream = Buffer.concat(MESSAGE_VECTORS.map(({ hex: bytes }) => unhex(bytes)));
  const expected = MESSAGE_VECTORS.map(({ message }) => shown(message));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 }), (sizes) => {
      const reader = new MessageReader();
      const read: UbusMessage[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        reader.push(stream.subarray(at, at + size));
        read.push(...drain(reader));
        at += size;
      }
      t.deepEqual(read.map(shown), expected);
    }),
    { numRuns: 100 },
  );
});

test("the longest message passes, a longer one breaks the stream before it is waited for", (t) => {
  const header = (outer: number) => unhex(`0002000000000000${outer.toString(16).padStart(8, "0")}`);
  const longest = new MessageReader();
  longest.push(header(MAX_MESSAGE_BYTES));
  t.is(longest.next(), undefined);
  t.false(longest.isBroken);
  longest.push(new Uint8Array(MAX_MESSAGE_BYTES - 4).fill(0));
  t.true(longest.capacity <= 2 * (HEADER_BYTES + MAX_MESSAGE_BYTES));

  for (const outer of [0, 3, MAX_MESSAGE_BYTES + 4]) {
    const reader = new MessageReader();
    reader.push(header(outer));
    t.is(reader.next(), undefined);
    t.true(reader.isBroken, `${outer}`);
    reader.push(new Uint8Array(1000));
    t.is(reader.capacity, 0);
  }
});

test("the room that one large message took is given back", (t) => {
  const reader = new MessageReader();
  const large = encodeMessage({ type: 2, sequence: 1, peer: 2, data: new Uint8Array(900_000) });
  const small = unhex(MESSAGE_VECTORS[0]?.hex ?? "");
  reader.push(large ?? new Uint8Array());
  t.is(drain(reader).length, 1);
  t.true(reader.capacity >= 900_000);
  for (let count = 0; count < 200_000 / small.length; count++) {
    reader.push(small);
    t.is(drain(reader).length, 1);
  }
  t.true(reader.capacity <= 65_536, `${reader.capacity}`);
});

test("a message that ubusd would not take is not made", (t) => {
  const fits = MAX_MESSAGE_BYTES - 8;
  t.not(encodeMessage({ type: 2, sequence: 1, peer: 2, data: new Uint8Array(fits) }), undefined);
  t.is(encodeMessage({ type: 2, sequence: 1, peer: 2, data: new Uint8Array(fits + 4) }), undefined);
});

test("unknown attributes are passed over; malformed ones are refused", (t) => {
  const body = (attributes: string) => {
    const length = (4 + attributes.length / 2).toString(16).padStart(8, "0");
    return decodeMessage(unhex(`0001000000000000${length}${attributes}`));
  };
  t.deepEqual(shown(body("1f00000800000001" + "0100000800000002")), {
    type: 1,
    sequence: 0,
    peer: 0,
    status: 2,
  });
  t.deepEqual(shown(body("0100000800000002" + "0100000800000003")), {
    type: 1,
    sequence: 0,
    peer: 0,
    status: 2,
  });
  for (const attribute of [
    "01000003",
    "01000009",
    "0100000600000000",
    "0200000678780000",
    "02000004",
    "0a000004",
  ]) {
    t.is(body(attribute), undefined, attribute);
  }
});

test("any bytes at all: nothing throws, and the stream either goes on or breaks", (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom(...MESSAGE_VECTORS.map(({ hex: bytes }) => unhex(bytes))),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const reader = new MessageReader();
      for (const bytes of pieces) {
        reader.push(bytes);
        drain(reader);
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
