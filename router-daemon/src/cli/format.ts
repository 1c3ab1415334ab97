/** Numbers and times as people read them. A dash stands for "not known". */

const UNKNOWN = "-";

/** `2026-11-24 10:02:07` in the viewer's own time zone (proxies.md 9). */
export function formatTime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `512 B`, `1.5 KiB`, `20 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1023.95 and more would be shown as "1024.0".
  while (value >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 || value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
  return `${text} ${BYTE_UNITS[unit] ?? ""}`;
}

/** Bytes per second as people speak of lines: `0`, `980 kbit/s`, `93.4 Mbit/s`. */
export function formatRate(bytesPerSecond: number): string {
  const bits = bytesPerSecond * 8;
  if (bits < 1) return "0";
  if (bits < 999.5) return `${Math.round(bits)} bit/s`;
  if (bits < 999_500) return `${trimmed(bits / 1e3)} kbit/s`;
  if (bits < 999_500_000) return `${trimmed(bits / 1e6)} Mbit/s`;
  return `${trimmed(bits / 1e9)} Gbit/s`;
}

export function formatMs(ms: number | null): string {
  return ms === null ? UNKNOWN : trimmed(ms);
}

/** A share from 0 to 1 as `5.2%`. */
export function formatShare(share: number | null): string {
  return share === null ? UNKNOWN : `${(share * 100).toFixed(1)}%`;
}

/** `7s`, `3m 12s`, `5h 02m`, `3d 04h`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two(Math.floor((seconds % 3600) / 60))}m`;
  return `${Math.floor(seconds / 86_400)}d ${two(Math.floor((seconds % 86_400) / 3600))}h`;
}

/** `p2p`, `relay(2)`: EasyTier's words for the length of the way (routes-rpc.md 10.4). */
export function formatCost(pathLength: number): string {
  if (pathLength === 0) return "unreachable";
  return pathLength === 1 ? "p2p" : `relay(${pathLength})`;
}

/** `tcp` to `Tcp`. */
export function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function trimmed(value: number): string {
  return value >= 99.95 ? String(Math.round(value)) : value.toFixed(1);
}
