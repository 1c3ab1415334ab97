/** How a stream begins: the length of the connection data, two bytes, most significant first, and the data (proxies.md 6.12). */
import { encodeSyn } from "../kcp/conn-data.ts";
import type { KcpTarget } from "../kcp/types.ts";

export const TARGET_LENGTH_BYTES = 2;
/** Longest connection data that is read. */
export const MAX_TARGET_BYTES = 512;

export function encodeTarget(target: KcpTarget): Uint8Array {
  const data = encodeSyn(target);
  const bytes = new Uint8Array(TARGET_LENGTH_BYTES + data.length);
  bytes[0] = data.length >>> 8;
  bytes[1] = data.length;
  bytes.set(data, TARGET_LENGTH_BYTES);
  return bytes;
}
