/**
 * What a package puts on the router: files, links and the folders around them, in one order, owned by root. Both package
 * formats are written from it, so that they cannot differ.
 */

export interface TreeFile {
  readonly kind: "file";
  /** Absolute path on the router. */
  readonly path: string;
  /** Permission bits, `0o755`. */
  readonly mode: number;
  readonly content: Uint8Array;
}

export interface TreeLink {
  readonly kind: "link";
  readonly path: string;
  readonly target: string;
}

export type TreeEntry = TreeFile | TreeLink;

/** Order of bytes, as both package managers sort. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export class FileTree {
  readonly #entries = new Map<string, TreeEntry>();

  add(entry: TreeEntry): void {
    if (
      !/^(\/[^/]+)+$/.test(entry.path) ||
      entry.path.split("/").some((part) => part === "." || part === "..")
    )
      throw new Error(`A package cannot hold a file named "${entry.path}".`);
    if (this.#entries.has(entry.path)) throw new Error(`The package holds ${entry.path} twice.`);
    this.#entries.set(entry.path, entry);
  }

  addText(path: string, text: string, mode = 0o644): void {
    this.add({ kind: "file", path, mode, content: Buffer.from(text) });
  }

  get(path: string): TreeEntry | undefined {
    return this.#entries.get(path);
  }

  /** Files and links, sorted by path. */
  get entries(): readonly TreeEntry[] {
    return [...this.#entries.values()].sort((a, b) => byBytes(a.path, b.path));
  }

  /** Every folder that holds something, parents first: `/etc`, `/etc/init.d`. */
  get folders(): readonly string[] {
    const found = new Set<string>();
    for (const { path } of this.#entries.values()) {
      const parts = path.split("/").slice(1, -1);
      for (let depth = 1; depth <= parts.length; depth++) found.add(`/${parts.slice(0, depth).join("/")}`);
    }
    return [...found].sort(byBytes);
  }

  /** Bytes of all files. */
  get installedBytes(): number {
    return this.entries.reduce((sum, entry) => sum + (entry.kind === "file" ? entry.content.length : 0), 0);
  }
}
