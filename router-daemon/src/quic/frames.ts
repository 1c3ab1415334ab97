/** Frames (RFC 9000, 19; those of proxies.md 6.9): one reader that walks a payload, one writer that fills one. */
import { FLOAT_ZERO } from "kcp-ts/recovery";
import { MAX_CID_BYTES } from "./packet.ts";
import { Cursor, VARINT_LIMIT, varintBytes, writeVarint } from "./varint.ts";

export const FrameType = {
  padding: 0x00,
  ping: 0x01,
  ack: 0x02,
  ackEcn: 0x03,
  resetStream: 0x04,
  stopSending: 0x05,
  crypto: 0x06,
  newToken: 0x07,
  /** 0x08 … 0x0f: bits `StreamBit`. */
  stream: 0x08,
  maxData: 0x10,
  maxStreamData: 0x11,
  maxStreamsBidi: 0x12,
  maxStreamsUni: 0x13,
  dataBlocked: 0x14,
  streamDataBlocked: 0x15,
  streamsBlockedBidi: 0x16,
  streamsBlockedUni: 0x17,
  newConnectionId: 0x18,
  retireConnectionId: 0x19,
  pathChallenge: 0x1a,
  pathResponse: 0x1b,
  connectionClose: 0x1c,
  applicationClose: 0x1d,
  handshakeDone: 0x1e,
} as const;

export const StreamBit = { fin: 1, length: 2, offset: 4 } as const;

/** Error codes of CONNECTION_CLOSE (RFC 9000, 20.1). */
export const QuicError = {
  none: 0x0,
  internal: 0x1,
  refused: 0x2,
  flowControl: 0x3,
  streamLimit: 0x4,
  streamState: 0x5,
  finalSize: 0x6,
  frameEncoding: 0x7,
  transportParameter: 0x8,
  connectionIdLimit: 0x9,
  protocolViolation: 0xa,
  invalidToken: 0xb,
  application: 0xc,
  cryptoBuffer: 0xd,
  keyUpdate: 0xe,
} as const;

/** Results of `FrameReader.next` beside a frame's type. */
export const Frames = { end: -1, malformed: -2, unknown: -3 } as const;

/** Bytes of a PATH_CHALLENGE, and of a stateless reset token. */
const CHALLENGE_BYTES = 8;
export const RESET_TOKEN_BYTES = 16;

/**
 * Walks the frames of a payload. `next` gives the type of the next frame (STREAM frames as 0x08 whatever their bits) and sets
 * the fields that belong to it; the others keep old values.
 */
export class FrameReader {
  /** Stream frames and those that limit or end one. */
  streamId = 0;
  offset = FLOAT_ZERO;
  /** Data of STREAM and CRYPTO, token, challenge, reason phrase. */
  dataAt = 0;
  dataBytes = 0;
  fin = false;
  /** The limit that a MAX_… frame grants, the final size of RESET_STREAM, a connection ID's sequence number. */
  value = FLOAT_ZERO;
  retirePriorTo = 0;
  /** Of RESET_STREAM, STOP_SENDING and the closes. */
  errorCode = 0;
  // ACK: the ranges follow with `nextRange`, the highest first.
  largest = 0;
  ackDelay = 0;
  rangeLow = 0;
  rangeHigh = 0;
  #rangesLeft = 0;
  #firstRange = 0;
  readonly #ranges = new Cursor(new Uint8Array(0));
  readonly #cursor = new Cursor(new Uint8Array(0));

  reset(bytes: Uint8Array, at: number, length: number): void {
    this.#cursor.reset(bytes, at, at + length);
  }

  /** A frame's type, or one of `Frames`. */
  next(): number {
    const cursor = this.#cursor;
    if (cursor.left === 0) return Frames.end;
    const before = cursor.at;
    const type = cursor.varint();
    // A type must be written in the fewest bytes (RFC 9000, 12.4).
    if (cursor.at - before !== varintBytes(type)) return Frames.malformed;
    const result = this.#body(type, cursor);
    return cursor.failed ? Frames.malformed : result;
  }

  #body(type: number, cursor: Cursor): number {
    if (type >= 0x08 && type <= 0x0f) {
      this.streamId = cursor.varint();
      this.offset = (type & StreamBit.offset) === 0 ? 0 : cursor.varint();
      this.dataBytes = (type & StreamBit.length) === 0 ? cursor.left : cursor.varint();
      this.dataAt = cursor.skip(this.dataBytes);
      this.fin = (type & StreamBit.fin) !== 0;
      return this.offset + this.dataBytes >= VARINT_LIMIT ? Frames.malformed : FrameType.stream;
    }
    switch (type) {
      case FrameType.padding:
        while (cursor.left > 0 && cursor.bytes[cursor.at] === 0) cursor.at++;
        return type;
      case FrameType.ping:
      case FrameType.handshakeDone:
        return type;
      case FrameType.ack:
      case FrameType.ackEcn:
        return this.#ack(type, cursor);
      case FrameType.resetStream:
        this.streamId = cursor.varint();
        this.errorCode = cursor.varint();
        this.value = cursor.varint();
        return type;
      case FrameType.stopSending:
        this.streamId = cursor.varint();
        this.errorCode = cursor.varint();
        return type;
      case FrameType.crypto:
        this.offset = cursor.varint();
        this.#data(cursor, cursor.varint());
        return type;
      case FrameType.newToken:
        this.#data(cursor, cursor.varint());
        return this.dataBytes === 0 ? Frames.malformed : type;
      case FrameType.maxStreamData:
      case FrameType.streamDataBlocked:
        this.streamId = cursor.varint();
        this.value = cursor.varint();
        return type;
      case FrameType.maxData:
      case FrameType.dataBlocked:
      case FrameType.retireConnectionId:
        this.value = cursor.varint();
        return type;
      case FrameType.maxStreamsBidi:
      case FrameType.maxStreamsUni:
      case FrameType.streamsBlockedBidi:
      case FrameType.streamsBlockedUni:
        this.value = cursor.varint();
        return this.value > 2 ** 60 ? Frames.malformed : type;
      case FrameType.newConnectionId:
        this.value = cursor.varint();
        this.retirePriorTo = cursor.varint();
        this.#data(cursor, cursor.u8());
        cursor.skip(RESET_TOKEN_BYTES);
        return this.dataBytes < 1 || this.dataBytes > MAX_CID_BYTES || this.retirePriorTo > this.value
          ? Frames.malformed
          : type;
      case FrameType.pathChallenge:
      case FrameType.pathResponse:
        this.#data(cursor, CHALLENGE_BYTES);
        return type;
      case FrameType.connectionClose:
        this.errorCode = cursor.varint();
        cursor.varint();
        this.#data(cursor, cursor.varint());
        return type;
      case FrameType.applicationClose:
        this.errorCode = cursor.varint();
        this.#data(cursor, cursor.varint());
        return type;
      default:
        return Frames.unknown;
    }
  }

  #data(cursor: Cursor, length: number): void {
    this.dataBytes = length;
    this.dataAt = cursor.skip(length);
  }

  /** Reads an ACK to its end once, so that `nextRange` need not check anything. */
  #ack(type: number, cursor: Cursor): number {
    this.largest = cursor.varint();
    this.ackDelay = cursor.varint();
    this.#rangesLeft = cursor.varint();
    this.#firstRange = cursor.varint();
    this.#ranges.reset(cursor.bytes, cursor.at, cursor.end);
    let low = this.largest - this.#firstRange;
    for (let i = 0; i < this.#rangesLeft && low >= 0 && !cursor.failed; i++) {
      low -= cursor.varint() + 2;
      if (low >= 0) low -= cursor.varint();
    }
    if (type === FrameType.ackEcn) for (let i = 0; i < 3; i++) cursor.varint();
    this.rangeHigh = -1;
    return low < 0 ? Frames.malformed : FrameType.ack;
  }

  /** The next acknowledged range, `rangeLow` … `rangeHigh`; false after the last. */
  nextRange(): boolean {
    if (this.rangeHigh < 0) {
      this.rangeHigh = this.largest;
      this.rangeLow = this.largest - this.#firstRange;
      return true;
    }
    if (this.#rangesLeft === 0) return false;
    this.#rangesLeft--;
    this.rangeHigh = this.rangeLow - this.#ranges.varint() - 2;
    this.rangeLow = this.rangeHigh - this.#ranges.varint();
    return true;
  }
}

/** Fills a payload with frames. The caller has checked that there is `room`. */
export class FrameWriter {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;

  begin(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get room(): number {
    return this.end - this.at;
  }

  /** A frame of a type and up to three integers. */
  put(type: number, a = -1, b = -1, c = -1): void {
    const { bytes } = this;
    let at = writeVarint(bytes, this.at, type);
    if (a >= 0) at = writeVarint(bytes, at, a);
    if (b >= 0) at = writeVarint(bytes, at, b);
    if (c >= 0) at = writeVarint(bytes, at, c);
    this.at = at;
  }

  /** Bytes that are part of the frame just begun with `put`. */
  append(data: Uint8Array): void {
    for (let i = 0; i < data.length; i++) this.bytes[this.at++] = data[i]!;
  }

  padding(length: number): void {
    if (length <= 0) return;
    this.bytes.fill(0, this.at, this.at + length);
    this.at += length;
  }
}

/** Bytes of the longest frame that is made of integers: type and three of 8 bytes. */
export const MAX_SMALL_FRAME_BYTES = 1 + 3 * 8;
