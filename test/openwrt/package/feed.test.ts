import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { ARCHITECTURES, selectArchitectures } from "../../../tools/package/architectures.ts";
import { loadFeedKeys } from "../../../tools/package/feed-keys.ts";
import { buildIpk, controlText } from "../../../tools/package/ipk.ts";
import { opkgIndex } from "../../../tools/package/opkg-index.ts";
import {
  fingerprintText,
  generateUsignKey,
  publicKeyText,
  readUsignKey,
  signatureText,
} from "../../../tools/package/usign.ts";
import { sample } from "./sample.ts";

function ipk(description: string) {
  const manifest = sample({ description: [description] });
  return { fileName: "sample.ipk", bytes: buildIpk(manifest), control: controlText(manifest) };
}

test("an index entry is the control file with name, size and hash before the description", (t) => {
  const entry = ipk("One line.");
  const hash = createHash("sha256").update(entry.bytes).digest("hex");
  const text = opkgIndex([entry]).replace(/\n+$/, "");
  t.true(
    text.includes(`Filename: sample.ipk\nSize: ${entry.bytes.length}\nSHA256sum: ${hash}\nDescription:`),
  );
  t.true(text.startsWith("Package: sample\n"));
});

test("an index never has a length that old versions of usign hash wrongly", (t) => {
  const lengths = new Set<number>();
  for (let extra = 1; extra <= 130; extra++) {
    const text = opkgIndex([
      { ...ipk("x"), control: controlText(sample({ description: ["x".repeat(extra)] })) },
    ]);
    lengths.add((64 + text.length) % 128);
  }
  t.false(lengths.has(110));
  t.false(lengths.has(111));
  t.true(lengths.size > 120);
});

test("a signature verifies with the public key that routers are given", (t) => {
  const key = readUsignKey(generateUsignKey());
  const message = Buffer.from("Package: sample\n");
  const line = (text: string) => Buffer.from(text.split("\n")[1] ?? "", "base64");
  const signature = line(signatureText(message, key));
  const shown = line(publicKeyText(key));
  t.is(signature.length, 74);
  t.is(shown.length, 42);
  t.is(signature.subarray(2, 10).toString("hex"), fingerprintText(key));
  t.deepEqual(signature.subarray(0, 10), shown.subarray(0, 10));
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), shown.subarray(10)]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  t.true(verify(null, message, publicKey, signature.subarray(10)));
  t.false(verify(null, Buffer.from("Package: other\n"), publicKey, signature.subarray(10)));
});

test("a secret key's checksum is what usign looks at, and a key with a password is refused", (t) => {
  const text = generateUsignKey();
  const bytes = Buffer.from(text.split("\n")[1] ?? "", "base64");
  t.deepEqual(
    bytes.subarray(24, 32),
    createHash("sha512").update(bytes.subarray(40)).digest().subarray(0, 8),
  );
  bytes.writeUInt32BE(42, 4);
  t.throws(() => readUsignKey(`comment\n${bytes.toString("base64")}\n`), { message: /without a password/ });
  t.throws(() => readUsignKey("nonsense"), { message: /not a secret key/ });
});

test("keys are made once, and for their owner alone", (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), "keys-")), "keys");
  const first = loadFeedKeys(folder);
  const second = loadFeedKeys(folder);
  t.is(fingerprintText(second.opkg), fingerprintText(first.opkg));
  t.is(second.apkPublic, first.apkPublic);
  t.is(statSync(join(folder, "opkg.sec")).mode & 0o777, 0o600);
  t.is(statSync(join(folder, "apk.pem")).mode & 0o777, 0o600);
  rmSync(folder, { recursive: true });
});

test("an architecture is chosen by either name, and a wrong one gets the list", (t) => {
  t.is(selectArchitectures("").length, ARCHITECTURES.length);
  t.deepEqual(selectArchitectures("mipsel_24kc"), [{ binary: "mipsel", names: ["mipsel_24kc"] }]);
  t.is(selectArchitectures("aarch64")[0]?.names.length, 4);
  t.throws(() => selectArchitectures("sparc"), {
    message: /"sparc" is no architecture\. Known: x86_64, aarch64/,
  });
  const names = ARCHITECTURES.flatMap((architecture) => architecture.names);
  t.is(new Set(names).size, names.length);
});
