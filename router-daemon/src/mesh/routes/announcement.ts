/** Nodes' announcements: between `RoutePeerInfo` on the wire and the words of the daemon. */

import { type Ipv4Prefix, prefixMask } from "../../wire/ipv4-prefix.ts";
import { ipv4Text, parseIpv4, parseUuid, uuidText } from "../../wire/messages/address.ts";
import { tryDecode } from "../../wire/messages/decode.ts";
import { encode } from "../../wire/messages/encode.ts";
import { type PeerFeatureFlag, RoutePeerInfo } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import {
  MAX_ANNOUNCEMENT_BYTES,
  MAX_EXPORTS_PER_PEER,
  MAX_HOSTNAME_LENGTH,
  MAX_VERSION_LENGTH,
} from "./limits.ts";
import { type FeatureFlags, type LocalInfo, NO_FEATURES, type PeerInfo } from "./types.ts";

/** What a node says about itself. */
type Announced = Pick<
  PeerInfo,
  | "peerId"
  | "hostname"
  | "ipv4"
  | "networkLength"
  | "exports"
  | "version"
  | "featureFlags"
  | "instanceId"
  | "natTypes"
  | "infoVersion"
  | "routeId"
>;

export interface Announcement {
  /** As it came: what is passed on. */
  readonly raw: Uint8Array;
  /** False when it holds a value that ends the process of some nodes that get it (routes-rpc.md 11). */
  readonly harmless: boolean;
  readonly announced: Announced;
}

const DEFAULT_NETWORK_LENGTH = 24;

/** Reads an announcement; undefined when it is unreadable, too large, a placeholder (version 0) or of nobody. */
export function readAnnouncement(raw: Uint8Array): Announcement | undefined {
  if (raw.length > MAX_ANNOUNCEMENT_BYTES) return undefined;
  const info = tryDecode(RoutePeerInfo, raw);
  if (info === undefined || info.peerId === 0 || info.version === 0) return undefined;
  const ipv4 = info.ipv4Addr?.addr ?? 0;
  return {
    raw,
    harmless: isHarmless(info),
    announced: Object.freeze({
      peerId: info.peerId,
      hostname: displayText(info.hostname ?? "", MAX_HOSTNAME_LENGTH),
      ipv4,
      networkLength: info.networkLength > 32 ? DEFAULT_NETWORK_LENGTH : info.networkLength,
      exports: Object.freeze(parsePrefixes(info.proxyCidrs)),
      version: displayText(info.easytierVersion, MAX_VERSION_LENGTH),
      featureFlags: featureFlags(info.featureFlag),
      instanceId: info.instId === undefined ? "" : uuidText(info.instId),
      natTypes: Object.freeze({ udp: info.udpNatType, tcp: info.tcpNatType }),
      infoVersion: info.version,
      routeId: info.peerRouteId,
    }),
  };
}

/** Encodes our own announcement. `unixMs` = when it was made, undefined while we do not know the time. */
export function writeAnnouncement(
  local: LocalInfo,
  identity: { readonly peerId: number; readonly routeId: bigint; readonly version: number },
  unixMs: number | undefined,
): Uint8Array {
  const lastUpdate =
    unixMs === undefined
      ? undefined
      : { seconds: BigInt(Math.floor(unixMs / 1000)), nanos: Math.floor(unixMs % 1000) * 1_000_000 };
  return encode(RoutePeerInfo, {
    peerId: identity.peerId,
    instId: parseUuid(local.instanceId),
    ipv4Addr: local.ipv4 === 0 ? undefined : { addr: local.ipv4 },
    proxyCidrs: local.exports.slice(0, MAX_EXPORTS_PER_PEER).map(prefixText),
    hostname: local.hostname.slice(0, MAX_HOSTNAME_LENGTH),
    udpNatType: local.natTypes.udp,
    lastUpdate,
    version: identity.version,
    easytierVersion: local.version.slice(0, MAX_VERSION_LENGTH),
    featureFlag: wireFlags(local.featureFlags),
    peerRouteId: identity.routeId,
    networkLength: local.ipv4 === 0 ? DEFAULT_NETWORK_LENGTH : Math.min(32, Math.max(0, local.networkLength)),
    tcpNatType: local.natTypes.tcp,
  });
}

export function prefixText({ network, prefixLength }: Ipv4Prefix): string {
  return `${ipv4Text(network)}/${prefixLength}`;
}

/** A canonical "a.b.c.d/len"; undefined for anything else, host bits included. */
export function parsePrefix(text: string): Ipv4Prefix | undefined {
  const match = /^([\d.]{7,15})\/(\d{1,2})$/.exec(text);
  const network = match === null ? undefined : parseIpv4(match[1]!);
  if (match === null || network === undefined) return undefined;
  const prefixLength = Number(match[2]);
  if (prefixLength > 32 || (network & ~prefixMask(prefixLength)) !== 0) return undefined;
  return { network, prefixLength };
}

function parsePrefixes(texts: readonly string[]): Ipv4Prefix[] {
  const prefixes: Ipv4Prefix[] = [];
  for (const text of texts) {
    const prefix = parsePrefix(text);
    if (prefix !== undefined) prefixes.push(Object.freeze(prefix));
    if (prefixes.length === MAX_EXPORTS_PER_PEER) break;
  }
  return prefixes;
}

function isHarmless(info: RoutePeerInfo): boolean {
  const inets = [info.ipv6Addr, info.ipv6PublicAddrPrefix, info.ipv6PublicAddrLease];
  return info.networkLength <= 32 && inets.every((inet) => (inet?.networkLength ?? 0) <= 128);
}

/** Others' words, fit to be printed: short, and without characters that steer a terminal. */
function displayText(text: string, maxLength: number): string {
  const printable = Array.from(text.slice(0, maxLength), (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 || (code >= 0x7f && code < 0xa0) ? "\ufffd" : character;
  });
  return printable.join("");
}

function featureFlags(flag: PeerFeatureFlag | undefined): FeatureFlags {
  if (flag === undefined) return NO_FEATURES;
  return Object.freeze({
    isPublicServer: flag.isPublicServer,
    avoidRelayData: flag.avoidRelayData,
    kcpInput: flag.kcpInput,
    noRelayKcp: flag.noRelayKcp,
    supportConnListSync: flag.supportConnListSync,
    quicInput: flag.quicInput,
    noRelayQuic: flag.noRelayQuic,
    isCredentialPeer: flag.isCredentialPeer,
    needP2p: flag.needP2p,
    disableP2p: flag.disableP2p,
    ipv6PublicAddrProvider: flag.ipv6PublicAddrProvider,
  });
}

/** Rows in list form we always read; whether a node is a credential peer is said by others, never by itself. */
function wireFlags(flags: FeatureFlags): Init<PeerFeatureFlag> {
  return { ...flags, supportConnListSync: true, isCredentialPeer: false };
}
