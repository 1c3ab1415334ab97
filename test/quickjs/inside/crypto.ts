/** `node:crypto`, as far as tests use it. */
import { native } from "kcp-router:native";
import { authenticationTag, counterMode } from "./aes-gcm.ts";
import { StandInBuffer } from "./buffer.ts";
import { Sha256 } from "./sha256.ts";

export function randomBytes(length: number): Uint8Array {
  const bytes = new StandInBuffer(length);
  native.randomBytes(bytes);
  return bytes;
}

export function createHash(name: string) {
  if (name !== "sha256") throw new Error(`${name} is not hashed here.`);
  const hash = new Sha256();
  const self = {
    update(bytes: Uint8Array) {
      hash.update(bytes);
      return self;
    },
    digest: (encoding: "hex") => StandInBuffer.copy(hash.digest()).toString(encoding),
  };
  return self;
}

export function createCipheriv(_name: "aes-128-gcm", key: Uint8Array, nonce: Uint8Array) {
  let encrypted: Uint8Array = new Uint8Array(0);
  return {
    update(bytes: Uint8Array) {
      encrypted = counterMode(key, nonce, bytes);
      return encrypted;
    },
    final: () => new Uint8Array(0),
    getAuthTag: () => authenticationTag(key, nonce, encrypted),
  };
}

export function createDecipheriv(_name: "aes-128-gcm", key: Uint8Array, nonce: Uint8Array) {
  let wanted: Uint8Array = new Uint8Array(0);
  let encrypted: Uint8Array = new Uint8Array(0);
  return {
    setAuthTag(tag: Uint8Array) {
      wanted = tag;
    },
    update(bytes: Uint8Array) {
      encrypted = bytes.slice();
      return counterMode(key, nonce, bytes);
    },
    final() {
      if (StandInBuffer.compare(wanted, authenticationTag(key, nonce, encrypted)) !== 0) {
        throw new Error("The tag is wrong.");
      }
      return new Uint8Array(0);
    },
  };
}
