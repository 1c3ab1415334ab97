/**
 * Signatures of opkg's feeds: Ed25519, in the small files of usign. A key file is a comment and one line of base64:
 *
 * ```
 *   public    "Ed" fingerprint(8) key(32)
 *   secret    "Ed" "BK" rounds(4) = 0 salt(16) checksum(8) fingerprint(8) seed(32) key(32)
 *   signature "Ed" fingerprint(8) signature(64)
 * ```
 * The fingerprint is random and names the key: routers keep it as /etc/opkg/keys/<fingerprint>.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";

export interface UsignKey {
  readonly fingerprint: Uint8Array;
  readonly privateKey: KeyObject;
}

const ALGORITHM = Buffer.from("Ed");
const SECRET_PREFIX = Buffer.concat([ALGORITHM, Buffer.from("BK"), Buffer.alloc(4)]);
const SALT_BYTES = 16;
const CHECKSUM_BYTES = 8;
const FINGERPRINT_BYTES = 8;
const SEED_BYTES = 32;
const PUBLIC_BYTES = 32;
const FINGERPRINT_AT = SECRET_PREFIX.length + SALT_BYTES + CHECKSUM_BYTES;
const SEED_AT = FINGERPRINT_AT + FINGERPRINT_BYTES;
const SECRET_FILE_BYTES = SEED_AT + SEED_BYTES + PUBLIC_BYTES;
/** What stands before the seed in a PKCS #8 file of an Ed25519 key (RFC 8410). */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A new secret key, as the text of its file. */
export function generateUsignKey(): string {
  const fingerprint = randomBytes(FINGERPRINT_BYTES);
  const seed = randomBytes(SEED_BYTES);
  const pair = Buffer.concat([seed, publicBytes(privateKeyOf(seed))]);
  const checksum = createHash("sha512").update(pair).digest().subarray(0, CHECKSUM_BYTES);
  const salt = randomBytes(SALT_BYTES);
  return keyText(
    "private key",
    fingerprint,
    Buffer.concat([SECRET_PREFIX, salt, checksum, fingerprint, pair]),
  );
}

/** Reads a secret key file. Throws with a sentence when it is none, or has a password. */
export function readUsignKey(text: string): UsignKey {
  const bytes = Buffer.from(text.split("\n")[1] ?? "", "base64");
  if (bytes.length !== SECRET_FILE_BYTES || !bytes.subarray(0, SECRET_PREFIX.length).equals(SECRET_PREFIX)) {
    throw new Error("This is not a secret key of usign without a password.");
  }
  return {
    fingerprint: bytes.subarray(FINGERPRINT_AT, SEED_AT),
    privateKey: privateKeyOf(bytes.subarray(SEED_AT, SEED_AT + SEED_BYTES)),
  };
}

/** What routers keep under the fingerprint's name. */
export function publicKeyText({ fingerprint, privateKey }: UsignKey): string {
  return keyText("public key", fingerprint, Buffer.concat([ALGORITHM, fingerprint, publicBytes(privateKey)]));
}

/** `Packages.sig`. */
export function signatureText(message: Uint8Array, { fingerprint, privateKey }: UsignKey): string {
  const signature = sign(null, message, privateKey);
  return keyText("signed by key", fingerprint, Buffer.concat([ALGORITHM, fingerprint, signature]));
}

/** 16 hexadecimal digits. */
export function fingerprintText({ fingerprint }: UsignKey): string {
  return Buffer.from(fingerprint).toString("hex");
}

function keyText(what: string, fingerprint: Uint8Array, bytes: Uint8Array): string {
  const name = Buffer.from(fingerprint).toString("hex");
  return `untrusted comment: ${what} ${name}\n${Buffer.from(bytes).toString("base64")}\n`;
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
}

function publicBytes(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  return der.subarray(der.length - PUBLIC_BYTES);
}
