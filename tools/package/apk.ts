/**
 * apk v3: the package format of OpenWrt 25.12. One ADB tree with everything but the files' bytes, an optional signature of
 * it, then one data block per file in the order of the tree.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import {
  type AdbObject,
  type AdbValue,
  adbBlock,
  adbFile,
  adbPayload,
  BLOCK_ADB,
  BLOCK_DATA,
  SCHEMA_PACKAGE,
  uint32,
} from "./adb.ts";
import type { ApkKey } from "./apk-key.ts";
import { signatureBlock } from "./apk-key.ts";
import { byBytes, FileTree, type TreeEntry } from "./file-tree.ts";
import { type Manifest, verifyManifest } from "./manifest.ts";

// Field numbers (apk-tools, apk_adb.h).
const PACKAGE = { info: 1, paths: 2, scripts: 3 } as const;
export const INFO = {
  name: 1,
  version: 2,
  hashes: 3,
  description: 4,
  arch: 5,
  license: 6,
  origin: 7,
  maintainer: 8,
  url: 9,
  installedSize: 12,
  fileSize: 13,
  depends: 15,
} as const;
const FOLDER = { name: 1, acl: 2, files: 3 } as const;
const FILE = { name: 1, acl: 2, size: 3, mtime: 4, hashes: 5, target: 6 } as const;
const ACL = { mode: 1, user: 2, group: 3 } as const;
const SCRIPT = { postInstall: 3, preDeinstall: 4, postDeinstall: 5, postUpgrade: 7 } as const;

/** The package's own identity: this much of the tree's SHA-256, taken while the field is zero. */
const IDENTITY_BYTES = 20;
const SYMBOLIC_LINK = 0o120000;

export function apkFileName({ name, version }: Manifest): string {
  return `${name}-${version}.apk`;
}

/** What `buildApk` made, and what an index says about it. */
export interface BuiltApk {
  readonly bytes: Uint8Array;
  readonly info: AdbObject;
}

export function buildApk(manifest: Manifest, key?: ApkKey): BuiltApk {
  verifyManifest(manifest);
  const folders = foldersOf(withLists(manifest));
  const tree = (identity: Uint8Array) => adbPayload(packageTree(manifest, folders, identity));
  const identity = sha256(tree(new Uint8Array(IDENTITY_BYTES))).subarray(0, IDENTITY_BYTES);
  const payload = tree(identity);
  const blocks = [adbBlock(BLOCK_ADB, payload)];
  if (key !== undefined) blocks.push(signatureBlock(SCHEMA_PACKAGE, payload, key));
  const bytes = adbFile(SCHEMA_PACKAGE, [...blocks, ...dataBlocks(folders)]);
  return { bytes, info: indexed(manifest, payload, bytes.length) };
}

/** OpenWrt keeps its own lists inside the package; functions.sh and sysupgrade read them. */
function withLists(manifest: Manifest): FileTree {
  const tree = new FileTree();
  for (const entry of manifest.tree.entries) tree.add(entry);
  const base = `/lib/apk/packages/${manifest.name}`;
  tree.addText(`${base}.list`, lines(manifest.tree.entries.map(({ path }) => path)));
  if (manifest.conffiles.length > 0) {
    tree.addText(`${base}.conffiles`, lines(manifest.conffiles));
    const shipped = manifest.conffiles.filter((path) => manifest.tree.get(path) !== undefined);
    tree.addText(`${base}.conffiles_static`, lines(shipped.map((path) => hashLine(manifest, path))));
  }
  return tree;
}

function hashLine({ tree }: Manifest, path: string): string {
  const entry = tree.get(path);
  const content = entry?.kind === "file" ? entry.content : new Uint8Array(0);
  return `${path} ${Buffer.from(sha256(content)).toString("hex")}`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

interface Folder {
  /** Without the leading slash; empty = the root. */
  readonly name: string;
  readonly files: readonly TreeEntry[];
}

/** Folders with their files, both in order of bytes; data blocks count in this order. */
function foldersOf(tree: FileTree): readonly Folder[] {
  return ["/", ...tree.folders]
    .map((path) => ({
      name: path.slice(1),
      files: tree.entries
        .filter((entry) => dirname(entry.path) === path)
        .sort((a, b) => byBytes(baseName(a), baseName(b))),
    }))
    .sort((a, b) => byBytes(a.name, b.name));
}

function baseName({ path }: TreeEntry): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function packageTree(manifest: Manifest, folders: readonly Folder[], identity: Uint8Array): AdbObject {
  return {
    fields: {
      [PACKAGE.info]: { fields: { ...infoFields(manifest), [INFO.hashes]: identity } },
      [PACKAGE.paths]: folders.map((folder) => ({
        fields: {
          [FOLDER.name]: folder.name,
          [FOLDER.acl]: acl(0o755),
          [FOLDER.files]: folder.files.map((entry) => fileObject(entry, manifest.sourceDateEpoch)),
        },
      })),
      [PACKAGE.scripts]: { fields: scriptFields(manifest) },
    },
  };
}

function infoFields(manifest: Manifest): Record<number, AdbValue> {
  return {
    [INFO.name]: manifest.name,
    [INFO.version]: manifest.version,
    [INFO.description]: [manifest.title, ...manifest.description].join(" "),
    [INFO.arch]: manifest.architecture === "all" ? "noarch" : manifest.architecture,
    [INFO.license]: manifest.license,
    [INFO.origin]: manifest.source,
    [INFO.maintainer]: manifest.maintainer,
    [INFO.url]: manifest.url,
    [INFO.installedSize]: Math.max(1, manifest.tree.installedBytes),
    [INFO.depends]: [...manifest.depends].sort(byBytes).map((name) => ({ fields: { 1: name } })),
  };
}

/** What the index repeats: the same fields, the whole hash of the tree, and the size of the file. */
function indexed(manifest: Manifest, payload: Uint8Array, fileSize: number): AdbObject {
  return {
    fields: { ...infoFields(manifest), [INFO.hashes]: sha256(payload), [INFO.fileSize]: fileSize },
  };
}

function acl(mode: number): AdbObject {
  return { fields: { [ACL.mode]: mode, [ACL.user]: "root", [ACL.group]: "root" } };
}

function fileObject(entry: TreeEntry, mtime: number): AdbObject {
  const common = { [FILE.name]: baseName(entry), [FILE.mtime]: mtime };
  if (entry.kind === "file") {
    return {
      fields: {
        ...common,
        [FILE.acl]: acl(entry.mode),
        [FILE.size]: entry.content.length,
        [FILE.hashes]: sha256(entry.content),
      },
    };
  }
  // A link's target: the kind of file as 16 bits, then where it leads.
  const kind = uint32(SYMBOLIC_LINK).subarray(0, 2);
  return {
    fields: {
      ...common,
      [FILE.acl]: acl(0o777),
      [FILE.size]: 0,
      [FILE.target]: Buffer.concat([kind, Buffer.from(entry.target)]),
    },
  };
}

function dataBlocks(folders: readonly Folder[]): readonly Uint8Array[] {
  return folders.flatMap(({ files }, folder) =>
    files.flatMap((entry, file) =>
      entry.kind === "file" && entry.content.length > 0
        ? [adbBlock(BLOCK_DATA, uint32(folder + 1), uint32(file + 1), entry.content)]
        : [],
    ),
  );
}

function scriptFields({ name, scripts }: Manifest): Record<number, string> {
  const install = `[ "\${IPKG_NO_SCRIPT}" = "1" ] && exit 0
${prologue(name)}add_group_and_user
default_postinst
${scripts.postinst}`;
  return {
    [SCRIPT.postInstall]: `#!/bin/sh\n${install}`,
    [SCRIPT.postUpgrade]: `#!/bin/sh\nexport PKG_UPGRADE=1\n${install}`,
    [SCRIPT.preDeinstall]: `#!/bin/sh\n${prologue(name)}default_prerm\n${scripts.prerm}`,
    ...(scripts.postrm !== "" && { [SCRIPT.postDeinstall]: `#!/bin/sh\n${scripts.postrm}` }),
  };
}

/** OpenWrt's functions want to know whose files they are to look at. */
function prologue(name: string): string {
  return `[ -s "\${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "\${IPKG_INSTROOT}/lib/functions.sh"
export root="\${IPKG_INSTROOT}"
export pkgname="${name}"
`;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
