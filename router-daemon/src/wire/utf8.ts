/**
 * UTF-8 without the engine's help: QuickJS has no TextEncoder. Names and secrets only, never payload.
 */

/** The UTF-8 bytes of a string; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  for (const character of text) {
    let code = character.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x10000) {
      out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      out.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 0x3f),
        0x80 | ((code >> 6) & 0x3f),
        0x80 | (code & 0x3f),
      );
    }
  }
  return Uint8Array.from(out);
}

/** Smallest code point that needs a sequence of the given length: anything below is an overlong form. */
const LEAST_CODE = [0, 0, 0x80, 0x800, 0x10000];

/** The text of `bytes[from, to)`. Bytes that are not UTF-8 become U+FFFD: what others send is never an error here. */
export function decodeUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = "";
  let at = from;
  while (at < to) {
    const lead = bytes[at]!;
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      at++;
      continue;
    }
    const length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
    let code = lead & (0xff >> (length + 1));
    let seen = 1;
    while (seen < length && at + seen < to && (bytes[at + seen]! & 0xc0) === 0x80) {
      code = (code << 6) | (bytes[at + seen]! & 0x3f);
      seen++;
    }
    const valid =
      length !== 0 &&
      lead < 0xf5 &&
      seen === length &&
      code >= LEAST_CODE[length]! &&
      code <= 0x10ffff &&
      !(code >= 0xd800 && code <= 0xdfff);
    text += valid ? String.fromCodePoint(code) : "\ufffd";
    at += valid ? length : 1;
  }
  return text;
}
