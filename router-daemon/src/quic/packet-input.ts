/**
 * Takes received datagrams apart: packets, checksum, packet number, frames.
 *
 * ```
 *  datagram ─▶ header ─▶ checksum (64-bit form, else 32-bit) ─▶ number: new? ─▶ frames ─▶ Connection, StreamCore
 *                                                                               └▶ space.handleReceived: to be acknowledged
 * ```
 */
import type { SlotPool } from "kcp-ts";
import { type Checksum, type ChecksumForm, otherForm } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { FrameReader, Frames, FrameType, QuicError } from "./frames.ts";
import { TAKE_SLOT_BYTES } from "./limits.ts";
import { expandNumber, PacketHeader, PacketKind } from "./packet.ts";
import type { PacketSpace } from "./packet-space.ts";
import { Arrival } from "./receive-buffer.ts";
import type { StreamCore } from "./stream-core.ts";
import type { QuicEndpointCounters } from "./types.ts";

export class PacketInput<Owner> {
  readonly header = new PacketHeader();
  readonly #pool: SlotPool;
  readonly #counters: QuicEndpointCounters;
  readonly #checksum: Checksum;
  readonly #frames = new FrameReader();

  // Of the packet being read.
  #asksForAck = false;
  /** Its data found no room: it must not be acknowledged. */
  #isRefused = false;
  #slot = -1;
  #tookSlot = false;

  constructor(pool: SlotPool, counters: QuicEndpointCounters, checksum: Checksum) {
    this.#checksum = checksum;
    this.#pool = pool;
    this.#counters = counters;
  }

  /** A datagram for this connection; true = its slot was taken. */
  receive(connection: Connection<Owner>, slot: number, offset: number, length: number, now: number): boolean {
    const { header } = this;
    const { bytes } = this.#pool;
    const end = offset + length;
    connection.now = now;
    connection.receivedBytes += length;
    this.#slot = slot;
    this.#tookSlot = false;
    for (let at = offset; at < end; at = header.end) {
      if (!header.read(bytes, at, end)) {
        this.#counters.droppedMalformed++;
        break;
      }
      if (!this.#receivePacket(connection, now)) break;
    }
    return this.#tookSlot;
  }

  /** Any packet of the datagram of an unknown connection: its checksum fits in one of the forms. */
  verifiesAnyForm(form: ChecksumForm): ChecksumForm | 0 {
    if (this.#verifies(form)) return form;
    return this.#verifies(otherForm(form)) ? otherForm(form) : 0;
  }

  #verifies(form: ChecksumForm): boolean {
    const { headerAt, headerBytes, payloadBytes } = this.header;
    return this.#checksum.verify(this.#pool.bytes, headerAt, headerBytes, payloadBytes, form);
  }

  /** False: the rest of the datagram is not worth reading. */
  #receivePacket(connection: Connection<Owner>, now: number): boolean {
    const { header } = this;
    const { kind } = header;
    if (!this.#isForConnection(connection)) {
      this.#counters.droppedUnknown++;
      return true;
    }
    if (!connection.isAlive) {
      if (this.#verifies(connection.form)) this.#receiveClosed(connection, now);
      return false;
    }
    const space =
      kind === PacketKind.initial
        ? connection.initial
        : kind === PacketKind.handshake
          ? connection.handshake
          : connection.data;
    // What comes too late (or, 1-RTT at the client, too early) is left to be sent again.
    const isTooEarly =
      space !== connection.initial && !connection.isOpen && connection.peer.sourceCid === undefined;
    if (space.isDropped || (isTooEarly && (!connection.isClient || space === connection.data))) return true;
    if (!this.#verifies(connection.form)) {
      if (connection.isFormKnown || !this.#verifies(otherForm(connection.form))) {
        this.#counters.droppedChecksum++;
        return true;
      }
      connection.form = otherForm(connection.form);
    }
    connection.isFormKnown = true;
    const number = expandNumber(header.truncatedNumber, header.numberBytes, space.received.largest);
    if (space.received.has(number)) {
      this.#counters.droppedDuplicate++;
      // The peer may not have heard that it has arrived.
      if (space.owesAck) space.ackAtMs = now;
      return true;
    }
    connection.noteHeard(now);
    if (header.reservedBits !== 0) {
      connection.fail(QuicError.protocolViolation, now);
      return false;
    }
    if (kind === PacketKind.short) this.#notePhase(connection, number);
    if (kind === PacketKind.initial && connection.isClient && !connection.hasRemoteCid) {
      connection.hasRemoteCid = true;
      connection.remoteCid = this.#scid();
    }
    this.#asksForAck = false;
    this.#isRefused = false;
    const wasOpen = connection.isOpen;
    const error = this.#readFrames(connection, space, now);
    if (error !== 0) {
      connection.fail(error, now);
      return false;
    }
    if (!connection.isAlive) return false;
    if (this.#isRefused) this.#counters.droppedNoRoom++;
    else space.handleReceived(number, this.#asksForAck, space !== connection.data, now);
    this.#advance(connection, space, wasOpen, now);
    connection.host.requestPoll(connection);
    return true;
  }

  /** The handshake may have come a step further. */
  #advance(connection: Connection<Owner>, space: PacketSpace, wasOpen: boolean, now: number): void {
    if (wasOpen || connection.peer.sourceCid === undefined) return;
    // Client: a Handshake packet with the server's block. Server: any packet behind the Initial shows that the client has ours.
    if (space !== connection.initial) connection.open(now);
  }

  #isForConnection(connection: Connection<Owner>): boolean {
    const { header } = this;
    const { bytes } = this.#pool;
    const cid = connection.localCid;
    const isLocal = isSame(bytes, header.dcidAt, header.dcidBytes, cid);
    if (header.kind === PacketKind.short) return isLocal;
    if (
      !isLocal &&
      (connection.isClient || !isSame(bytes, header.dcidAt, header.dcidBytes, connection.originalCid))
    ) {
      return false;
    }
    // A client takes the server's ID from its first Initial, and hears no other afterwards (proxies.md 6.6).
    if (connection.isClient && !connection.hasRemoteCid) return header.kind === PacketKind.initial;
    return isSame(bytes, header.scidAt, header.scidBytes, connection.remoteCid);
  }

  #scid(): Uint8Array {
    const { scidAt, scidBytes } = this.header;
    return this.#pool.bytes.slice(scidAt, scidAt + scidBytes);
  }

  /** proxies.md 6.9: a peer flips the bit; a straggler of the old phase does not flip it back. */
  #notePhase(connection: Connection<Owner>, number: number): void {
    if (this.header.keyPhase === connection.keyPhase) return;
    if (number < connection.keyPhaseFrom) return;
    connection.keyPhase = this.header.keyPhase;
    connection.keyPhaseFrom = number;
  }

  /** Looks only for the peer's own close. */
  #receiveClosed(connection: Connection<Owner>, now: number): void {
    const frames = this.#frames;
    frames.reset(this.#pool.bytes, this.header.payloadAt, this.header.payloadBytes);
    for (let type = frames.next(); type >= 0; type = frames.next()) {
      if (type !== FrameType.connectionClose && type !== FrameType.applicationClose) continue;
      connection.handleClose(now);
      return;
    }
    connection.answerClosed();
  }

  /** 0, or the error that closes the connection. */
  #readFrames(connection: Connection<Owner>, space: PacketSpace, now: number): number {
    const frames = this.#frames;
    const { payloadAt, payloadBytes } = this.header;
    if (payloadBytes === 0) return QuicError.protocolViolation;
    frames.reset(this.#pool.bytes, payloadAt, payloadBytes);
    for (;;) {
      const type = frames.next();
      switch (type) {
        case Frames.end:
          return 0;
        case Frames.malformed:
        case Frames.unknown:
          return QuicError.frameEncoding;
        case FrameType.padding:
          continue;
        case FrameType.ack: {
          const error = connection.handleAck(space, frames, now);
          if (error !== 0) return error;
          continue;
        }
        case FrameType.connectionClose:
        case FrameType.applicationClose:
          connection.handleClose(now);
          return 0;
        default:
      }
      this.#asksForAck = true;
      if (type === FrameType.ping) continue;
      const error =
        type === FrameType.crypto
          ? this.#crypto(connection, space)
          : space === connection.data
            ? this.#dataFrame(connection, type, now)
            : QuicError.protocolViolation;
      if (error !== 0) return error;
    }
  }

  /** The peer's block is the whole of it, at offset 0; later CRYPTO data means nothing (proxies.md 6.6). */
  #crypto(connection: Connection<Owner>, space: PacketSpace): number {
    const { offset, dataAt, dataBytes } = this.#frames;
    const expected = connection.isClient ? connection.handshake : connection.initial;
    if (space !== expected || offset !== 0 || connection.peer.sourceCid !== undefined) return 0;
    return connection.handleBlock(dataAt, dataBytes, this.#scid());
  }

  /** Frames that only 1-RTT packets have. */
  #dataFrame(connection: Connection<Owner>, type: number, now: number): number {
    const frames = this.#frames;
    switch (type) {
      case FrameType.stream:
      case FrameType.resetStream:
      case FrameType.stopSending:
      case FrameType.maxStreamData:
      case FrameType.streamDataBlocked:
        return this.#streamFrame(connection, type, now);
      case FrameType.maxData:
        connection.handleMaxData(frames.value);
        return 0;
      case FrameType.maxStreamsBidi:
        connection.handleMaxStreams(frames.value, now);
        return 0;
      case FrameType.newToken:
      case FrameType.handshakeDone:
        if (!connection.isClient) return QuicError.protocolViolation;
        if (type === FrameType.handshakeDone) connection.confirm();
        return 0;
      case FrameType.newConnectionId:
        return connection.handleNewConnectionId(frames, now);
      case FrameType.retireConnectionId:
        // We have issued none but the first, which is in use.
        return QuicError.protocolViolation;
      case FrameType.pathChallenge:
        connection.pathResponse = this.#pool.bytes.slice(frames.dataAt, frames.dataAt + frames.dataBytes);
        return 0;
      case FrameType.pathResponse:
        return QuicError.protocolViolation;
      default:
        // Limits of unidirectional streams, which there are none of, and what the peer would like to send.
        return 0;
    }
  }

  #streamFrame(connection: Connection<Owner>, type: number, now: number): number {
    const frames = this.#frames;
    const core = connection.streamFor(frames.streamId, now);
    if (core === undefined) return 0;
    if (typeof core === "number") return core;
    switch (type) {
      case FrameType.stream:
        return this.#streamData(core, now);
      case FrameType.resetStream:
        return core.handleReset(frames.errorCode, frames.value, now);
      case FrameType.stopSending:
        core.handleStop(frames.errorCode, now);
        return 0;
      case FrameType.maxStreamData:
        if (frames.value > core.maxSend) {
          core.maxSend = frames.value;
          connection.isBlocked = false;
          connection.requestOutput(core);
        }
        return 0;
      default:
        return 0;
    }
  }

  #streamData(core: StreamCore, now: number): number {
    const { offset, dataAt, dataBytes, fin } = this.#frames;
    // Only the packet's last frame may keep the slot: the others are still to be read from it.
    const { payloadAt, payloadBytes } = this.header;
    const isLast = dataAt + dataBytes === payloadAt + payloadBytes;
    const mayTake = isLast && !this.#tookSlot && dataBytes >= TAKE_SLOT_BYTES && this.#slot >= 0;
    const result = core.handleData(offset, mayTake ? this.#slot : -1, dataAt, dataBytes, fin, now);
    if (result < 0) return -result;
    if (result === Arrival.tookSlot) this.#tookSlot = true;
    if (result === Arrival.noRoom) this.#isRefused = true;
    return 0;
  }
}

function isSame(bytes: Uint8Array, at: number, length: number, cid: Uint8Array): boolean {
  if (length !== cid.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== cid[i]) return false;
  return true;
}
