import test from "ava";
import {
  bytes,
  duration,
  fill,
  hostOf,
  milliseconds,
  rate,
  share,
  UNKNOWN,
} from "../../../luci-app/src/text/format.ts";

test("sizes have three digits and the unit that fits", (t) => {
  t.deepEqual([0, 1023, 1024, 1536, 10 * 1024 ** 2, 2.5 * 1024 ** 4].map(bytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "10.0 MiB",
    "2.5 TiB",
  ]);
});

test("rates are bits, in the units of providers", (t) => {
  t.deepEqual([0, 124, 125, 12_500_000, 1e9].map(rate), [
    "0 bit/s",
    "992 bit/s",
    "1.0 kbit/s",
    "100 Mbit/s",
    "8.0 Gbit/s",
  ]);
});

test("what is not known is a dash", (t) => {
  for (const format of [bytes, rate, milliseconds, share]) t.is(format(null), UNKNOWN);
});

test("a span has its two largest units, and none that are zero behind the first", (t) => {
  t.deepEqual([0, 999, 61_000, 3_600_000, 90_061_000].map(duration), ["0s", "0s", "1m 1s", "1h", "1d 1h"]);
});

test("small shares keep a digit", (t) => {
  t.deepEqual([0, 0.0004, 0.004, 0.05, 0.5, 1].map(share), [
    "0 %",
    "< 0.1 %",
    "0.4 %",
    "5.0 %",
    "50 %",
    "100 %",
  ]);
});

test("sentences are filled in order, and what is filled in is not filled again", (t) => {
  t.is(fill("%s of %s", "%s", 2), "%s of 2");
});

test("the host of an endpoint", (t) => {
  t.is(hostOf("10.126.126.7:51838"), "10.126.126.7");
});
