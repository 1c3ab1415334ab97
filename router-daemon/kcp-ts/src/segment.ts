/**
 * The wire format of one KCP segment (proxies.md 4.1): 24 bytes of header, little-endian, then `length` bytes.
 *
 * ```
 *  0        4     5     6       8        12       16       20       24
 *  ┌────────┬─────┬─────┬───────┬────────┬────────┬────────┬────────┬─ … ─┐
 *  │ conv   │ cmd │ frg │ wnd   │ ts     │ sn     │ una    │ length │ data│
 *  └────────┴─────┴─────┴───────┴────────┴────────┴────────┴────────┴─ … ─┘
 * ```
 *
 * The engine reads and writes headers as six 32-bit words of the arena when they are aligned, which they are in its own
 * slots; foreign offsets take the byte path. All integers are kept as signed 32-bit numbers inside: sequence numbers and
 * times wrap, so only differences (`(a - b) | 0`) mean something.
 */

/** Bytes of a segment's header. */
export const HEADER_BYTES = 24;

/** The `cmd` byte. The first four are KCP's; `sack` is ours and sent only when both ends agreed to it (`extended`). */
export const Command = {
  /** Data. */
  push: 81,
  /** Acknowledges one segment: `sn` with its `ts` echoed. */
  ack: 82,
  /** Asks for the window. */
  askWindow: 83,
  /** Tells the window. */
  tellWindow: 84,
  /**
   * Acknowledges everything below `una` and the set bits of a bitmap of 32-bit words. Bit `b` of word `k` stands for
   * sequence number `(una & ~31) + 32 * (frg + k) + b`. `sn` and `ts` echo the segment that arrived last.
   */
  sack: 106,
} as const;

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

/** A 32-bit number as the word that has its little-endian bytes in memory, and back: the same operation. */
export function wireWord(value: number): number {
  return LITTLE_ENDIAN ? value | 0 : swapBytes(value);
}

/** `cmd`, `frg` and `wnd` as one word. */
export function commandWord(cmd: number, frg: number, wnd: number): number {
  return cmd | (frg << 8) | (wnd << 16);
}

/** Writes a header at word index `at` of the arena's words. */
export function writeHeader(
  words: Int32Array,
  at: number,
  conv: number,
  command: number,
  ts: number,
  sn: number,
  una: number,
  length: number,
): void {
  if (LITTLE_ENDIAN) {
    words[at] = conv;
    words[at + 1] = command;
    words[at + 2] = ts;
    words[at + 3] = sn;
    words[at + 4] = una;
    words[at + 5] = length;
  } else {
    words[at] = swapBytes(conv);
    words[at + 1] = swapBytes(command);
    words[at + 2] = swapBytes(ts);
    words[at + 3] = swapBytes(sn);
    words[at + 4] = swapBytes(una);
    words[at + 5] = swapBytes(length);
  }
}

/** Reads a little-endian 32-bit number at any byte offset, as a signed one. */
export function readInt32(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24);
}

/** One segment with its fields named: for tools, tests and logs; the engine does not use it. Numbers are unsigned. */
export interface Segment {
  conv: number;
  cmd: number;
  frg: number;
  wnd: number;
  ts: number;
  sn: number;
  una: number;
  data: Uint8Array;
}

/** The bytes of one segment. */
export function encodeSegment(segment: Segment): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + segment.data.length);
  const header = new Int32Array(HEADER_BYTES / 4);
  const command = commandWord(segment.cmd, segment.frg, segment.wnd);
  writeHeader(header, 0, segment.conv, command, segment.ts, segment.sn, segment.una, segment.data.length);
  bytes.set(new Uint8Array(header.buffer));
  bytes.set(segment.data, HEADER_BYTES);
  return bytes;
}

/** Why the rest of a datagram is not a segment. */
export type SegmentError = "short" | "length";

/**
 * All segments of a datagram. A tail shorter than a header is ignored, as every KCP does, unless nothing precedes it;
 * a length that points behind the end stops with an error and keeps what came before.
 */
export function decodeSegments(datagram: Uint8Array): { segments: Segment[]; error?: SegmentError } {
  const segments: Segment[] = [];
  if (datagram.length < HEADER_BYTES) return { segments, error: "short" };
  let at = 0;
  while (datagram.length - at >= HEADER_BYTES) {
    const length = readInt32(datagram, at + 20) >>> 0;
    if (length > datagram.length - at - HEADER_BYTES) return { segments, error: "length" };
    segments.push({
      conv: readInt32(datagram, at) >>> 0,
      cmd: datagram[at + 4]!,
      frg: datagram[at + 5]!,
      wnd: datagram[at + 6]! | (datagram[at + 7]! << 8),
      ts: readInt32(datagram, at + 8) >>> 0,
      sn: readInt32(datagram, at + 12) >>> 0,
      una: readInt32(datagram, at + 16) >>> 0,
      data: datagram.slice(at + HEADER_BYTES, at + HEADER_BYTES + length),
    });
    at += HEADER_BYTES + length;
  }
  return { segments };
}
