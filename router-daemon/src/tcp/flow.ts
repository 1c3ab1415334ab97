import type { SlotPool } from "../../kcp-ts/src/pool.ts";
import { DEFAULT_MSS, TcpFlag } from "../wire/tcp.ts";
import type { ReorderStore } from "./assembler.ts";
import type { TcpCounters } from "./counters.ts";
import { type FrameWriter, MAX_FRAME_PAIRS } from "./frame-writer.ts";
import { Inbound, RECEIVE_WINDOW_SHIFT } from "./inbound.ts";
import type { TcpLimits } from "./limits.ts";
import { LingerKind } from "./lingering.ts";
import type { Replies } from "./replies.ts";
import type { Segment } from "./segment.ts";
import { bytesIn } from "./send-queue.ts";
import { Sender } from "./sender.ts";
import { isAfter, isBefore } from "./sequence.ts";
import { Timer, type TimerTable } from "./timer-table.ts";
import type { CloseReason, Flow, FlowReceiver, FlowState, FrameSink, TcpEvents } from "./types.ts";

/** Answers to segments that may be forged, or to duplicates without data, per flow and second (RFC 5961 7). */
export const MAX_CHALLENGE_ACKS_PER_SECOND = 10;
/** SYN-ACKs sent before a handshake is given up; the first wait, doubled each time. */
export const MAX_SYN_ACKS = 5;
const SYN_ACK_TIMEOUT_MS = 1000;
/**
 * An acknowledgement waits for data to carry it only where answers have come faster than this: a client that holds its next
 * small write back until the acknowledgement (Nagle) must not feel it.
 */
const DELAYED_ACK_MS = 5;
/** Smaller announced segments count as this: more headers than payload is nobody's wish (CVE-2019-11479). */
const MIN_MSS = 88;
const TIMESTAMP_BYTES = 12;
/** Timestamps older than this say nothing about order (RFC 7323 5.5). */
const TIMESTAMP_LIFE_MS = 24 * 24 * 3600 * 1000;

/** What `output` did: nothing is left, more may go, the sink was full. */
export const Output = { done: 0, more: 1, blocked: 2 } as const;

/** What a flow needs of its stack. */
export interface FlowHome {
  readonly pool: SlotPool;
  readonly limits: TcpLimits;
  readonly timers: TimerTable;
  readonly events: TcpEvents;
  readonly counters: TcpCounters;
  readonly writer: FrameWriter;
  readonly replies: Replies;
  readonly reorder: ReorderStore;
  /** Of the device, without options. */
  readonly mss: number;
  readonly maxFrameBytes: number;
  readonly random: () => number;
  /** The flow has something to send: `output` will be called by the next `poll`. */
  wantsOutput(flow: TcpFlow): void;
  /** The flow has ended and freed its slots; `linger` is a `LingerKind` or -1 = to be forgotten at once. */
  ended(flow: TcpFlow, linger: number, now: number): void;
}

const Stage = { held: 0, synReceived: 1, open: 2, closed: 3 } as const;

/** One connection: RFC 9293 3.10, with the tests of RFC 5961 and 7323 in front. */
export class TcpFlow implements Flow {
  readonly id: number;
  /** The tuple as in `TupleTable`. */
  readonly client: number;
  readonly target: number;
  readonly ports: number;
  /** Where the kept SYN lies, while held. */
  synOffset = 0;
  synLength = 0;
  readonly #home: FlowHome;
  #stage: number = Stage.held;
  #synSlot = -1;
  #receiver: FlowReceiver | null = null;
  #inbound: Inbound | null = null;
  #sender: Sender | null = null;

  // From the client's SYN.
  #clientSequence = 0;
  #clientMss = 0;
  #clientShift = -1;
  #clientWindow = 0;
  #sack = false;
  #timestamps = false;

  #clockOffset = 0;
  /** TS.Recent (RFC 7323 4.3), when it came, and Last.ACK.sent. */
  #recent = 0;
  #recentAt = 0;
  #lastAckSent = 0;
  #identification = 0;

  #synAcks = 0;
  #synAckDue = false;
  #synAckAt = 0;
  #ackDue = false;
  /** A segment is due that only asks for an acknowledgement: keep-alive or window probe. */
  #questionDue = false;
  #lastHeardAt = 0;
  #keepAliveProbes = 0;
  #challengeSecond = 0;
  #challenges = 0;
  /** Our FIN was on its way when the client's came: TIME-WAIT may be ours. */
  #closedFirst = false;
  #isLow = false;
  /** When the last small data came, and how long our answers take, smoothed. */
  #askedAt = -1;
  #answerMs = 1000;

  constructor(home: FlowHome, id: number, segment: Segment) {
    this.#home = home;
    this.id = id;
    this.client = segment.client;
    this.target = segment.target;
    this.ports = segment.ports;
  }

  get clientAddress(): number {
    return this.client >>> 0;
  }

  get clientPort(): number {
    return this.ports >>> 16;
  }

  get targetAddress(): number {
    return this.target >>> 0;
  }

  get targetPort(): number {
    return this.ports & 0xffff;
  }

  get state(): FlowState {
    const { finPassed } = this.#inbound ?? NO_FIN;
    const { finSent, finAcknowledged } = this.#sender ?? NO_FIN;
    if (this.#stage === Stage.held) return "held";
    if (this.#stage === Stage.synReceived) return "synReceived";
    if (this.#stage === Stage.closed) return "closed";
    if (!finSent) return finPassed ? "closeWait" : "established";
    if (!finPassed) return finAcknowledged ? "finWait2" : "finWait1";
    return this.#closedFirst ? "closing" : "lastAck";
  }

  get isHeld(): boolean {
    return this.#stage === Stage.held;
  }

  /** Ended without ever having been accepted. */
  get wasHeldToTheEnd(): boolean {
    return this.#sender === null;
  }

  get isClosed(): boolean {
    return this.#stage === Stage.closed;
  }

  get sendSpace(): number {
    return this.#stage === Stage.closed || this.#sender === null ? 0 : this.#sender.space;
  }

  get unacknowledgedBytes(): number {
    return this.#sender === null ? 0 : this.#sender.unacknowledgedBytes;
  }

  get promisedBytes(): number {
    const inbound = this.#inbound;
    if (inbound === null || inbound.finPassed) return 0;
    return Math.max(0, (inbound.promisedEnd - inbound.expected) | 0);
  }

  get srttMs(): number {
    return this.#sender === null ? 0 : this.#sender.recovery.rtt.srttMs;
  }

  get receivedBytes(): number {
    return this.#inbound === null ? 0 : this.#inbound.receivedBytes;
  }

  get deliveredBytes(): number {
    return this.#sender === null ? 0 : this.#sender.deliveredBytes;
  }

  get retransmittedBytes(): number {
    return this.#sender === null ? 0 : this.#sender.retransmittedBytes;
  }

  /** SND.NXT, RCV.NXT and timestamps as `Lingering` keeps them. */
  get nextSequence(): number {
    return this.#sender === null ? 0 : this.#sender.next;
  }

  get expectedSequence(): number {
    return this.#inbound === null ? 0 : this.#inbound.expected;
  }

  get hasTimestamps(): boolean {
    return this.#timestamps;
  }

  get clockOffset(): number {
    return this.#clockOffset;
  }

  get recentTimestamp(): number {
    return this.#recent;
  }

  #clock(now: number): number {
    return (Math.floor(now) + this.#clockOffset) | 0;
  }

  // ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Keeps the SYN in the slot, which the flow owns from now on; again for a SYN of a younger attempt. */
  hold(segment: Segment, slot: number, length: number): void {
    if (this.#synSlot >= 0 && this.#synSlot !== slot) this.#home.pool.free(this.#synSlot);
    this.#synSlot = slot;
    this.synOffset = slot * this.#home.pool.slotBytes;
    this.synLength = length;
    segment.parseOptions();
    const { options } = segment;
    this.#clientSequence = segment.sequence;
    this.#clientWindow = segment.window;
    this.#clientMss = options.mss === 0 ? DEFAULT_MSS : options.mss;
    this.#clientShift = options.windowShift;
    this.#sack = options.sackPermitted;
    this.#timestamps = options.hasTimestamps;
    this.#recent = options.timestampValue;
  }

  get synSlot(): number {
    return this.#synSlot;
  }

  get synSequence(): number {
    return this.#clientSequence;
  }

  accept(receiver: FlowReceiver, now: number): void {
    if (this.#stage !== Stage.held) return;
    const home = this.#home;
    this.#freeSyn();
    this.#receiver = receiver;
    this.#clockOffset = home.random() | 0;
    this.#recentAt = now;
    this.#lastHeardAt = now;
    const first = ((home.random() | 0) + 1) | 0;
    const mss =
      Math.max(MIN_MSS, Math.min(this.#clientMss, home.mss)) - (this.#timestamps ? TIMESTAMP_BYTES : 0);
    const expected = (this.#clientSequence + 1) | 0;
    const shift = this.#clientShift >= 0 ? RECEIVE_WINDOW_SHIFT : 0;
    this.#inbound = new Inbound(home.reorder, expected, shift, mss, this.#sack);
    const { pool, limits, timers, maxFrameBytes } = home;
    this.#sender = new Sender(pool, limits, timers, this.id, mss, maxFrameBytes, this.#sack, first, now);
    this.#sender.startWindow(this.#clientSequence, first, this.#clientWindow);
    this.#stage = Stage.synReceived;
    this.#synAckDue = true;
    home.wantsOutput(this);
  }

  #freeSyn(): void {
    if (this.#synSlot >= 0) this.#home.pool.free(this.#synSlot);
    this.#synSlot = -1;
    this.synOffset = 0;
    this.synLength = 0;
  }

  #establish(segment: Segment, now: number): void {
    const { timers, limits, events } = this.#home;
    const sender = this.#sender!;
    this.#stage = Stage.open;
    timers.disarm(this.id, Timer.handshake);
    timers.arm(this.id, Timer.keepAlive, now + limits.keepAliveIdleMs);
    if (this.#synAcks === 1) sender.recovery.rtt.sample(now - this.#synAckAt, now);
    sender.startWindow(
      segment.sequence,
      segment.acknowledgement,
      segment.window << Math.max(0, this.#clientShift),
    );
    events.established(this);
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

  send(slot: number, offset: number, length: number): boolean {
    const sender = this.#sender;
    if (sender === null || this.#stage === Stage.closed || sender.space < length) {
      this.#updateLow();
      return false;
    }
    if (length === 0) {
      this.#home.pool.free(slot);
      return true;
    }
    if (!sender.queue.push(slot, offset, length)) return false;
    this.#updateLow();
    this.#home.wantsOutput(this);
    return true;
  }

  receiveSpaceGrew(now: number): void {
    const inbound = this.#inbound;
    if (inbound === null || this.#stage === Stage.closed) return;
    const receiver = this.#receiver!;
    if (inbound.drain(receiver)) {
      this.#acknowledgeSoon();
      this.#afterData(now);
      if (this.isClosed) return;
    }
    if (this.#stage === Stage.open && inbound.deservesUpdate(receiver.space)) this.#acknowledgeSoon();
  }

  shutdown(): void {
    if (this.#sender === null || this.#stage === Stage.closed || this.#sender.finQueued) return;
    this.#sender.finQueued = true;
    this.#home.wantsOutput(this);
  }

  abort(now: number): void {
    if (this.#stage === Stage.closed) return;
    if (this.#stage === Stage.held) this.refuse(now);
    else this.#die("aborted", now);
  }

  /** RST to a held SYN. */
  refuse(now: number): void {
    if (this.#stage !== Stage.held) return;
    const ack = (this.#clientSequence + 1) | 0;
    this.#home.replies.add(this.client, this.target, this.ports, 0, ack, TcpFlag.rst | TcpFlag.ack);
    this.end("refused", -1, now);
  }

  /** Ends with RST. */
  #die(reason: CloseReason, now: number): void {
    const { next } = this.#sender!;
    const { expected } = this.#inbound!;
    this.#home.replies.add(this.client, this.target, this.ports, next, expected, TcpFlag.rst | TcpFlag.ack);
    this.#ackDue = false;
    this.end(reason, LingerKind.reset, now);
  }

  /** Frees everything and tells it. */
  end(reason: CloseReason, linger: number, now: number): void {
    if (this.#stage === Stage.closed) return;
    const { counters, timers, replies, events } = this.#home;
    const sender = this.#sender;
    if (this.#ackDue && this.#stage === Stage.open && reason === "finished") {
      const { client, target, ports, nextSequence, expectedSequence } = this;
      if (this.#timestamps) {
        const clock = this.#clock(now);
        replies.addWithTimestamps(
          client,
          target,
          ports,
          nextSequence,
          expectedSequence,
          TcpFlag.ack,
          clock,
          this.#recent,
        );
      } else {
        replies.add(client, target, ports, nextSequence, expectedSequence, TcpFlag.ack);
      }
    }
    this.#stage = Stage.closed;
    this.#freeSyn();
    if (sender !== null) {
      sender.clear();
      counters.retransmittedBytes += sender.retransmittedBytes;
      counters.retransmitTimeouts += sender.recovery.timeouts;
      counters.fastRecoveries += sender.recovery.fastRecoveries;
      counters.recoveriesUndone += sender.recovery.undone;
    }
    if (this.#inbound !== null) {
      this.#inbound.close();
      counters.refusedBytes += this.#inbound.refusedBytes;
    }
    timers.clear(this.id);
    this.#home.ended(this, linger, now);
    events.closed(this, reason);
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  handle(segment: Segment, now: number): void {
    if (this.#stage === Stage.held) {
      this.#handleHeld(segment, now);
      return;
    }
    const { options } = segment;
    segment.parseOptions();
    if (!this.#timestamps) options.hasTimestamps = false;
    if (!this.#passesPaws(segment, now) || !this.#isInWindow(segment, now)) return;
    const inbound = this.#inbound!;
    const sender = this.#sender!;
    const { flags, sequence } = segment;
    if ((flags & TcpFlag.rst) !== 0) {
      // RFC 5961 3.2: only the exact next sequence number ends the connection.
      if (sequence === inbound.expected) this.end("clientReset", LingerKind.silent, now);
      else this.#challenge(now);
      return;
    }
    if ((flags & TcpFlag.syn) !== 0) {
      this.#handleSyn(segment, now);
      return;
    }
    if ((flags & TcpFlag.ack) === 0) return;
    this.#lastHeardAt = now;
    this.#keepAliveProbes = 0;
    if (sender.recovery.ranges.isEmpty) sender.stuckSince = now;
    if (!this.#handleAck(segment, now)) return;
    this.#handleData(segment, now);
    if (this.isClosed) return;
    this.#afterData(now);
    if (this.isClosed) return;
    this.#tellWritable();
  }

  #handleHeld(segment: Segment, now: number): void {
    const fromSyn = (segment.sequence - this.#clientSequence) | 0;
    if ((segment.flags & TcpFlag.rst) !== 0 && (fromSyn === 0 || fromSyn === 1))
      this.end("clientReset", -1, now);
  }

  /** RFC 7323 5.3. */
  #passesPaws(segment: Segment, now: number): boolean {
    if (!this.#timestamps || (segment.flags & TcpFlag.rst) !== 0) return true;
    const { options } = segment;
    if (!options.hasTimestamps) {
      this.#home.counters.oldTimestamps++;
      return false;
    }
    if (!isBefore(options.timestampValue, this.#recent) || now - this.#recentAt > TIMESTAMP_LIFE_MS)
      return true;
    this.#home.counters.oldTimestamps++;
    if (segment.payloadBytes > 0) this.#acknowledgeSoon();
    else this.#challenge(now);
    return false;
  }

  /** RFC 9293 3.10.7.4, first step. A zero window lets everything but the payload pass at its edge. */
  #isInWindow(segment: Segment, now: number): boolean {
    const inbound = this.#inbound!;
    const { sequence, flags, payloadBytes } = segment;
    const length =
      payloadBytes + ((flags & TcpFlag.syn) !== 0 ? 1 : 0) + ((flags & TcpFlag.fin) !== 0 ? 1 : 0);
    const end = (sequence + length) | 0;
    if (!isBefore(end, inbound.expected) && !isAfter(sequence, inbound.acceptedEnd)) return true;
    this.#home.counters.outOfWindow++;
    if ((flags & TcpFlag.rst) !== 0) return false;
    if (payloadBytes > 0 && (flags & TcpFlag.syn) === 0) {
      if (isBefore(end, inbound.expected)) inbound.noteOld(sequence, payloadBytes);
      this.#acknowledgeSoon();
    } else {
      this.#challenge(now);
    }
    return false;
  }

  #handleSyn(segment: Segment, now: number): void {
    if (this.#stage === Stage.synReceived && segment.sequence === this.#clientSequence) {
      // Our SYN-ACK got lost, or is late.
      this.#synAckDue = true;
      this.#home.wantsOutput(this);
    } else {
      this.#challenge(now);
    }
  }

  /** False = the segment goes no further. */
  #handleAck(segment: Segment, now: number): boolean {
    const sender = this.#sender!;
    const { acknowledgement: ack, sequence, options } = segment;
    if (this.#stage === Stage.synReceived) {
      if (ack !== sender.una) {
        this.#home.replies.add(this.client, this.target, this.ports, ack, 0, TcpFlag.rst);
        return false;
      }
      this.#establish(segment, now);
      if (this.isClosed) return false;
    } else if (isAfter(ack, sender.next) || isBefore(ack, (sender.una - sender.maxWindow) | 0)) {
      // RFC 5961 5.2.
      this.#home.counters.badAcknowledgements++;
      this.#challenge(now);
      return false;
    }
    if (options.hasTimestamps && !isBefore(options.timestampValue, this.#recent)) {
      if (!isAfter(sequence, this.#lastAckSent)) {
        this.#recent = options.timestampValue;
        this.#recentAt = now;
      }
    }
    if (isBefore(ack, sender.una)) return true;
    const window = segment.window << Math.max(0, this.#clientShift);
    const windowChanged = sender.updateWindow(sequence, ack, window);
    const bare = segment.payloadBytes === 0 && (segment.flags & TcpFlag.fin) === 0 && !windowChanged;
    sender.acknowledge(ack, options, bare, this.#clock(now), now);
    this.#home.wantsOutput(this);
    return true;
  }

  #handleData(segment: Segment, now: number): void {
    const inbound = this.#inbound!;
    const { payloadBytes, sequence, flags } = segment;
    if ((flags & TcpFlag.fin) !== 0) {
      const finSequence = (sequence + payloadBytes) | 0;
      if (inbound.finPassed) this.#acknowledgeSoon();
      else if (!isAfter(finSequence, inbound.acceptedEnd)) inbound.noteFin(finSequence);
    }
    if (payloadBytes === 0) return;
    if (inbound.finPassed) {
      this.#acknowledgeSoon();
      return;
    }
    const urgent = inbound.receive(sequence, segment.payloadOffset, payloadBytes, this.#receiver!);
    if (this.isClosed) return;
    const small = payloadBytes < this.#sender!.mss;
    if (small) this.#askedAt = now;
    if (
      urgent ||
      !small ||
      this.#answerMs > DELAYED_ACK_MS ||
      this.#home.timers.isArmed(this.id, Timer.delayedAck)
    ) {
      this.#acknowledgeSoon();
    } else if (!this.#ackDue) {
      this.#home.timers.arm(this.id, Timer.delayedAck, now + DELAYED_ACK_MS);
    }
  }

  /** After data or an acknowledgement: has the client's FIN been reached, is everything over? */
  #afterData(now: number): void {
    const inbound = this.#inbound!;
    if (inbound.passFin()) {
      this.#closedFirst = this.#sender!.finSent;
      this.#acknowledgeSoon();
      this.#home.events.finished(this);
      if (this.isClosed) return;
    }
    if (inbound.finPassed && this.#sender!.finAcknowledged) this.end("finished", LingerKind.timeWait, now);
  }

  #updateLow(): void {
    const sender = this.#sender;
    if (sender !== null && !sender.finQueued && sender.space < sender.capacityBytes / 8) this.#isLow = true;
  }

  #tellWritable(): void {
    const sender = this.#sender!;
    if (!this.#isLow) {
      this.#updateLow();
    } else if (sender.space >= sender.capacityBytes / 4) {
      this.#isLow = false;
      this.#home.events.writable(this);
    }
  }

  #acknowledgeSoon(): void {
    this.#ackDue = true;
    this.#home.wantsOutput(this);
  }

  /** Tells the other side where we are; limited, so that forged segments cannot make us talk (RFC 5961). */
  #challenge(now: number): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second;
      this.#challenges = 0;
    }
    if (this.#challenges >= MAX_CHALLENGE_ACKS_PER_SECOND) return;
    this.#challenges++;
    this.#home.counters.challengeAcks++;
    this.#acknowledgeSoon();
  }

  // ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  handleTimer(timer: number, now: number): void {
    const { limits } = this.#home;
    const sender = this.#sender!;
    if (timer === Timer.handshake) {
      if (this.#synAcks >= MAX_SYN_ACKS) {
        this.#die("handshakeTimeout", now);
        return;
      }
      this.#synAckDue = true;
    } else if (timer === Timer.retransmit) {
      if (now - sender.stuckSince >= limits.userTimeoutMs) {
        this.#die("timeout", now);
        return;
      }
      sender.recovery.retransmitTimeout(sender.next, this.#clock(now), now);
      this.#updateLow();
    } else if (timer === Timer.tailProbe) {
      sender.recovery.probeDue = true;
    } else if (timer === Timer.reorder) {
      sender.recovery.reorderTimeout(sender.next, this.#clock(now), now);
      this.#updateLow();
    } else if (timer === Timer.persist) {
      if (now - sender.stuckSince >= limits.userTimeoutMs) {
        this.#die("timeout", now);
        return;
      }
      if (sender.persistTimeout(now)) this.#questionDue = true;
    } else if (timer === Timer.delayedAck) {
      this.#ackDue = true;
    } else if (timer === Timer.keepAlive) {
      if (!this.#keepAlive(now)) return;
    }
    this.#home.wantsOutput(this);
  }

  /** False = nothing is to be sent, or the flow is dead. */
  #keepAlive(now: number): boolean {
    const { limits, timers } = this.#home;
    const dueAt = this.#lastHeardAt + limits.keepAliveIdleMs;
    if (now < dueAt) {
      timers.arm(this.id, Timer.keepAlive, dueAt);
      return false;
    }
    if (this.#keepAliveProbes >= limits.keepAliveProbes) {
      this.#die("timeout", now);
      return false;
    }
    this.#keepAliveProbes++;
    this.#questionDue = true;
    timers.arm(this.id, Timer.keepAlive, now + limits.keepAliveIntervalMs);
    return true;
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends one segment or super-segment; an `Output`. */
  output(now: number, sink: FrameSink): number {
    if (this.#stage === Stage.synReceived) return this.#outputSynAck(now, sink);
    if (this.#stage !== Stage.open) return Output.done;
    const sender = this.#sender!;
    // Blocks take the place of payload: they travel alone.
    if (this.#ackDue && this.#inbound!.hasSackToTell && !this.#outputBare(sender.next, now, sink))
      return Output.blocked;
    if (sender.plan(now)) return this.#outputData(now, sink);
    if (this.#questionDue) {
      // A sequence number before the window makes every receiver acknowledge (RFC 9293 3.8.4).
      if (!this.#outputBare((sender.una - 1) | 0, now, sink)) return Output.blocked;
      this.#questionDue = false;
    } else if (this.#ackDue && !this.#outputBare(sender.next, now, sink)) {
      return Output.blocked;
    }
    return Output.done;
  }

  #outputSynAck(now: number, sink: FrameSink): number {
    if (!this.#synAckDue) return Output.done;
    const { writer, timers, mss } = this.#home;
    const inbound = this.#inbound!;
    const window = inbound.openingWindow(this.#receiver!.space);
    const sequence = (this.#sender!.una - 1) | 0;
    const flags = TcpFlag.syn | TcpFlag.ack;
    writer.begin(this.client, this.target, this.ports, sequence, inbound.expected, flags, window);
    writer.addMss(mss);
    if (this.#sack) writer.addSackPermitted();
    if (this.#timestamps) writer.addTimestamps(this.#clock(now), this.#recent);
    if (this.#clientShift >= 0) writer.addWindowShift(RECEIVE_WINDOW_SHIFT);
    writer.finish(0, 1, this.#identification++);
    if (!sink.frame(writer.iov, 1)) return Output.blocked;
    this.#lastAckSent = inbound.expected;
    this.#synAckDue = false;
    this.#synAckAt = now;
    timers.arm(this.id, Timer.handshake, now + SYN_ACK_TIMEOUT_MS * 2 ** this.#synAcks);
    this.#synAcks++;
    this.#home.counters.framesOut++;
    return Output.done;
  }

  #outputData(now: number, sink: FrameSink): number {
    const { writer, counters } = this.#home;
    const sender = this.#sender!;
    const start = sender.planStart;
    let pairs = 1;
    if (sender.planBytes > 0) {
      const pieces = sender.queue.fill(
        writer.words,
        writer.payloadIov,
        MAX_FRAME_PAIRS - 1,
        start,
        sender.planBytes,
      );
      sender.shortenPlan(bytesIn(writer.words, writer.payloadIov, pieces));
      pairs += pieces;
    }
    const bytes = sender.planBytes;
    let flags: number = TcpFlag.ack;
    if (((start + bytes) | 0) === sender.queue.end) flags |= TcpFlag.psh;
    if (sender.planFin) flags |= TcpFlag.fin;
    this.#begin(start, flags);
    if (this.#timestamps) writer.addTimestamps(this.#clock(now), this.#recent);
    writer.finish(bytes, sender.mss, this.#identification);
    if (!sink.frame(writer.iov, pairs)) return Output.blocked;
    this.#identification = (this.#identification + Math.max(1, Math.ceil(bytes / sender.mss))) & 0xffff;
    sender.sent(this.#clock(now), now);
    this.#acknowledged(false);
    if (this.#askedAt >= 0) {
      this.#answerMs += (now - this.#askedAt - this.#answerMs) / 4;
      this.#askedAt = -1;
    }
    counters.framesOut++;
    counters.bytesOut += bytes;
    return Output.more;
  }

  /** A segment without payload: an acknowledgement, or a question. False = the sink is full. */
  #outputBare(sequence: number, now: number, sink: FrameSink): boolean {
    const { writer } = this.#home;
    this.#begin(sequence, TcpFlag.ack);
    if (this.#timestamps) writer.addTimestamps(this.#clock(now), this.#recent);
    const inbound = this.#inbound!;
    if (inbound.hasSackToTell) {
      const blocks = inbound.sackBlocks(SACK_EDGES, this.#timestamps ? 3 : 4);
      if (blocks > 0) writer.addSackBlocks(SACK_EDGES, blocks);
    }
    writer.finish(0, 1, this.#identification);
    if (!sink.frame(writer.iov, 1)) return false;
    this.#identification = (this.#identification + 1) & 0xffff;
    this.#acknowledged(true);
    this.#home.counters.framesOut++;
    return true;
  }

  #begin(sequence: number, flags: number): void {
    const inbound = this.#inbound!;
    const window = inbound.windowField(this.#receiver!.space);
    this.#home.writer.begin(this.client, this.target, this.ports, sequence, inbound.expected, flags, window);
  }

  #acknowledged(withSack: boolean): void {
    const inbound = this.#inbound!;
    if (withSack) inbound.acknowledged();
    this.#ackDue = false;
    this.#lastAckSent = inbound.expected;
    this.#home.timers.disarm(this.id, Timer.delayedAck);
  }
}

const NO_FIN = { finPassed: false, finSent: false, finAcknowledged: false } as const;
/** Scratch of the one segment that is being written. */
const SACK_EDGES = new Int32Array(8);
