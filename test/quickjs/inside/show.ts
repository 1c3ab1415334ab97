const MAX_SHOWN = 600;

/** A value in a few words, for the message of a failed assertion. */
export function show(value: unknown): string {
  const text = showDeep(value, 4);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function showDeep(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "function";
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (depth === 0) return "…";
  const inner = (item: unknown) => showDeep(item, depth - 1);
  if (value instanceof Map) return `Map ${inner([...value])}`;
  if (value instanceof Set) return `Set ${inner([...value])}`;
  if (Array.isArray(value)) return `[${value.slice(0, 20).map(inner).join(", ")}]`;
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, Math.min(value.byteLength, 64));
    return `${value.constructor.name}(${value.byteLength})[${bytes.join(" ")}]`;
  }
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}: ${inner(item)}`)
    .join(", ")}}`;
}
