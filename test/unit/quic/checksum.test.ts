import test from "ava";
import fc from "fast-check";
import { Checksum, ChecksumForm, TAG_BYTES } from "../../../router-daemon/src/quic/checksum.ts";
import { SeaHash } from "../../../router-daemon/src/quic/seahash.ts";
import { fromHex, toHex, VECTORS } from "./vectors.ts";

const MASK = (1n << 64n) - 1n;

/** SeaHash as proxies.md 6.4 tells it, with big integers. */
function naiveSeaHash(bytes: Uint8Array): bigint {
  const diffuse = (x: bigint): bigint => {
    x = (x * 0x6eed0e9da4d94a4fn) & MASK;
    x ^= (x >> 32n) >> (x >> 60n);
    return (x * 0x6eed0e9da4d94a4fn) & MASK;
  };
  const lanes = [0x16f11fe89b0d677cn, 0xb480a793d8e6c86cn, 0x6fe2e5aaf078ebc9n, 0x14f994a4c5259381n];
  for (let i = 0; i * 8 < bytes.length; i++) {
    let word = 0n;
    for (let k = 0; k < 8; k++) word |= BigInt(bytes[i * 8 + k] ?? 0) << BigInt(8 * k);
    lanes[i % 4] = diffuse(lanes[i % 4]! ^ word);
  }
  return diffuse(lanes[0]! ^ lanes[1]! ^ lanes[2]! ^ lanes[3]! ^ BigInt(bytes.length));
}

function naiveTag(header: Uint8Array, payload: Uint8Array, form: number): string {
  const length = (value: number): Uint8Array =>
    Uint8Array.from({ length: form }, (_, i) => (i < 4 ? value >>> (8 * i) : 0));
  const text = Uint8Array.from([...length(header.length), ...header, ...length(payload.length), ...payload]);
  return naiveSeaHash(text).toString(16).padStart(16, "0");
}

function seaHash(bytes: Uint8Array): string {
  const hash = new SeaHash();
  const whole = bytes.length >>> 3;
  const padded = new Uint8Array(8 * (whole + 1));
  padded.set(bytes);
  hash.begin();
  hash.words(padded, 0, whole);
  hash.finish(padded, 8 * whole, bytes.length & 7);
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return hex(hash.high) + hex(hash.low);
}

test("SeaHash of the published and the generated inputs", (t) => {
  t.true(VECTORS.seahash.vectors.length > 5);
  for (const { name, input, u64_hex_be } of VECTORS.seahash.vectors) {
    t.is(seaHash(fromHex(input)), u64_hex_be, name);
  }
});

test("SeaHash equals its definition in big integers", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      t.is(seaHash(bytes), naiveSeaHash(bytes).toString(16).padStart(16, "0"));
    }),
  );
});

test("the checksum of the vectors in both forms", (t) => {
  const checksum = new Checksum();
  for (const { header, payload, tag_64bit_usize, tag_32bit_usize_legacy } of VECTORS.quic_checksum) {
    const [h, p] = [fromHex(header), fromHex(payload)];
    for (const [form, tag] of [
      [ChecksumForm.wide, tag_64bit_usize],
      [ChecksumForm.narrow, tag_32bit_usize_legacy],
    ] as const) {
      const packet = Uint8Array.from([...h, ...p, ...new Uint8Array(TAG_BYTES)]);
      checksum.write(packet, 0, h.length, p.length, form);
      t.is(toHex(packet, h.length + p.length), tag);
      t.true(checksum.verify(packet, 0, h.length, p.length, form));
      const other = form === ChecksumForm.wide ? ChecksumForm.narrow : ChecksumForm.wide;
      t.false(checksum.verify(packet, 0, h.length, p.length, other));
    }
  }
});

test("the checksum of any header and payload at any offset equals the naive one, and every flipped bit is seen", (t) => {
  const checksum = new Checksum();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 100 }),
      fc.constantFrom(ChecksumForm.wide, ChecksumForm.narrow),
      fc.nat(15),
      fc.nat(),
      (header, payload, form, at, flip) => {
        const packet = new Uint8Array(at + header.length + payload.length + TAG_BYTES);
        packet.set(header, at);
        packet.set(payload, at + header.length);
        checksum.write(packet, at, header.length, payload.length, form);
        t.is(toHex(packet, at + header.length + payload.length), naiveTag(header, payload, form));
        t.true(checksum.verify(packet, at, header.length, payload.length, form));
        const bit = flip % ((packet.length - at) * 8);
        packet[at + (bit >>> 3)]! ^= 1 << (bit & 7);
        t.false(checksum.verify(packet, at, header.length, payload.length, form));
      },
    ),
  );
});

test("with the host's hash the checksum is the same, also of headers that are too long for its region", (t) => {
  const memory = new Uint8Array(4096);
  let calls = 0;
  const checksum = new Checksum({
    region: 64,
    seahash(front, frontBytes, rest, restBytes, out) {
      calls++;
      const text = [
        ...memory.subarray(front, front + frontBytes),
        ...memory.subarray(rest, rest + restBytes),
      ];
      t.true(restBytes === 0 || frontBytes % 8 === 0);
      memory.set(fromHex(seaHash(Uint8Array.from(text))), out);
      return 0;
    },
  });
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(ChecksumForm.wide, ChecksumForm.narrow),
      (header, payload, form) => {
        const at = 1000;
        memory.set(header, at);
        memory.set(payload, at + header.length);
        checksum.write(memory, at, header.length, payload.length, form);
        t.is(toHex(memory, at + header.length + payload.length, 8), naiveTag(header, payload, form));
        t.true(checksum.verify(memory, at, header.length, payload.length, form));
      },
    ),
  );
  t.true(calls > 0);
});
