/** The host's `udpFollowers` for those without a core, and what the core is held against. */
import { Command, HEADER_BYTES, RUN_WORDS, RunEntry, RunHead } from "kcp-ts";
import { PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { ACK_DATA, KCP_HEADER_BYTES, readFlags } from "./packet.ts";

/** Words of one entry of the host's `udpReceive`: offset, length, link, flags. */
const RX_WORDS = 4;
/** Where the peer header says how long the packet is. */
const PEER_LENGTH = 12;
const SEGMENT_AT = PEER_HEADER_BYTES + KCP_HEADER_BYTES;
const PAYLOAD_AT = SEGMENT_AT + HEADER_BYTES;
const COMMAND = SEGMENT_AT + 4;
const TS = SEGMENT_AT + 8;
const SN = SEGMENT_AT + 12;
const UNA = SEGMENT_AT + 16;
const LENGTH = SEGMENT_AT + 20;

/** Arguments as `Host.udpFollowers` has them, all of it inside the arena. */
export function findFollowers(
  bytes: Uint8Array,
  words: Int32Array,
  slotBytes: number,
  out: number,
  slots: number,
  count: number,
  run: number,
): number {
  const isBulk = (entry: number): boolean => {
    const at = words[entry]!;
    const payload = words[entry + 1]! - PAYLOAD_AT;
    if (payload <= slotBytes >>> 2 || at < 0 || at + PAYLOAD_AT + payload > bytes.length) return false;
    if (readFlags(bytes, at + PEER_HEADER_BYTES) !== ACK_DATA || bytes[at + COMMAND] !== Command.push)
      return false;
    return readU32(bytes, at + LENGTH) === payload;
  };
  const isAlike = (at: number, first: number, from: number, to: number): boolean => {
    for (let i = from; i < to; i++) if (bytes[at + i] !== bytes[first + i]) return false;
    return true;
  };
  if (count < 2 || !isBulk(out)) return 0;
  const first = words[out]!;
  const sn = readU32(bytes, first + SN) | 0;
  let total = 0;
  let found = 0;
  while (found + 1 < count) {
    const next = out + (found + 1) * RX_WORDS;
    const at = words[next]!;
    if (!isBulk(next) || words[next + 2] !== words[out + 2] || words[next + 3] !== words[out + 3]) break;
    if ((readU32(bytes, at + SN) | 0) !== ((sn + 1 + found) | 0)) break;
    if (!isAlike(at, first, 0, PEER_LENGTH) || !isAlike(at, first, PEER_HEADER_BYTES, TS)) break;
    if (!isAlike(at, first, UNA, LENGTH)) break;
    found++;
    const entry = run + found * RUN_WORDS;
    words[entry + RunEntry.slot] = words[slots + found]!;
    words[entry + RunEntry.offset] = at + PAYLOAD_AT;
    words[entry + RunEntry.length] = words[next + 1]! - PAYLOAD_AT;
    words[entry + RunEntry.ts] = readU32(bytes, at + TS) | 0;
    total += words[entry + RunEntry.length]!;
  }
  words[run + RunHead.sn] = (sn + 1) | 0;
  words[run + RunHead.una] = readU32(bytes, first + UNA) | 0;
  words[run + RunHead.window] = bytes[first + COMMAND + 2]! | (bytes[first + COMMAND + 3]! << 8);
  words[run + RunHead.bytes] = total;
  return found;
}
