/**
 * Socket addresses as bytes and as text: 16 address bytes (IPv4 as ::ffff:a.b.c.d) and 2 port bytes in network order.
 */

export const ENDPOINT_LENGTH = 18;
export const ADDRESS_BYTES = 16;

/** An address and a port as people write them. `address` is IPv4 or IPv6 text without brackets. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The 18 bytes of an endpoint, or undefined when the address is not one or the port is out of range. */
export function parseEndpoint(endpoint: Endpoint): Uint8Array | undefined {
  const address = parseAddress(endpoint.address);
  if (address === undefined) return undefined;
  if (!Number.isInteger(endpoint.port) || endpoint.port < 0 || endpoint.port > 0xffff) return undefined;
  const bytes = new Uint8Array(ENDPOINT_LENGTH);
  bytes.set(address);
  bytes[16] = endpoint.port >> 8;
  bytes[17] = endpoint.port & 0xff;
  return bytes;
}

/** 16 bytes, or undefined. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** `203.0.113.5:11010` or `[2001:db8::1]:11010`. */
export function formatEndpoint(bytes: Uint8Array, offset = 0): string {
  const port = endpointPort(bytes, offset);
  const address = formatAddress(bytes, offset);
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function endpointPort(bytes: Uint8Array, offset = 0): number {
  return (bytes[offset + 16]! << 8) | bytes[offset + 17]!;
}

/** Text of 16 address bytes; IPv4-mapped ones as IPv4, others as RFC 5952 wants them. */
export function formatAddress(bytes: Uint8Array, offset = 0): string {
  if (isIpv4Mapped(bytes, offset)) {
    return `${bytes[offset + 12]!}.${bytes[offset + 13]!}.${bytes[offset + 14]!}.${bytes[offset + 15]!}`;
  }
  const groups: number[] = [];
  for (let at = 0; at < ADDRESS_BYTES; at += 2)
    groups.push((bytes[offset + at]! << 8) | bytes[offset + at + 1]!);
  // The longest run of at least two zero groups is written "::".
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}

export function isIpv4Mapped(bytes: Uint8Array, offset = 0): boolean {
  for (let at = 0; at < 10; at++) if (bytes[offset + at] !== 0) return false;
  return bytes[offset + 10] === 0xff && bytes[offset + 11] === 0xff;
}

/** The IPv4 address of a mapped endpoint as big-endian value, unsigned. */
export function mappedIpv4(bytes: Uint8Array, offset = 0): number {
  return (
    ((bytes[offset + 12]! << 24) |
      (bytes[offset + 13]! << 16) |
      (bytes[offset + 14]! << 8) |
      bytes[offset + 15]!) >>>
    0
  );
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(ADDRESS_BYTES);
  bytes[10] = 0xff;
  bytes[11] = 0xff;
  for (let at = 0; at < 4; at++) {
    const part = parts[at]!;
    // No leading zeros: some read them as octal, so they are ambiguous.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[12 + at] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(ADDRESS_BYTES);
  for (let at = 0; at < 8; at++) {
    bytes[at * 2] = groups[at]! >> 8;
    bytes[at * 2 + 1] = groups[at]! & 0xff;
  }
  return bytes;
}

/** 16-bit groups of one side of the "::"; dotted IPv4 may stand at the very end of an address. */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (let at = 0; at < parts.length; at++) {
    const part = parts[at]!;
    if (last && at === parts.length - 1 && part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === undefined) return undefined;
      groups.push((ipv4[12]! << 8) | ipv4[13]!, (ipv4[14]! << 8) | ipv4[15]!);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else return undefined;
  }
  return groups;
}
