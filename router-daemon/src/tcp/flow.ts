import { TcpFlag } from "../wire/tcp.ts";
import { AckPolicy } from "./ack-policy.ts";
import { ClientSyn } from "./client-syn.ts";
import type { FlowHome } from "./flow-home.ts";
import { FlowOutput, Output } from "./flow-output.ts";
import { Inbound, RECEIVE_WINDOW_SHIFT } from "./inbound.ts";
import { LingerKind } from "./lingering.ts";
import type { Segment } from "./segment.ts";
import { Sender } from "./sender.ts";
import { isAfter, isBefore } from "./sequence.ts";
import { Timer } from "./timer-table.ts";
import { TIMESTAMP_BYTES, Timestamps } from "./timestamps.ts";
import type { CloseReason, Flow, FlowReceiver, FlowState, FrameSink } from "./types.ts";

/** SYN-ACKs sent before a handshake is given up; the first wait, doubled each time. */
export const MAX_SYN_ACKS = 5;
const SYN_ACK_TIMEOUT_MS = 1000;
/** Smaller announced segments count as this: more headers than payload is nobody's wish (CVE-2019-11479). */
const MIN_MSS = 88;

const Stage = { held: 0, synReceived: 1, open: 2, closed: 3 } as const;

/** What an accepted flow consists of. */
interface Parts {
  readonly receiver: FlowReceiver;
  readonly inbound: Inbound;
  readonly sender: Sender;
  readonly timestamps: Timestamps;
  readonly acks: AckPolicy;
  readonly output: FlowOutput;
}

/** One connection: RFC 9293 3.10, with the tests of RFC 5961 and 7323 in front. */
export class TcpFlow implements Flow {
  readonly id: number;
  /** The tuple as in `TupleTable`. */
  readonly client: number;
  readonly target: number;
  readonly ports: number;
  readonly syn: ClientSyn = new ClientSyn();
  readonly #home: FlowHome;
  #stage: number = Stage.held;
  #parts: Parts | null = null;
  #synAcks = 0;
  #synAckDue = false;
  #synAckAt = 0;
  #lastHeardAt = 0;
  #keepAliveProbes = 0;
  /** Our FIN was on its way when the client's came. */
  #closedFirst = false;
  /** `sendSpace` was low: `writable` is owed. */
  #isLow = false;

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

  get synOffset(): number {
    return this.syn.offset;
  }

  get synLength(): number {
    return this.syn.length;
  }

  get state(): FlowState {
    const parts = this.#parts;
    if (this.#stage === Stage.closed) return "closed";
    if (parts === null) return "held";
    if (this.#stage === Stage.synReceived) return "synReceived";
    const { finPassed } = parts.inbound;
    const { finSent, finAcknowledged } = parts.sender;
    if (!finSent) return finPassed ? "closeWait" : "established";
    if (!finPassed) return finAcknowledged ? "finWait2" : "finWait1";
    return this.#closedFirst ? "closing" : "lastAck";
  }

  get isHeld(): boolean {
    return this.#stage === Stage.held;
  }

  get isClosed(): boolean {
    return this.#stage === Stage.closed;
  }

  /** Inbound and the rest of an accepted flow, until `closed` has been told; null = it was never accepted. */
  get parts(): Parts | null {
    return this.#parts;
  }

  get sendSpace(): number {
    if (this.#stage === Stage.closed || this.#parts === null) return 0;
    const { sender } = this.#parts;
    // Whoever finds little wants to hear when that changes, also when it is the quota that has shrunk.
    this.#updateLow(sender);
    return sender.space;
  }

  get unacknowledgedBytes(): number {
    return this.#parts === null ? 0 : this.#parts.sender.unacknowledgedBytes;
  }

  get promisedBytes(): number {
    return this.#parts === null ? 0 : this.#parts.inbound.promisedBytes;
  }

  get srttMs(): number {
    return this.#parts === null ? 0 : this.#parts.sender.recovery.rtt.srttMs;
  }

  get receivedBytes(): number {
    return this.#parts === null ? 0 : this.#parts.inbound.receivedBytes;
  }

  get deliveredBytes(): number {
    return this.#parts === null ? 0 : this.#parts.sender.deliveredBytes;
  }

  get retransmittedBytes(): number {
    return this.#parts === null ? 0 : this.#parts.sender.retransmittedBytes;
  }

  // ── opening ─────────────────────────────────────────────────────────────────────────────────────────────────────

  accept(receiver: FlowReceiver, now: number): void {
    if (this.#stage !== Stage.held) return;
    const { syn, id } = this;
    const home = this.#home;
    const { pool, quota, limits, timers, maxFrameBytes, reorder } = home;
    syn.freeFrame(pool);
    const timestamps = new Timestamps(syn.timestamps, home.random() | 0, syn.timestamp, now);
    const first = ((home.random() | 0) + 1) | 0;
    const mss = Math.max(MIN_MSS, Math.min(syn.mss, home.mss)) - (syn.timestamps ? TIMESTAMP_BYTES : 0);
    const shift = syn.shift >= 0 ? RECEIVE_WINDOW_SHIFT : 0;
    const inbound = new Inbound(reorder, (syn.sequence + 1) | 0, shift, mss, syn.sack);
    const sender = new Sender(pool, quota, limits, timers, id, mss, maxFrameBytes, syn.sack, first, now);
    sender.startWindow(syn.sequence, first, syn.window);
    const acks = new AckPolicy(timers, id);
    const output = new FlowOutput(home, this, receiver, inbound, sender, timestamps, acks);
    this.#parts = { receiver, inbound, sender, timestamps, acks, output };
    this.#lastHeardAt = now;
    this.#stage = Stage.synReceived;
    this.#synAckDue = true;
    home.wantsOutput(this);
  }

  #establish(segment: Segment, sender: Sender, now: number): void {
    const { timers, limits, events } = this.#home;
    this.#stage = Stage.open;
    timers.disarm(this.id, Timer.handshake);
    timers.arm(this.id, Timer.keepAlive, now + limits.keepAliveIdleMs);
    if (this.#synAcks === 1) sender.recovery.rtt.sample(now - this.#synAckAt, now);
    sender.startWindow(segment.sequence, segment.acknowledgement, this.#windowOf(segment));
    events.established(this);
  }

  #windowOf(segment: Segment): number {
    return segment.window << Math.max(0, this.syn.shift);
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────

  send(slot: number, offset: number, length: number): boolean {
    if (this.#parts === null || this.#stage === Stage.closed) return false;
    const { sender } = this.#parts;
    const fits = sender.space >= length && !sender.finQueued;
    if (fits && length === 0) {
      this.#home.pool.free(slot);
      return true;
    }
    const taken = fits && sender.queue.push(slot, offset, length);
    this.#updateLow(sender);
    if (taken) this.#home.wantsOutput(this);
    return taken;
  }

  sendSlots(words: Int32Array, at: number, count: number): boolean {
    if (this.#parts === null || this.#stage === Stage.closed) return false;
    const { sender } = this.#parts;
    const fits = sender.space >= count * this.#home.pool.slotBytes;
    if (!fits || !sender.queue.pushRun(words, at, count)) return false;
    this.#updateLow(sender);
    this.#home.wantsOutput(this);
    return true;
  }

  receiveSpaceGrew(now: number): void {
    const parts = this.#parts;
    if (parts === null || this.#stage === Stage.closed) return;
    const { inbound, receiver } = parts;
    if (inbound.drain(receiver)) {
      // The receiver may have ended the flow.
      if (this.isClosed) return;
      this.#acknowledgeSoon(parts);
      this.#afterData(parts, now);
      if (this.isClosed) return;
    }
    if (this.#stage === Stage.open && inbound.deservesUpdate(receiver.space)) this.#acknowledgeSoon(parts);
  }

  shutdown(): void {
    if (this.#parts === null || this.#stage === Stage.closed || this.#parts.sender.finQueued) return;
    this.#parts.sender.finQueued = true;
    this.#home.wantsOutput(this);
  }

  abort(now: number): void {
    if (this.#stage === Stage.held) this.refuse(now);
    else this.#die("aborted", now);
  }

  /** RST to a held SYN. */
  refuse(now: number): void {
    if (this.#stage !== Stage.held) return;
    const ack = (this.syn.sequence + 1) | 0;
    this.#home.replies.add(this.client, this.target, this.ports, 0, ack, TcpFlag.rst | TcpFlag.ack);
    this.end("refused", -1, now);
  }

  /** Ends with RST. */
  #die(reason: CloseReason, now: number): void {
    if (this.#stage === Stage.closed) return;
    this.#parts!.output.leaveReset();
    this.end(reason, LingerKind.reset, now);
  }

  /** Frees everything and tells it. */
  end(reason: CloseReason, linger: number, now: number): void {
    if (this.#stage === Stage.closed) return;
    const { counters, timers, events, pool } = this.#home;
    this.#stage = Stage.closed;
    this.syn.freeFrame(pool);
    if (this.#parts !== null) {
      const { inbound, sender, acks, output } = this.#parts;
      if (acks.due && reason === "finished") output.leaveLastAck(now);
      sender.clear();
      inbound.close();
      counters.retransmittedBytes += sender.retransmittedBytes;
      counters.retransmitTimeouts += sender.recovery.timeouts;
      counters.fastRecoveries += sender.recovery.fastRecoveries;
      counters.recoveriesUndone += sender.recovery.undone;
      counters.refusedBytes += inbound.refusedBytes;
    }
    timers.clear(this.id);
    this.#home.ended(this, linger, now);
    events.closed(this, reason);
    // They know the flow and its receiver, which knows the flow: an engine that counts references frees all of it at once now.
    this.#parts = null;
  }

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────

  handle(segment: Segment, now: number): void {
    const parts = this.#parts;
    if (parts === null) {
      this.#handleHeld(segment, now);
      return;
    }
    segment.parseOptions();
    if (!parts.timestamps.enabled) segment.options.hasTimestamps = false;
    if (!this.#passesPaws(parts, segment, now) || !this.#isInWindow(parts, segment, now)) return;
    const { inbound, sender } = parts;
    const { flags } = segment;
    if ((flags & TcpFlag.rst) !== 0) {
      // RFC 5961 3.2: only the exact next sequence number ends the connection.
      if (segment.sequence === inbound.expected) this.end("clientReset", LingerKind.silent, now);
      else this.#challenge(parts, now);
      return;
    }
    if ((flags & TcpFlag.syn) !== 0) {
      this.#handleSyn(parts, segment, now);
      return;
    }
    if ((flags & TcpFlag.ack) === 0) return;
    this.#lastHeardAt = now;
    this.#keepAliveProbes = 0;
    if (sender.recovery.ranges.isEmpty) sender.stuckSince = now;
    if (!this.#handleAck(parts, segment, now)) return;
    this.#handleData(parts, segment, now);
    if (this.isClosed) return;
    this.#afterData(parts, now);
    if (this.isClosed) return;
    this.#tellWritable(sender);
  }

  #handleHeld(segment: Segment, now: number): void {
    const fromSyn = (segment.sequence - this.syn.sequence) | 0;
    if ((segment.flags & TcpFlag.rst) === 0) return;
    if (fromSyn === 0 || fromSyn === 1) this.end("clientReset", -1, now);
  }

  #passesPaws(parts: Parts, segment: Segment, now: number): boolean {
    const { timestamps } = parts;
    // Without the option it is dropped in silence (RFC 7323 3.2), with an old one it is answered (5.3).
    const isComplete = timestamps.isComplete(segment);
    if (isComplete && !timestamps.isOld(segment, now)) return true;
    this.#home.counters.oldTimestamps++;
    if (!isComplete) return false;
    if (segment.payloadBytes > 0) this.#acknowledgeSoon(parts);
    else this.#challenge(parts, now);
    return false;
  }

  /** RFC 9293 3.10.7.4, first step. A zero window lets everything but the payload pass at its edge. */
  #isInWindow(parts: Parts, segment: Segment, now: number): boolean {
    const { inbound } = parts;
    const { sequence, flags, payloadBytes } = segment;
    const isSyn = (flags & TcpFlag.syn) !== 0;
    const length = payloadBytes + (isSyn ? 1 : 0) + ((flags & TcpFlag.fin) !== 0 ? 1 : 0);
    const end = (sequence + length) | 0;
    if (!isBefore(end, inbound.expected) && !isAfter(sequence, inbound.acceptedEnd)) return true;
    this.#home.counters.outOfWindow++;
    if ((flags & TcpFlag.rst) !== 0) return false;
    if (payloadBytes > 0 && !isSyn) {
      if (isBefore(end, inbound.expected)) inbound.noteOld(sequence, payloadBytes);
      this.#acknowledgeSoon(parts);
    } else {
      this.#challenge(parts, now);
    }
    return false;
  }

  #handleSyn(parts: Parts, segment: Segment, now: number): void {
    if (this.#stage === Stage.synReceived && segment.sequence === this.syn.sequence) {
      // Our SYN-ACK got lost, or is late.
      this.#synAckDue = true;
      this.#home.wantsOutput(this);
    } else {
      this.#challenge(parts, now);
    }
  }

  /** False = the segment goes no further. */
  #handleAck(parts: Parts, segment: Segment, now: number): boolean {
    const { sender, timestamps, acks } = parts;
    const { acknowledgement: ack, options } = segment;
    if (this.#stage === Stage.synReceived) {
      if (ack !== sender.una) {
        this.#home.replies.add(this.client, this.target, this.ports, ack, 0, TcpFlag.rst);
        return false;
      }
      this.#establish(segment, sender, now);
      if (this.isClosed) return false;
    } else if (isAfter(ack, sender.next) || isBefore(ack, (sender.una - sender.maxWindow) | 0)) {
      // RFC 5961 5.2.
      this.#home.counters.badAcknowledgements++;
      this.#challenge(parts, now);
      return false;
    }
    timestamps.note(segment, acks.lastSent, now);
    if (isBefore(ack, sender.una)) return true;
    const windowChanged = sender.updateWindow(segment.sequence, ack, this.#windowOf(segment));
    const bare = segment.payloadBytes === 0 && (segment.flags & TcpFlag.fin) === 0 && !windowChanged;
    sender.acknowledge(ack, options, bare, timestamps.clock(now), now);
    this.#home.wantsOutput(this);
    return true;
  }

  #handleData(parts: Parts, segment: Segment, now: number): void {
    const { inbound, sender, acks } = parts;
    const { payloadBytes, sequence } = segment;
    if ((segment.flags & TcpFlag.fin) !== 0) {
      if (inbound.finPassed) this.#acknowledgeSoon(parts);
      else inbound.noteFin((sequence + payloadBytes) | 0);
    }
    if (payloadBytes === 0) return;
    if (inbound.finPassed) {
      this.#acknowledgeSoon(parts);
      return;
    }
    const urgent = inbound.receive(sequence, segment.payloadOffset, payloadBytes, parts.receiver);
    if (this.isClosed) return;
    if (acks.received(urgent, payloadBytes < sender.mss, now)) this.#home.wantsOutput(this);
  }

  /** After data or an acknowledgement: has the client's FIN been reached, is everything over? */
  #afterData(parts: Parts, now: number): void {
    const { inbound, sender } = parts;
    if (inbound.passFin()) {
      this.#closedFirst = sender.finSent;
      this.#acknowledgeSoon(parts);
      this.#home.events.finished(this);
      if (this.isClosed) return;
    }
    if (inbound.finPassed && sender.finAcknowledged) this.end("finished", LingerKind.timeWait, now);
  }

  #updateLow(sender: Sender): void {
    if (!sender.finQueued && sender.space < sender.capacityBytes / 8) this.#isLow = true;
  }

  #tellWritable(sender: Sender): void {
    if (!this.#isLow) {
      this.#updateLow(sender);
    } else if (sender.space >= sender.capacityBytes / 4) {
      this.#isLow = false;
      this.#home.events.writable(this);
    }
  }

  #acknowledgeSoon(parts: Parts): void {
    parts.acks.due = true;
    this.#home.wantsOutput(this);
  }

  /** Tells the other side where we are, a limited number of times. */
  #challenge(parts: Parts, now: number): void {
    if (!parts.acks.challenge(now)) return;
    this.#home.counters.challengeAcks++;
    this.#home.wantsOutput(this);
  }

  // ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  handleTimer(timer: number, now: number): void {
    const { sender, timestamps, acks, output } = this.#parts!;
    switch (timer) {
      case Timer.handshake:
        if (this.#synAcks >= MAX_SYN_ACKS) this.#die("handshakeTimeout", now);
        else this.#synAckDue = true;
        break;
      case Timer.retransmit:
        if (this.#isStuckTooLong(sender, now)) this.#die("timeout", now);
        else sender.recovery.retransmitTimeout(sender.next, timestamps.clock(now), now);
        break;
      case Timer.tailProbe:
        sender.recovery.probeDue = true;
        break;
      case Timer.reorder:
        sender.recovery.reorderTimeout(sender.next, timestamps.clock(now), now);
        break;
      case Timer.persist:
        if (this.#isStuckTooLong(sender, now)) this.#die("timeout", now);
        else if (sender.persistTimeout(now)) output.questionDue = true;
        break;
      case Timer.delayedAck:
        acks.due = true;
        break;
      case Timer.keepAlive:
        this.#keepAlive(output, now);
        break;
    }
    if (this.isClosed) return;
    this.#updateLow(sender);
    this.#home.wantsOutput(this);
  }

  #isStuckTooLong(sender: Sender, now: number): boolean {
    return now - sender.stuckSince >= this.#home.limits.userTimeoutMs;
  }

  #keepAlive(output: FlowOutput, now: number): void {
    const { limits, timers } = this.#home;
    const dueAt = this.#lastHeardAt + limits.keepAliveIdleMs;
    if (now < dueAt) {
      timers.arm(this.id, Timer.keepAlive, dueAt);
    } else if (this.#keepAliveProbes >= limits.keepAliveProbes) {
      this.#die("timeout", now);
    } else {
      this.#keepAliveProbes++;
      output.questionDue = true;
      timers.arm(this.id, Timer.keepAlive, now + limits.keepAliveIntervalMs);
    }
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends one segment or super-segment; an `Output`. */
  output(now: number, sink: FrameSink): number {
    if (this.#stage === Stage.open) return this.#parts!.output.send(now, sink);
    if (this.#stage !== Stage.synReceived || !this.#synAckDue) return Output.done;
    if (!this.#parts!.output.sendSynAck(this.syn, now, sink)) return Output.blocked;
    this.#synAckDue = false;
    this.#synAckAt = now;
    this.#home.timers.arm(this.id, Timer.handshake, now + SYN_ACK_TIMEOUT_MS * 2 ** this.#synAcks);
    this.#synAcks++;
    return Output.done;
  }
}
