import test from "ava";
import fc from "fast-check";
import { MAX_KEPT_NAMES, MAX_KEPT_TEXTS } from "../../../router-daemon/src/ubus/blob-writer.ts";
import { decodeFields, encodeFields } from "../../../router-daemon/src/ubus/blobmsg.ts";
import { MAX_DEPTH, MAX_FIELDS, MAX_MESSAGE_BYTES } from "../../../router-daemon/src/ubus/limits.ts";
import { naiveFields } from "./naive-blob.ts";
import { FIELD_VECTORS, hex, unhex } from "./vectors.ts";

/** What blobmsg can carry: no NUL in texts, no -0, numbers as JavaScript has them. */
const text = fc.string({ unit: "grapheme", maxLength: 20 }).map((value) => value.replaceAll("\0", ""));
const number = fc
  .oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .map((value) => value + 0);
const { fields } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    number,
    text,
    fc.array(tie("value"), { maxLength: 5 }),
    tie("fields"),
  ),
  fields: fc.dictionary(text, tie("value"), { maxKeys: 6, noNullPrototype: true }),
}));

test("every field vector is written and read as it is on the wire", (t) => {
  for (const { name, fields: value, hex: expected, onlyDecoded } of FIELD_VECTORS) {
    if (onlyDecoded !== true) t.is(hex(encodeFields(value, MAX_MESSAGE_BYTES)), expected, name);
    t.deepEqual(decodeFields(unhex(expected)), value as never, name);
  }
});

test("fields are written as the naive encoder writes them, and read back the same", (t) => {
  fc.assert(
    fc.property(fields, (value) => {
      const bytes = encodeFields(value as object, MAX_MESSAGE_BYTES);
      t.is(hex(bytes), naiveFields(value as object).toString("hex"));
      t.deepEqual(decodeFields(bytes ?? new Uint8Array()), value as never);
    }),
    { numRuns: 500 },
  );
});

test("what JSON leaves out is left out, what it makes null is null", (t) => {
  const value = { gone: undefined, work: () => 1, nan: Number.NaN, far: Number.POSITIVE_INFINITY, on: true };
  t.is(
    hex(encodeFields(value, 1000)),
    naiveFields(JSON.parse(JSON.stringify(value)) as object).toString("hex"),
  );
});

test("a text with a NUL reaches the reader whole", (t) => {
  t.deepEqual(decodeFields(encodeFields({ a: "x\0yé\0" }, 100) ?? new Uint8Array()), {
    a: "x\ufffdyé\ufffd",
  });
});

test("what does not fit is no answer at all", (t) => {
  const value = { a: "x".repeat(100), b: [1, 2, 3] };
  const length = naiveFields(value).length;
  t.is(encodeFields(value, length)?.length, length);
  for (let maxBytes = 0; maxBytes < length; maxBytes++) t.is(encodeFields(value, maxBytes), undefined);
});

test("more names and texts than are kept are written all the same", (t) => {
  const value = Object.fromEntries(
    Array.from({ length: 2 * Math.max(MAX_KEPT_NAMES, MAX_KEPT_TEXTS) }, (_, at) => [
      `name${at}`,
      `text ${at}`,
    ]),
  );
  const twice = { first: value, second: value, long: "x".repeat(70_000) };
  t.is(hex(encodeFields(twice, MAX_MESSAGE_BYTES)), naiveFields(twice).toString("hex"));
});

test("names like those of JavaScript's own objects are just names", (t) => {
  const bytes = naiveFields({ constructor: 1, ["__proto__"]: 2 });
  const read = decodeFields(bytes) ?? {};
  t.deepEqual(Object.entries(read), [
    ["constructor", 1],
    ["__proto__", 2],
  ]);
  t.is(Object.getPrototypeOf(read), Object.prototype);
});

test("the first of several fields with one name counts", (t) => {
  t.deepEqual(decodeFields(Buffer.concat([naiveFields({ a: 1 }), naiveFields({ a: 2, b: 3 })])), {
    a: 1,
    b: 3,
  });
});

test("elements without a name header are read", (t) => {
  t.deepEqual(decodeFields(unhex("8100001800016c0005000008000000070300000678000000")), {
    l: [7, "x"],
  } as never);
});

test("tables too deep and fields too many are refused; so are the ones we would write", (t) => {
  const nest = (depth: number): object => (depth === 0 ? {} : { t: nest(depth - 1) });
  t.not(decodeFields(naiveFields(nest(MAX_DEPTH))), undefined);
  t.is(decodeFields(naiveFields(nest(MAX_DEPTH + 1))), undefined);
  t.is(decodeFields(naiveFields(nest(1000))), undefined);
  t.not(decodeFields(encodeFields(nest(1000), MAX_MESSAGE_BYTES) ?? new Uint8Array(1)), undefined);
  const many = (count: number) => naiveFields({ l: Array.from({ length: count }, () => true) });
  t.not(decodeFields(many(MAX_FIELDS - 1)), undefined);
  t.is(decodeFields(many(MAX_FIELDS)), undefined);
});

test("malformed fields are refused, whatever is wrong with them", (t) => {
  const cases: readonly [string, string][] = [
    ["shorter than a header", "870000"],
    ["length 3", "8700000300026f6e00000000"],
    ["longer than the parent", "8700001100026f6e0000000001000000"],
    ["no room for a name header", "8700000600020000"],
    ["a name longer than the field", "8700000d00ff6f6e0000000001000000"],
    ["a name without its NUL", "8700000d00026f6e2000000001000000"],
    ["int32 of two bytes", "8500000a00016100fffb0000"],
    ["int64 of four bytes", "8400000c00016100fffffffb"],
    ["int16 of four bytes", "8600000c00016100fffffffb"],
    ["bool of two bytes", "8700000e00026f6e0000000001000000"],
    ["double of four bytes", "8800000c00016100fffffffb"],
    ["a text without its NUL", "8300000a000161007878"],
    ["an empty text without its NUL", "8300000800016100"],
    ["malformed inside a table", "8200001000016f008300000a00016b007676"],
  ];
  for (const [name, bytes] of cases) t.is(decodeFields(unhex(bytes)), undefined, name);
});

test("changed bytes never throw and never make more than was there", (t) => {
  fc.assert(
    fc.property(fields, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), (value, changes) => {
      const bytes = Uint8Array.from(naiveFields(value as object));
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      const read = decodeFields(bytes);
      return read === undefined || JSON.stringify(read).length <= 12 * bytes.length + 2;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
