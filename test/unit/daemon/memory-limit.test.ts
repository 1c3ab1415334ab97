import test from "ava";
import {
  AUTOMATIC_MOST_MIB,
  AUTOMATIC_PART,
  LEAST_MIB,
  payloadBytes,
  UNKNOWN_MIB,
} from "../../../router-daemon/src/daemon/memory-limit.ts";

const MIB = 2 ** 20;

function meminfo(mib: number): string {
  return `MemTotal:       ${mib * 1024} kB\nMemFree:          123456 kB\nMemAvailable:     234567 kB\n`;
}

test("a configured limit is what it says, whatever the machine has", (t) => {
  t.is(payloadBytes(48, meminfo(64)), 48 * MIB);
  t.is(payloadBytes(48, undefined), 48 * MIB);
});

test("without one, payload gets a quarter of the memory, within bounds", (t) => {
  t.is(payloadBytes(0, meminfo(128)), (128 / AUTOMATIC_PART) * MIB);
  t.is(payloadBytes(0, meminfo(16_384)), AUTOMATIC_MOST_MIB * MIB);
  t.is(payloadBytes(0, meminfo(8)), LEAST_MIB * MIB);
});

test("a machine that does not tell its memory gets a usual amount", (t) => {
  for (const text of [undefined, "", "MemTotal: lots", "MemTotal:       0 kB\n"])
    t.is(payloadBytes(0, text), UNKNOWN_MIB * MIB);
});
