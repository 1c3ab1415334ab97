import test from "ava";
import fc from "fast-check";
import {
  endpointPort,
  formatAddress,
  formatEndpoint,
  isIpv4Mapped,
  mappedIpv4,
  parseAddress,
  parseEndpoint,
} from "../../../router-daemon/src/wire/endpoint.ts";

const CASES: [text: string, canonical: string][] = [
  ["203.0.113.5", "203.0.113.5"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["::", "::"],
  ["::1", "::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["fe80:0:0:0:1:2:3:4", "fe80::1:2:3:4"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
];

for (const [text, canonical] of CASES) {
  test(`address ${text} is written ${canonical}`, (t) => {
    const bytes = parseAddress(text);
    t.is(bytes && formatAddress(bytes), canonical);
  });
}

for (const text of [
  "",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "1.2.3.4 ",
  "a.b.c.d",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::12345",
  "::g",
  "1.2.3.4::",
  "fe80::1%eth0",
]) {
  test(`"${text}" is no address`, (t) => {
    t.is(parseAddress(text), undefined);
  });
}

test("an endpoint has its port in network order and IPv6 in brackets", (t) => {
  const four = parseEndpoint({ address: "203.0.113.5", port: 11010 })!;
  t.is(four.length, 18);
  t.deepEqual([four[16], four[17]], [0x2b, 0x02]);
  t.is(endpointPort(four), 11010);
  t.true(isIpv4Mapped(four));
  t.is(mappedIpv4(four), 0xcb007105);
  t.is(formatEndpoint(four), "203.0.113.5:11010");
  t.is(formatEndpoint(parseEndpoint({ address: "2001:db8::1", port: 1 })!), "[2001:db8::1]:1");
  t.is(parseEndpoint({ address: "1.2.3.4", port: 65536 }), undefined);
  t.is(parseEndpoint({ address: "example.net", port: 1 }), undefined);
});

test("every address reads back from its text", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(0xffff), (address, holes) => {
      // Many zero groups, so that runs of all lengths come up.
      for (let group = 0; group < 8; group++)
        if ((holes >> group) & 1) address.fill(0, group * 2, group * 2 + 2);
      t.deepEqual(parseAddress(formatAddress(address)), address);
    }),
    { numRuns: 500 },
  );
});
