/**
 * LuCI's compiled translations (conventions.md 2.9), made from pairs of texts:
 *
 * ```
 *   values, each padded to 4 bytes │ index: records of 16 bytes, sorted by key │ offset of the index
 *                                    u32 key, u32 plural form + 1, u32 offset, u32 length      (big-endian)
 * ```
 *
 * The key of a record is the hash of the source text as LuCI looks it up: trimmed, runs of white space made one blank.
 */

const RECORD_BYTES = 16;

/** Source text → translation. What hashes like its own translation is left out, as LuCI's compiler does. */
export function compileLmo(texts: ReadonlyMap<string, string>): Uint8Array {
  const records: { readonly key: number; readonly offset: number; readonly length: number }[] = [];
  const values: Uint8Array[] = [];
  let offset = 0;
  for (const [source, translation] of texts) {
    const value = new TextEncoder().encode(translation);
    const key = lmoHash(new TextEncoder().encode(source.trim().replace(/\s+/g, " ")));
    if (key === lmoHash(value)) continue;
    records.push({ key, offset, length: value.length });
    const padded = new Uint8Array((value.length + 3) & ~3);
    padded.set(value);
    values.push(padded);
    offset += padded.length;
  }
  records.sort((a, b) => a.key - b.key);
  const file = new Uint8Array(offset + records.length * RECORD_BYTES + 4);
  const view = new DataView(file.buffer);
  let at = 0;
  for (const value of values) {
    file.set(value, at);
    at += value.length;
  }
  for (const { key, offset: place, length } of records) {
    view.setUint32(at, key);
    view.setUint32(at + 4, 1);
    view.setUint32(at + 8, place);
    view.setUint32(at + 12, length);
    at += RECORD_BYTES;
  }
  view.setUint32(at, offset);
  return file;
}

/** Paul Hsieh's SuperFastHash, begun with the length, as LuCI's server and browser compute it. */
export function lmoHash(bytes: Uint8Array): number {
  let hash = bytes.length;
  let at = 0;
  const word = () => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  const signed = (index: number) => ((bytes[index] ?? 0) << 24) >> 24;
  for (let left = bytes.length >>> 2; left > 0; left--) {
    hash = (hash + word()) | 0;
    at += 2;
    const mixed = (word() << 11) ^ hash;
    at += 2;
    hash = (hash << 16) ^ mixed;
    hash = (hash + (hash >>> 11)) | 0;
  }
  switch (bytes.length & 3) {
    case 3:
      hash = (hash + word()) | 0;
      hash ^= hash << 16;
      hash ^= signed(at + 2) << 18;
      hash = (hash + (hash >>> 11)) | 0;
      break;
    case 2:
      hash = (hash + word()) | 0;
      hash ^= hash << 11;
      hash = (hash + (hash >>> 17)) | 0;
      break;
    case 1:
      hash = (hash + signed(at)) | 0;
      hash ^= hash << 10;
      hash = (hash + (hash >>> 1)) | 0;
      break;
    default:
  }
  hash ^= hash << 3;
  hash = (hash + (hash >>> 5)) | 0;
  hash ^= hash << 4;
  hash = (hash + (hash >>> 17)) | 0;
  hash ^= hash << 25;
  hash = (hash + (hash >>> 6)) | 0;
  return hash >>> 0;
}
