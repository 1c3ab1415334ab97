/** Reads byte strings (hexadecimal, one a line) from a file; prints what they say, and each text's bytes again. Argument: the file. */
import { native } from "kcp-router:native";
import { print } from "./print.ts";

const contents = native.readFile(native.argv[1]!, 1 << 20);
if (typeof contents === "number") throw new Error(native.errorName(contents));
const lines = native.decodeUtf8(contents.bytes, 0, contents.bytes.length, true) ?? "";
for (const line of lines.split("\n")) {
  const bytes = Uint8Array.from(line.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const text = native.decodeUtf8(bytes, 0, bytes.length, false) ?? "";
  // Code units one by one: surrogates come apart.
  const units = Array.from({ length: bytes.length }, (_, i) =>
    String.fromCharCode(0xd780 + bytes[i]! * 3),
  ).join("");
  print({
    text,
    fatal: native.decodeUtf8(bytes, 0, bytes.length, true) ?? null,
    units,
    encoded: Array.from(native.encodeUtf8(units)),
  });
}
