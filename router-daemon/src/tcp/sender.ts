import type { SlotPool, SlotQuota } from "kcp-ts";
import type { TcpOptions } from "../wire/tcp.ts";
import type { TcpLimits } from "./limits.ts";
import { Phase, Recovery } from "./recovery.ts";
import { SendQueue } from "./send-queue.ts";
import { distance, isAfter, isBefore } from "./sequence.ts";
import { Timer, type TimerTable } from "./timer-table.ts";

/** What `plan` proposes. */
export const Plan = { nothing: 0, fresh: 1, again: 2, probe: 3 } as const;

const MAX_PERSIST_MS = 15_000;

/**
 * The sending half of a flow: what may go out now, by the client's window, the congestion window and what is lost.
 *
 * ```
 *       acknowledged │ in flight, sacked, lost        │ queued               │ (FIN)
 *   ─────────────────┼────────────────────────────────┼──────────────────────┼──────▶ sequence numbers
 *                  una (SND.UNA)                    next (SND.NXT)        queue.end
 *                    └───────────── client's window ─────────────┘
 * ```
 */
export class Sender {
  una: number;
  next: number;
  /** The client's window in bytes, and the largest it has announced. */
  window = 0;
  maxWindow = 0;
  /** FIN follows the queue. */
  finQueued = false;
  readonly mss: number;
  readonly queue: SendQueue;
  readonly recovery: Recovery;
  deliveredBytes = 0;
  retransmittedBytes = 0;
  /** Since when the oldest byte in flight has waited without progress, or the client's window has been closed. */
  stuckSince = 0;

  /** The proposed segment: sequence number, payload bytes, FIN behind them. */
  planStart = 0;
  planBytes = 0;
  planFin = false;
  #plan: number = Plan.nothing;
  #planRange = -1;

  readonly #timers: TimerTable;
  readonly #flow: number;
  readonly #maxFrameBytes: number;
  readonly #minSendBytes: number;
  readonly #maxSendBytes: number;
  readonly #maxSendSlots: number;
  readonly #quota: SlotQuota | undefined;
  readonly #slotBytes: number;
  /** Sequence and acknowledgement number of the segment that last updated the window (RFC 9293 3.10.7.4). */
  #windowSequence = 0;
  #windowAck = 0;
  #limited = false;
  #lastSentAt: number;
  #persistBackoff = 0;

  /** `mss` is the payload of one segment (timestamps already taken off), `start` the first byte's sequence number. */
  constructor(
    pool: SlotPool,
    quota: SlotQuota | undefined,
    limits: TcpLimits,
    timers: TimerTable,
    flow: number,
    mss: number,
    maxFrameBytes: number,
    sack: boolean,
    start: number,
    now: number,
  ) {
    this.una = start;
    this.next = start;
    this.mss = mss;
    this.queue = new SendQueue(pool, limits.maxSendSlots, start);
    this.recovery = new Recovery(mss, sack, timers, flow);
    this.#timers = timers;
    this.#flow = flow;
    this.#maxFrameBytes = Math.max(mss, maxFrameBytes - (maxFrameBytes % mss));
    this.#minSendBytes = limits.minSendBytes;
    this.#maxSendBytes = limits.maxSendBytes;
    this.#maxSendSlots = limits.maxSendSlots;
    this.#quota = quota;
    this.#slotBytes = pool.slotBytes;
    this.#lastSentAt = now;
    this.stuckSince = now;
  }

  /** Bytes queued or in flight; the FIN is none. */
  get unacknowledgedBytes(): number {
    return Math.max(0, distance(this.una, this.queue.end));
  }

  /** Twice what may be in flight, so that the next window is at hand when this one is acknowledged; within the limits. */
  get limitBytes(): number {
    return Math.max(this.#minSendBytes, Math.min(this.#maxSendBytes, 2 * this.recovery.cubic.windowBytes));
  }

  /** The most that `space` can be now: the bound on bytes, or on slots where that is smaller. */
  get capacityBytes(): number {
    return Math.min(this.limitBytes, this.#slotLimit * this.#slotBytes);
  }

  /** Slots that the queue may hold: less than the limit while memory is short. */
  get #slotLimit(): number {
    return this.#quota === undefined ? this.#maxSendSlots : Math.min(this.#maxSendSlots, this.#quota.share);
  }

  get space(): number {
    if (this.finQueued) return 0;
    const slots = (this.#slotLimit - this.queue.slots) * this.#slotBytes;
    return Math.max(0, Math.min(slots, this.limitBytes - this.unacknowledgedBytes));
  }

  /** The FIN is in flight or acknowledged. */
  get finSent(): boolean {
    return this.finQueued && isAfter(this.next, this.queue.end);
  }

  get finAcknowledged(): boolean {
    return this.finQueued && isAfter(this.una, this.queue.end);
  }

  /** Window from the handshake, or from a segment that passed the tests. Only newer segments count. */
  updateWindow(sequence: number, ack: number, window: number): boolean {
    const newer =
      isBefore(this.#windowSequence, sequence) ||
      (this.#windowSequence === sequence && !isAfter(this.#windowAck, ack));
    if (!newer) return false;
    this.#windowSequence = sequence;
    this.#windowAck = ack;
    const changed = this.window !== window;
    this.window = window;
    if (window > this.maxWindow) this.maxWindow = window;
    return changed;
  }

  startWindow(sequence: number, ack: number, window: number): void {
    this.#windowSequence = sequence;
    this.#windowAck = ack;
    this.window = window;
    this.maxWindow = window;
  }

  /** An acceptable acknowledgement (una <= ack <= next). `duplicateCandidate`: no payload, no change of the window. */
  acknowledge(
    ack: number,
    options: TcpOptions,
    duplicateCandidate: boolean,
    clock: number,
    now: number,
  ): void {
    const advanced = isAfter(ack, this.una);
    const recovery = this.recovery;
    if (!advanced && options.sackBlocks === 0 && !duplicateCandidate) return;
    if (recovery.ranges.isEmpty && !advanced) return;
    const cubic = recovery.cubic;
    const limited = this.#limited || (cubic.inSlowStart && cubic.windowBytes < 2 * recovery.inFlightBytes);
    const duplicate = duplicateCandidate && !advanced && options.sackBlocks === 0;
    if (advanced) {
      const ackOfData = isAfter(ack, this.queue.end) ? this.queue.end : ack;
      this.deliveredBytes += distance(this.una, ackOfData);
      this.una = ack;
      this.stuckSince = now;
    }
    recovery.acknowledge(ack, advanced, duplicate, this.next, options, limited, clock, now);
    if (advanced) this.queue.release(isAfter(ack, this.queue.end) ? this.queue.end : ack);
  }

  /** Proposes the next segment; `sent` tells that it went out. False = nothing may go now. */
  plan(now: number): boolean {
    this.#plan = Plan.nothing;
    const recovery = this.recovery;
    const range = recovery.ranges.firstLost();
    if (range >= 0) return this.#planAgain(range);
    if (recovery.probeDue && this.#planProbe()) return true;
    return this.#planFresh(now);
  }

  #planAgain(range: number): boolean {
    const recovery = this.recovery;
    const room = recovery.mustResend ? Math.max(this.mss, recovery.room) : recovery.room;
    // With nothing in flight there is nothing to wait for: a segment always goes.
    if (room < this.mss && recovery.inFlightBytes > 0) return false;
    const start = recovery.ranges.startOf(range);
    const end = recovery.ranges.endOf(range);
    const withFin = isAfter(end, this.queue.end);
    const payload = distance(start, withFin ? this.queue.end : end);
    let bytes = Math.min(payload, Math.max(room, this.mss), this.#maxFrameBytes);
    if (bytes < payload && bytes > this.mss) bytes -= bytes % this.mss;
    this.#planRange = range;
    this.#propose(Plan.again, start, bytes, withFin && bytes === payload);
    return true;
  }

  #planProbe(): boolean {
    const unsent = distance(this.next, this.queue.end);
    const usable = distance(this.next, (this.una + this.window) | 0);
    if (unsent > 0 && usable >= Math.min(unsent, this.mss) && this.recovery.ranges.hasRoom) {
      this.#propose(Plan.fresh, this.next, Math.min(unsent, this.mss), false);
      return true;
    }
    const again = this.recovery.ranges.tailProbeBytes(this.mss);
    if (again === 0) {
      this.recovery.probeDue = false;
      return false;
    }
    const start = (this.next - again) | 0;
    const fin = this.finSent;
    this.#propose(Plan.probe, start, fin ? again - 1 : again, fin);
    return true;
  }

  #planFresh(now: number): boolean {
    const recovery = this.recovery;
    const unsent = distance(this.next, this.queue.end);
    const finWaits = this.finQueued && unsent >= 0;
    if (unsent <= 0 && !finWaits) {
      this.#limited = false;
      return false;
    }
    if (!recovery.ranges.hasRoom) return false;
    const idleMs = now - this.#lastSentAt;
    if (recovery.ranges.isEmpty && idleMs > recovery.rtt.rtoMs) {
      recovery.cubic.restart(idleMs, recovery.rtt.rtoMs);
      this.#lastSentAt = now;
    }
    const inFlight = recovery.inFlightBytes;
    const usable = distance(this.next, (this.una + this.window) | 0);
    const room = inFlight === 0 ? Math.max(this.mss, recovery.room) : recovery.room;
    const allowed = Math.min(usable, room);
    if (allowed <= 0) {
      this.#limited = room <= usable;
      if (usable <= 0 && recovery.ranges.isEmpty) this.#startPersist(now);
      return false;
    }
    let bytes = Math.min(unsent, allowed, this.#maxFrameBytes);
    if (bytes < unsent) {
      if (bytes < this.mss) {
        // Silly window avoidance (RFC 9293 3.8.6.2.1): wait for room for a segment, unless nothing would bring it.
        this.#limited = room <= usable;
        if (inFlight > 0) return false;
      } else {
        bytes -= bytes % this.mss;
        if (this.#deserveWaiting(bytes, unsent, room, inFlight)) {
          this.#limited = room <= usable;
          return false;
        }
      }
    }
    const fin = finWaits && bytes === unsent && usable > bytes;
    this.#propose(Plan.fresh, this.next, bytes, fin);
    return true;
  }

  /**
   * A few segments could go, but half a window is under way and will soon make room for many: one write of many costs a
   * fraction of many writes of few.
   */
  #deserveWaiting(bytes: number, unsent: number, room: number, inFlight: number): boolean {
    if (bytes >= Math.min(unsent, this.#maxFrameBytes)) return false;
    const window = Math.min(room + inFlight, this.window);
    return inFlight > window / 2 && bytes < window / 4;
  }

  #propose(plan: number, start: number, bytes: number, fin: boolean): void {
    this.#plan = plan;
    this.planStart = start;
    this.planBytes = bytes;
    this.planFin = fin;
  }

  /** The frame had no place for all pieces: only `bytes` of the proposal go out. */
  shortenPlan(bytes: number): void {
    if (bytes >= this.planBytes) return;
    this.planBytes = bytes;
    this.planFin = false;
  }

  /** The proposed segment went out. */
  sent(clock: number, now: number): void {
    const recovery = this.recovery;
    const length = this.planBytes + (this.planFin ? 1 : 0);
    const end = (this.planStart + length) | 0;
    if (this.#plan === Plan.fresh) {
      if (recovery.ranges.isEmpty) this.stuckSince = now;
      recovery.ranges.append(this.planStart, end, now);
      this.next = end;
      this.#lastSentAt = now;
      this.#persistBackoff = 0;
      this.#timers.disarm(this.#flow, Timer.persist);
      if (recovery.probeDue) recovery.probed(end, false, clock, now);
      else recovery.scheduleProbe(now);
    } else {
      this.retransmittedBytes += length;
      if (this.#plan === Plan.again) {
        recovery.mustResend = false;
        recovery.ranges.resent(this.#planRange, end, now);
      } else {
        recovery.ranges.tailProbed(length, now);
        recovery.probed(end, true, clock, now);
      }
    }
    recovery.startRetransmit(now);
  }

  #startPersist(now: number): void {
    if (this.#timers.isArmed(this.#flow, Timer.persist)) return;
    this.stuckSince = now;
    this.#persistBackoff = 0;
    this.#timers.arm(this.#flow, Timer.persist, now + this.recovery.rtt.rtoMs);
  }

  /** Timer.persist. True = the window is still closed and a probe is to be sent. */
  persistTimeout(now: number): boolean {
    const waiting = distance(this.next, this.queue.end) > 0 || (this.finQueued && !this.finSent);
    const closed = distance(this.next, (this.una + this.window) | 0) <= 0;
    if (!waiting || !closed || !this.recovery.ranges.isEmpty) return false;
    if (this.#persistBackoff < 16) this.#persistBackoff++;
    const waitMs = Math.min(this.recovery.rtt.rtoMs * 2 ** this.#persistBackoff, MAX_PERSIST_MS);
    this.#timers.arm(this.#flow, Timer.persist, now + waitMs);
    return true;
  }

  /** Sending does not move although there is something to send. */
  get isStuck(): boolean {
    return !this.recovery.ranges.isEmpty || this.#timers.isArmed(this.#flow, Timer.persist);
  }

  get inRecovery(): boolean {
    return this.recovery.phase !== Phase.open;
  }

  clear(): void {
    this.queue.clear();
  }
}
