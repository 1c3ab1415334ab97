/**
 * What has arrived, what is lost, and how much may be sent (RFC 9002), over the three packet-number spaces of a connection.
 *
 * The rate samples, the wait for packets that are overtaken, the pacing and the congestion controllers are those of KCP.
 */
import type { CongestionController, CongestionFactory } from "kcp-ts";
import { FLOAT_ZERO, LossWindow, Pacer, RateSampler, SecondCopies, Stamp } from "kcp-ts/recovery";
import { repeatedShare } from "../kcp/types.ts";
import { ACK_DELAY_MS, PROBE_DATAGRAMS } from "./limits.ts";
import type { PacketSpace } from "./packet-space.ts";
import { RoundTrip } from "./round-trip.ts";
import { Record, RecordState } from "./sent-packets.ts";
import type { StreamCore } from "./stream-core.ts";

/** Times are rounded to this: what is due within it is due. */
const TICK_MS = 0.001;
/** Lost packets are remembered for so many round trips, to learn from those that arrive after all. */
const REMEMBERED_ROUND_TRIPS = 3;

/** What packets carried is the connection's business. */
export interface PacketOwner {
  packetAcknowledged(space: PacketSpace, record: number): void;
  /** What it carried must be sent again. True when there is something. */
  packetLost(space: PacketSpace, record: number): boolean;
}

export class Recovery {
  readonly roundTrip: RoundTrip;
  readonly rates = new RateSampler();
  readonly copies: SecondCopies;
  /** Exists from when data may be sent. */
  controller: CongestionController | undefined = undefined;
  inflightBytes = 0;
  /** What the peer adds to the round trip at most. */
  peerAckDelayMs: number;
  /** Datagrams that may leave without regard to pace and window. */
  probesLeft = 0;
  // Counters of packets.
  sent = 0;
  lost = 0;
  spurious = 0;
  readonly #owner: PacketOwner;
  readonly #spaces: readonly PacketSpace[];
  readonly #lossWindow = new LossWindow();
  #pacer: Pacer | undefined = undefined;
  #order = 0;
  #nowMs = FLOAT_ZERO;
  #nowUs = 0;

  constructor(owner: PacketOwner, spaces: readonly PacketSpace[], rttMs: number, peerAckDelayMs: number) {
    this.#owner = owner;
    this.#spaces = spaces;
    this.roundTrip = new RoundTrip(rttMs);
    this.peerAckDelayMs = peerAckDelayMs;
    this.copies = new SecondCopies(true, this.roundTrip);
  }

  /** Data may be sent from now on. */
  start(congestion: CongestionFactory, datagramBytes: number, seed: number): void {
    // Under load the second packet is acknowledged at once, whatever the peer may take for a lone one.
    this.controller = congestion({ datagramBytes, ackDelayMs: ACK_DELAY_MS, seed });
    this.#pacer = new Pacer(datagramBytes);
  }

  /** Of the packets that asked for an acknowledgement, 0…1; undefined while too few tell. */
  get lostShare(): number | undefined {
    return repeatedShare(this.lost, this.sent);
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A packet leaves that asks for an acknowledgement; returns its place in the order. */
  handleSent(
    space: PacketSpace,
    number: number,
    bytes: number,
    items: number,
    stream: StreamCore | undefined,
    chunk: number,
    told: number,
  ): number {
    const { sent } = space;
    const cell = sent.add(number, bytes, items, stream, chunk, told);
    const { cells } = sent;
    const order = this.#order;
    this.#order = (order + 1) | 0;
    cells[cell + Stamp.sentAt] = this.#nowUs;
    cells[cell + Stamp.order] = order;
    this.rates.stamp(cells, cell, this.inflightBytes === 0, this.controller?.quiet ?? false, this.#nowUs);
    this.inflightBytes += bytes;
    space.elicitedAtMs = this.#nowMs;
    this.sent++;
    return order;
  }

  /** Bytes that may leave now for all the pace says: a datagram may while it is above 0. */
  credit(): number {
    return this.#pacer!.credit(this.#nowMs, this.controller!.bytesPerMs);
  }

  handlePaced(bytes: number, isHungry: boolean): void {
    this.#pacer!.handleSent(bytes, this.controller!.bytesPerMs, isHungry);
  }

  /** The congestion window has room for a packet. */
  hasRoom(bytes: number): boolean {
    return this.inflightBytes === 0 || this.inflightBytes + bytes <= this.controller!.windowBytes;
  }

  /** Nothing more was to be sent, or flow control was in the way: what is in flight says nothing about the path. */
  handleLimit(limit: number): void {
    this.rates.handleLimit(limit, this.inflightBytes);
  }

  /** When the pace allows the next datagram. */
  get paceAtMs(): number {
    return this.#pacer === undefined ? Infinity : this.#pacer.readyAt(this.controller!.bytesPerMs);
  }

  // ── acknowledgements ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Before the ranges of an ACK frame: how long the peer held it back. */
  beginAck(ackDelayMs: number, nowMs: number): void {
    this.#setNow(nowMs);
    this.roundTrip.ackDelayMs = Math.min(ackDelayMs, this.peerAckDelayMs);
  }

  /** The peer has the packets from `low` to `high`. */
  handleRange(space: PacketSpace, low: number, high: number): void {
    const { sent } = space;
    if (high > space.largestAcked) space.largestAcked = high;
    const first = sent.find(low);
    const end = sent.find(high + 1);
    let record = first;
    while (record < end) {
      const cell = sent.cell(record);
      if (sent.cells[cell + Record.state] === RecordState.acknowledged) {
        // The peer repeats its ranges in each ACK: what the last one said is passed over at once.
        record += Math.max(1, sent.cells[cell + Record.skip]!);
      } else this.#handleArrival(space, record++, cell);
    }
    if (first < end) sent.cells[sent.cell(first) + Record.skip] = end - first;
  }

  #handleArrival(space: PacketSpace, record: number, cell: number): void {
    const { sent } = space;
    const { cells } = sent;
    const bytes = cells[cell + Record.bytes]!;
    if (cells[cell + Record.state] === RecordState.flying) {
      sent.settle(record, RecordState.acknowledged);
      this.inflightBytes -= bytes;
      const order = cells[cell + Stamp.order]!;
      if (((order - space.newestOrder) | 0) > 0) space.newestOrder = order;
      this.rates.handleTransmission(cells, cell, this.#nowUs);
    } else {
      // Given up too early.
      cells[cell + Record.state] = RecordState.acknowledged;
      this.spurious++;
      const ageUs = (this.#nowUs - cells[cell + Stamp.sentAt]!) | 0;
      this.#lossWindow.handleLate(ageUs, this.#rttUs, this.#nowMs);
    }
    this.rates.handleDelivered(bytes, cells[cell + Stamp.flags]!, this.#nowUs);
    this.#owner.packetAcknowledged(space, record);
  }

  // ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Draws the conclusions of what was acknowledged since the last call, and of the time that has passed. */
  settle(nowMs: number): void {
    this.#setNow(nowMs);
    const { rates, roundTrip } = this;
    if (rates.pending) {
      roundTrip.probes = 0;
      rates.measure(roundTrip);
      for (const space of this.#spaces) this.#detectLosses(space);
      this.controller?.handleAcks(rates.take(roundTrip, this.inflightBytes, nowMs));
      rates.clear();
    } else {
      for (const space of this.#spaces) if (nowMs >= space.lossAtMs) this.#detectLosses(space);
    }
    if (nowMs >= this.probeAtMs - TICK_MS) this.#strike();
  }

  #setNow(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#nowUs = Math.round(nowMs * 1000) | 0;
  }

  /** The round trip that a packet now takes, rather too long than too short. */
  get #rttUs(): number {
    return Math.max(this.roundTrip.smoothedMs, this.roundTrip.latestMs) * 1000;
  }

  #detectLosses(space: PacketSpace): void {
    const { sent } = space;
    space.lossAtMs = Infinity;
    this.#lossWindow.settle(this.#nowMs);
    const rttUs = this.#rttUs;
    this.#forget(space, rttUs);
    for (let record = sent.firstFlying(); record < sent.tail; record++) {
      const cell = sent.cell(record);
      const { cells } = sent;
      if (cells[cell + Record.state] !== RecordState.flying) continue;
      const ageUs = (this.#nowUs - cells[cell + Stamp.sentAt]!) | 0;
      const behind = (space.newestOrder - cells[cell + Stamp.order]!) | 0;
      if (behind <= 0) break;
      const graceUs = this.#lossWindow.graceUs(behind, rttUs);
      if (graceUs > 0) {
        const remainingUs = rttUs + graceUs - ageUs;
        if (remainingUs > TICK_MS * 1000) {
          space.lossAtMs = this.#nowMs + remainingUs / 1000;
          break;
        }
      }
      this.#giveUp(space, record, cell);
    }
  }

  /** Forgets what is settled. A lost one is remembered for a while, and those behind it with it, as long as there is room. */
  #forget(space: PacketSpace, rttUs: number): void {
    const { sent } = space;
    while (sent.head < sent.tail) {
      const cell = sent.cell(sent.head);
      const state = sent.cells[cell + Record.state];
      if (state === RecordState.flying) return;
      const ageUs = (this.#nowUs - sent.cells[cell + Stamp.sentAt]!) | 0;
      if (state === RecordState.lost && ageUs <= REMEMBERED_ROUND_TRIPS * rttUs && !sent.isHalfFull) return;
      sent.forgetHead();
    }
  }

  #giveUp(space: PacketSpace, record: number, cell: number): void {
    const { sent } = space;
    const bytes = sent.cells[cell + Record.bytes]!;
    sent.settle(record, RecordState.lost);
    this.inflightBytes -= bytes;
    this.lost++;
    this.rates.handleLost(bytes, sent.cells[cell + Stamp.flags]!);
    this.#owner.packetLost(space, record);
  }

  /** Nothing was heard for too long: the oldest of what is under way goes again, and is not held for lost (RFC 9002, 6.2.4). */
  #strike(): void {
    this.roundTrip.probes++;
    this.controller?.handleTimeout(this.roundTrip.probes);
    this.probesLeft = PROBE_DATAGRAMS;
    for (const space of this.#spaces) {
      const { sent } = space;
      if (sent.flying === 0) continue;
      space.elicitedAtMs = this.#nowMs;
      let again = false;
      let probes = 0;
      for (let record = sent.head; record < sent.tail && probes < PROBE_DATAGRAMS; record++) {
        if (sent.cells[sent.cell(record) + Record.state] !== RecordState.flying) continue;
        probes++;
        again = this.#owner.packetLost(space, record) || again;
      }
      if (!again) space.owesPing = true;
    }
  }

  /** When the probe timeout strikes. */
  get probeAtMs(): number {
    let at = Infinity;
    for (const space of this.#spaces) {
      if (space.sent.flying === 0) continue;
      const isHandshake = space !== this.#spaces[2];
      const delayMs = this.roundTrip.backedOffMs(isHandshake ? 0 : this.peerAckDelayMs, isHandshake);
      at = Math.min(at, space.elicitedAtMs + delayMs);
    }
    return at;
  }

  get nextTimeout(): number {
    if (this.rates.pending) return this.#nowMs;
    let at = Math.min(this.probeAtMs, this.copies.dueAtMs);
    for (const space of this.#spaces) at = Math.min(at, space.lossAtMs);
    return at;
  }

  /** A space ends with the handshake: what was in flight in it is out of the count. */
  dropSpace(space: PacketSpace): void {
    const { sent } = space;
    for (let record = sent.head; record < sent.tail; record++) {
      const cell = sent.cell(record);
      if (sent.cells[cell + Record.state] === RecordState.flying)
        this.inflightBytes -= sent.cells[cell + Record.bytes]!;
    }
    space.drop();
  }
}
