import { readFileSync } from "node:fs";
import test from "ava";
import {
  equalBytes,
  isZeroDigest,
  networkDigest,
  networkKey128,
} from "../../../router-daemon/src/wire/network-key.ts";
import { sipHash13 } from "../../../router-daemon/src/wire/siphash.ts";

const vectors = JSON.parse(readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"));
const captures = JSON.parse(readFileSync(new URL("../../vectors/captures.json", import.meta.url), "utf8"));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("SipHash-1-3 with the zero key gives the recorded hashes of every length from 0 to 23", (t) => {
  t.is(vectors.siphash13_zero_key.length, 24);
  for (const { input, u64_big_endian } of vectors.siphash13_zero_key) {
    t.is(hex(sipHash13(Buffer.from(input, "hex"))), u64_big_endian, `input ${input}`);
  }
});

test("the network key follows from the secret as recorded", (t) => {
  for (const { secret_utf8, key128 } of vectors.key_derivation) {
    t.is(hex(networkKey128(secret_utf8)), key128, `secret ${secret_utf8}`);
  }
});

test("the digest follows from name and secret as recorded, UTF-8 included", (t) => {
  for (const { network_name, network_secret, digest32 } of vectors.network_secret_digest) {
    t.is(hex(networkDigest(network_name, network_secret)), digest32, `${network_name} / ${network_secret}`);
  }
});

test("name and secret are joined without a separator, as the protocol has it", (t) => {
  t.deepEqual(networkDigest("ab", "c"), networkDigest("a", "bc"));
  t.notDeepEqual(networkDigest("ab", "c"), networkDigest("ab", "d"));
});

test("key and digest of captured networks are the ones their nodes used", (t) => {
  for (const [name, network] of Object.entries<{ secret: string; digest: string; key128: string }>(
    captures.networks,
  )) {
    t.is(hex(networkDigest(name, network.secret)), network.digest);
    t.is(hex(networkKey128(network.secret)), network.key128);
  }
});

test("a digest is zero only when all its bytes are", (t) => {
  t.true(isZeroDigest(new Uint8Array(32)));
  for (let at = 0; at < 32; at++) t.false(isZeroDigest(new Uint8Array(32).fill(1, at, at + 1)));
});

test("bytes are equal only when length and every byte agree", (t) => {
  t.true(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
  t.false(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1)));
});
