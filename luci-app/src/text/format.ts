/** Numbers and times as people read them. Everything that may be unknown is `null` and reads "–". */

export const UNKNOWN = "–";

/** Puts values into `%s`, in order: whole sentences are translated, not pieces. */
export function fill(text: string, ...values: readonly (string | number)[]): string {
  let next = 0;
  return text.replace(/%s/g, () => String(values[next++] ?? ""));
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count: number | null): string {
  if (count === null) return UNKNOWN;
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${short(value, unit === 0)} ${BYTE_UNITS[unit]}`;
}

const BIT_UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"];

/** A rate given in bytes per second, shown in bits: what providers sell. */
export function rate(bytesPerSecond: number | null): string {
  if (bytesPerSecond === null) return UNKNOWN;
  let value = bytesPerSecond * 8;
  let unit = 0;
  while (value >= 1000 && unit < BIT_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${short(value, unit === 0)} ${BIT_UNITS[unit]}`;
}

/** Three digits are enough to compare. */
function short(value: number, whole: boolean): string {
  return whole || value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

export function milliseconds(value: number | null): string {
  if (value === null) return UNKNOWN;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}

export function share(value: number | null): string {
  if (value === null) return UNKNOWN;
  const percent = value * 100;
  if (percent > 0 && percent < 0.1) return "< 0.1 %";
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

/** The two largest units: `3d 4h`, `12m 5s`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts
    .slice(first, first + 2)
    .filter(([count], at) => at === 0 || count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(" ");
}

/** Wall clock in the browser's own form. */
export function clock(unixSeconds: number): string {
  return new Date(unixSeconds * 1000).toLocaleString();
}

/** `10.126.126.7:51838` in two. */
export function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(":"));
}

/** `10.126.126.1/24` without its prefix. */
export function hostOfPrefix(prefix: string): string {
  return prefix.split("/", 1)[0] ?? "";
}
