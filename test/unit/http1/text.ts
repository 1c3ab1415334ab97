/** Texts of HTTP as bytes and back: one byte for each character. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export function text(from: Uint8Array): string {
  return Array.from(from, (byte) => String.fromCharCode(byte)).join("");
}

/** A request with the headers that every one needs. */
export function requestText(line: string, headers: readonly string[] = [], body = ""): string {
  return [line, "Host: localhost", ...headers, "", body].join("\r\n");
}
