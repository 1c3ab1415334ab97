import test from "ava";
import fc from "fast-check";
import {
  capitalized,
  formatAge,
  formatBytes,
  formatCost,
  formatMs,
  formatRate,
  formatShare,
  formatTime,
} from "../../../router-daemon/src/cli/format.ts";
import {
  MAX_CELL_WIDTH,
  safeJson,
  safeMessage,
  safeText,
  textWidth,
} from "../../../router-daemon/src/cli/safe-text.ts";
import { renderTable } from "../../../router-daemon/src/cli/table.ts";

process.env.TZ = "UTC";

/** Controls, format characters (directions, zero width), line separators, lone surrogates. */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

test("bytes, rates, shares and ages are short and unambiguous", (t) => {
  const pairs: [string, string][] = [
    [formatBytes(0), "0 B"],
    [formatBytes(1023), "1023 B"],
    [formatBytes(1024), "1.0 KiB"],
    [formatBytes(150 * 1024), "150 KiB"],
    [formatBytes(1024 * 1024 - 1), "1.0 MiB"],
    [formatBytes(5 * 1024 ** 3), "5.0 GiB"],
    [formatBytes(2 ** 53), "8.0 PiB"],
    [formatRate(0), "0"],
    [formatRate(100), "800 bit/s"],
    [formatRate(124.99), "1.0 kbit/s"],
    [formatRate(1250), "10.0 kbit/s"],
    [formatRate(125_000_000), "1.0 Gbit/s"],
    [formatMs(null), "-"],
    [formatMs(0.04), "0.0"],
    [formatMs(205.4), "205"],
    [formatShare(null), "-"],
    [formatShare(0.052), "5.2%"],
    [formatAge(0), "0s"],
    [formatAge(59_999), "59s"],
    [formatAge(3_599_000), "59m 59s"],
    [formatAge(5 * 3_600_000 + 120_000), "5h 02m"],
    [formatAge(3 * 86_400_000 + 4 * 3_600_000), "3d 04h"],
    [formatAge(-5), "0s"],
    [formatCost(0), "unreachable"],
    [formatCost(1), "p2p"],
    [formatCost(3), "relay(3)"],
    [capitalized("kcp"), "Kcp"],
    [formatTime(0), "1970-01-01 00:00:00"],
    [formatTime(1_795_514_527), "2026-11-24 10:02:07"],
    [formatTime(Number.NaN), "-"],
  ];
  for (const [found, expected] of pairs) t.is(found, expected);
});

test("no number of bytes shows as 1024 or with more than four digits", (t) => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      const [number = ""] = formatBytes(bytes).split(" ");
      return Number(number) < 1024 && number.length <= 5;
    }),
  );
  t.pass();
});

test("nothing that acts on a terminal comes through, whatever the text", (t) => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "binary-ascii" }),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 80 }), (value, width) => {
      const shown = safeText(value, width);
      return !ACTS.test(shown) && textWidth(shown) <= width;
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(text, (value) => !ACTS.test(safeMessage(value).replaceAll("\n", ""))),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.jsonValue(), text, (value, name) => {
      const whole = { value, name };
      const shown = safeJson(whole);
      return (
        !ACTS.test(shown.replaceAll("\n", "")) && JSON.stringify(JSON.parse(shown)) === JSON.stringify(whole)
      );
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test("ordinary names are shown as they are", (t) => {
  for (const name of ["router", "Müller's Büro", "路由器", "роутер", "מחשב", "😀", "a-b_c.d"])
    t.is(safeText(name), name);
});

test("what must not be shown is made visible", (t) => {
  t.is(safeText("a\u001b[31mb"), "a\\u{1b}[31mb");
  t.is(safeText("a\u202eb"), "a\\u{202e}b");
  t.is(safeText("x".repeat(100)), `${"x".repeat(MAX_CELL_WIDTH - 1)}…`);
  t.is(safeText("路".repeat(100), 9), "路路路路…");
});

test("all lines of a table are equally wide, whatever is in it", (t) => {
  const cell = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constantFrom("路由器", "😀", "é"));
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), (rows) => {
      const text = renderTable<readonly [string, string]>(
        [
          { title: "left", text: ([value]) => value },
          { title: "right", align: "right", text: ([, value]) => value },
        ],
        rows,
      );
      const lines = text.split("\n");
      return lines.length === rows.length + 4 && new Set(lines.map(textWidth)).size === 1;
    }),
    { numRuns: 500 },
  );
  t.pass();
});
