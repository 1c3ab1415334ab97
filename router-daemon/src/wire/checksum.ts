/** The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Sums are 16 bits, big-endian words. */

/** Words added between two folds: 2^15 words of 16 bits stay below 2^31, the range of fast integers. */
const WORDS_PER_FOLD = 0x4000;

/** Folds carries into 16 bits. Takes any sum below 2^32. */
export function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/**
 * Ones' complement sum of `length` bytes, added to `initial` (a folded sum). An odd last byte counts as the high half of
 * a word, so only the last piece of several may be odd. The checksum is the complement: `~sum & 0xffff`.
 */
export function onesComplementSum(bytes: Uint8Array, offset: number, length: number, initial = 0): number {
  let sum = initial;
  let at = offset;
  const end = offset + length;
  const evenEnd = end - (length & 1);
  while (at < evenEnd) {
    const stop = Math.min(evenEnd, at + 2 * WORDS_PER_FOLD);
    const unrolledStop = stop - 7;
    for (; at < unrolledStop; at += 8) {
      sum += (bytes[at]! << 8) | bytes[at + 1]!;
      sum += (bytes[at + 2]! << 8) | bytes[at + 3]!;
      sum += (bytes[at + 4]! << 8) | bytes[at + 5]!;
      sum += (bytes[at + 6]! << 8) | bytes[at + 7]!;
    }
    for (; at < stop; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
    sum = foldSum(sum);
  }
  if (at < end) sum += bytes[at]! << 8;
  return foldSum(sum);
}

/** Sum of the pseudo header of TCP and UDP over IPv4 (RFC 9293 3.1): what NEEDS_CSUM wants in the checksum field. */
export function pseudoHeaderSum(
  source: number,
  destination: number,
  protocol: number,
  length: number,
): number {
  return foldSum(
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length,
  );
}

/** The checksum after one 16-bit word of the data changed (RFC 1624, equation 3). */
export function updateChecksum(checksum: number, oldWord: number, newWord: number): number {
  return ~foldSum((~checksum & 0xffff) + (~oldWord & 0xffff) + newWord) & 0xffff;
}
