/** Texts of IPv4 addresses, which are unsigned 32-bit numbers, most significant octet first. */
import type { Ipv4Prefix } from "../wire/ipv4-prefix.ts";

/** An address inside its network: what an interface has. */
export interface InterfaceAddress {
  readonly address: number;
  readonly prefixLength: number;
}

/** Dotted quad to number; undefined when it is none. Leading zeros are refused: some read them as octal. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const octetText of match.slice(1)) {
    const octet = Number(octetText);
    if (octet > 255 || String(octet) !== octetText) return undefined;
    address = address * 256 + octet;
  }
  return address;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

export function formatPrefix(prefix: Ipv4Prefix): string {
  return `${formatIpv4(prefix.network)}/${prefix.prefixLength}`;
}

export function formatInterfaceAddress(address: InterfaceAddress): string {
  return `${formatIpv4(address.address)}/${address.prefixLength}`;
}

/** `10.1.2.3/24` to its parts, host bits kept; undefined when it is none. Without a slash `defaultLength` is taken. */
export function parseWithPrefix(text: string, defaultLength: number): InterfaceAddress | undefined {
  const match = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text);
  const addressText = match?.[1];
  if (addressText === undefined) return undefined;
  const address = parseIpv4(addressText);
  const lengthText = match?.[2];
  const prefixLength = lengthText === undefined ? defaultLength : Number(lengthText);
  if (address === undefined || prefixLength > 32) return undefined;
  return { address, prefixLength };
}
