import test from "ava";
import fc from "fast-check";
import {
  foldSum,
  onesComplementSum,
  pseudoHeaderSum,
  updateChecksum,
} from "../../../router-daemon/src/wire/checksum.ts";
import { naiveSum } from "../tcp/naive.ts";

test("the example of RFC 1071", (t) => {
  const bytes = Uint8Array.from([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
  t.is(onesComplementSum(bytes, 0, 8), 0xddf2);
});

test("sums equal the naive twin's, at any place and length", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(40), (bytes, skip) => {
      const from = Math.min(skip, bytes.length);
      return onesComplementSum(bytes, from, bytes.length - from) === naiveSum(bytes.subarray(from));
    }),
  );
  t.pass();
});

test("the largest packet of the largest words does not overflow", (t) => {
  const bytes = new Uint8Array(65_535).fill(0xff);
  t.is(onesComplementSum(bytes, 0, 65_535), naiveSum(bytes));
  t.is(onesComplementSum(bytes, 1, 65_534, 0xffff), 0xffff);
  t.is(foldSum(0xffff_ffff), 0xffff);
});

test("a sum may be taken in pieces of even length", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 400 }), fc.nat(199), (bytes, half) => {
      const cut = Math.min(2 * half, bytes.length - (bytes.length % 2));
      const first = onesComplementSum(bytes, 0, cut);
      return onesComplementSum(bytes, cut, bytes.length - cut, first) === naiveSum(bytes);
    }),
  );
  t.pass();
});

test("the pseudo header counts both addresses, the protocol and the length", (t) => {
  fc.assert(
    fc.property(
      fc.nat(0xffff_ffff),
      fc.nat(0xffff_ffff),
      fc.nat(255),
      fc.nat(0xffff),
      (from, to, protocol, length) => {
        const bytes = new Uint8Array(12);
        const view = new DataView(bytes.buffer);
        view.setUint32(0, from);
        view.setUint32(4, to);
        view.setUint16(8, protocol);
        view.setUint16(10, length);
        return pseudoHeaderSum(from, to, protocol, length) === naiveSum(bytes);
      },
    ),
  );
  t.pass();
});

test("changing a word and updating the checksum is the same as summing anew", (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 22, maxLength: 60 }),
      fc.nat(8),
      fc.nat(0xffff),
      (bytes, word, value) => {
        const view = new DataView(bytes.buffer);
        view.setUint16(20, 0);
        // A real packet is never all zero: then 0x0000 and 0xffff are one and the same sum.
        bytes[0] = 0x45;
        view.setUint16(20, 0xffff - naiveSum(bytes));
        const at = 2 + 2 * word;
        const updated = updateChecksum(view.getUint16(20), view.getUint16(at), value);
        view.setUint16(at, value);
        view.setUint16(20, updated);
        return naiveSum(bytes) === 0xffff;
      },
    ),
  );
  t.pass();
});
