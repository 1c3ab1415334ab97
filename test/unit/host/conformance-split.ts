import fc from "fast-check";

import { type Desk, E, pattern } from "./desk.ts";
import { checksumsOk, type FrameFields, makeFrame, naiveSplit } from "./naive-ip.ts";
import type { Suite } from "./suite.ts";

const FIRST_SLOT = 10;

function split(
  d: Desk,
  frame: Uint8Array,
  mtu: number,
  options: { max?: number; headroom?: number } = {},
): Uint8Array[] | number {
  const max = options.max ?? 100;
  const headroom = options.headroom ?? 24;
  d.bytes.set(frame, d.scratch);
  for (let i = 0; i < max; i++) d.words[d.slots + i] = FIRST_SLOT + i;
  const count = d.host.tunSplit(d.scratch, frame.length, mtu, d.slots, d.out, max, headroom);
  if (count < 0) return count;
  return Array.from({ length: count }, (_, i) => {
    const at = (FIRST_SLOT + i) * d.host.memory.slotBytes + headroom;
    return d.bytes.slice(at, at + d.words[d.out + i]!);
  });
}

const anyFrame: fc.Arbitrary<FrameFields> = fc
  .record({
    version: fc.constantFrom<4 | 6>(4, 6),
    protocol: fc.constantFrom<"tcp" | "udp" | "icmp">("tcp", "udp", "icmp"),
    length: fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 40_000 })),
    gsoSize: fc.oneof(fc.constant(0), fc.integer({ min: 500, max: 1500 })),
    partial: fc.boolean(),
    tcpFlags: fc.nat({ max: 255 }),
    tcpOptions: fc.constantFrom(0, 4, 12, 40),
    ipOptions: fc.constantFrom(0, 0, 8, 40),
    dontFragment: fc.boolean(),
    id: fc.nat({ max: 0xffff }),
    sequence: fc.nat({ max: 0xffff_ffff }),
    ecn: fc.boolean(),
    seed: fc.nat({ max: 255 }),
  })
  .map(({ length, seed, gsoSize, ...rest }) => ({
    ...rest,
    payload: pattern(length, seed),
    gsoSize: rest.protocol === "icmp" ? 0 : gsoSize,
    partial: rest.partial || (gsoSize > 0 && rest.protocol !== "icmp"),
  }));

/** Cutting frames for the plain path. */
export function splitConformance(suite: Suite): void {
  suite.test("tunSplit makes what the naive twin makes", (t, desk) => {
    const d = desk();
    fc.assert(
      fc.property(anyFrame, fc.integer({ min: 600, max: 1500 }), (fields, mtu) => {
        const frame = makeFrame(fields);
        const expected = naiveSplit(frame, mtu);
        const got = split(d, frame, mtu);
        if (typeof expected === "number" || typeof got === "number") {
          t.is(got, expected);
          return;
        }
        t.is(got.length, expected.length);
        got.forEach((packet, i) => {
          if (Buffer.compare(packet, expected[i]!) !== 0) t.deepEqual(packet, expected[i]);
          t.true(packet.length <= mtu);
        });
      }),
      { numRuns: 300 },
    );
  });

  suite.test("what is cut has checksums that a receiver accepts, and the payload is all there", (t, desk) => {
    const d = desk();
    for (const version of [4, 6] as const) {
      for (const protocol of ["tcp", "udp"] as const) {
        const payload = pattern(20_001, version);
        const frame = makeFrame({
          version,
          protocol,
          payload,
          gsoSize: 1208,
          partial: true,
          tcpFlags: 0x99,
          id: 0xfffe,
        });
        const packets = split(d, frame, 1360);
        if (typeof packets === "number") {
          t.fail(d.host.describeError(packets));
          return;
        }
        t.is(packets.length, Math.ceil(20_001 / 1208));
        t.true(packets.every((packet) => checksumsOk(packet)));
        const header = (version === 4 ? 20 : 40) + (protocol === "tcp" ? 20 : 8);
        t.deepEqual(Buffer.concat(packets.map((packet) => packet.subarray(header))), Buffer.from(payload));
        if (protocol === "tcp") {
          const flags = packets.map((packet) => packet[header - 7]);
          // CWR on the first, FIN and PSH on the last (RFC 3168, 6.1.2).
          t.deepEqual([flags[0], flags[1], flags.at(-1)], [0x90, 0x10, 0x19]);
        }
      }
    }
  });

  suite.test("a UDP checksum that comes out as zero is sent as ones", (t, desk) => {
    const d = desk();
    // The last two payload bytes are chosen so that the sum is all ones.
    for (const partial of [true, false]) {
      let found = false;
      for (let word = 0; word < 65_536 && !found; word++) {
        const payload = Uint8Array.of(1, 2, word >> 8, word & 255);
        const packets = split(
          d,
          makeFrame({ version: 4, protocol: "udp", payload, gsoSize: 0, partial }),
          1400,
        );
        const [packet] = typeof packets === "number" ? [] : packets;
        t.true(packet !== undefined && !(packet[26] === 0 && packet[27] === 0));
        found = packet![26] === 0xff && packet![27] === 0xff;
      }
      t.true(found);
    }
  });

  suite.test("too few slots, too small slots and an impossible MTU are refused", (t, desk) => {
    const d = desk();
    const frame = makeFrame({
      version: 4,
      protocol: "tcp",
      payload: pattern(5000, 1),
      gsoSize: 1000,
      partial: true,
    });
    t.is(split(d, frame, 1360, { max: 4 }), E.NOBUFS);
    t.is((split(d, frame, 1360, { max: 5 }) as Uint8Array[]).length, 5);
    const room = d.host.memory.slotBytes;
    t.is((split(d, frame, 1360, { headroom: room - 1040 }) as Uint8Array[]).length, 5);
    t.is(split(d, frame, 1360, { headroom: room - 1039 }), E.MSGSIZE);
    t.is(split(d, frame, 40), E.MSGSIZE);
    t.is(split(d, frame, 41, { max: 1024 / 2 }) as number, E.NOBUFS);
    for (const mtu of [0, -1, -2_147_483_648]) t.is(split(d, frame, mtu), E.INVAL);
    t.is(split(d, frame, 1360, { headroom: -1 }), E.INVAL);
    d.words[d.slots] = -1;
    t.is(d.host.tunSplit(d.scratch, frame.length, 1360, d.slots, d.out, 5, 24), E.INVAL);
  });

  suite.test("a damaged packet is not given a good checksum by cutting it", (t, desk) => {
    const d = desk();
    const frame = makeFrame({
      version: 4,
      protocol: "tcp",
      payload: pattern(1300, 1),
      gsoSize: 0,
      partial: false,
    });
    t.is((split(d, frame, 700) as Uint8Array[]).length, 2);
    frame[200]! ^= 1;
    t.is(split(d, frame, 700), E.BADMSG);
    t.is((split(d, frame, 1400) as Uint8Array[]).length, 1);
  });

  suite.test("damaged headers and garbage give an error or packets, never a crash", (t, desk) => {
    const d = desk();
    const damage = fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(anyFrame, damage).map(([fields, changes]) => {
            const frame = makeFrame(fields);
            for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
            return frame;
          }),
          fc.uint8Array({ maxLength: 200 }),
          fc
            .uint8Array({ maxLength: 200 })
            .map((bytes) => Uint8Array.of(1, 1, 0, 0, 5, 0, 20, 0, 16, 0, 0x45, ...bytes)),
        ),
        fc.integer({ min: 1, max: 1500 }),
        fc.nat({ max: 400 }),
        (frame, mtu, cutOff) => {
          const got = split(d, frame.subarray(0, Math.max(0, frame.length - cutOff)), mtu, {
            max: 1000,
            headroom: 0,
          });
          if (typeof got === "number") {
            t.true([E.INVAL, E.MSGSIZE, E.NOBUFS, E.BADMSG].includes(got as never));
          } else {
            t.true(got.length > 0 && got.every((packet) => packet.length <= mtu));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
}
