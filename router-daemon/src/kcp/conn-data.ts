/**
 * What travels in the bodies of the opening (proxies.md 3.3) and of an RST, in this layer's own words. Between nodes of our kind
 * the SYN and the SYN+ACK carry capabilities; stock nodes skip the field they do not know (docs/protocol.md).
 */
import { tryDecode } from "../wire/messages/decode.ts";
import { encode } from "../wire/messages/encode.ts";
import { KcpAcceptData, KcpConnData, type SocketAddr } from "../wire/messages/gen/messages.ts";
import { MIN_EXTENDED_MTU } from "./limits.ts";
import type { CloseReason, KcpTarget, RefusalReason, SocketAddress } from "./types.ts";

/** Bodies of a SYN beyond this are not decoded: the longest honest one is below 80 bytes. */
export const MAX_CONNECTION_DATA_BYTES = 512;

/** What one end can do beyond EasyTier's KCP layer. Having sent it at all means: knows every rule of docs/protocol.md. */
export interface Capabilities {
  readonly extendedAcks: boolean;
  /** Largest KCP datagram (24-byte segment headers included) this end takes. */
  readonly mtu: number;
  readonly halfClose: boolean;
}

/** A decoded SYN. `target` is undefined when there is no IPv4 target to connect to. */
export interface SynData {
  readonly target: KcpTarget | undefined;
  readonly capabilities: Capabilities | undefined;
}

const UNSPECIFIED: SocketAddress = { ip: 0, port: 0 };

/** QUIC, which says elsewhere what an end can do, leaves `own` out. */
export function encodeSyn(target: KcpTarget, own?: Capabilities): Uint8Array {
  const addresses = { src: toMessage(target.source), dst: toMessage(target.destination) };
  if (own === undefined) return encode(KcpConnData, addresses);
  return encode(KcpConnData, {
    ...addresses,
    kcpRouter: { extendedAcks: own.extendedAcks, maxSegmentBytes: own.mtu, halfClose: own.halfClose },
  });
}

/** Undefined when the bytes are no connection data. */
export function decodeSyn(bytes: Uint8Array, offset: number, length: number): SynData | undefined {
  if (length > MAX_CONNECTION_DATA_BYTES) return undefined;
  const message = tryDecode(KcpConnData, bytes.subarray(offset, offset + length));
  if (message === undefined) return undefined;
  const destination = message.dst === undefined ? undefined : fromMessage(message.dst);
  const source = message.src === undefined ? undefined : fromMessage(message.src);
  return {
    // An IPv6 client is shown as unspecified; an IPv6 target cannot be served (proxies.md 3.3).
    target: destination === undefined ? undefined : { source: source ?? UNSPECIFIED, destination },
    capabilities: readCapabilities(message.kcpRouter),
  };
}

/** The body of a SYN+ACK to a node of our kind: what both ends can do. */
export function encodeAccept(agreed: Capabilities): Uint8Array {
  return encode(KcpAcceptData, {
    kcpRouter: {
      extendedAcks: agreed.extendedAcks,
      maxSegmentBytes: agreed.mtu,
      halfClose: agreed.halfClose,
    },
  });
}

/** Undefined: the destination is a stock node. */
export function decodeAccept(bytes: Uint8Array, offset: number, length: number): Capabilities | undefined {
  if (length === 0 || length > MAX_CONNECTION_DATA_BYTES) return undefined;
  return readCapabilities(tryDecode(KcpAcceptData, bytes.subarray(offset, offset + length))?.kcpRouter);
}

/** What both can do. */
export function agree(a: Capabilities, b: Capabilities): Capabilities {
  return {
    extendedAcks: a.extendedAcks && b.extendedAcks,
    mtu: Math.min(a.mtu, b.mtu),
    halfClose: a.halfClose && b.halfClose,
  };
}

function readCapabilities(
  message: { extendedAcks: boolean; maxSegmentBytes: number; halfClose: boolean } | undefined,
): Capabilities | undefined {
  if (message === undefined) return undefined;
  const { extendedAcks, maxSegmentBytes, halfClose } = message;
  return { extendedAcks, mtu: Math.max(MIN_EXTENDED_MTU, maxSegmentBytes), halfClose };
}

function toMessage(address: SocketAddress) {
  return { ipv4: { addr: address.ip }, port: address.port };
}

/** Undefined for IPv6. An address without ip is 0.0.0.0:0, whatever its port. */
function fromMessage(message: SocketAddr): SocketAddress | undefined {
  if (message.ipv6 !== undefined) return undefined;
  if (message.ipv4 === undefined) return UNSPECIFIED;
  return { ip: message.ipv4.addr, port: message.port & 0xffff };
}

// ── reasons: one byte in the body of an RST between nodes of our kind ──────────────────────────────────────────────────
/** No reason: what the body of a stock RST says. */
export const NO_REASON = 0;

const CODES: Readonly<Record<RefusalReason, number>> = {
  refused: 1,
  target_refused: 2,
  target_timeout: 3,
  target_unreachable: 4,
  denied: 5,
  busy: 6,
  far_end_reset: 7,
};

export function reasonCode(reason: RefusalReason): number {
  return CODES[reason];
}

/** What an RST's code means to its receiver; `fallback` for codes of later versions and for none. */
export function reasonOf(code: number, fallback: CloseReason): CloseReason {
  for (const reason of Object.keys(CODES) as RefusalReason[]) {
    if (CODES[reason] === code) return reason;
  }
  return fallback;
}
