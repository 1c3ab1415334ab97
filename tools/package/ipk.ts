/**
 * ipk: the package format of OpenWrt 24.10 and older. A gzipped tar (not ar) of three members, each made so that the same
 * input gives the same bytes.
 *
 * ```
 *   kcp-router_0.4.0-r1_x86_64.ipk = gzip(tar)
 *     ./debian-binary      "2.0"
 *     ./data.tar.gz        the files
 *     ./control.tar.gz     control, conffiles, postinst, prerm (boilerplate), postinst-pkg, prerm-pkg (ours), postrm
 * ```
 */
import { gzipSync } from "node:zlib";
import type { FileTree } from "./file-tree.ts";
import { type Manifest, verifyManifest } from "./manifest.ts";
import { type TarEntry, writeTar } from "./tar.ts";

export function ipkFileName({ name, version, architecture }: Manifest): string {
  return `${name}_${version}_${architecture}.ipk`;
}

export function buildIpk(manifest: Manifest): Uint8Array {
  verifyManifest(manifest);
  const pack = (entries: readonly TarEntry[]) => gzip(writeTar(entries, manifest.sourceDateEpoch));
  return pack([
    file("./debian-binary", "2.0\n"),
    { ...file("./data.tar.gz", ""), content: pack(dataEntries(manifest.tree)) },
    { ...file("./control.tar.gz", ""), content: pack(controlEntries(manifest)) },
  ]);
}

/** The `control` file; the feed's index repeats it. */
export function controlText(manifest: Manifest): string {
  const { title, description } = manifest;
  const lines = [
    `Package: ${manifest.name}`,
    `Version: ${manifest.version}`,
    ...(manifest.depends.length > 0 ? [`Depends: ${manifest.depends.join(", ")}`] : []),
    `Source: ${manifest.source}`,
    `SourceName: ${manifest.name}`,
    `License: ${manifest.license}`,
    `Section: ${manifest.section}`,
    `SourceDateEpoch: ${manifest.sourceDateEpoch}`,
    ...(manifest.url === "" ? [] : [`URL: ${manifest.url}`]),
    `Maintainer: ${manifest.maintainer}`,
    `Architecture: ${manifest.architecture}`,
    `Installed-Size: ${manifest.tree.installedBytes}`,
    `Description:  ${title}`,
    ...description.map((line) => ` ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}

function controlEntries(manifest: Manifest): readonly TarEntry[] {
  const { conffiles, scripts } = manifest;
  const entries = [
    folder("./"),
    file("./control", controlText(manifest)),
    ...(conffiles.length > 0 ? [file("./conffiles", conffiles.map((path) => `${path}\n`).join(""))] : []),
    script("./postinst", `[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n${boilerplate("default_postinst")}`),
    script("./prerm", boilerplate("default_prerm")),
  ];
  // OpenWrt's boilerplate sources these.
  if (scripts.postinst !== "") entries.push(script("./postinst-pkg", scripts.postinst));
  if (scripts.prerm !== "") entries.push(script("./prerm-pkg", scripts.prerm));
  if (scripts.postrm !== "") entries.push(script("./postrm", scripts.postrm));
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** OpenWrt's own part: runs uci-defaults, enables and starts, or disables and stops, what lies in /etc/init.d. */
function boilerplate(call: string): string {
  return `[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
${call} "$0" "$@"
`;
}

function dataEntries(tree: FileTree): readonly TarEntry[] {
  const entries: TarEntry[] = [folder("./"), ...tree.folders.map((path) => folder(`.${path}/`))];
  for (const entry of tree.entries) {
    entries.push(
      entry.kind === "file"
        ? { name: `.${entry.path}`, kind: "file", mode: entry.mode, content: entry.content }
        : { name: `.${entry.path}`, kind: "link", mode: 0o777, target: entry.target },
    );
  }
  return entries;
}

function folder(name: string): TarEntry {
  return { name, kind: "folder", mode: 0o755 };
}

function file(name: string, text: string): TarEntry {
  return { name, kind: "file", mode: 0o644, content: Buffer.from(text) };
}

function script(name: string, body: string): TarEntry {
  return { name, kind: "file", mode: 0o755, content: Buffer.from(`#!/bin/sh\n${body}`) };
}

const GZIP_OPERATING_SYSTEM = 9;

/** gzip without name and time; the byte that tells the system it was made on says Unix everywhere. */
export function gzip(bytes: Uint8Array): Uint8Array {
  const packed = gzipSync(bytes, { level: 9 });
  packed[GZIP_OPERATING_SYSTEM] = 3;
  return packed;
}
