/**
 * Puts datagrams together, for one `poll` of the endpoint.
 *
 * Stream data is sent where it lies: headers are written in front of a chunk, the checksum behind it, one chunk per datagram.
 * Everything else (handshake, acknowledgements, limits, ends) is written into slots of this object, several packets of different
 * spaces in one datagram where they fit. What was pushed stays as it is until the next `poll`, as the sink was promised.
 */
import { Limit, type SlotPool } from "kcp-ts";
import { type Checksum, TAG_BYTES } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { FrameType, FrameWriter, MAX_SMALL_FRAME_BYTES, QuicError, StreamBit } from "./frames.ts";
import {
  ACK_DELAY_EXPONENT,
  ACK_PING_RANGES,
  AMPLIFICATION_FACTOR,
  CONTROL_SLOTS,
  PARTIAL_FREE_PACKETS,
  PARTIAL_INTERVAL_MS,
  STOCK_DATAGRAM_BYTES,
  STREAM_QUANTUM_DATAGRAMS,
} from "./limits.ts";
import {
  longHeaderBytes,
  MIN_PAYLOAD_BYTES,
  numberBytesFor,
  PacketKind,
  shortHeaderBytes,
  writeLongHeader,
  writeShortHeader,
} from "./packet.ts";
import type { PacketSpace } from "./packet-space.ts";
import { Item, RecordState, Record as Sent } from "./sent-packets.ts";
import type { StreamCore } from "./stream-core.ts";
import type { QuicPacketSink } from "./types.ts";
import { varintBytes, writeVarint } from "./varint.ts";

/** Room that a packet without stream data needs at least: with less a new datagram is begun. */
const MIN_PACKET_ROOM = 160;
/** Room for the frames that end or limit a stream, in front of which no further frame is put. */
const STREAM_FRAMES_ROOM = 4 * MAX_SMALL_FRAME_BYTES;

export class ConnectionOutput<Owner> {
  readonly #pool: SlotPool;
  readonly #checksum: Checksum;
  readonly #writer = new FrameWriter();
  /** Taken at the start: an exhausted pool must not silence the endpoint. */
  readonly #slots: number[] = [];
  #slotsUsed = 0;
  /** Next free byte and end of the slot in use. */
  #at = 0;
  #end = 0;
  #sink: QuicPacketSink | undefined = undefined;
  #now = 0;
  /** The sink takes no more in this `poll`. */
  isStopped = false;
  /** The connection being polled has more. */
  isCut = false;

  /** Throws a RangeError when the pool has no slots for it. */
  constructor(pool: SlotPool, checksum: Checksum) {
    this.#checksum = checksum;
    this.#pool = pool;
    if (pool.freeSlots < CONTROL_SLOTS) {
      throw new RangeError(
        `A QUIC endpoint needs ${CONTROL_SLOTS} free slots of its own; use a larger pool.`,
      );
    }
    for (let i = 0; i < CONTROL_SLOTS; i++) this.#slots.push(pool.alloc());
  }

  begin(sink: QuicPacketSink, now: number): void {
    this.#sink = sink;
    this.#now = now;
    this.isStopped = false;
    this.#slotsUsed = 0;
    this.#at = 0;
    this.#end = 0;
  }

  end(): void {
    this.#sink = undefined;
  }

  dispose(): void {
    for (const slot of this.#slots) this.#pool.free(slot);
    this.#slots.length = 0;
  }

  /** Sends what is due, at most `quantum` datagrams of data. */
  poll(connection: Connection<Owner>, quantum: number): void {
    if (!connection.isAlive) {
      if (connection.owesClose) this.#sendClose(connection);
      return;
    }
    connection.recovery.settle(this.#now);
    while (!this.isStopped && this.#hasControl(connection)) if (!this.#sendControl(connection)) break;
    if (connection.isOpen) this.#sendData(connection, quantum);
  }

  // ── datagrams without stream data ───────────────────────────────────────────────────────────────────────────────────

  #hasControl(connection: Connection<Owner>): boolean {
    if (connection.pending !== 0 || connection.pendingHead !== undefined) return true;
    if (connection.pathResponse !== undefined || connection.retire.length > 0) return true;
    for (const space of connection.spaces) if (space.owesPing || space.ackAtMs <= this.#now) return true;
    return false;
  }

  /** One datagram. False: there is no room for it now, or it would be empty. */
  #sendControl(connection: Connection<Owner>): boolean {
    if (!this.#mayAnswer(connection)) return false;
    if (!this.#openDatagram(connection)) {
      this.isCut = true;
      return false;
    }
    const from = this.#at;
    const limit = Math.min(this.#end, from + connection.datagramBytes);
    for (const space of connection.spaces) {
      if (space.isDropped || limit - this.#at < MIN_PACKET_ROOM) continue;
      if (space === connection.data && !connection.isOpen) continue;
      this.#buildPacket(connection, space, limit);
    }
    return this.#push(connection, from, this.#at - from);
  }

  /** A server sends little until the client has shown that it hears (RFC 9000, 8.1). */
  #mayAnswer(connection: Connection<Owner>): boolean {
    return (
      connection.isClient ||
      connection.isOpen ||
      connection.sentBytes < AMPLIFICATION_FACTOR * connection.receivedBytes
    );
  }

  #openDatagram(connection: Connection<Owner>): boolean {
    const wanted = connection.isOpen ? 2 * MIN_PACKET_ROOM : STOCK_DATAGRAM_BYTES;
    if (this.#at + wanted <= this.#end) return true;
    if (this.#slotsUsed === this.#slots.length) return false;
    this.#at = this.#slots[this.#slotsUsed++]! * this.#pool.slotBytes;
    this.#end = this.#at + this.#pool.slotBytes;
    return true;
  }

  #push(connection: Connection<Owner>, at: number, length: number): boolean {
    if (length === 0) return false;
    connection.sentBytes += length;
    if (!this.#sink!.packet(connection.peerId, at, length)) this.isStopped = true;
    return true;
  }

  /** One packet of a space at `#at`, if there is anything to say in it. */
  #buildPacket(connection: Connection<Owner>, space: PacketSpace, limit: number): void {
    const { remoteCid, localCid } = connection;
    const numberBytes = numberBytesFor(space.nextNumber, space.largestAcked);
    const headerBytes =
      space.kind === PacketKind.short
        ? shortHeaderBytes(remoteCid.length, numberBytes)
        : longHeaderBytes(space.kind, remoteCid.length, localCid.length, numberBytes);
    const packetAt = this.#at;
    const payloadAt = packetAt + headerBytes;
    const writer = this.#writer;
    writer.begin(this.#pool.bytes, payloadAt, limit - TAG_BYTES);
    let told = -1;
    if (space.owesAck && space.received.count > 0) told = this.#writeAck(space);
    const framesAt = writer.at;
    let items = 0;
    let stream: StreamCore | undefined;
    if (space === connection.data) {
      items = this.#writeConnectionFrames(connection);
      stream = this.#nextPending(connection);
      if (stream !== undefined) items |= this.#writeStreamFrames(stream);
    } else items = this.#writeBlock(connection, space);
    const asksItself = told >= 0 && space.received.count >= ACK_PING_RANGES && space.sent.flying === 0;
    if (space.owesPing || (asksItself && writer.at === framesAt)) {
      writer.put(FrameType.ping);
      space.owesPing = false;
    }
    const isEliciting = writer.at > framesAt;
    if (writer.at === payloadAt) return;
    if (space.kind === PacketKind.initial && connection.isClient) {
      writer.padding(STOCK_DATAGRAM_BYTES - TAG_BYTES - (writer.at - packetAt));
    }
    writer.padding(MIN_PAYLOAD_BYTES - (writer.at - payloadAt));
    const payloadBytes = writer.at - payloadAt;
    this.#seal(connection, space, packetAt, numberBytes, payloadBytes);
    this.#at = payloadAt + payloadBytes + TAG_BYTES;
    const number = space.nextNumber++;
    if (!isEliciting) return;
    this.#noteSent(connection, space, number, this.#at - packetAt, items, stream, -1, told);
  }

  #noteSent(
    connection: Connection<Owner>,
    space: PacketSpace,
    number: number,
    bytes: number,
    items: number,
    stream: StreamCore | undefined,
    chunk: number,
    told: number,
  ): number {
    connection.lastElicitedAt = this.#now;
    if (connection.waitingSince === Infinity) connection.waitingSince = this.#now;
    return connection.recovery.handleSent(space, number, bytes, items, stream, chunk, told);
  }

  /** Header and checksum of a packet whose frames are written. */
  #seal(
    connection: Connection<Owner>,
    space: PacketSpace,
    at: number,
    numberBytes: number,
    payloadBytes: number,
  ): void {
    const { bytes } = this.#pool;
    const { remoteCid, localCid, keyPhase } = connection;
    const number = space.nextNumber;
    const payloadAt =
      space.kind === PacketKind.short
        ? writeShortHeader(bytes, at, remoteCid, keyPhase, number, numberBytes)
        : writeLongHeader(bytes, at, space.kind, remoteCid, localCid, number, numberBytes, payloadBytes);
    this.#checksum.write(bytes, at, payloadAt - at, payloadBytes, connection.form);
  }

  /** Returns the largest number that the ACK tells. */
  #writeAck(space: PacketSpace): number {
    const { received } = space;
    const writer = this.#writer;
    const delay = Math.floor(space.takeAck(this.#now) / 2 ** ACK_DELAY_EXPONENT);
    const largest = received.high(0);
    const room = writer.room - STREAM_FRAMES_ROOM;
    let count = 1;
    let bytes = MAX_SMALL_FRAME_BYTES;
    for (; count < received.count; count++) {
      const gap = received.low(count - 1) - received.high(count) - 2;
      bytes += varintBytes(gap) + varintBytes(received.high(count) - received.low(count));
      if (bytes > room) break;
    }
    writer.put(FrameType.ack, largest, delay, count - 1);
    let at = writeVarint(writer.bytes, writer.at, largest - received.low(0));
    for (let i = 1; i < count; i++) {
      at = writeVarint(writer.bytes, at, received.low(i - 1) - received.high(i) - 2);
      at = writeVarint(writer.bytes, at, received.high(i) - received.low(i));
    }
    writer.at = at;
    return largest;
  }

  /** The handshake: our block in the one space where it belongs. */
  #writeBlock(connection: Connection<Owner>, space: PacketSpace): number {
    const own = connection.isClient ? connection.initial : connection.handshake;
    if (space !== own || (connection.pending & Item.crypto) === 0) return 0;
    connection.pending &= ~Item.crypto;
    this.#writer.put(FrameType.crypto, 0, connection.block.length);
    this.#writer.append(connection.block);
    return Item.crypto;
  }

  #writeConnectionFrames(connection: Connection<Owner>): number {
    const writer = this.#writer;
    const items = connection.pending & ~Item.crypto;
    connection.pending &= Item.crypto;
    if ((items & Item.handshakeDone) !== 0) writer.put(FrameType.handshakeDone);
    if ((items & Item.maxData) !== 0) writer.put(FrameType.maxData, connection.maxDataLocal);
    if ((items & Item.maxStreams) !== 0) writer.put(FrameType.maxStreamsBidi, connection.maxStreamsLocal);
    if (connection.pathResponse !== undefined) {
      writer.put(FrameType.pathResponse);
      writer.append(connection.pathResponse);
      connection.pathResponse = undefined;
    }
    for (const number of connection.retire) writer.put(FrameType.retireConnectionId, number);
    connection.retire.length = 0;
    return items;
  }

  #nextPending(connection: Connection<Owner>): StreamCore | undefined {
    for (;;) {
      const core = connection.pendingHead;
      if (core === undefined) return undefined;
      if (this.#writer.room < STREAM_FRAMES_ROOM) return undefined;
      connection.leavePending();
      if (core.pending !== 0) return core;
    }
  }

  #writeStreamFrames(core: StreamCore): number {
    const writer = this.#writer;
    const items = core.pending;
    core.pending = 0;
    if ((items & Item.maxStreamData) !== 0) writer.put(FrameType.maxStreamData, core.id, core.maxReceive);
    if ((items & Item.stopSending) !== 0) writer.put(FrameType.stopSending, core.id, core.errorCode);
    if ((items & Item.resetStream) !== 0) {
      writer.put(FrameType.resetStream, core.id, core.errorCode, core.sentBytes);
    }
    if ((items & Item.hello) !== 0) writer.put(FrameType.stream | StreamBit.length, core.id, 0);
    if ((items & Item.fin) !== 0) {
      const type = FrameType.stream | StreamBit.length | StreamBit.fin;
      if (core.finalSize === 0) writer.put(type, core.id, 0);
      else writer.put(type | StreamBit.offset, core.id, core.finalSize, 0);
    }
    return items;
  }

  // ── stream data ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #sendData(connection: Connection<Owner>, quantum: number): void {
    const { recovery } = connection;
    const { sent } = connection.data;
    if (connection.heldCount > 0 && this.#now >= connection.partialAtMs) connection.letGo();
    const credit = recovery.credit();
    let used = this.#sendCopies(connection);
    let isHungry = false;
    let isLimited = false;
    let turn = STREAM_QUANTUM_DATAGRAMS;
    while (!this.isStopped && connection.queueHead !== undefined) {
      const core = connection.queueHead;
      const chunk = core.send.candidate;
      if (chunk < 0 || !core.maySend(chunk, connection.maxDataPeer - connection.sentData)) {
        if (chunk >= 0) connection.isBlocked = true;
        connection.leaveQueue();
        turn = STREAM_QUANTUM_DATAGRAMS;
        continue;
      }
      if (this.#isHeld(connection, core, chunk)) {
        connection.holdBack();
        turn = STREAM_QUANTUM_DATAGRAMS;
        continue;
      }
      if (recovery.probesLeft > 0) recovery.probesLeft--;
      else if (used >= credit) isHungry = true;
      else if (!recovery.hasRoom(core.send.length(chunk)) || sent.isFull) isLimited = true;
      if (isHungry || isLimited) break;
      if (quantum-- === 0) {
        this.isCut = true;
        break;
      }
      used += this.#sendChunk(connection, core, chunk);
      if (--turn > 0) continue;
      turn = STREAM_QUANTUM_DATAGRAMS;
      connection.rotateQueue();
    }
    if (this.isStopped && connection.queueHead !== undefined) this.isCut = true;
    if (used > 0 || isHungry) recovery.handlePaced(used, isHungry);
    connection.isPaced = isHungry;
    if (!this.isCut && !isHungry && !isLimited)
      recovery.handleLimit(connection.isBlocked ? Limit.window : Limit.data);
  }

  /** A chunk that a writer may still fill waits a moment for it: full packets cost the same and leave in equal-sized trains. */
  #isHeld(connection: Connection<Owner>, core: StreamCore, chunk: number): boolean {
    const { send } = core;
    if (chunk !== send.end - 1 || !send.isNew(chunk) || core.isShutDown) return false;
    if (send.length(chunk) === connection.chunkBytes) return false;
    if (connection.data.sent.flying >= PARTIAL_FREE_PACKETS && this.#now < connection.partialAtMs)
      return true;
    connection.partialAtMs = this.#now + PARTIAL_INTERVAL_MS;
    return false;
  }

  /** Second copies of what thin streams have sent a moment ago (performance.md 8). */
  #sendCopies(connection: Connection<Owner>): number {
    const { recovery } = connection;
    const { copies } = recovery;
    const { sent } = connection.data;
    let used = 0;
    while (!this.isStopped && copies.dueAtMs <= this.#now) {
      const record = copies.sn;
      const cell = sent.cell(record);
      const core = record >= sent.head && record < sent.tail ? sent.stream(record) : undefined;
      const isFlying = core !== undefined && sent.cells[cell + Sent.state] === RecordState.flying;
      const chunk = sent.cells[cell + Sent.chunk]!;
      const isWanted = isFlying && core.send.isFlying(chunk, copies.order) && !sent.isFull;
      if (isWanted) used += this.#sendChunk(connection, core, chunk, true);
      copies.next(isWanted, this.#now);
    }
    return used;
  }

  /** One datagram: a STREAM frame around the chunk where it lies. Returns its bytes. */
  #sendChunk(connection: Connection<Owner>, core: StreamCore, chunk: number, isCopy = false): number {
    const { recovery, data: space, remoteCid } = connection;
    const { send, id } = core;
    const { bytes } = this.#pool;
    const dataAt = send.dataAt(chunk);
    const length = send.length(chunk);
    const start = send.start(chunk);
    const isNew = send.isNew(chunk);
    const fin = core.endsWith(chunk) ? StreamBit.fin : 0;
    const frameBytes = 1 + varintBytes(id) + (start > 0 ? varintBytes(start) : 0);
    const padding = Math.max(0, MIN_PAYLOAD_BYTES - frameBytes - length);
    const numberBytes = numberBytesFor(space.nextNumber, space.largestAcked);
    const payloadAt = dataAt - frameBytes - padding;
    // The frame reaches to the packet's end and needs no length; padding comes before it.
    for (let i = 0; i < padding; i++) bytes[payloadAt + i] = FrameType.padding;
    bytes[dataAt - frameBytes] = FrameType.stream | fin | (start > 0 ? StreamBit.offset : 0);
    const offsetAt = writeVarint(bytes, dataAt - frameBytes + 1, id);
    if (start > 0) writeVarint(bytes, offsetAt, start);
    const at = payloadAt - shortHeaderBytes(remoteCid.length, numberBytes);
    const payloadBytes = padding + frameBytes + length;
    this.#seal(connection, space, at, numberBytes, payloadBytes);
    const total = payloadAt - at + payloadBytes + TAG_BYTES;
    const items = fin === 0 ? Item.chunk : Item.chunk | Item.fin;
    const record = space.sent.tail;
    const order = this.#noteSent(connection, space, space.nextNumber++, total, items, core, chunk, -1);
    send.handleSent(chunk, order);
    if (isNew) connection.sentData += length;
    if (fin !== 0) core.pending &= ~Item.fin;
    if (!isCopy) {
      const tries = send.tries(chunk);
      // The first chunk of a stream is waited for by a client whose SYN is held: it is never one of many.
      const company = chunk === 0 ? 0 : space.sent.flying;
      if (tries === 1) recovery.copies.handleSent(record, order, total, company, this.#now);
      else if (connection.isBlocked || tries > 2)
        recovery.copies.handleRepair(record, order, tries, this.#now);
    }
    this.#push(connection, at, total);
    return total;
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** CONNECTION_CLOSE in every space that may still be heard (proxies.md 6.11). */
  #sendClose(connection: Connection<Owner>): void {
    if (!this.#openDatagram(connection)) {
      this.isCut = true;
      return;
    }
    connection.owesClose = false;
    const { isApplication, code, reason } = connection.closing!;
    const from = this.#at;
    const limit = from + STOCK_DATAGRAM_BYTES;
    for (const space of connection.spaces) {
      const isData = space === connection.data;
      if (space.isDropped || (isData && !connection.initial.isDropped)) continue;
      // A server that has heard no Handshake packet hears the Initial; only one of them fits beside the padding.
      if (space === connection.handshake && connection.isClient && !connection.initial.isDropped) continue;
      const numberBytes = numberBytesFor(space.nextNumber, space.largestAcked);
      const { remoteCid, localCid } = connection;
      const headerBytes = isData
        ? shortHeaderBytes(remoteCid.length, numberBytes)
        : longHeaderBytes(space.kind, remoteCid.length, localCid.length, numberBytes);
      const packetAt = this.#at;
      const writer = this.#writer;
      writer.begin(this.#pool.bytes, packetAt + headerBytes, limit - TAG_BYTES);
      if (isData && isApplication) {
        writer.put(FrameType.applicationClose, code, reason.length);
        writer.append(reason);
      } else {
        // An application's code means nothing before 1-RTT.
        writer.put(FrameType.connectionClose, isApplication ? QuicError.application : code, 0, 0);
      }
      if (space.kind === PacketKind.initial && connection.isClient) {
        writer.padding(STOCK_DATAGRAM_BYTES - TAG_BYTES - (writer.at - packetAt));
      }
      writer.padding(MIN_PAYLOAD_BYTES - (writer.at - packetAt - headerBytes));
      const payloadBytes = writer.at - packetAt - headerBytes;
      this.#seal(connection, space, packetAt, numberBytes, payloadBytes);
      space.nextNumber++;
      this.#at = writer.at + TAG_BYTES;
    }
    this.#push(connection, from, this.#at - from);
  }
}
