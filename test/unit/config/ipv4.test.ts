import test from "ava";
import fc from "fast-check";
import {
  formatIpv4,
  formatPrefix,
  parseIpv4,
  parseWithPrefix,
} from "../../../router-daemon/src/config/ipv4.ts";

const address = fc.integer({ min: 0, max: 0xffffffff });

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

test("a network is written with the length of its prefix", (t) => {
  t.is(formatPrefix({ network: 0xc0a80100, prefixLength: 24 }), "192.168.1.0/24");
});
