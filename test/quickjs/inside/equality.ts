/** Deep equality as AVA has it, for the values that tests compare: same kind, same contents, `Object.is` at the leaves. */
export function deepEqual(a: unknown, b: unknown): boolean {
  return equal(a, b, []);
}

/** Everything that `selector` names is equal in `value`. */
export function isLike(value: unknown, selector: unknown): boolean {
  if (!isSelector(selector)) return deepEqual(value, selector);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(selector).every(([key, wanted]) =>
    isLike((value as Record<string, unknown>)[key], wanted),
  );
}

function isSelector(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function equal(a: unknown, b: unknown, path: readonly (readonly [unknown, unknown])[]): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (kindOf(a) !== kindOf(b)) return false;
  // A cycle is equal when it closes at the same place.
  if (path.some(([left, right]) => left === a && right === b)) return true;
  const deeper = [...path, [a, b] as const];
  const same = (left: unknown, right: unknown) => equal(left, right, deeper);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameBytes(bytesOf(a), bytesOf(b));
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer)
    return sameBytes(new Uint8Array(a), new Uint8Array(b));
  if (a instanceof Map && b instanceof Map) return same([...a], [...b]);
  if (a instanceof Set && b instanceof Set) return sameSets(a, b, same);
  if (a instanceof Date || a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error && b instanceof Error && (a.name !== b.name || a.message !== b.message))
    return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)))
  );
}

function kindOf(value: object): string {
  // An object without a prototype is as good as one with the usual.
  return Object.getPrototypeOf(value) === null ? "Object" : value.constructor.name;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function sameSets(a: Set<unknown>, b: Set<unknown>, same: (a: unknown, b: unknown) => boolean): boolean {
  return (
    a.size === b.size && [...a].every((left) => b.has(left) || [...b].some((right) => same(left, right)))
  );
}
