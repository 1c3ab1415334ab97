/**
 * URLs of peers and listeners (links.md 3.4). This node speaks UDP links; every other scheme is refused with a sentence.
 */
import { type Endpoint, parseAddress } from "../wire/endpoint.ts";

/** The port of EasyTier's UDP listeners when a URL names none. */
export const DEFAULT_UDP_PORT = 11010;

export interface PeerTarget {
  /** The URL as configured: names the peer everywhere. */
  readonly url: string;
  /** IPv4, IPv6 without brackets, or a name. */
  readonly host: string;
  readonly port: number;
  /** True when `host` must be resolved first. */
  readonly isName: boolean;
}

const OTHER_SCHEMES = [
  "tcp",
  "ws",
  "wss",
  "wg",
  "quic",
  "faketcp",
  "http",
  "https",
  "txt",
  "srv",
  "ring",
  "unix",
];

/** A sentence saying what is wrong with a peer URL and what to write instead, or undefined when it can be dialled. */
export function checkPeerUrl(url: string): string | undefined {
  const target = parsePeerUrl(url);
  return typeof target === "string" ? target : undefined;
}

/** The target of a peer URL, or the sentence of {@link checkPeerUrl}. */
export function parsePeerUrl(url: string): PeerTarget | string {
  const parts = splitUrl(url, "peer");
  if (typeof parts === "string") return parts;
  const { host, port } = parts;
  if (port === 0) return `The peer "${url}" has port 0. Name the port its UDP listener has, usually 11010.`;
  const isName = parseAddress(host) === undefined;
  if (isName && !isHostName(host)) {
    return `"${host}" in the peer "${url}" is neither an address nor a host name. Write udp://203.0.113.5:11010 or udp://example.net:11010.`;
  }
  if (host === "0.0.0.0" || host === "::") {
    return `The peer "${url}" has no address to dial. Name the address or the host name of the other node.`;
  }
  return { url, host, port, isName };
}

/** A sentence saying what is wrong with a listener URL, or undefined when it can be opened. */
export function checkListenerUrl(url: string): string | undefined {
  const endpoint = parseListenerUrl(url);
  return typeof endpoint === "string" ? endpoint : undefined;
}

/** Where a listener binds, or the sentence of {@link checkListenerUrl}. Port 0 lets the system choose. */
export function parseListenerUrl(url: string): Endpoint | string {
  const parts = splitUrl(url, "listener");
  if (typeof parts === "string") return parts;
  if (parseAddress(parts.host) === undefined) {
    return `The listener "${url}" needs an address of this machine, not a name. Write udp://0.0.0.0:11010 or udp://[::]:11010.`;
  }
  return { address: parts.host, port: parts.port };
}

function splitUrl(url: string, what: string): { host: string; port: number } | string {
  const example = what === "peer" ? "udp://203.0.113.5:11010" : "udp://0.0.0.0:11010";
  const match = /^([a-z][a-z0-9+.-]*):\/\/(?:\[([^\]]*)\]|([^:/?#@]*))(?::(\d{1,5}))?\/?$/i.exec(url);
  if (match === null) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
    if (scheme !== undefined && OTHER_SCHEMES.includes(scheme))
      return wrongScheme(url, scheme, what, example);
    return `"${url}" is not a ${what} URL. Write it as ${example}.`;
  }
  const scheme = match[1]!.toLowerCase();
  if (scheme !== "udp") return wrongScheme(url, scheme, what, example);
  const host = match[2] ?? match[3]!;
  if (host === "" || (match[2] !== undefined && !host.includes(":"))) {
    return `"${url}" names no host. Write it as ${example}.`;
  }
  const port = match[4] === undefined ? DEFAULT_UDP_PORT : Number(match[4]);
  if (port > 65535) return `The port ${port} in "${url}" is above 65535.`;
  return { host, port };
}

function wrongScheme(url: string, scheme: string, what: string, example: string): string {
  if (!OTHER_SCHEMES.includes(scheme)) return `"${url}" is not a ${what} URL. Write it as ${example}.`;
  return what === "peer"
    ? `The peer "${url}" cannot be dialled: this node speaks UDP links only. Write udp:// instead of ${scheme}://; nodes with default listeners accept it on the same base port.`
    : `The listener "${url}" cannot be opened: this node speaks UDP links only. Write it as ${example}.`;
}

/** Letters, digits, hyphens and underscores in labels of up to 63; not all digits and dots (a mistyped address). */
function isHostName(host: string): boolean {
  if (host.length > 253 || /^[\d.]+$/.test(host)) return false;
  return host.split(".").every((label, index, all) => {
    if (label === "") return index === all.length - 1 && all.length > 1;
    return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label);
  });
}
