/**
 * The service that tells other nodes where we can be dialled (`DirectConnectorRpc.GetIpList`, routes-rpc.md 2.1). They then
 * open direct links by themselves.
 */
import type { GetIpListResponse, Ipv6Addr } from "../wire/messages/gen/messages.ts";
import type { Init } from "../wire/messages/schema.ts";
import { readU32 } from "../wire/peer-header.ts";
import type { Listener } from "./acceptor.ts";

/** Addresses of each kind, and listeners, that are told; more would only make others try longer. */
export const MAX_TOLD_ADDRESSES = 32;

/** Addresses of this machine as the daemon found them. IPv4 as unsigned numbers, IPv6 as 16 bytes each. */
export interface LocalAddresses {
  /** Of interfaces that are up and lead somewhere: no loopback, no tunnel. */
  readonly interfaceIpv4s: readonly number[];
  /** Global ones only. */
  readonly interfaceIpv6s: readonly Uint8Array[];
  /** As others see us; 0 = unknown. */
  readonly publicIpv4: number;
  /** Listener URLs to be told before our own, e.g. of a forwarded port. */
  readonly mappedListeners: readonly string[];
}

export const NO_ADDRESSES: LocalAddresses = {
  interfaceIpv4s: [],
  interfaceIpv6s: [],
  publicIpv4: 0,
  mappedListeners: [],
};

/** An absolute URL of the form that every stock node can read; anything else would end its process (routes-rpc.md 11). */
const SAFE_URL = /^[a-z][a-z0-9+.-]*:\/\/(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):\d{1,5}\/?$/i;

export function ipListResponse(
  listeners: readonly Listener[],
  addresses: LocalAddresses,
): Init<GetIpListResponse> {
  const urls = [...addresses.mappedListeners, ...listeners.map(listenerUrl)].filter((url) =>
    SAFE_URL.test(url),
  );
  return {
    ...(addresses.publicIpv4 === 0 ? {} : { publicIpv4: { addr: addresses.publicIpv4 } }),
    interfaceIpv4s: addresses.interfaceIpv4s.slice(0, MAX_TOLD_ADDRESSES).map((addr) => ({ addr })),
    interfaceIpv6s: addresses.interfaceIpv6s.slice(0, MAX_TOLD_ADDRESSES).map(ipv6Message),
    listeners: urls.slice(0, MAX_TOLD_ADDRESSES).map((url) => ({ url })),
  };
}

/** The listener with the port it really has. */
export function listenerUrl({ address, port }: Listener): string {
  return address.includes(":") ? `udp://[${address}]:${port}` : `udp://${address}:${port}`;
}

function ipv6Message(bytes: Uint8Array): Ipv6Addr {
  const word = (at: number): number => {
    const little = readU32(bytes, at);
    return ((little << 24) | ((little & 0xff00) << 8) | ((little >>> 8) & 0xff00) | (little >>> 24)) >>> 0;
  };
  return { part1: word(0), part2: word(4), part3: word(8), part4: word(12) };
}
