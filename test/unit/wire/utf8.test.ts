import test from "ava";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8 } from "../../../router-daemon/src/wire/utf8.ts";

test("text encodes as the engine's own encoder does", (t) => {
  const engine = new TextEncoder();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      t.deepEqual([...encodeUtf8(text)], [...engine.encode(text)]);
    }),
  );
  t.deepEqual([...encodeUtf8("a\ud800b")], [...engine.encode("a\ud800b")]);
});

test("valid bytes decode to the text they came from", (t) => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      t.is(decodeUtf8(encodeUtf8(text)), text);
    }),
  );
});

test("invalid bytes become replacement characters and never an error", (t) => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      let expected: string | undefined;
      try {
        expected = strict.decode(bytes);
      } catch {
        expected = undefined;
      }
      const text = decodeUtf8(bytes);
      if (expected === undefined) t.true(text.includes("\ufffd"));
      else t.is(text, expected);
    }),
    { numRuns: 3000 },
  );
});

test("overlong forms, surrogates and values beyond Unicode are not accepted", (t) => {
  for (const hex of [
    "c080",
    "c1bf",
    "e08080",
    "e09fbf",
    "f08fbfbf",
    "eda080",
    "f4908080",
    "f5808080",
    "ff",
  ]) {
    t.regex(decodeUtf8(Buffer.from(hex, "hex")), /^\ufffd+$/, hex);
  }
});

test("a part of the bytes can be decoded", (t) => {
  t.is(decodeUtf8(Buffer.from("xhällox"), 1, 7), "hällo");
});
