/** blobmsg the slow and obvious way, for comparison: one buffer per attribute, put together by concatenation. */

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function field(type: number, name: string, value: Buffer): Buffer {
  const label = Buffer.from(`${name}\0`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(label.length - 1);
  const payload = Buffer.concat([padded(Buffer.concat([length, label])), value]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(0x80000000 + type * 2 ** 24 + 4 + payload.length);
  return padded(Buffer.concat([head, payload]));
}

function named(name: string, value: unknown): Buffer {
  if (value === null) return field(0, name, Buffer.alloc(0));
  if (Array.isArray(value)) return field(1, name, Buffer.concat(value.map((item) => named("", item))));
  if (typeof value === "object") return field(2, name, naiveFields(value as object));
  if (typeof value === "string") return field(3, name, Buffer.from(`${value}\0`));
  if (typeof value === "boolean") return field(7, name, Buffer.from([value ? 1 : 0]));
  const number = value as number;
  if (!Number.isSafeInteger(number)) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(number);
    return field(8, name, bytes);
  }
  if (number === (number | 0)) {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(number);
    return field(5, name, bytes);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(number));
  return field(4, name, bytes);
}

export function naiveFields(fields: object): Buffer {
  return Buffer.concat(Object.entries(fields).map(([name, value]) => named(name, value)));
}
