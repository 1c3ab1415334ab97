/** Underlay addresses as people write them in a configuration. */
import { DEFAULT_UDP_PORT, parseListenerUrl, parsePeerUrl, type UdpUrl } from "../wire/udp-url.ts";
import { shownValue } from "./problem.ts";

export type UrlResult =
  | { readonly ok: true; readonly value: UdpUrl }
  | { readonly ok: false; readonly text: string };

/** A peer to dial: `udp://host[:port]`. The sentence of a failure shows the value, but never a password in it. */
export function readPeerUrl(text: string): UrlResult {
  const allowed = "a URL like udp://203.0.113.5:11010 or udp://vpn.example.org:11010";
  return resultOf(text, parsePeerUrl(text), allowed);
}

/**
 * An address to listen on, in EasyTier's forms: `udp://ip:port`, `udp`, `udp:port`, `ip:port`, `ip`, `port`. Those without a
 * scheme mean every protocol in EasyTier, and UDP here.
 */
export function readListenerUrl(text: string): UrlResult {
  const allowed = "an address like udp://0.0.0.0:11010, or a port";
  const parsed = parseListenerUrl(wholeUrl(text));
  const sentence =
    typeof parsed !== "string" && parsed.port === 0 ? "The port is a whole number from 1 to 65535." : parsed;
  return resultOf(text, sentence, allowed);
}

/** The URL that a short form stands for. */
function wholeUrl(text: string): string {
  if (/^\d{1,5}$/.test(text)) return `udp://0.0.0.0:${text}`;
  const short = /^([a-z]+)(?::(\d{1,5}))?$/.exec(text);
  if (short !== null) return `${short[1]}://0.0.0.0:${short[2] ?? DEFAULT_UDP_PORT}`;
  return text.includes("://") ? text : `udp://${text}`;
}

function resultOf(text: string, parsed: UdpUrl | string, allowed: string): UrlResult {
  if (typeof parsed !== "string") return { ok: true, value: parsed };
  const found = text.includes("@") ? "A URL that is not shown" : shownValue(text);
  return { ok: false, text: `${found} was found; allowed is ${allowed}. ${parsed}` };
}
