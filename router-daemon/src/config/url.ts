import { parseIpv4 } from "./ipv4.ts";
import { shownValue } from "./problem.ts";

/** Port of EasyTier's listeners and the default of its `udp` connectors (links.md 3.4). */
export const DEFAULT_PORT = 11010;

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
const DISCOVERY_SCHEMES = ["http", "https", "txt", "srv"];

export type UrlResult =
  | { readonly ok: true; readonly value: UdpUrl }
  | { readonly ok: false; readonly text: string };

/** A peer to dial: `udp://host[:port]`. The sentence of a failure shows the value, but never a password in it. */
export function parsePeerUrl(text: string): UrlResult {
  const parts = splitUrl(text);
  if ("text" in parts) return { ok: false, text: parts.text };
  if (parts.scheme === "") {
    return wrong(text, "a URL like udp://203.0.113.5:11010", `Write udp:// in front of it.`);
  }
  return finish(text, parts, "a URL like udp://203.0.113.5:11010 or udp://vpn.example.org:11010");
}

/**
 * An address to listen on, in EasyTier's forms: `udp://ip:port`, `udp`, `udp:port`, `ip:port`, `ip`, `port`. Those without a
 * scheme mean every protocol in EasyTier, and UDP here.
 */
export function parseListenUrl(text: string): UrlResult {
  const allowed = "an address like udp://0.0.0.0:11010, or a port";
  if (/^\d{1,5}$/.test(text)) return parseListenUrl(`udp://0.0.0.0:${text}`);
  const short = /^([a-z]+)(?::(\d{1,5}))?$/.exec(text);
  if (short !== null) return parseListenUrl(`${short[1]}://0.0.0.0:${short[2] ?? DEFAULT_PORT}`);
  const parts = splitUrl(text.includes("://") ? text : `udp://${text}`);
  if ("text" in parts) return { ok: false, text: parts.text };
  const result = finish(text, parts, allowed);
  if (result.ok && result.value.family === 0) {
    return wrong(text, allowed, "A listener needs an IP address of this machine, 0.0.0.0 for all of them.");
  }
  return result;
}

interface UrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  readonly rest: string;
}

function splitUrl(text: string): UrlParts | { readonly text: string } {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?([^/?#]*)([/?#].*)?$/s.exec(text);
  if (match === null)
    return { text: `${shownValue(text)} is not a URL. Write one like udp://203.0.113.5:11010.` };
  const authority = match[2] ?? "";
  if (authority.includes("@")) {
    return {
      text: "The URL holds a user name or password, which a udp:// link does not have. Write udp://host:port.",
    };
  }
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(\d*))?$/.exec(authority);
  const plain = bracketed ?? /^([^:[\]]*)(?::([^:]*))?$/.exec(authority);
  if (plain === null) {
    return {
      text: `${shownValue(text)} is not a URL. Write one like udp://203.0.113.5:11010; an IPv6 address stands in brackets: udp://[2001:db8::1]:11010.`,
    };
  }
  return {
    scheme: (match[1] ?? "").toLowerCase(),
    host: plain[1] ?? "",
    port: plain[2] ?? "",
    rest: match[3] ?? "",
  };
}

function finish(text: string, parts: UrlParts, allowed: string): UrlResult {
  if (DISCOVERY_SCHEMES.includes(parts.scheme)) {
    return wrong(
      text,
      allowed,
      `${parts.scheme}:// lists are not supported by kcp-router. Name the peer itself.`,
    );
  }
  if (OTHER_SCHEMES.includes(parts.scheme)) {
    return wrong(
      text,
      allowed,
      `${parts.scheme} links are not supported by kcp-router, only udp. Remove the entry, or use the udp:// address of that node.`,
    );
  }
  if (parts.scheme !== "udp") return wrong(text, allowed, "The only scheme is udp.");
  if (parts.rest !== "" && parts.rest !== "/") {
    return wrong(
      text,
      allowed,
      `Nothing may follow the port (bind devices are not supported by kcp-router).`,
    );
  }
  const portText = parts.port === "" ? String(DEFAULT_PORT) : parts.port;
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65535) {
    return wrong(text, allowed, "The port is a whole number from 1 to 65535.");
  }
  const family = familyOf(parts.host);
  if (family === undefined)
    return wrong(text, allowed, "What stands before the port is neither an IP address nor a host name.");
  const host = parts.host.toLowerCase();
  const shownHost = family === 6 ? `[${host}]` : host;
  return { ok: true, value: { url: `udp://${shownHost}:${port}`, host, port, family } };
}

function familyOf(host: string): 0 | 4 | 6 | undefined {
  if (parseIpv4(host) !== undefined) return 4;
  if (host.includes(":")) return isIpv6(host) ? 6 : undefined;
  // A name whose last label is a number would be taken for an IPv4 address by resolvers.
  const isName = host.length <= 253 && /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i.test(host);
  const lastLabel = host.replace(/\.$/, "").split(".").pop() ?? "";
  return isName && !/^(\d+|0x[0-9a-f]*)$/i.test(lastLabel) ? 0 : undefined;
}

/** Text form of RFC 4291 section 2.2, without a zone. */
export function isIpv6(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups[groups.length - 1] ?? "";
  const mapped = last.includes(".");
  if (mapped && (parseIpv4(last) === undefined || text.endsWith("::"))) return false;
  const hex = mapped ? groups.slice(0, -1) : groups;
  if (!hex.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  const length = hex.length + (mapped ? 2 : 0);
  return halves.length === 2 ? length < 8 : length === 8;
}

function wrong(found: string, allowed: string, remedy: string): UrlResult {
  return { ok: false, text: `${shownValue(found)} was found; allowed is ${allowed}. ${remedy}` };
}
