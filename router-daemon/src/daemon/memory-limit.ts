/** How much memory payload may occupy: as configured, or chosen by the machine's size. */

const MIB = 1024 * 1024;
/** Without a configured limit payload gets this part of the machine's memory … */
export const AUTOMATIC_PART = 4;
/** … but no more than this, in MiB, … */
export const AUTOMATIC_MOST_MIB = 64;
/** … and no less: with less nothing can be carried at a useful rate. */
export const LEAST_MIB = 4;
/** When the machine's memory is not known. */
export const UNKNOWN_MIB = 32;

/** Bytes for payload. `limitMib` 0 = automatic; `meminfo` is the text of /proc/meminfo. */
export function payloadBytes(limitMib: number, meminfo: string | undefined): number {
  if (limitMib > 0) return limitMib * MIB;
  const kib = Number(/^MemTotal:\s+(\d+) kB$/m.exec(meminfo ?? "")?.[1]);
  if (!(kib > 0)) return UNKNOWN_MIB * MIB;
  return Math.min(AUTOMATIC_MOST_MIB * MIB, Math.max(LEAST_MIB * MIB, (kib * 1024) / AUTOMATIC_PART));
}
