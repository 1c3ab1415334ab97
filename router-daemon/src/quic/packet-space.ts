/** One of the three packet-number spaces (RFC 9000, 12.3): what was sent in it, what has come, and when to say so. */
import { FLOAT_ZERO } from "kcp-ts/recovery";
import { ACK_DELAY_MS, ACK_EVERY } from "./limits.ts";
import { PacketRanges } from "./packet-ranges.ts";
import { SentPackets } from "./sent-packets.ts";

export class PacketSpace {
  /** One of `PacketKind`. */
  readonly kind: number;
  readonly sent: SentPackets;
  readonly received = new PacketRanges();
  nextNumber = 0;
  largestAcked = -1;
  /** Place in the order of sending of the newest packet known to have arrived. */
  newestOrder = -1;
  /** When the next flying packet becomes lost if nothing is heard of it. */
  lossAtMs = Infinity;
  /** When the last packet that asks for an acknowledgement left. */
  elicitedAtMs = FLOAT_ZERO;
  /** A PING is to leave. */
  owesPing = false;
  /** When an ACK has to leave; Infinity = none is owed. */
  ackAtMs = Infinity;
  /** Neither sends nor receives any more. */
  isDropped = false;
  /** When the largest number came. */
  #largestAtMs = FLOAT_ZERO;
  /** Packets that ask for an acknowledgement since the last ACK. */
  #unacknowledged = 0;

  constructor(kind: number, maxRecords: number) {
    this.kind = kind;
    this.sent = new SentPackets(maxRecords);
  }

  /** A packet that was not there before has been taken. */
  handleReceived(number: number, asksForAck: boolean, isUrgent: boolean, nowMs: number): void {
    const { received } = this;
    // Out of order, or behind a hole: the sender wants to know at once (RFC 9000, 13.2.1).
    const isDisordered = number !== received.largest + 1;
    if (number > received.largest) this.#largestAtMs = nowMs;
    received.add(number);
    if (!asksForAck) return;
    this.#unacknowledged++;
    const isDue = isUrgent || isDisordered || this.#unacknowledged >= ACK_EVERY;
    this.ackAtMs = Math.min(this.ackAtMs, isDue ? nowMs : nowMs + ACK_DELAY_MS);
  }

  /** Some packet has come that asks for an acknowledgement. */
  get owesAck(): boolean {
    return this.#unacknowledged > 0;
  }

  /** An ACK leaves: how long its largest number has been here, in microseconds. */
  takeAck(nowMs: number): number {
    this.#unacknowledged = 0;
    this.ackAtMs = Infinity;
    return Math.max(0, Math.round((nowMs - this.#largestAtMs) * 1000));
  }

  drop(): void {
    this.isDropped = true;
    this.sent.clear();
    this.lossAtMs = Infinity;
    this.ackAtMs = Infinity;
    this.owesPing = false;
  }
}
