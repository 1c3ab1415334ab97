import { createHash, generateKeyPairSync, verify } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { buildApk } from "../../../tools/package/apk.ts";
import { buildApkIndex } from "../../../tools/package/apk-index.ts";
import { FileTree } from "../../../tools/package/file-tree.ts";
import { field, list, readAdb, text, unpackApk } from "./adb-reader.ts";
import { SAMPLE_TIME, sample } from "./sample.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

test("an independent reader finds every file with mode, owner, date and content", (t) => {
  const unpacked = unpackApk(buildApk(sample()).bytes);
  for (const entry of sample().tree.entries) {
    const found = unpacked.files.find(({ path }) => `/${path}` === entry.path);
    t.truthy(found, entry.path);
    if (found === undefined || entry.kind !== "file") continue;
    t.is(found.mode, entry.mode);
    t.is(found.owner, "root:root");
    t.is(found.mtime, SAMPLE_TIME);
    t.deepEqual(Buffer.from(found.content), Buffer.from(entry.content));
  }
  t.is(unpacked.architecture, "mips_24kc");
  t.deepEqual(unpacked.depends, ["kmod-tun", "libc"]);
  t.is(unpackApk(buildApk(sample({ architecture: "all" })).bytes).architecture, "noarch");
});

test("any tree survives the way through the format", (t) => {
  const name = fc.stringMatching(/^[a-z0-9_.-]{1,12}$/).filter((part) => part !== "." && part !== "..");
  const files = fc.uniqueArray(
    fc.record({ folder: name, file: name, bytes: fc.uint8Array({ maxLength: 400 }) }),
    { selector: ({ folder, file }) => `${folder}/${file}`, maxLength: 12 },
  );
  fc.assert(
    fc.property(files, (entries) => {
      const tree = new FileTree();
      for (const { folder, file, bytes } of entries)
        tree.add({ kind: "file", path: `/${folder}/${file}`, mode: 0o644, content: bytes });
      const unpacked = unpackApk(buildApk(sample({ tree, conffiles: [] })).bytes);
      const found = new Map(
        unpacked.files.map(({ path, content }) => [path, Buffer.from(content).toString("hex")]),
      );
      return entries.every(
        ({ folder, file, bytes }) => found.get(`${folder}/${file}`) === Buffer.from(bytes).toString("hex"),
      );
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test("folders and files stand in the order of their bytes, as apk looks them up", (t) => {
  const { root } = readAdb(buildApk(sample()).bytes);
  const folders = list(field(root, 2));
  const names = folders.map((folder) => text(field(folder, 1)));
  t.deepEqual(
    names,
    [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  t.is(names[0], "");
  for (const folder of folders) {
    const files = list(field(folder, 3)).map((file) => text(field(file, 1)));
    t.deepEqual(
      files,
      [...files].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
  }
});

test("the identity is the hash of the tree with the identity blank", (t) => {
  const { payload, root } = readAdb(buildApk(sample()).bytes);
  const identity = field(field(root, 1), 3) as Buffer;
  t.is(identity.length, 20);
  const blank = Buffer.from(payload);
  blank.fill(0, payload.indexOf(identity), payload.indexOf(identity) + 20);
  t.deepEqual(createHash("sha256").update(blank).digest().subarray(0, 20), Buffer.from(identity));
});

test("OpenWrt finds its lists in the package, and its scripts do what its build would make them do", (t) => {
  const { files, scripts } = unpackApk(buildApk(sample()).bytes);
  const content = (path: string) => files.find((file) => file.path === path)?.content.toString();
  t.is(
    content("lib/apk/packages/sample.list"),
    "/etc/config/sample\n/etc/init.d/sample\n/etc/sample/empty\n/usr/lib/sample/big\n/usr/sbin/sample\n",
  );
  t.is(content("lib/apk/packages/sample.conffiles"), "/etc/config/sample\n");
  const hash = createHash("sha256").update("config sample 'main'\n").digest("hex");
  t.is(content("lib/apk/packages/sample.conffiles_static"), `/etc/config/sample ${hash}\n`);
  t.regex(
    scripts["post-install"] ?? "",
    /export pkgname="sample"\nadd_group_and_user\ndefault_postinst\necho postinst/,
  );
  t.regex(scripts["post-upgrade"] ?? "", /^#!\/bin\/sh\nexport PKG_UPGRADE=1\n/);
  t.regex(scripts["pre-deinstall"] ?? "", /default_prerm\necho prerm of sample\n$/);
});

test("a signature covers the tree, and another tree fails it", (t) => {
  const { payload, signatures } = readAdb(buildApk(sample(), { privateKey }).bytes);
  t.is(signatures.length, 1);
  const [block] = signatures;
  if (block === undefined) return;
  const header = block.subarray(0, 18);
  const point = publicKey.export({ type: "spki", format: "der" }).subarray(-65);
  t.deepEqual(header.subarray(2), createHash("sha512").update(point).digest().subarray(0, 16));
  const signed = (bytes: Buffer) =>
    Buffer.concat([Buffer.from("pckg"), header, createHash("sha512").update(bytes).digest()]);
  t.true(verify("sha512", signed(payload), publicKey, block.subarray(18)));
  const other = Buffer.from(payload);
  other[other.length - 1] = (other.at(-1) as number) ^ 1;
  t.false(verify("sha512", signed(other), publicKey, block.subarray(18)));
});

test("an unsigned package has no signature, and the same input gives the same bytes", (t) => {
  t.is(readAdb(buildApk(sample()).bytes).signatures.length, 0);
  t.deepEqual(buildApk(sample()).bytes, buildApk(sample()).bytes);
});

test("an index tells name, version, size and hash of each package, in order", (t) => {
  const first = buildApk(sample({ name: "aaa" }));
  const second = buildApk(sample({ name: "bbb" }));
  const index = readAdb(buildApkIndex("test", [second.info, first.info], { privateKey }));
  t.is(index.schema, "indx");
  t.is(index.signatures.length, 1);
  const rows = list(field(index.root, 2));
  t.deepEqual(
    rows.map((row) => text(field(row, 1))),
    ["aaa", "bbb"],
  );
  t.is(field(rows[0] ?? null, 13), first.bytes.length);
  const { payload } = readAdb(first.bytes);
  t.deepEqual(field(rows[0] ?? null, 3), createHash("sha256").update(payload).digest());
});
