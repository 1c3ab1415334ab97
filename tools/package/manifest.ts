import type { FileTree } from "./file-tree.ts";

/** One package, before it takes the shape of a format. */
export interface Manifest {
  readonly name: string;
  /** Upstream version and release, `0.4.0-r1`: what both package managers accept. */
  readonly version: string;
  /** OpenWrt's name of the architecture; `all` = any. */
  readonly architecture: string;
  readonly depends: readonly string[];
  readonly license: string;
  /** Where its recipe lies, `feeds/kcp-router`. */
  readonly source: string;
  readonly section: string;
  readonly url: string;
  readonly maintainer: string;
  readonly title: string;
  /** Lines. */
  readonly description: readonly string[];
  /** Paths that upgrades and sysupgrade keep when they were changed; the user may make some of them. */
  readonly conffiles: readonly string[];
  /** The package's own parts of the scripts, without `#!`; empty = none. */
  readonly scripts: { readonly postinst: string; readonly prerm: string; readonly postrm: string };
  readonly tree: FileTree;
  /** Seconds since 1970 of everything in it. */
  readonly sourceDateEpoch: number;
}

/** Digits and dots, at most one letter, suffixes with a number, `-rN` (apk-package(5)). */
const VERSION = /^\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|git|p)\d*)*(~[0-9a-f]+)?-r\d+$/;
const NAME = /^[a-z0-9][a-z0-9+.-]*$/;

/** Throws with a sentence when a package manager would refuse the manifest. */
export function verifyManifest(manifest: Manifest): void {
  if (!NAME.test(manifest.name)) throw new Error(`"${manifest.name}" is not a package name.`);
  if (!VERSION.test(manifest.version)) {
    throw new Error(`Version "${manifest.version}" is not one that apk accepts: digits and dots, then -rN.`);
  }
  for (const path of manifest.conffiles) {
    if (!/^(\/[^/]+)+$/.test(path)) throw new Error(`Conffile "${path}" is not the path of a file.`);
  }
}
