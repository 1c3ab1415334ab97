/** IPv4 networks. Addresses are unsigned 32-bit numbers, most significant octet first. */

/** `network` has zero host bits. */
export interface Ipv4Prefix {
  readonly network: number;
  readonly prefixLength: number;
}

export function prefixMask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** The network that an address with this prefix length lies in. */
export function networkOf(ipv4: number, prefixLength: number): Ipv4Prefix {
  return { network: (ipv4 & prefixMask(prefixLength)) >>> 0, prefixLength };
}

export function inPrefix(ipv4: number, prefix: Ipv4Prefix): boolean {
  return (ipv4 & prefixMask(prefix.prefixLength)) >>> 0 === prefix.network;
}

/** True when every address of `inner` is one of `outer`. */
export function covers(outer: Ipv4Prefix, inner: Ipv4Prefix): boolean {
  return outer.prefixLength <= inner.prefixLength && inPrefix(inner.network, outer);
}
