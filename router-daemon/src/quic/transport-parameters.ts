/**
 * Transport parameters (RFC 9000, 18): the whole "handshake" of EasyTier's QUIC is one block of them each way (proxies.md 6.6,
 * 6.7). A block is a sequence of (id, length, value); unknown ids are skipped.
 */
import { QuicError, RESET_TOKEN_BYTES } from "./frames.ts";
import { MAX_CID_BYTES } from "./packet.ts";
import { Cursor, varintBytes, writeVarint } from "./varint.ts";

/** Longest block that is read: stock ones have 80 to 160 bytes. */
export const MAX_PARAMETER_BYTES = 1024;
/** Most parameters of a block. */
export const MAX_PARAMETERS = 64;
export const MIN_DATAGRAM_BYTES = 1200;

export const ParameterId = {
  originalDestinationCid: 0x00,
  maxIdleTimeout: 0x01,
  statelessResetToken: 0x02,
  maxUdpPayloadSize: 0x03,
  initialMaxData: 0x04,
  initialMaxStreamDataBidiLocal: 0x05,
  initialMaxStreamDataBidiRemote: 0x06,
  initialMaxStreamDataUni: 0x07,
  initialMaxStreamsBidi: 0x08,
  initialMaxStreamsUni: 0x09,
  ackDelayExponent: 0x0a,
  maxAckDelay: 0x0b,
  disableActiveMigration: 0x0c,
  preferredAddress: 0x0d,
  activeConnectionIdLimit: 0x0e,
  initialSourceCid: 0x0f,
  retrySourceCid: 0x10,
  /**
   * Of our own: the sender is a node of our kind, its value the largest datagram it takes (docs/protocol.md). Stock nodes skip it.
   */
  kcpRouter: 0x6b635254,
} as const;

/** What one end says of itself. Sizes in bytes, times in milliseconds. */
export interface TransportParameters {
  maxIdleTimeoutMs: number;
  maxDatagramBytes: number;
  maxData: number;
  /** Of streams that the sender of the block opens, and of those that its peer opens. */
  maxStreamDataLocal: number;
  maxStreamDataRemote: number;
  maxStreams: number;
  ackDelayExponent: number;
  maxAckDelayMs: number;
  sourceCid: Uint8Array | undefined;
  /** Of the server only. */
  originalDestinationCid: Uint8Array | undefined;
  statelessResetToken: Uint8Array | undefined;
  retrySourceCid: boolean;
  /** 0 = a stock node. */
  extendedDatagramBytes: number;
}

/** RFC 9000, 18.2: what holds where a block says nothing. */
export const DEFAULT_PARAMETERS: Readonly<TransportParameters> = {
  maxIdleTimeoutMs: 0,
  maxDatagramBytes: 65527,
  maxData: 0,
  maxStreamDataLocal: 0,
  maxStreamDataRemote: 0,
  maxStreams: 0,
  ackDelayExponent: 3,
  maxAckDelayMs: 25,
  sourceCid: undefined,
  originalDestinationCid: undefined,
  statelessResetToken: undefined,
  retrySourceCid: false,
  extendedDatagramBytes: 0,
};

/** The block of `parameters`, in the order of their ids; values that are the default are left out. */
export function encodeParameters(parameters: TransportParameters): Uint8Array {
  const bytes = new Uint8Array(MAX_PARAMETER_BYTES);
  let at = 0;
  const putBytes = (id: number, value: Uint8Array | undefined): void => {
    if (value === undefined) return;
    at = writeVarint(bytes, at, id);
    at = writeVarint(bytes, at, value.length);
    bytes.set(value, at);
    at += value.length;
  };
  const put = (id: number, value: number, unless: number): void => {
    if (value === unless) return;
    at = writeVarint(bytes, at, id);
    at = writeVarint(bytes, at, varintBytes(value));
    at = writeVarint(bytes, at, value);
  };
  const p = parameters;
  const d = DEFAULT_PARAMETERS;
  putBytes(ParameterId.originalDestinationCid, p.originalDestinationCid);
  put(ParameterId.maxIdleTimeout, p.maxIdleTimeoutMs, d.maxIdleTimeoutMs);
  putBytes(ParameterId.statelessResetToken, p.statelessResetToken);
  put(ParameterId.maxUdpPayloadSize, p.maxDatagramBytes, d.maxDatagramBytes);
  put(ParameterId.initialMaxData, p.maxData, 0);
  put(ParameterId.initialMaxStreamDataBidiLocal, p.maxStreamDataLocal, 0);
  put(ParameterId.initialMaxStreamDataBidiRemote, p.maxStreamDataRemote, 0);
  put(ParameterId.initialMaxStreamsBidi, p.maxStreams, 0);
  put(ParameterId.ackDelayExponent, p.ackDelayExponent, d.ackDelayExponent);
  put(ParameterId.maxAckDelay, p.maxAckDelayMs, d.maxAckDelayMs);
  putBytes(ParameterId.initialSourceCid, p.sourceCid);
  put(ParameterId.kcpRouter, p.extendedDatagramBytes, 0);
  return bytes.slice(0, at);
}

/** A decoded block, or the error code with which the connection is closed. */
export function decodeParameters(
  bytes: Uint8Array,
  at: number,
  length: number,
  fromServer: boolean,
): TransportParameters | number {
  if (length > MAX_PARAMETER_BYTES) return QuicError.cryptoBuffer;
  const result: TransportParameters = { ...DEFAULT_PARAMETERS };
  const cursor = new Cursor(bytes);
  cursor.reset(bytes, at, at + length);
  const seen = new Set<number>();
  while (cursor.left > 0) {
    const id = cursor.varint();
    const valueBytes = cursor.varint();
    const valueAt = cursor.skip(valueBytes);
    // Ids beyond 2^53 are rounded and could be taken for each other: none of them means anything here.
    if (cursor.failed || (seen.has(id) && id <= Number.MAX_SAFE_INTEGER) || seen.size === MAX_PARAMETERS) {
      return QuicError.transportParameter;
    }
    seen.add(id);
    if (!takeParameter(result, id, bytes, valueAt, valueBytes, fromServer))
      return QuicError.transportParameter;
  }
  return result;
}

/** False: the value is not allowed. */
function takeParameter(
  result: TransportParameters,
  id: number,
  bytes: Uint8Array,
  at: number,
  length: number,
  fromServer: boolean,
): boolean {
  const value = new Cursor(bytes);
  value.reset(bytes, at, at + length);
  /** The value as one integer that fills it; -1 when it is none. */
  const integer = (): number => {
    const read = value.varint();
    return value.failed || value.left > 0 ? -1 : read;
  };
  const within = (low: number, high: number, take: (read: number) => void): boolean => {
    const read = integer();
    if (read < low || read > high) return false;
    take(read);
    return true;
  };
  const any = 2 ** 62;
  switch (id) {
    case ParameterId.originalDestinationCid:
      result.originalDestinationCid = bytes.slice(at, at + length);
      return fromServer && length <= MAX_CID_BYTES;
    case ParameterId.maxIdleTimeout:
      return within(0, any, (read) => {
        result.maxIdleTimeoutMs = read;
      });
    case ParameterId.statelessResetToken:
      result.statelessResetToken = bytes.slice(at, at + length);
      return fromServer && length === RESET_TOKEN_BYTES;
    case ParameterId.maxUdpPayloadSize:
      return within(MIN_DATAGRAM_BYTES, any, (read) => {
        result.maxDatagramBytes = read;
      });
    case ParameterId.initialMaxData:
      return within(0, any, (read) => {
        result.maxData = read;
      });
    case ParameterId.initialMaxStreamDataBidiLocal:
      return within(0, any, (read) => {
        result.maxStreamDataLocal = read;
      });
    case ParameterId.initialMaxStreamDataBidiRemote:
      return within(0, any, (read) => {
        result.maxStreamDataRemote = read;
      });
    case ParameterId.initialMaxStreamDataUni:
      return within(0, any, () => {});
    case ParameterId.initialMaxStreamsBidi:
      return within(0, 2 ** 60, (read) => {
        result.maxStreams = read;
      });
    case ParameterId.initialMaxStreamsUni:
      return within(0, 2 ** 60, () => {});
    case ParameterId.ackDelayExponent:
      return within(0, 20, (read) => {
        result.ackDelayExponent = read;
      });
    case ParameterId.maxAckDelay:
      return within(0, 2 ** 14 - 1, (read) => {
        result.maxAckDelayMs = read;
      });
    case ParameterId.disableActiveMigration:
      return length === 0;
    case ParameterId.preferredAddress:
      return fromServer;
    case ParameterId.activeConnectionIdLimit:
      return within(2, any, () => {});
    case ParameterId.initialSourceCid:
      result.sourceCid = bytes.slice(at, at + length);
      return length <= MAX_CID_BYTES;
    case ParameterId.retrySourceCid:
      result.retrySourceCid = true;
      return fromServer;
    case ParameterId.kcpRouter:
      return within(MIN_DATAGRAM_BYTES, 65527, (read) => {
        result.extendedDatagramBytes = read;
      });
    default:
      return true;
  }
}
