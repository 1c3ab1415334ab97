/**
 * Stand-ins for opkg and apk: unpack what the packages contain, run their scripts in the order that conventions have, keep
 * configuration that was changed, and take everything else back.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { OpenWrtRoot } from "./openwrt-root.ts";
import { unpackApk } from "./package/adb-reader.ts";

interface PackedFile {
  /** Without the leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

export interface PackageManager {
  readonly name: "opkg" | "apk";
  /** Installs, or upgrades when it is there. */
  install(bytes: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Files of a package on a root, with what was unpacked: changed configuration is recognised by it. */
class Installed {
  readonly #root: OpenWrtRoot;
  readonly #hashes = new Map<string, string>();
  conffiles: readonly string[] = [];

  constructor(root: OpenWrtRoot) {
    this.#root = root;
  }

  get paths(): readonly string[] {
    return [...this.#hashes.keys()];
  }

  /**
   * Configuration that was changed stays, and the new one lies beside it.
   * @param beside what the new version is called: `-opkg`, which stays for good, `.apk-new`, which belongs to the package
   */
  unpack(files: readonly PackedFile[], conffiles: readonly string[], beside: "-opkg" | ".apk-new"): void {
    const gone = this.paths.filter((path) => !files.some((file) => file.path === path));
    for (const path of gone) this.#delete(path);
    for (const { path, mode, content } of files) {
      const kept = conffiles.includes(`/${path}`) && this.#isChanged(path);
      if (kept && hash(content) === this.#hashOnDisk(path)) continue;
      const target = kept ? path + beside : path;
      this.#write(target, mode, content);
      if (!kept || beside === ".apk-new") this.#hashes.set(target, hash(content));
    }
    this.conffiles = conffiles;
  }

  /** Through another name: the old file may be a program that runs. */
  #write(path: string, mode: number, content: Uint8Array): void {
    const target = join(this.#root.path, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(`${target}.unpacked`, content);
    chmodSync(`${target}.unpacked`, mode);
    renameSync(`${target}.unpacked`, target);
  }

  /** Everything but changed configuration; folders that become empty go too. */
  removeAll(): void {
    for (const path of this.paths) {
      if (this.conffiles.includes(`/${path}`) && this.#isChanged(path)) continue;
      this.#delete(path);
    }
    this.#hashes.clear();
  }

  #isChanged(path: string): boolean {
    const known = this.#hashes.get(path);
    const now = this.#hashOnDisk(path);
    return known !== undefined && now !== undefined && now !== known;
  }

  #hashOnDisk(path: string): string | undefined {
    const target = join(this.#root.path, path);
    return existsSync(target) ? hash(readFileSync(target)) : undefined;
  }

  #delete(path: string): void {
    rmSync(join(this.#root.path, path), { force: true });
    this.#hashes.delete(path);
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
      const full = join(this.#root.path, folder);
      if (!existsSync(full) || readdirSync(full).length > 0) return;
      rmdirSync(full);
    }
  }
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export class Opkg implements PackageManager {
  readonly name = "opkg";
  readonly #root: OpenWrtRoot;
  readonly #installed = new Map<string, Installed>();

  constructor(root: OpenWrtRoot) {
    this.#root = root;
  }

  async install(bytes: Uint8Array): Promise<void> {
    const { control, data } = unpackIpk(bytes);
    const text = (name: string) => control.find(({ path }) => path === name)?.content.toString() ?? "";
    const name = /^Package: (.*)$/m.exec(text("control"))?.[1] ?? "";
    const upgrade = this.#installed.has(name);
    const env: Readonly<Record<string, string>> = upgrade ? { PKG_UPGRADE: "1" } : {};
    const info = `/usr/lib/opkg/info/${name}`;
    if (upgrade) await this.#root.must(`${info}.prerm upgrade`, env);
    const installed = this.#installed.get(name) ?? new Installed(this.#root);
    this.#installed.set(name, installed);
    const conffiles = text("conffiles")
      .split("\n")
      .filter((line) => line !== "");
    installed.unpack(data, conffiles, "-opkg");
    for (const { path, mode, content } of control) {
      writeFileSync(join(this.#root.path, `${info}.${path}`), content, { mode });
    }
    this.#root.write(`${info}.list`, data.map(({ path }) => `/${path}\n`).join(""));
    await this.#root.must(`${info}.postinst configure`, env);
  }

  async remove(name: string): Promise<void> {
    const info = `/usr/lib/opkg/info/${name}`;
    await this.#root.must(`${info}.prerm remove`);
    this.#installed.get(name)?.removeAll();
    this.#installed.delete(name);
    await this.#root.must(`[ ! -x ${info}.postrm ] || ${info}.postrm remove; rm -f ${info}.*`);
  }
}

/** The archives of an ipk, by the system's tar. */
function unpackIpk(bytes: Uint8Array): {
  readonly control: readonly (PackedFile & { content: Buffer })[];
  readonly data: readonly PackedFile[];
} {
  const folder = mkdtempSync(join(tmpdir(), "opkg-"));
  try {
    writeFileSync(join(folder, "x.ipk"), bytes);
    execFileSync("tar", ["-xzf", "x.ipk"], { cwd: folder });
    const unpack = (archive: string) => {
      const inside = join(folder, archive.replace(".tar.gz", ""));
      mkdirSync(inside);
      execFileSync("tar", ["-xpzf", join(folder, archive)], { cwd: inside });
      const listed = execFileSync("find", [".", "-type", "f", "-printf", "%P %m\n"], {
        cwd: inside,
        encoding: "utf8",
      });
      return listed
        .trim()
        .split("\n")
        .map((line) => line.split(" "))
        .map(([path = "", mode = ""]) => ({
          path,
          mode: Number.parseInt(mode, 8),
          content: readFileSync(join(inside, path)),
        }));
    };
    return { control: unpack("control.tar.gz"), data: unpack("data.tar.gz") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export class Apk implements PackageManager {
  readonly name = "apk";
  readonly #root: OpenWrtRoot;
  readonly #installed = new Map<
    string,
    { readonly files: Installed; scripts: Readonly<Record<string, string>> }
  >();

  constructor(root: OpenWrtRoot) {
    this.#root = root;
  }

  async install(bytes: Uint8Array): Promise<void> {
    const { name, files, scripts } = unpackApk(bytes);
    const known = this.#installed.get(name);
    const installed = known?.files ?? new Installed(this.#root);
    this.#installed.set(name, { files: installed, scripts });
    const list = files.find(({ path }) => path === `lib/apk/packages/${name}.conffiles`);
    const conffiles = (list?.content.toString() ?? "").split("\n").filter((line) => line !== "");
    await this.#script(known === undefined ? "pre-install" : "pre-upgrade", scripts);
    installed.unpack(files, conffiles, ".apk-new");
    await this.#script(known === undefined ? "post-install" : "post-upgrade", scripts);
  }

  async remove(name: string): Promise<void> {
    const { files, scripts = {} } = this.#installed.get(name) ?? {};
    await this.#script("pre-deinstall", scripts);
    files?.removeAll();
    this.#installed.delete(name);
    await this.#script("post-deinstall", scripts);
  }

  /** From a file in memory, as apk runs them. */
  async #script(kind: string, scripts: Readonly<Record<string, string>>): Promise<void> {
    const text = scripts[kind] ?? "";
    if (text === "") return;
    this.#root.write("/tmp/script", text);
    await this.#root.must("chmod +x /tmp/script; /tmp/script; status=$?; rm /tmp/script; exit $status");
  }
}
