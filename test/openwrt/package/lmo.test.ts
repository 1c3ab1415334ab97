import test from "ava";
import { compileLmo, lmoHash } from "../../../tools/package/lmo.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("texts hash as LuCI's own compiler hashes them", (t) => {
  const known: readonly (readonly [string, number])[] = [
    ["S", 0x7ac80e2c],
    ["St", 0xf90a2034],
    ["Sta", 0x00381159],
    ["Stat", 0x3727b107],
    ["Status", 0x663359c9],
    ["状态", 0xf60a8313],
    ["é", 0xc4fba554],
  ];
  for (const [text, hash] of known) t.is(lmoHash(bytes(text)), hash, text);
});

test("a catalogue is read back: values by the hash of their source, in the order of hashes", (t) => {
  const texts = new Map([
    ["Status", "状态"],
    ["  two \n blanks", "zwei"],
    ["same", "same"],
  ]);
  const file = compileLmo(texts);
  const view = new DataView(file.buffer);
  const index = view.getUint32(file.length - 4);
  const records = (file.length - 4 - index) / 16;
  t.is(records, 2, "what is translated by itself is left out");
  const found = new Map<number, string>();
  for (let at = index; at < file.length - 4; at += 16) {
    t.is(view.getUint32(at + 4), 1);
    const offset = view.getUint32(at + 8);
    t.is(offset % 4, 0);
    const value = file.subarray(offset, offset + view.getUint32(at + 12));
    found.set(view.getUint32(at), new TextDecoder().decode(value));
  }
  t.is(found.get(lmoHash(bytes("Status"))), "状态");
  t.is(found.get(lmoHash(bytes("two blanks"))), "zwei");
  t.deepEqual(
    [...found.keys()],
    [...found.keys()].sort((a, b) => a - b),
  );
});
