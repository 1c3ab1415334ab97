import fc from "fast-check";
import { SeaHash } from "../../../router-daemon/src/quic/seahash.ts";
import { E } from "./desk.ts";
import type { Suite } from "./suite.ts";

const WORD = 8;

/** The same in TypeScript, which its own tests hold against the definition. */
function seaHash(text: Uint8Array): number[] {
  const hash = new SeaHash();
  const whole = Math.floor(text.length / WORD);
  const padded = new Uint8Array((whole + 1) * WORD);
  padded.set(text);
  hash.begin();
  hash.words(padded, 0, whole);
  hash.finish(padded, whole * WORD, text.length % WORD);
  return [hash.high, hash.low].flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff));
}

export function hashConformance(suite: Suite): void {
  suite.test("SeaHash of two pieces is that of the text they make", (t, desk) => {
    const d = desk();
    const front = d.scratch;
    const rest = d.scratch + 1000 + 3;
    const out = d.scratch + 4000;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 20 }), (text, words) => {
        const frontBytes = Math.min(words * WORD, text.length);
        const isSplit = frontBytes % WORD === 0;
        const cut = isSplit ? frontBytes : text.length;
        d.bytes.set(text.subarray(0, cut), front);
        d.bytes.set(text.subarray(cut), rest);
        t.is(d.host.seahash(front, cut, rest, text.length - cut, out), 0);
        t.deepEqual([...d.bytes.subarray(out, out + WORD)], seaHash(text));
      }),
    );
    t.is(d.host.seahash(front, 7, rest, 1, out), E.INVAL, "the front ends within a word, and there is more");
    const end = d.bytes.length;
    for (const at of [-1, end, 0x7fff_ffff]) {
      t.is(d.host.seahash(at, 8, rest, 0, out), E.INVAL);
      t.is(d.host.seahash(front, 8, at, 8, out), E.INVAL);
      t.is(d.host.seahash(front, 8, rest, 8, at), E.INVAL);
    }
    t.is(d.host.seahash(front, -8, rest, 8, out), E.INVAL);
  });
}
