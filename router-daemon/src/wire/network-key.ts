/**
 * What a network's name and secret become on the wire: the digest shown in the handshake (links.md 4.3) and the key of its
 * packets (links.md 5.2). The key depends on the secret alone.
 */
import { sipHash13 } from "./siphash.ts";
import { encodeUtf8 } from "./utf8.ts";

export const DIGEST_BYTES = 32;

/** 32 bytes that both sides of a handshake compare. Name and secret are concatenated without a separator. */
export function networkDigest(networkName: string, networkSecret: string): Uint8Array {
  // After each part the whole digest so far is hashed on: S, S d0, S d0 d0 d1, S d0 d0 d1 d0 d1 d2.
  let hashed = concat(encodeUtf8(networkName), encodeUtf8(networkSecret));
  let digest = new Uint8Array(0);
  while (digest.length < DIGEST_BYTES) {
    digest = concat(digest, sipHash13(hashed));
    hashed = concat(hashed, digest);
  }
  return digest;
}

/** The AES-128 key of the network. */
export function networkKey128(networkSecret: string): Uint8Array {
  const secret = encodeUtf8(networkSecret);
  const first = sipHash13(secret);
  return concat(first, sipHash13(concat(secret, first)));
}

/** True when every byte is zero: the sender does not prove the secret. */
export function isZeroDigest(digest: Uint8Array): boolean {
  return digest.every((byte) => byte === 0);
}

/** Compares without a shortcut, so that the time taken does not tell how many bytes agree. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= a[at]! ^ b[at]!;
  return difference === 0;
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
