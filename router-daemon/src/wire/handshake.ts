/**
 * The body of a handshake packet (links.md 4.1), the only message that strangers can make us read.
 */
import { tryDecode } from "./messages/decode.ts";
import { encode } from "./messages/encode.ts";
import { HandshakeRequest } from "./messages/gen/messages.ts";
import { DIGEST_BYTES } from "./network-key.ts";

export const HANDSHAKE_MAGIC = 0xd1e1a5e1;
export const HANDSHAKE_VERSION = 1;
/** A body longer than this is not read: the fields need about 60 bytes and a name. */
export const MAX_HANDSHAKE_BYTES = 512;

export interface Handshake {
  readonly peerId: number;
  readonly networkName: string;
  /** `DIGEST_BYTES` bytes; all zero when the sender does not prove the secret. */
  readonly digest: Uint8Array;
}

/** `features` stays empty: the one that exists has unknown rules (links.md 4.6). */
export function encodeHandshake({ peerId, networkName, digest }: Handshake): Uint8Array {
  return encode(HandshakeRequest, {
    magic: HANDSHAKE_MAGIC,
    myPeerId: peerId,
    version: HANDSHAKE_VERSION,
    networkName,
    networkSecretDigest: digest,
  });
}

/**
 * Reads the body in `bytes[from, to)`. Undefined when it is no such message, is too long, names no peer id, or has a digest
 * of another length than 32. Magic, version and features may be anything, as everywhere.
 */
export function decodeHandshake(bytes: Uint8Array, from: number, to: number): Handshake | undefined {
  if (to - from > MAX_HANDSHAKE_BYTES) return undefined;
  const message = tryDecode(HandshakeRequest, bytes.subarray(from, to));
  if (message === undefined || message.myPeerId === 0) return undefined;
  if (message.networkSecretDigest.length !== DIGEST_BYTES) return undefined;
  const { myPeerId: peerId, networkName, networkSecretDigest: digest } = message;
  return { peerId, networkName, digest };
}
