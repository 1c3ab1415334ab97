import { createCipheriv, createDecipheriv } from "node:crypto";

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

/** Seals payloads of peer packets (links.md 5.3): ciphertext, tag, nonce. */
export interface Seal {
  /** Writes `payload.length + 28` bytes to `out`. */
  seal(payload: Uint8Array, nonce: Uint8Array, out: Uint8Array): void;
  /** Writes `body.length - 28` bytes to `out`; false = forged. */
  open(body: Uint8Array, out: Uint8Array): boolean;
}

/** AES-128-GCM: true wire bytes. */
export class AesSeal implements Seal {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  seal(payload: Uint8Array, nonce: Uint8Array, out: Uint8Array): void {
    const cipher = createCipheriv("aes-128-gcm", this.#key, nonce);
    out.set(cipher.update(payload));
    cipher.final();
    out.set(cipher.getAuthTag(), payload.length);
    out.set(nonce, payload.length + TAG_BYTES);
  }

  open(body: Uint8Array, out: Uint8Array): boolean {
    const length = body.length - TAG_BYTES - NONCE_BYTES;
    const decipher = createDecipheriv("aes-128-gcm", this.#key, body.subarray(length + TAG_BYTES));
    decipher.setAuthTag(body.subarray(length, length + TAG_BYTES));
    const text = decipher.update(body.subarray(0, length));
    try {
      decipher.final();
    } catch {
      return false;
    }
    out.set(text);
    return true;
  }
}

/**
 * A stand-in that costs next to nothing, for large worlds: the same lengths, a tag that depends on key, nonce and payload, but
 * no secrecy.
 */
export class StandInSeal implements Seal {
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key.slice();
  }

  seal(payload: Uint8Array, nonce: Uint8Array, out: Uint8Array): void {
    out.set(payload);
    this.#tag(payload, nonce, out.subarray(payload.length, payload.length + TAG_BYTES));
    out.set(nonce, payload.length + TAG_BYTES);
  }

  open(body: Uint8Array, out: Uint8Array): boolean {
    const length = body.length - TAG_BYTES - NONCE_BYTES;
    const payload = body.subarray(0, length);
    const tag = new Uint8Array(TAG_BYTES);
    this.#tag(payload, body.subarray(length + TAG_BYTES), tag);
    for (let i = 0; i < TAG_BYTES; i++) if (tag[i] !== body[length + i]) return false;
    out.set(payload);
    return true;
  }

  #tag(payload: Uint8Array, nonce: Uint8Array, tag: Uint8Array): void {
    let sum = 0x811c9dc5;
    for (const part of [this.#key, nonce, payload]) {
      for (let i = 0; i < part.length; i++) sum = Math.imul(sum ^ part[i]!, 0x01000193);
    }
    for (let i = 0; i < TAG_BYTES; i++) {
      if ((i & 3) === 0) sum = Math.imul(sum ^ i, 0x01000193);
      tag[i] = sum >>> (8 * (i & 3));
    }
  }
}
