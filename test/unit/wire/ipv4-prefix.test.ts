/** IPv4 networks, against a naive twin that works on text of bits. */
import assert from "node:assert/strict";
import test from "ava";
import fc from "fast-check";
import { covers, inPrefix, networkOf, prefixMask } from "../../../router-daemon/src/wire/ipv4-prefix.ts";

const address = fc.integer({ min: 0, max: 0xffffffff });
const prefixLength = fc.integer({ min: 0, max: 32 });

/** The first bits of an address. */
function bits(value: number, length: number): string {
  return value.toString(2).padStart(32, "0").slice(0, length);
}

test("a network keeps the upper bits and clears the lower ones", (t) => {
  fc.assert(
    fc.property(address, prefixLength, (value, length) => {
      const { network } = networkOf(value, length);
      assert.equal(network, Number.parseInt(bits(value, length).padEnd(32, "0"), 2));
    }),
  );
  t.is(prefixMask(0), 0);
  t.is(prefixMask(32), 0xffffffff);
});

test("an address is in a network exactly when it begins with its bits", (t) => {
  fc.assert(
    fc.property(address, address, prefixLength, (value, other, length) => {
      assert.ok(inPrefix(value, networkOf(value, length)));
      assert.equal(inPrefix(other, networkOf(value, length)), bits(other, length) === bits(value, length));
    }),
  );
  t.pass();
});

test("a network covers another exactly when all of its addresses are its own", (t) => {
  fc.assert(
    fc.property(address, prefixLength, address, prefixLength, (a, aLength, b, bLength) => {
      const outer = networkOf(a, aLength);
      const inner = networkOf(b, bLength);
      const last = inner.network + 2 ** (32 - bLength) - 1;
      assert.equal(covers(outer, inner), inPrefix(inner.network, outer) && inPrefix(last, outer));
    }),
  );
  t.pass();
});
