/** `node:fs`, as far as tests use it, over the executable's files. */
import { native } from "kcp-router:native";
import { StandInBuffer } from "./buffer.ts";

type Path = string | { readonly pathname: string };

function nameOf(path: Path): string {
  return typeof path === "string" ? path : path.pathname;
}

/** As Node throws them. */
function check(result: number, call: string, path: Path): void {
  if (result >= 0) return;
  const code = native.errorName(result);
  throw Object.assign(new Error(`${code}: ${call} '${nameOf(path)}'`), { code });
}

export function readFileSync(path: Path, encoding?: "utf8"): string | Uint8Array {
  const file = native.readFile(nameOf(path), 64 * 1024 * 1024);
  if (typeof file === "number") {
    check(file, "open", path);
    return "";
  }
  const bytes = StandInBuffer.copy(file.bytes);
  return encoding === undefined ? bytes : bytes.toString();
}

export function writeFileSync(
  path: Path,
  text: string | Uint8Array,
  options?: { readonly mode?: number },
): void {
  const bytes = typeof text === "string" ? native.encodeUtf8(text) : text;
  check(native.writeFile(nameOf(path), bytes, options?.mode ?? 0o644), "write", path);
}

export function existsSync(path: Path): boolean {
  return typeof native.fileStatus(nameOf(path)) !== "number";
}

export function statSync(path: Path) {
  const status = native.fileStatus(nameOf(path));
  if (typeof status === "number") {
    check(status, "stat", path);
    throw new Error("unreachable");
  }
  return {
    mode: status.mode,
    size: status.bytes,
    isSocket: () => status.kind === "socket",
    isDirectory: () => status.kind === "folder",
    isFile: () => status.kind === "file",
  };
}

export function readdirSync(path: Path): string[] {
  const names = native.listFolder(nameOf(path));
  if (typeof names === "number") {
    check(names, "scandir", path);
    return [];
  }
  return names;
}

export function mkdirSync(path: Path): void {
  check(native.makeFolder(nameOf(path), 0o755), "mkdir", path);
}

export function mkdtempSync(prefix: string): string {
  const random = new Uint8Array(6);
  native.randomBytes(random);
  const path = prefix + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  check(native.makeFolder(path, 0o700), "mkdtemp", path);
  return path;
}

/** Removes a folder with what is in it. */
export function rmSync(path: Path): void {
  const name = nameOf(path);
  const status = native.fileStatus(name);
  if (typeof status === "number") return;
  if (status.kind === "folder") for (const entry of readdirSync(name)) rmSync(`${name}/${entry}`);
  native.removeFile(name);
}

/** Tests run as root or make files that they may write anyway. */
export function chmodSync(): void {}
