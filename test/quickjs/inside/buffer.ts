import { native } from "kcp-router:native";

type Encoding = "utf8" | "utf-8" | "hex" | "latin1" | "base64" | "binary";

/** The part of Node's Buffer that tests use to write bytes down. */
export class StandInBuffer extends Uint8Array {
  static override from(
    source: string | ArrayLike<number> | ArrayBuffer | Iterable<number>,
    encoding?: unknown,
  ): StandInBuffer {
    if (typeof source === "string") return bytesOf(source, encoding as Encoding | undefined);
    if (source instanceof ArrayBuffer) return new StandInBuffer(source);
    return StandInBuffer.copy(Uint8Array.from(source as ArrayLike<number>));
  }
  static alloc(length: number, fill = 0): StandInBuffer {
    const buffer = new StandInBuffer(length);
    buffer.fill(fill);
    return buffer;
  }
  static concat(parts: readonly Uint8Array[]): StandInBuffer {
    const all = new StandInBuffer(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
  static compare(a: Uint8Array, b: Uint8Array): number {
    for (let at = 0; at < Math.min(a.length, b.length); at++) {
      const difference = (a[at] ?? 0) - (b[at] ?? 0);
      if (difference !== 0) return Math.sign(difference);
    }
    return Math.sign(a.length - b.length);
  }
  static byteLength(text: string): number {
    return native.encodeUtf8(text).length;
  }
  static copy(bytes: Uint8Array): StandInBuffer {
    const copy = new StandInBuffer(bytes.length);
    copy.set(bytes);
    return copy;
  }

  override toString(encoding: Encoding = "utf8"): string {
    if (encoding === "hex") return Array.from(this, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (encoding === "latin1" || encoding === "binary") {
      return Array.from(this, (byte) => String.fromCharCode(byte)).join("");
    }
    if (encoding === "base64") throw new Error("Base64 is not written here.");
    return native.decodeUtf8(this, 0, this.length, false) ?? "";
  }
  equals(other: Uint8Array): boolean {
    return StandInBuffer.compare(this, other) === 0;
  }
  override includes(wanted: number | string): boolean {
    return typeof wanted === "string" ? this.toString("latin1").includes(wanted) : super.includes(wanted);
  }
  readUInt32BE(at = 0): number {
    return new DataView(this.buffer, this.byteOffset).getUint32(at);
  }
  readUInt32LE(at = 0): number {
    return new DataView(this.buffer, this.byteOffset).getUint32(at, true);
  }
  readBigUInt64LE(at = 0): bigint {
    return new DataView(this.buffer, this.byteOffset).getBigUint64(at, true);
  }
  writeUInt32BE(value: number, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setUint32(at, value);
    return at + 4;
  }
  writeUInt16BE(value: number, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setUint16(at, value);
    return at + 2;
  }
  writeInt32BE(value: number, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setInt32(at, value);
    return at + 4;
  }
  writeDoubleBE(value: number, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setFloat64(at, value);
    return at + 8;
  }
  writeBigUInt64BE(value: bigint, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setBigUint64(at, value);
    return at + 8;
  }
  writeBigInt64BE(value: bigint, at = 0): number {
    new DataView(this.buffer, this.byteOffset).setBigInt64(at, value);
    return at + 8;
  }
}

function bytesOf(text: string, encoding: Encoding = "utf8"): StandInBuffer {
  switch (encoding) {
    case "hex":
      return StandInBuffer.copy(
        Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (digits) => Number.parseInt(digits, 16)),
      );
    case "latin1":
    case "binary":
      return StandInBuffer.copy(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    case "base64":
      return fromBase64(text);
    default:
      return StandInBuffer.copy(native.encodeUtf8(text));
  }
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function fromBase64(text: string): StandInBuffer {
  const bytes: number[] = [];
  let bits = 0;
  let count = 0;
  for (const character of text.replace(/=+$/, "")) {
    bits = ((bits << 6) | BASE64.indexOf(character)) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push((bits >> count) & 255);
    }
  }
  return StandInBuffer.copy(Uint8Array.from(bytes));
}
