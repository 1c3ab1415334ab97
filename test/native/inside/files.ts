/** Files, in the working folder. */
import { native } from "kcp-router:native";
import { print } from "./print.ts";

const name = (code: unknown): unknown =>
  typeof code === "number" && code < 0 ? native.errorName(code) : code;
const bytes = native.encodeUtf8("what was written");
print({
  written: name(native.writeFile("file", bytes, 0o640)),
  again: name(native.writeFile("file", bytes, 0o600)),
  nowhere: name(native.writeFile("no/file", bytes, 0o600)),
  folder: name(native.makeFolder("folder", 0o700)),
  twice: name(native.makeFolder("folder", 0o700)),
});
const file = native.readFile("file", 16);
if (typeof file === "number") throw new Error(native.errorName(file));
print({
  text: native.decodeUtf8(file.bytes, 0, file.bytes.length, true),
  mode: (file.mode & 0o777).toString(8),
  tooLarge: name(native.readFile("file", 15)),
  isFolder: name(native.readFile("folder", 100)),
  missing: name(native.readFile("missing", 100)),
  proc: typeof native.readFile("/proc/self/stat", 4096),
  names: (native.listFolder(".") as string[]).filter((entry) => !entry.startsWith("script")).sort(),
  noFolder: name(native.listFolder("missing")),
});
const status = native.fileStatus("file");
if (typeof status === "number") throw new Error(native.errorName(status));
print({
  kind: status.kind,
  bytes: status.bytes,
  recent: Math.abs(status.modifiedMs - native.wallClockMs()) < 60_000,
  folderKind: (native.fileStatus("folder") as { kind: string }).kind,
  removed: name(native.removeFile("file")),
  removedTwice: name(native.removeFile("file")),
});
