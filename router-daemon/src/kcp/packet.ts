/**
 * The 14-byte header of the connection layer (proxies.md 3.1):
 *
 * ```
 *   0         4                8                12     13    14
 *   │ conv LE │ src session LE │ dst session LE │ flag │ rsv │ body …
 * ```
 *
 * Both directions carry the same triple: "src" is always the client's node, "dst" the server's.
 */
import { readU32, writeU32 } from "../wire/peer-header.ts";

export const KCP_HEADER_BYTES = 14;

export const KcpFlag = {
  syn: 0x01,
  ack: 0x02,
  fin: 0x04,
  data: 0x08,
  rst: 0x10,
  ping: 0x20,
  pong: 0x40,
} as const;

/** The five flags that the state table compares (proxies.md 3.5). */
export const STATE_FLAGS = 0x1f;
export const SYN_ACK = 0x03;
export const ACK_DATA = 0x0a;

const SRC = 4;
const DST = 8;
const FLAG = 12;

export const readConv = (bytes: Uint8Array, offset: number): number => readU32(bytes, offset);
export const readSourceId = (bytes: Uint8Array, offset: number): number => readU32(bytes, offset + SRC);
export const readDestinationId = (bytes: Uint8Array, offset: number): number => readU32(bytes, offset + DST);
export const readFlags = (bytes: Uint8Array, offset: number): number => bytes[offset + FLAG]!;

/** Writes the whole header; `rsv` is 0. */
export function writeKcpHeader(
  bytes: Uint8Array,
  offset: number,
  conv: number,
  sourceId: number,
  destinationId: number,
  flags: number,
): void {
  writeU32(bytes, offset, conv);
  writeU32(bytes, offset + SRC, sourceId);
  writeU32(bytes, offset + DST, destinationId);
  bytes[offset + FLAG] = flags;
  bytes[offset + FLAG + 1] = 0;
}
