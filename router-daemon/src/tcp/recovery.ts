import type { TcpOptions } from "../wire/tcp.ts";
import { Cubic } from "./cubic.ts";
import { RttEstimator } from "./rtt.ts";
import { SentRanges } from "./sent-ranges.ts";
import { distance, isAfter, isBefore } from "./sequence.ts";
import { Timer, type TimerTable } from "./timer-table.ts";

/** Segments acknowledged out of order, or duplicate acknowledgements, that prove a loss (RFC 5681, 8985). */
const DUPLICATE_THRESHOLD = 3;
/** Least time that data may be late before it counts as lost: below it, timers are not worth their wake-up. */
const MIN_REORDER_WAIT_MS = 1;
/** A client may hold back the acknowledgement of a single segment this long (RFC 8985 7.2: WCDelAckT). */
const MAX_CLIENT_ACK_DELAY_MS = 200;
const MIN_TAIL_PROBE_MS = 5;
const INITIAL_TAIL_PROBE_MS = 1000;
/** The reordering window grows up to this many quarters of a round trip, and shrinks after 16 recoveries (RFC 8985 6.2). */
const MAX_REORDER_QUARTERS = 20;
const REORDER_PERSISTENCE = 16;

/** No loss known, fast recovery, or recovery after a retransmission timeout. */
export const Phase = { open: 0, fast: 1, timeout: 2 } as const;

/**
 * What is in flight, what is lost, and how much may be in flight: RACK-TLP (RFC 8985) with SACK, NewReno (RFC 6582) without,
 * RFC 6298 timeouts, Eifel detection of needless ones (RFC 3522), CUBIC.
 */
export class Recovery {
  readonly ranges: SentRanges = new SentRanges();
  readonly rtt: RttEstimator = new RttEstimator();
  readonly cubic: Cubic;
  phase: number = Phase.open;
  /** The next retransmission goes out whatever the window says (RFC 6675 5, step 4.3). */
  mustResend = false;
  /** A tail probe is due. */
  probeDue = false;
  /** Times that a loss was found: by acknowledgements, by timeout, and how many were taken back. */
  fastRecoveries = 0;
  timeouts = 0;
  undone = 0;
  readonly #mss: number;
  readonly #sack: boolean;
  readonly #timers: TimerTable;
  readonly #flow: number;
  /** SND.NXT when the loss was found: recovery ends when it is acknowledged. */
  #recoveryPoint = 0;
  #duplicateAcks = 0;
  /** RACK: the delivered range that was sent last. */
  #newestSentAt = Number.NEGATIVE_INFINITY;
  #newestEnd = 0;
  #newestRttMs = 0;
  #reorderingSeen = false;
  #reorderQuarters = 1;
  #reorderPersistence = 0;
  /** SND.NXT at the last D-SACK that counted, valid when `#inDuplicateRound` (RFC 8985: RACK.dsack_round). */
  #inDuplicateRound = false;
  #duplicateRoundEnd = 0;
  /** Our clock at the first retransmission of this recovery, for Eifel; valid when `#undoable`. */
  #resentClock = 0;
  #undoable = false;
  /** End of the outstanding tail probe, valid when `#probing`. */
  #probing = false;
  #probeEnd = 0;
  #probeClock = 0;
  #probeWasResend = false;

  constructor(mss: number, sack: boolean, timers: TimerTable, flow: number) {
    this.#mss = mss;
    this.#sack = sack;
    this.#timers = timers;
    this.#flow = flow;
    this.cubic = new Cubic(mss);
  }

  /** Bytes that may still be sent by the congestion window; negative when it has shrunk. */
  get room(): number {
    return this.cubic.windowBytes - this.inFlightBytes;
  }

  get inFlightBytes(): number {
    // Without SACK every duplicate acknowledgement stands for a segment that has left the network (RFC 5681 3.2).
    return Math.max(0, this.ranges.inFlightBytes - this.#duplicateAcks * this.#mss);
  }

  /**
   * A valid acknowledgement. `advanced`: it acknowledges something new; `duplicate`: by RFC 5681 2; `clock`: our timestamp
   * clock, compared with the echo in `options`; `limited`: sending was held back by the congestion window.
   */
  acknowledge(
    ack: number,
    advanced: boolean,
    duplicate: boolean,
    sentEnd: number,
    options: TcpOptions,
    limited: boolean,
    clock: number,
    now: number,
  ): void {
    const ranges = this.ranges;
    ranges.begin();
    const isDsack = this.#sack && options.sackBlocks > 0 && this.#applySacks(ack, sentEnd, options);
    if (advanced) ranges.acknowledge(ack);
    const delivered = ranges.deliveredBytes;
    if (delivered > 0) this.#measure(advanced, options, clock, now);
    if (isDsack) this.#noteDuplicate(ack, sentEnd);
    if (advanced) this.#advance(ack, isDsack, options, now);
    this.#findLosses(ack, advanced, duplicate, sentEnd, clock, now);
    if (delivered > 0 && this.phase !== Phase.fast) {
      this.cubic.acknowledged(delivered, this.rtt.srttMs, limited || this.phase === Phase.timeout, now);
    }
    if (advanced) this.restartRetransmit(now);
    if (delivered > 0) this.scheduleProbe(now);
  }

  /** Marks what the blocks name. True when the first is a D-SACK (RFC 2883): something arrived twice. */
  #applySacks(ack: number, sentEnd: number, options: TcpOptions): boolean {
    const edges = options.sackEdges;
    let isDsack = false;
    for (let block = 0; block < options.sackBlocks; block++) {
      const left = edges[2 * block]!;
      const right = edges[2 * block + 1]!;
      if (!isBefore(left, right) || isAfter(right, sentEnd)) continue;
      if (!isAfter(right, ack)) {
        if (block === 0) isDsack = true;
        continue;
      }
      if (block === 0 && options.sackBlocks > 1) {
        isDsack = !isBefore(left, edges[2]!) && !isAfter(right, edges[3]!);
        if (isDsack) continue;
      }
      if (!isBefore(left, ack)) this.ranges.sack(left, right);
    }
    return isDsack;
  }

  #measure(advanced: boolean, options: TcpOptions, clock: number, now: number): void {
    const ranges = this.ranges;
    const rttMs = now - ranges.newestSentAt;
    let valid = true;
    if (!ranges.newestResent) {
      this.rtt.sample(rttMs, now);
    } else if (options.hasTimestamps && advanced) {
      // The echo tells which transmission it was, in whole milliseconds.
      const echoed = (clock - options.timestampEcho) | 0;
      if (echoed >= 0) this.rtt.sample(Math.max(echoed, rttMs), now);
      valid = echoed <= rttMs + 1;
    } else {
      // Delivered sooner than any round trip: that was the first transmission (RFC 8985 6.2 step 2).
      valid = rttMs >= this.rtt.minMs;
    }
    if (advanced) this.rtt.resetBackoff();
    if (ranges.reordered) this.#reorderingSeen = true;
    if (!valid) return;
    if (
      ranges.newestSentAt > this.#newestSentAt ||
      (ranges.newestSentAt === this.#newestSentAt && isAfter(ranges.newestEnd, this.#newestEnd))
    ) {
      this.#newestSentAt = ranges.newestSentAt;
      this.#newestEnd = ranges.newestEnd;
      this.#newestRttMs = rttMs;
    }
  }

  /** Something was sent twice without need: more patience, but one step per round trip only. */
  #noteDuplicate(ack: number, sentEnd: number): void {
    if (this.#inDuplicateRound && isBefore(ack, this.#duplicateRoundEnd)) return;
    this.#inDuplicateRound = true;
    this.#duplicateRoundEnd = sentEnd;
    this.#widenReordering();
  }

  #widenReordering(): void {
    this.#reorderQuarters = Math.min(this.#reorderQuarters + 1, MAX_REORDER_QUARTERS);
    this.#reorderPersistence = REORDER_PERSISTENCE;
  }

  #advance(ack: number, isDsack: boolean, options: TcpOptions, now: number): void {
    this.#duplicateAcks = 0;
    if (this.#probing && !isBefore(ack, this.#probeEnd)) {
      this.#probing = false;
      const originalCame =
        isDsack || (options.hasTimestamps && isBefore(options.timestampEcho, this.#probeClock));
      // The probe repaired a loss that nothing else has told of (RFC 8985 7.4).
      if (this.#probeWasResend && !originalCame && this.phase === Phase.open) this.cubic.lost();
    }
    if (this.phase === Phase.open) return;
    if (this.#undoable && options.hasTimestamps && isBefore(options.timestampEcho, this.#resentClock)) {
      // The first acknowledgement after the retransmission answers the transmission before it (RFC 3522).
      this.#undoable = false;
      this.undone++;
      if (this.phase === Phase.fast) {
        this.#reorderingSeen = true;
        this.#widenReordering();
      }
      this.cubic.undo();
      this.ranges.unloseAll(now);
      this.phase = Phase.open;
      this.mustResend = false;
      return;
    }
    this.#undoable = false;
    if (!isBefore(ack, this.#recoveryPoint)) {
      this.phase = Phase.open;
      this.mustResend = false;
      if (this.#reorderPersistence > 0 && --this.#reorderPersistence === 0) this.#reorderQuarters = 1;
    }
  }

  #findLosses(
    ack: number,
    advanced: boolean,
    duplicate: boolean,
    sentEnd: number,
    clock: number,
    now: number,
  ): void {
    const before = this.ranges.lostBytes;
    if (this.#sack) {
      this.#detectByTime(now);
    } else if (duplicate) {
      this.#duplicateAcks++;
      if (this.#duplicateAcks === DUPLICATE_THRESHOLD && this.phase === Phase.open)
        this.ranges.loseHead(this.#mss);
    } else if (advanced && this.phase === Phase.fast && isBefore(ack, this.#recoveryPoint)) {
      this.ranges.loseHead(this.#mss);
      this.mustResend = true;
    }
    if (this.ranges.lostBytes > before) this.#enterFast(sentEnd, clock);
  }

  #detectByTime(now: number): void {
    if (this.#newestSentAt === Number.NEGATIVE_INFINITY) return;
    const waitMs = this.#newestRttMs + this.#reorderWaitMs();
    const dueInMs = this.ranges.findLost(this.#newestSentAt, this.#newestEnd, waitMs, now);
    if (dueInMs > 0) this.#timers.arm(this.#flow, Timer.reorder, now + dueInMs);
    else this.#timers.disarm(this.#flow, Timer.reorder);
  }

  #reorderWaitMs(): number {
    const proven = this.phase !== Phase.open || this.ranges.sackedBytes >= DUPLICATE_THRESHOLD * this.#mss;
    if (!this.#reorderingSeen && proven) return 0;
    const waitMs = (this.#reorderQuarters * this.rtt.minMs) / 4;
    return Math.max(MIN_REORDER_WAIT_MS, Math.min(waitMs, this.rtt.srttMs));
  }

  #enterFast(sentEnd: number, clock: number): void {
    if (this.phase !== Phase.open) return;
    this.phase = Phase.fast;
    this.fastRecoveries++;
    this.#recoveryPoint = sentEnd;
    this.cubic.lost();
    this.mustResend = true;
    this.#undoable = true;
    this.#resentClock = clock;
    this.#cancelProbe();
  }

  /** Timer.reorder. */
  reorderTimeout(sentEnd: number, clock: number, now: number): void {
    const before = this.ranges.lostBytes;
    this.#detectByTime(now);
    if (this.ranges.lostBytes > before) this.#enterFast(sentEnd, clock);
  }

  /** Timer.retransmit: everything in flight counts as lost. */
  retransmitTimeout(sentEnd: number, clock: number, now: number): void {
    if (this.ranges.headIsSacked) this.ranges.forgetSacks();
    this.ranges.loseAll();
    this.timeouts++;
    if (this.phase !== Phase.timeout) {
      this.#undoable = true;
      this.#resentClock = clock;
      this.cubic.timedOut();
    } else {
      this.#undoable = false;
      this.cubic.windowBytes = this.#mss;
    }
    this.phase = Phase.timeout;
    this.#recoveryPoint = sentEnd;
    this.#duplicateAcks = 0;
    this.mustResend = true;
    this.#cancelProbe();
    this.#timers.disarm(this.#flow, Timer.reorder);
    this.rtt.backOff();
    this.#timers.arm(this.#flow, Timer.retransmit, now + this.rtt.rtoMs);
  }

  #cancelProbe(): void {
    this.#probing = false;
    this.probeDue = false;
    this.#timers.disarm(this.#flow, Timer.tailProbe);
  }

  /** A probe went out, as the retransmission of the tail or as new data. */
  probed(end: number, wasResend: boolean, clock: number, now: number): void {
    this.probeDue = false;
    this.#probing = true;
    this.#probeEnd = end;
    this.#probeWasResend = wasResend;
    this.#probeClock = clock;
    this.#timers.arm(this.#flow, Timer.retransmit, now + this.rtt.rtoMs);
  }

  /** Data went out: the retransmission timer runs. */
  startRetransmit(now: number): void {
    if (!this.#timers.isArmed(this.#flow, Timer.retransmit)) this.restartRetransmit(now);
  }

  restartRetransmit(now: number): void {
    if (this.ranges.isEmpty) {
      this.#timers.disarm(this.#flow, Timer.retransmit);
      this.#timers.disarm(this.#flow, Timer.reorder);
    } else {
      this.#timers.arm(this.#flow, Timer.retransmit, now + this.rtt.rtoMs);
    }
  }

  /** Sets the tail probe after new data or an acknowledgement (RFC 8985 7.2). */
  scheduleProbe(now: number): void {
    const ranges = this.ranges;
    if (
      !this.#sack ||
      this.#probing ||
      this.phase !== Phase.open ||
      ranges.isEmpty ||
      ranges.sackedBytes > 0
    ) {
      this.#timers.disarm(this.#flow, Timer.tailProbe);
      return;
    }
    const srttMs = this.rtt.srttMs;
    let waitMs = srttMs === 0 ? INITIAL_TAIL_PROBE_MS : Math.max(2 * srttMs, MIN_TAIL_PROBE_MS);
    if (ranges.totalBytes <= this.#mss) waitMs += MAX_CLIENT_ACK_DELAY_MS;
    if (waitMs < this.rtt.rtoMs) this.#timers.arm(this.#flow, Timer.tailProbe, now + waitMs);
    else this.#timers.disarm(this.#flow, Timer.tailProbe);
  }

  /** Bytes of the recovery that are still to be acknowledged, for tests. */
  recoveryLeft(ack: number): number {
    return this.phase === Phase.open ? 0 : Math.max(0, distance(ack, this.#recoveryPoint));
  }
}
