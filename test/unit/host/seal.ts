/** The naive twin of the core's AEAD: peer packets sealed and opened by node:crypto (links.md 5.3). */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

import { concat, peerHeader } from "./desk.ts";

export const KEY = Uint8Array.from(Buffer.from("565a19db4ef0c121a8ac580edaf84ea6", "hex"));

export function sealed(
  to: number,
  payload: Uint8Array,
  options: { key?: Uint8Array; nonce?: Uint8Array; type?: number; flags?: number } = {},
): Uint8Array {
  const nonce = options.nonce ?? randomBytes(12);
  const cipher = createCipheriv("aes-128-gcm", options.key ?? KEY, nonce);
  const body = concat(cipher.update(payload), cipher.final(), cipher.getAuthTag(), nonce);
  const header = peerHeader({
    to,
    type: options.type ?? 1,
    flags: (options.flags ?? 0) | 1,
    length: payload.length,
  });
  return concat(header, body);
}

/** Throws when the tag is wrong. */
export function opened(
  packet: Uint8Array,
  key: Uint8Array = KEY,
): { header: Uint8Array; payload: Uint8Array } {
  const body = packet.subarray(16);
  const decipher = createDecipheriv("aes-128-gcm", key, body.subarray(body.length - 12));
  decipher.setAuthTag(body.subarray(body.length - 28, body.length - 12));
  const payload = concat(decipher.update(body.subarray(0, body.length - 28)), decipher.final());
  return { header: packet.slice(0, 16), payload };
}
