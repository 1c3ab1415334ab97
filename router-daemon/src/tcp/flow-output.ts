import { TcpFlag } from "../wire/tcp.ts";
import type { AckPolicy } from "./ack-policy.ts";
import type { ClientSyn } from "./client-syn.ts";
import type { FlowHome } from "./flow-home.ts";
import { MAX_FRAME_PAIRS } from "./frame-writer.ts";
import { type Inbound, RECEIVE_WINDOW_SHIFT } from "./inbound.ts";
import { bytesIn } from "./send-queue.ts";
import type { Sender } from "./sender.ts";
import type { Timestamps } from "./timestamps.ts";
import type { FlowReceiver, FrameSink } from "./types.ts";

/** What an attempt to send did: nothing is left, more may go, the sink was full. */
export const Output = { done: 0, more: 1, blocked: 2 } as const;

/** The tuple as in `TupleTable`. */
interface Tuple {
  readonly client: number;
  readonly target: number;
  readonly ports: number;
}

/** What a flow says: its segments, built in the stack's one frame and given to the sink one by one. */
export class FlowOutput {
  /** A segment is due that only asks for an acknowledgement: keep-alive or window probe. */
  questionDue = false;
  readonly #home: FlowHome;
  readonly #tuple: Tuple;
  readonly #receiver: FlowReceiver;
  readonly #inbound: Inbound;
  readonly #sender: Sender;
  readonly #timestamps: Timestamps;
  readonly #acks: AckPolicy;
  #identification = 0;

  constructor(
    home: FlowHome,
    tuple: Tuple,
    receiver: FlowReceiver,
    inbound: Inbound,
    sender: Sender,
    timestamps: Timestamps,
    acks: AckPolicy,
  ) {
    this.#home = home;
    this.#tuple = tuple;
    this.#receiver = receiver;
    this.#inbound = inbound;
    this.#sender = sender;
    this.#timestamps = timestamps;
    this.#acks = acks;
  }

  /** The SYN-ACK: options that the client offered, too. False = the sink is full. */
  sendSynAck(syn: ClientSyn, now: number, sink: FrameSink): boolean {
    const { writer, mss, counters } = this.#home;
    const inbound = this.#inbound;
    const { client, target, ports } = this.#tuple;
    const window = inbound.openingWindow(this.#receiver.space);
    const sequence = (this.#sender.una - 1) | 0;
    writer.begin(client, target, ports, sequence, inbound.expected, TcpFlag.syn | TcpFlag.ack, window);
    writer.addMss(mss);
    if (syn.sack) writer.addSackPermitted();
    this.#timestamps.addTo(writer, now);
    if (syn.shift >= 0) writer.addWindowShift(RECEIVE_WINDOW_SHIFT);
    writer.finish(0, 1, this.#identification);
    if (!sink.frame(writer.iov, 1)) return false;
    this.#identification = (this.#identification + 1) & 0xffff;
    this.#acks.lastSent = inbound.expected;
    counters.framesOut++;
    return true;
  }

  /** One segment or super-segment of what is due; an `Output`. */
  send(now: number, sink: FrameSink): number {
    const sender = this.#sender;
    const acks = this.#acks;
    // SACK blocks would take the place of payload: they travel alone.
    if (acks.due && this.#inbound.hasSackToTell && !this.#sendBare(sender.next, now, sink)) {
      return Output.blocked;
    }
    if (sender.plan(now)) return this.#sendData(now, sink);
    if (this.questionDue) {
      // A sequence number before the window makes every receiver acknowledge (RFC 9293 3.8.4).
      if (!this.#sendBare((sender.una - 1) | 0, now, sink)) return Output.blocked;
      this.questionDue = false;
    } else if (acks.due && !this.#sendBare(sender.next, now, sink)) {
      return Output.blocked;
    }
    return Output.done;
  }

  #sendData(now: number, sink: FrameSink): number {
    const { writer, counters } = this.#home;
    const sender = this.#sender;
    const start = sender.planStart;
    let pairs = 1;
    if (sender.planBytes > 0) {
      const most = MAX_FRAME_PAIRS - 1;
      const pieces = sender.queue.fill(writer.words, writer.payloadIov, most, start, sender.planBytes);
      sender.shortenPlan(bytesIn(writer.words, writer.payloadIov, pieces));
      pairs += pieces;
    }
    const bytes = sender.planBytes;
    let flags: number = TcpFlag.ack;
    if (((start + bytes) | 0) === sender.queue.end) flags |= TcpFlag.psh;
    if (sender.planFin) flags |= TcpFlag.fin;
    this.#begin(start, flags, now);
    writer.finish(bytes, sender.mss, this.#identification);
    if (!sink.frame(writer.iov, pairs)) return Output.blocked;
    this.#identification = (this.#identification + Math.max(1, Math.ceil(bytes / sender.mss))) & 0xffff;
    sender.sent(this.#timestamps.clock(now), now);
    this.#acks.sent(this.#inbound.expected);
    this.#acks.answered(now);
    counters.framesOut++;
    counters.bytesOut += bytes;
    return Output.more;
  }

  /** A segment without payload: an acknowledgement, or a question. False = the sink is full. */
  #sendBare(sequence: number, now: number, sink: FrameSink): boolean {
    const { writer, counters } = this.#home;
    const inbound = this.#inbound;
    this.#begin(sequence, TcpFlag.ack, now);
    if (inbound.hasSackToTell) {
      const blocks = inbound.sackBlocks(SACK_EDGES, this.#timestamps.enabled ? 3 : 4);
      if (blocks > 0) writer.addSackBlocks(SACK_EDGES, blocks);
    }
    writer.finish(0, 1, this.#identification);
    if (!sink.frame(writer.iov, 1)) return false;
    this.#identification = (this.#identification + 1) & 0xffff;
    inbound.acknowledged();
    this.#acks.sent(inbound.expected);
    counters.framesOut++;
    return true;
  }

  #begin(sequence: number, flags: number, now: number): void {
    const { writer } = this.#home;
    const { client, target, ports } = this.#tuple;
    const window = this.#inbound.windowField(this.#receiver.space);
    writer.begin(client, target, ports, sequence, this.#inbound.expected, flags, window);
    this.#timestamps.addTo(writer, now);
  }

  /** The last acknowledgement of a flow that is over: it outlives the flow among the replies. */
  leaveLastAck(now: number): void {
    const { replies } = this.#home;
    const { client, target, ports } = this.#tuple;
    const { next } = this.#sender;
    const { expected } = this.#inbound;
    const timestamps = this.#timestamps;
    if (timestamps.enabled) {
      const clock = timestamps.clock(now);
      replies.addWithTimestamps(client, target, ports, next, expected, TcpFlag.ack, clock, timestamps.recent);
    } else {
      replies.add(client, target, ports, next, expected, TcpFlag.ack);
    }
  }

  /** RST as a reply, which outlives the flow. */
  leaveReset(): void {
    const { client, target, ports } = this.#tuple;
    const flags = TcpFlag.rst | TcpFlag.ack;
    this.#home.replies.add(client, target, ports, this.#sender.next, this.#inbound.expected, flags);
  }
}

/** Scratch of the one segment that is being written. */
const SACK_EDGES = new Int32Array(8);
