/**
 * Sequence numbers are signed 32-bit integers that wrap: the difference of two, `| 0`, is right as long as they lie less
 * than 2^31 apart (RFC 9293 3.4).
 */

/** Bytes from `from` to `to`, negative when `to` lies before. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function isAfter(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}
