import type { NativeText } from "../native.ts";

/** `TextEncoder` and `TextDecoder` for UTF-8, whole texts only, by the executable's functions. */
export function textCoding(native: Pick<NativeText, "encodeUtf8" | "decodeUtf8">) {
  return {
    TextEncoder: class {
      readonly encoding = "utf-8";
      encode(text = ""): Uint8Array {
        return native.encodeUtf8(String(text));
      }
    },

    TextDecoder: class {
      readonly encoding = "utf-8";
      readonly fatal: boolean;
      readonly ignoreBOM: boolean;

      constructor(label = "utf-8", options: { readonly fatal?: boolean; readonly ignoreBOM?: boolean } = {}) {
        if (!/^utf-?8$/i.test(label)) throw new RangeError(`${label} is not decoded here; utf-8 is.`);
        this.fatal = options.fatal === true;
        this.ignoreBOM = options.ignoreBOM === true;
      }

      decode(bytes: Uint8Array = new Uint8Array(0)): string {
        const marked = !this.ignoreBOM && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
        const skipped = marked ? 3 : 0;
        const text = native.decodeUtf8(bytes, skipped, bytes.length - skipped, this.fatal);
        if (text === undefined) throw new TypeError("The bytes are not UTF-8.");
        return text;
      }
    },
  };
}
