/**
 * `make ipk`, `make apk`, `make feed`: installable packages without OpenWrt's SDK.
 *
 * ```
 *   out/packages/24.10/kcp-router_0.1.0-r1_x86_64.ipk        opkg: 24.10 and older
 *   out/packages/25.12/x86_64/kcp-router-0.1.0-r1.apk        apk: 25.12, the name carries no architecture
 *   out/feed/24.10/x86_64/{*.ipk,Packages,Packages.gz,Packages.sig}
 *   out/feed/25.12/x86_64/{*.apk,packages.adb}
 *   out/feed/{<fingerprint>,kcp-router.pem}                  public keys for /etc/opkg/keys and /etc/apk/keys
 * ```
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { buildPage } from "../page.ts";
import { LANGUAGES } from "../po.ts";
import { apkFileName, type BuiltApk, buildApk } from "./apk.ts";
import { buildApkIndex } from "./apk-index.ts";
import { type Architecture, selectArchitectures } from "./architectures.ts";
import { defaultKeyFolder, type FeedKeys, loadFeedKeys } from "./feed-keys.ts";
import { buildIpk, controlText, gzip, ipkFileName } from "./ipk.ts";
import type { Manifest } from "./manifest.ts";
import { type IndexedIpk, opkgIndex } from "./opkg-index.ts";
import { daemonPackage, executablePath, pagePackage, translationPackage } from "./packages.ts";
import { fingerprintText, publicKeyText, signatureText } from "./usign.ts";

const ROOT = join(import.meta.dirname, "../..");
const PACKAGES = join(ROOT, "out/packages");
const FEED = join(ROOT, "out/feed");
const OPKG_SERIES = "24.10";
const APK_SERIES = "25.12";

async function main(goal: string | undefined): Promise<void> {
  const architectures = selectArchitectures(process.env.ARCH ?? "").filter(isBuilt);
  if (architectures.length === 0)
    throw new Error('No executable is built: run "make native ARCH=x86_64" first.');
  const daemons = architectures.flatMap(({ binary, names }) =>
    names.map((name) => daemonPackage(name, executablePath(binary))),
  );
  await buildPage();
  const pages = [pagePackage(), ...LANGUAGES.map(translationPackage)];
  if (goal === "ipk") for (const manifest of [...daemons, ...pages]) writeIpk(manifest);
  else if (goal === "apk") for (const manifest of [...daemons, ...pages]) writeApk(manifest);
  else if (goal === "feed") writeFeed(daemons, pages, loadFeedKeys(defaultKeyFolder()));
  else throw new Error("Say what to build: ipk, apk or feed.");
}

function isBuilt({ binary }: Architecture): boolean {
  const there = existsSync(executablePath(binary));
  if (!there) console.log(`${binary}: left out, ${relative(ROOT, executablePath(binary))} is not built`);
  return there;
}

function writeIpk(manifest: Manifest): void {
  write(join(PACKAGES, OPKG_SERIES, ipkFileName(manifest)), buildIpk(manifest));
}

/** Unsigned: a file that is installed by hand needs --allow-untrusted in any case. */
function writeApk(manifest: Manifest): void {
  const folder = manifest.architecture === "all" ? "noarch" : manifest.architecture;
  write(join(PACKAGES, APK_SERIES, folder, apkFileName(manifest)), buildApk(manifest).bytes);
}

/** One folder per architecture with the daemon and the page, so that one line in a router's list names it. */
function writeFeed(daemons: readonly Manifest[], pages: readonly Manifest[], keys: FeedKeys): void {
  rmSync(FEED, { recursive: true, force: true });
  for (const daemon of daemons) {
    writeOpkgFeed(join(FEED, OPKG_SERIES, daemon.architecture), [daemon, ...pages], keys);
    writeApkFeed(join(FEED, APK_SERIES, daemon.architecture), [daemon, ...pages], keys);
  }
  write(join(FEED, fingerprintText(keys.opkg)), Buffer.from(publicKeyText(keys.opkg)));
  write(join(FEED, "kcp-router.pem"), Buffer.from(keys.apkPublic));
  console.log(`signed with the keys in ${keys.folder}`);
}

function writeOpkgFeed(folder: string, manifests: readonly Manifest[], { opkg }: FeedKeys): void {
  const packages: IndexedIpk[] = manifests.map((manifest) => ({
    fileName: ipkFileName(manifest),
    bytes: buildIpk(manifest),
    control: controlText(manifest),
  }));
  for (const { fileName, bytes } of packages) write(join(folder, fileName), bytes);
  const index = Buffer.from(opkgIndex(packages));
  write(join(folder, "Packages"), index);
  write(join(folder, "Packages.gz"), gzip(index));
  write(join(folder, "Packages.sig"), Buffer.from(signatureText(index, opkg)));
}

function writeApkFeed(folder: string, manifests: readonly Manifest[], { apk }: FeedKeys): void {
  const packages: readonly (BuiltApk & { readonly fileName: string })[] = manifests.map((manifest) => ({
    ...buildApk(manifest, apk),
    fileName: apkFileName(manifest),
  }));
  for (const { fileName, bytes } of packages) write(join(folder, fileName), bytes);
  const infos = packages.map(({ info }) => info);
  write(join(folder, "packages.adb"), buildApkIndex("kcp-router", infos, apk));
}

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  console.log(`${relative(ROOT, path)}: ${(bytes.length / 1024).toFixed(1)} KiB`);
}

try {
  await main(process.argv[2]);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
