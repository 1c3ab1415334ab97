/** Tar archives as opkg reads them: ustar headers, owner 0:0, one date, no names longer than 100 bytes. */

export interface TarEntry {
  /** `./etc/config/kcp-router`; a folder ends in `/`. */
  readonly name: string;
  readonly kind: "file" | "folder" | "link";
  readonly mode: number;
  /** Bytes of a file. */
  readonly content?: Uint8Array;
  /** Where a link leads. */
  readonly target?: string;
}

const BLOCK = 512;
const MAX_NAME_BYTES = 100;
const TYPE_FLAGS = { file: "0", link: "2", folder: "5" } as const;

// Offsets and widths of the header's fields.
const NAME = [0, MAX_NAME_BYTES] as const;
const MODE = [100, 8] as const;
const UID = [108, 8] as const;
const GID = [116, 8] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE = 156;
const LINK_NAME = [157, 100] as const;
const MAGIC = 257;
const USER = 265;
const GROUP = 297;

/** @param mtime seconds since 1970, the same for every entry. */
export function writeTar(entries: readonly TarEntry[], mtime: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const content = entry.content ?? new Uint8Array(0);
    parts.push(header(entry, content.length, mtime), content, padding(content.length));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}

function header(entry: TarEntry, size: number, mtime: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  text(block, NAME, entry.name);
  octal(block, MODE, entry.mode);
  octal(block, UID, 0);
  octal(block, GID, 0);
  octal(block, SIZE, size);
  octal(block, MTIME, mtime);
  block.write(TYPE_FLAGS[entry.kind], TYPE, "latin1");
  text(block, LINK_NAME, entry.target ?? "");
  block.write("ustar\0" + "00", MAGIC, "latin1");
  block.write("root", USER, "latin1");
  block.write("root", GROUP, "latin1");
  // The sum counts its own field as spaces.
  block.fill(" ", CHECKSUM[0], CHECKSUM[0] + CHECKSUM[1]);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM[0], "latin1");
  return block;
}

function text(block: Buffer, [offset, width]: readonly [number, number], value: string): void {
  if (Buffer.byteLength(value) > width) throw new Error(`"${value}" is too long for a tar header.`);
  block.write(value, offset);
}

function octal(block: Buffer, [offset, width]: readonly [number, number], value: number): void {
  block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset, "latin1");
}

function padding(size: number): Uint8Array {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}
