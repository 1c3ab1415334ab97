/** Between the messages' forms of addresses and the rest of the code's. */
import type { UUID } from "./gen/messages.ts";

/** "6ba7b810-9dad-11d1-80b4-00c04fd430c8" */
export function uuidText(uuid: UUID): string {
  const hex = [uuid.part1, uuid.part2, uuid.part3, uuid.part4]
    .map((part) => part.toString(16).padStart(8, "0"))
    .join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The reverse of `uuidText`, case and hyphens aside; undefined when the text is no UUID. */
export function parseUuid(text: string): UUID | undefined {
  const hex = text.replace(/-/g, "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  const part = (at: number): number => Number.parseInt(hex.slice(at, at + 8), 16);
  return { part1: part(0), part2: part(8), part3: part(16), part4: part(24) };
}

/** "10.144.144.1" */
export function ipv4Text(ipv4: number): string {
  return `${ipv4 >>> 24}.${(ipv4 >>> 16) & 255}.${(ipv4 >>> 8) & 255}.${ipv4 & 255}`;
}

/** The reverse of `ipv4Text`: four decimal numbers without leading zeros, or undefined. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let ipv4 = 0;
  for (const octet of match.slice(1)) {
    if (Number(octet) > 255 || (octet.length > 1 && octet.startsWith("0"))) return undefined;
    ipv4 = ipv4 * 256 + Number(octet);
  }
  return ipv4;
}
