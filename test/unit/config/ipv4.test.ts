import test from "ava";
import fc from "fast-check";
import {
  formatIpv4,
  formatPrefix,
  maskOf,
  networkOf,
  parseIpv4,
  parseWithPrefix,
  prefixContains,
  prefixesOverlap,
} from "../../../router-daemon/src/config/ipv4.ts";

const address = fc.integer({ min: 0, max: 0xffffffff });
const prefixLength = fc.integer({ min: 0, max: 32 });

test("every address is read back as it is written", (t) => {
  fc.assert(fc.property(address, (value) => parseIpv4(formatIpv4(value)) === value));
  t.is(parseIpv4("10.126.126.1"), 0x0a7e7e01);
  t.is(formatIpv4(0xfffefdfc), "255.254.253.252");
});

test("what is no dotted quad is refused, octal-looking octets too", (t) => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.04",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1.2.3.-4",
    "a.b.c.d",
    "1e1.1.1.1",
  ]) {
    t.is(parseIpv4(text), undefined, text);
    t.is(parseWithPrefix(text, 24), undefined, text);
  }
  for (const text of ["1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/ 8", "1.2.3.4/8/8", "1.2.3.4/008"]) {
    t.is(parseWithPrefix(text, 24), undefined, text);
  }
});

test("a network keeps the upper bits and clears the lower ones", (t) => {
  fc.assert(
    fc.property(address, prefixLength, (value, length) => {
      const network = networkOf(value, length);
      // The naive twin works on text of bits.
      const bits = value.toString(2).padStart(32, "0").slice(0, length).padEnd(32, "0");
      return network.network === Number.parseInt(bits, 2) && prefixContains(network, value);
    }),
  );
  t.is(maskOf(0), 0);
  t.is(maskOf(32), 0xffffffff);
  t.is(formatPrefix(networkOf(0xc0a80114, 24)), "192.168.1.0/24");
});

test("two networks overlap exactly when one holds the other's first address", (t) => {
  fc.assert(
    fc.property(address, prefixLength, address, prefixLength, (a, aLength, b, bLength) => {
      const first = networkOf(a, aLength);
      const second = networkOf(b, bLength);
      const last = (network: number, length: number) => network + 2 ** (32 - length) - 1;
      const overlap =
        first.network <= last(second.network, bLength) && second.network <= last(first.network, aLength);
      return prefixesOverlap(first, second) === overlap && prefixesOverlap(second, first) === overlap;
    }),
  );
  t.pass();
});
