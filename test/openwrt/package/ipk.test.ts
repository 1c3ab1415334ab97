import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { FileTree } from "../../../tools/package/file-tree.ts";
import { buildIpk, ipkFileName } from "../../../tools/package/ipk.ts";
import { SAMPLE_TIME, sample } from "./sample.ts";

/** Unpacked by the system's tar, which knows nothing of ours. */
function unpack(bytes: Uint8Array): { readonly folder: string; tar(...args: string[]): string } {
  const folder = mkdtempSync(join(tmpdir(), "ipk-"));
  writeFileSync(join(folder, "x.ipk"), bytes);
  const tar = (...args: string[]) =>
    execFileSync("tar", args, { cwd: folder, encoding: "utf8", env: { ...process.env, TZ: "UTC" } });
  tar("-xzf", "x.ipk");
  return { folder, tar };
}

test("an ipk is a gzipped tar of three members, and its name tells name, version and architecture", (t) => {
  t.is(ipkFileName(sample()), "sample_1.2.3-r4_mips_24kc.ipk");
  const { folder, tar } = unpack(buildIpk(sample()));
  t.deepEqual(tar("-tzf", "x.ipk").trim().split("\n"), [
    "./debian-binary",
    "./data.tar.gz",
    "./control.tar.gz",
  ]);
  t.is(execFileSync("cat", [join(folder, "debian-binary")], { encoding: "utf8" }), "2.0\n");
  rmSync(folder, { recursive: true });
});

test("files keep their modes, belong to root and bear one date", (t) => {
  const { folder, tar } = unpack(buildIpk(sample()));
  const rows = tar("-tvzf", "data.tar.gz", "--numeric-owner", "--full-time").trim().split("\n");
  t.true(rows.every((row) => row.includes(" 0/0 ")));
  t.true(rows.every((row) => row.includes(new Date(SAMPLE_TIME * 1000).toISOString().slice(0, 10))));
  const modeOf = (name: string) => rows.find((row) => row.endsWith(name))?.slice(0, 10);
  t.is(modeOf(" ./etc/config/sample"), "-rw-------");
  t.is(modeOf(" ./etc/init.d/sample"), "-rwxr-xr-x");
  t.is(modeOf(" ./etc/sample/"), "drwxr-xr-x");
  t.is(tar("-xzOf", "data.tar.gz", "./usr/lib/sample/big").length, 70_000);
  rmSync(folder, { recursive: true });
});

test("control has what opkg needs, the description last and indented", (t) => {
  const { folder, tar } = unpack(buildIpk(sample()));
  const control = tar("-xzOf", "control.tar.gz", "./control");
  t.regex(control, /^Package: sample\nVersion: 1\.2\.3-r4\nDepends: libc, kmod-tun\n/);
  t.regex(
    control,
    /\nArchitecture: mips_24kc\nInstalled-Size: \d+\nDescription: {2}A sample\n First line\.\n Second line\.\n$/,
  );
  t.is(tar("-xzOf", "control.tar.gz", "./conffiles"), "/etc/config/sample\n");
  t.is(tar("-xzOf", "control.tar.gz", "./postinst-pkg"), "#!/bin/sh\necho postinst of sample\n");
  t.regex(tar("-xzOf", "control.tar.gz", "./prerm"), /default_prerm "\$0" "\$@"\n$/);
  t.false(tar("-tzf", "control.tar.gz").includes("postrm"));
  rmSync(folder, { recursive: true });
});

test("the same input gives the same bytes", (t) => {
  t.deepEqual(buildIpk(sample()), buildIpk(sample()));
  t.notDeepEqual(buildIpk(sample()), buildIpk(sample({ sourceDateEpoch: SAMPLE_TIME + 1 })));
});

test("what a package manager would refuse is refused with a sentence", (t) => {
  t.throws(() => buildIpk(sample({ version: "v1.2" })), {
    message: /Version "v1\.2" is not one that apk accepts/,
  });
  t.throws(() => buildIpk(sample({ version: "1.2-beta1-r1" })), { message: /not one that apk accepts/ });
  t.notThrows(() => buildIpk(sample({ version: "2.6.4_beta1-r1" })));
  t.throws(() => buildIpk(sample({ name: "Sample" })), { message: /not a package name/ });
  t.throws(() => buildIpk(sample({ conffiles: ["etc/config/sample"] })), {
    message: /not the path of a file/,
  });
  const tree = new FileTree();
  t.throws(() => tree.addText("/etc/../passwd", ""), { message: /cannot hold/ });
  t.throws(() => tree.addText("etc/x", ""), { message: /cannot hold/ });
  tree.addText("/etc/x", "");
  t.throws(() => tree.addText("/etc/x", ""), { message: /twice/ });
});
