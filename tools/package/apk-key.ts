/** Signatures of apk v3: ECDSA over P-256. A router trusts the keys in /etc/apk/keys. */
import { createHash, createPublicKey, type KeyObject, sign } from "node:crypto";
import { adbBlock, BLOCK_SIGNATURE, uint32 } from "./adb.ts";

/** A private EC key (P-256). */
export interface ApkKey {
  readonly privateKey: KeyObject;
}

const SIGNATURE_VERSION = 0;
/** apk's number for SHA-512. */
const HASH_SHA512 = 4;
const KEY_ID_BYTES = 16;
/** A P-256 public key in DER ends in its point: 0x04, x, y. */
const POINT_BYTES = 65;

/**
 * The signature of an ADB payload. What is signed is not the payload but: schema, version and hash kind, key id, SHA-512 of
 * the payload.
 */
export function signatureBlock(schema: number, payload: Uint8Array, { privateKey }: ApkKey): Uint8Array {
  const header = Buffer.concat([Buffer.from([SIGNATURE_VERSION, HASH_SHA512]), keyId(privateKey)]);
  const digest = createHash("sha512").update(payload).digest();
  const signature = sign("sha512", Buffer.concat([uint32(schema), header, digest]), privateKey);
  return adbBlock(BLOCK_SIGNATURE, header, signature);
}

/** Says which key it was, without naming a file: the start of the SHA-512 of the public point. */
function keyId(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const point = der.subarray(der.length - POINT_BYTES);
  return createHash("sha512").update(point).digest().subarray(0, KEY_ID_BYTES);
}
