/**
 * URLs of underlay addresses (links.md 3.4): `udp://host[:port]`. This node speaks UDP links; every other scheme is refused by
 * name. The one parser of the configuration and of the mesh.
 */
import { parseAddress } from "./endpoint.ts";

/** Port of EasyTier's UDP listeners, where a URL names none. */
export const DEFAULT_UDP_PORT = 11010;

/** A UDP underlay address, to listen on or to dial. */
export interface UdpUrl {
  /** Canonical text: `udp://203.0.113.5:11010`, `udp://[::1]:11010`, `udp://vpn.example.org:11010`. */
  readonly url: string;
  /** IP address without brackets, or a host name. */
  readonly host: string;
  readonly port: number;
  /** 4 or 6 = `host` is an address; 0 = a name that has to be resolved. */
  readonly family: 0 | 4 | 6;
}

/** Link protocols of EasyTier that are known but not spoken here. */
const OTHER_SCHEMES = ["tcp", "wg", "ws", "wss", "quic", "faketcp", "ring", "unix"];
/** Schemes of EasyTier that stand for a list to be looked up elsewhere. */
const LIST_SCHEMES = ["http", "https", "txt", "srv"];

/** An address to dial; else a sentence: what is wrong and what to write. It holds nothing of the text but a known scheme. */
export function parsePeerUrl(text: string): UdpUrl | string {
  const parsed = parseUdpUrl(text);
  if (typeof parsed === "string") return parsed;
  if (parsed.port === 0) return PORT_RULE;
  if (parsed.host === "0.0.0.0" || parsed.host === "::")
    return "There is no address to dial in it. Name the address or the host name of the other node.";
  return parsed;
}

/** An address of this machine to listen on, or a sentence. Port 0 lets the system choose. */
export function parseListenerUrl(text: string): UdpUrl | string {
  const parsed = parseUdpUrl(text);
  if (typeof parsed === "string" || parsed.family !== 0) return parsed;
  return "A listener needs an IP address of this machine, 0.0.0.0 for all of them.";
}

const PORT_RULE = "The port is a whole number from 1 to 65535.";

function parseUdpUrl(text: string): UdpUrl | string {
  const match = /^(?:([a-z][a-z0-9+.-]*):\/\/)?([^/?#]*)(.*)$/is.exec(text);
  const scheme = match?.[1]?.toLowerCase() ?? "";
  const authority = match?.[2] ?? "";
  const rest = match?.[3] ?? "";
  // Before anything else: what stands before the @ is never repeated.
  if (authority.includes("@"))
    return "It holds a user name or password, which a udp:// link does not have. Write udp://host:port.";
  const fault = schemeFault(scheme);
  if (fault !== undefined) return fault;
  const parts =
    /^\[([0-9a-f:.]+)\](?::(\d*))?$/i.exec(authority) ?? /^([^:[\]]*)(?::([^:]*))?$/.exec(authority);
  if (parts === null)
    return "Write it like udp://203.0.113.5:11010; an IPv6 address stands in brackets: udp://[2001:db8::1]:11010.";
  if (rest !== "" && rest !== "/")
    return "Nothing may follow the port (bind devices are not supported by kcp-router).";
  const portText = parts[2] ?? "";
  const port = portText === "" ? DEFAULT_UDP_PORT : Number(portText);
  if (!/^\d{0,5}$/.test(portText) || port > 65535) return PORT_RULE;
  const host = (parts[1] ?? "").toLowerCase();
  const family = familyOf(host, authority.startsWith("["));
  if (family === undefined) return "What stands before the port is neither an IP address nor a host name.";
  return { url: `udp://${family === 6 ? `[${host}]` : host}:${port}`, host, port, family };
}

function schemeFault(scheme: string): string | undefined {
  if (scheme === "udp") return undefined;
  if (scheme === "") return "Write udp:// in front of it.";
  if (LIST_SCHEMES.includes(scheme))
    return `${scheme}:// lists are not supported by kcp-router. Name the peer itself.`;
  if (OTHER_SCHEMES.includes(scheme))
    return `${scheme} links are not supported by kcp-router, only udp. Remove the entry, or use the udp:// address of that node.`;
  return "The only scheme is udp.";
}

function familyOf(host: string, bracketed: boolean): 0 | 4 | 6 | undefined {
  if (bracketed) return host.includes(":") && parseAddress(host) !== undefined ? 6 : undefined;
  if (parseAddress(host) !== undefined) return 4;
  return isHostName(host) ? 0 : undefined;
}

/** Letters, digits, dashes and underscores; no name whose last label resolvers would take for a number of an IPv4 address. */
function isHostName(host: string): boolean {
  if (host.length > 253 || !/^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/.test(host)) return false;
  const lastLabel = host.replace(/\.$/, "").split(".").pop() ?? "";
  return !/^(\d+|0x[0-9a-f]*)$/.test(lastLabel);
}
