import fc from "fast-check";
import { encodeSegment, HEADER_BYTES, RUN_WORDS, RunEntry, RunHead } from "kcp-ts";
import { RX_WORDS } from "../../../router-daemon/src/host/host.ts";
import { findFollowers } from "../../../router-daemon/src/kcp/followers.ts";
import { ACK_DATA, KCP_HEADER_BYTES, writeKcpHeader } from "../../../router-daemon/src/kcp/packet.ts";
import { PEER_HEADER_BYTES } from "../../../router-daemon/src/wire/peer-header.ts";
import { type Desk, E } from "./desk.ts";
import type { Suite } from "./suite.ts";

const HEADERS = PEER_HEADER_BYTES + KCP_HEADER_BYTES + HEADER_BYTES;
const SEGMENT = { conv: 0x89abcdef, cmd: 81, frg: 0, wnd: 300, ts: 70_000, sn: 0xfffffffe, una: 5 };
const PAYLOAD = 1200;
const MOST = 8;

interface Packet {
  readonly segment: typeof SEGMENT;
  readonly payload: number;
  readonly flags: number;
  readonly link: number;
  /** A byte that is changed, and by what; 0 = none. */
  readonly flipAt: number;
  readonly flip: number;
}

const plain = (i: number): Packet => ({
  segment: { ...SEGMENT, sn: (SEGMENT.sn + i) >>> 0, ts: SEGMENT.ts + i },
  payload: PAYLOAD,
  flags: 1,
  link: 3,
  flipAt: 0,
  flip: 0,
});

/** Puts packets where `udpReceive` would. */
function lay(d: Desk, packets: readonly Packet[]): void {
  for (let i = 0; i < packets.length; i++) {
    const { segment, payload, flags, link, flipAt, flip } = packets[i]!;
    const slot = i + 1;
    const at = slot * d.host.memory.slotBytes + 2;
    d.bytes.fill(7, at, at + PEER_HEADER_BYTES);
    writeKcpHeader(d.bytes, at + PEER_HEADER_BYTES, segment.conv, 1, 2, ACK_DATA);
    d.bytes.set(
      encodeSegment({ ...segment, data: new Uint8Array(payload) }),
      at + PEER_HEADER_BYTES + KCP_HEADER_BYTES,
    );
    d.bytes[at + flipAt]! ^= flip;
    d.words.set([at, HEADERS + payload, link, flags], d.out + i * RX_WORDS);
    d.words[d.slots + i] = slot;
  }
}

export function followersConformance(suite: Suite): void {
  suite.test("packets that continue a KCP stream are found as one run", (t, desk) => {
    const d = desk();
    const run = d.scratch / 4;
    lay(d, [plain(0), plain(1), { ...plain(2), payload: 500 }, plain(4)]);
    t.is(d.host.udpFollowers(d.out, d.slots, 4, run), 2);
    t.is(d.words[run + RunHead.sn], -1);
    t.is(d.words[run + RunHead.una], 5);
    t.is(d.words[run + RunHead.window], 300);
    t.is(d.words[run + RunHead.bytes], PAYLOAD + 500);
    const second = run + 2 * RUN_WORDS;
    t.is(d.words[second + RunEntry.slot], 3);
    t.is(d.words[second + RunEntry.offset], 3 * d.host.memory.slotBytes + 2 + HEADERS);
    t.is(d.words[second + RunEntry.length], 500);
    t.is(d.words[second + RunEntry.ts], SEGMENT.ts + 2);
    t.is(d.host.udpFollowers(d.out, d.slots, 1, run), 0);
    t.is(d.host.udpFollowers(d.out, d.slots, 0, run), 0);
  });

  suite.test("followers are those that the TypeScript finds, whatever the packets", (t, desk) => {
    const d = desk();
    const run = d.scratch / 4;
    const twin = run + (MOST + 1) * RUN_WORDS;
    const odd = fc.record({
      snOff: fc.constantFrom(0, 0, 0, 1, -1),
      payload: fc.constantFrom(PAYLOAD, PAYLOAD, 384, 385, 1, 0),
      flags: fc.constantFrom(1, 1, 1, 4),
      link: fc.constantFrom(3, 3, 3, 4),
      // Anywhere in the headers, but mostly nowhere.
      flipAt: fc.nat({ max: HEADERS - 1 }),
      flip: fc.constantFrom(0, 0, 0, 0, 1, 0x80),
      all: fc.boolean(),
    });
    const good = { snOff: 0, payload: PAYLOAD, flags: 1, link: 3, flipAt: 0, flip: 0, all: false };
    let longest = 0;
    fc.assert(
      fc.property(fc.array(odd, { minLength: 1, maxLength: MOST }), (list) => {
        lay(
          d,
          list.map(({ snOff, all, ...rest }, i) => {
            const base = plain(i);
            if (!all) return base;
            return { ...base, ...rest, segment: { ...base.segment, sn: (base.segment.sn + snOff) >>> 0 } };
          }),
        );
        const { slotBytes } = d.host.memory;
        d.words.fill(0, run, twin + (MOST + 1) * RUN_WORDS);
        const expected = findFollowers(d.bytes, d.words, slotBytes, d.out, d.slots, list.length, twin);
        t.is(d.host.udpFollowers(d.out, d.slots, list.length, run), expected);
        longest = Math.max(longest, expected);
        if (expected === 0) return;
        const words = (expected + 1) * RUN_WORDS;
        t.deepEqual(d.words.slice(run, run + words), d.words.slice(twin, twin + words));
      }),
      // However few the rounds are, one of them finds a long run.
      { examples: [[Array.from({ length: 4 }, () => good)]] },
    );
    t.true(longest > 2);
  });

  suite.test("followers outside the arena are refused or none", (t, desk) => {
    const d = desk();
    const run = d.scratch / 4;
    lay(d, [plain(0), plain(1)]);
    const end = d.words.length;
    for (const at of [-1, end - 1, end, 0x7fff_ffff]) {
      t.is(d.host.udpFollowers(at, d.slots, 2, run), E.INVAL);
      t.is(d.host.udpFollowers(d.out, at, 2, run), E.INVAL);
      t.is(d.host.udpFollowers(d.out, d.slots, 2, at), E.INVAL);
    }
    t.is(d.host.udpFollowers(d.out, d.slots, -1, run), E.INVAL);
    for (const [offset, length] of [
      [-1, 1254],
      [d.bytes.length - 100, 1254],
      [0x7fff_ffff, 0x7fff_ffff],
      [0, -0x8000_0000],
    ] as const) {
      d.words.set([offset, length], d.out + RX_WORDS);
      t.is(d.host.udpFollowers(d.out, d.slots, 2, run), 0);
    }
  });
}
