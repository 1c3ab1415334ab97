/**
 * Source side: the TCP connection of a client (of the LAN, or of the router itself) ends in the user-space stack, its bytes cross
 * the network over KCP or QUIC.
 *
 * Life of one:
 * ```
 *  SYN ─▶ policy ─tcp─▶ plain path (PlainFlows keeps the row)
 *           │ kcp, quic
 *           ▼ the SYN is held, endpoint.connect()
 *       ConnectingDst ─ the service refused ──────▶ RST to the client
 *           │         └ the peer did not take it ─▶ the held SYN goes on as plain TCP, the peer is remembered
 *           ▼ Ready.established: SYN-ACK to the client
 *       Connected:    TUN frame ─copy─▶ KCP send ring                      up
 *                     KCP receive ring ─slot─▶ TCP send queue              down (the slot moves, no copy)
 *           │ each direction ends by itself (half-close)
 *           │        └ reset by the far side: what had arrived goes to the client first, then it is reset
 *           ▼
 *        Closed
 * ```
 */
import { RUN_WORDS, RunEntry, type SlotPool } from "kcp-ts";
import {
  type CarriedConnection,
  type CloseReason as CarrierCloseReason,
  type KcpConnectOptions,
  type KcpTarget,
  Ready,
} from "../kcp/types.ts";
import type { TcpStack } from "../tcp/stack.ts";
import type {
  Flow,
  FlowKey,
  FlowReceiver,
  SynVerdict,
  CloseReason as TcpCloseReason,
  TcpEvents,
} from "../tcp/types.ts";
import type { Entry, EntryTable } from "./entry.ts";
import { LAST_WORDS_STALL_MS } from "./last-words.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { PlainFlows } from "./plain-flows.ts";
import type { Carrying, Decision, Policy } from "./policy.ts";
import type { ReasonCode } from "./reason.ts";

/** Connections carried at once at most; further ones use plain TCP. */
export const MAX_SOURCE_CONNECTIONS = 4096;
/** How long the client's SYN is held for a peer that gives no sign of life, milliseconds. */
export const HOLD_MS = 2500;

/** How often it is looked at whether the client has the far side's last words. */
const LAST_WORDS_POLL_MS = 5;

/** Slots that move from the far side to the client in one step. */
const RUN_SLOTS = 256;

/** Window shown to a client whose bytes nobody takes any more: its next write is answered with a reset. */
const SPACE_WHEN_CLOSED = 0xffff;

/** The parts of an endpoint (of KCP or QUIC) and of the stack that the source uses. */
export interface Opener {
  connect(
    peerId: number,
    target: KcpTarget,
    now: number,
    options?: KcpConnectOptions,
  ): CarriedConnection<unknown> | undefined;
}
export type Openers = Readonly<Record<Carrying, Opener>>;
export type FlowControl = Pick<TcpStack, "accept" | "refuse" | "release">;

export interface SourceOptions {
  readonly policy: Policy;
  readonly entries: EntryTable;
  readonly plainFlows: PlainFlows;
  readonly pool: SlotPool;
  readonly budget: Pick<MemoryBudget, "refusal">;
  /** Sends a frame (vnet header first) over the plain path. */
  readonly sendPlain: (offset: number, length: number, now: number) => void;
  /** Round-trip time to a peer as the mesh measures it; 0 = unknown. */
  readonly rttMs: (peerId: number) => number;
  readonly maxConnections?: number;
}

/** One carried connection; also what the stack hands the client's bytes to. */
class Carried implements FlowReceiver {
  readonly #proxy: SourceProxy;
  readonly flow: Flow;
  readonly conn: CarriedConnection<unknown>;
  readonly entry: Entry;
  /** The KCP side has the connection and the client was answered. */
  accepted = false;
  flowClosed = false;
  connClosed = false;
  /** The client's FIN was passed on. */
  upEnded = false;
  /** The far side's end was passed on. */
  downEnded = false;
  /** While in `#leaving`: when it ends if the client acknowledges no more than these bytes. */
  leaveAt = Number.POSITIVE_INFINITY;
  delivered = 0;

  constructor(proxy: SourceProxy, flow: Flow, conn: CarriedConnection<unknown>, entry: Entry) {
    this.#proxy = proxy;
    this.flow = flow;
    this.conn = conn;
    this.entry = entry;
  }

  /** After the end of the KCP side the client may still write: it must be able to, to learn that nobody reads (`receive`). */
  get space(): number {
    return this.connClosed ? SPACE_WHEN_CLOSED : this.conn.writableBytes;
  }

  receive(offset: number, length: number): number {
    return this.#proxy.receive(this, offset, length);
  }
}

export class SourceProxy implements TcpEvents {
  readonly #policy: Policy;
  readonly #entries: EntryTable;
  readonly #plainFlows: PlainFlows;
  readonly #pool: SlotPool;
  readonly #budget: SourceOptions["budget"];
  readonly #sendPlain: SourceOptions["sendPlain"];
  readonly #rttMs: SourceOptions["rttMs"];
  readonly #maxConnections: number;
  readonly #byFlow: (Carried | undefined)[] = [];
  /** Reset by the far side, with its last bytes still on their way to the client. */
  readonly #leaving = new Set<Carried>();
  #lookAt = Number.POSITIVE_INFINITY;
  readonly #run = new Int32Array(RUN_SLOTS * RUN_WORDS);
  #endpoints: Openers | undefined;
  #stack: FlowControl | undefined;
  #count = 0;
  /** The decision made in `syn`, used by the `held` that follows at once. */
  #decision: Decision | undefined;
  /** Time of the input being handled; the stack's events carry none. */
  #now = 0;

  constructor(options: SourceOptions) {
    this.#policy = options.policy;
    this.#entries = options.entries;
    this.#plainFlows = options.plainFlows;
    this.#pool = options.pool;
    this.#budget = options.budget;
    this.#sendPlain = options.sendPlain;
    this.#rttMs = options.rttMs;
    this.#maxConnections = options.maxConnections ?? MAX_SOURCE_CONNECTIONS;
  }

  /** The stack and the endpoints are made with this proxy at hand, so they come afterwards. */
  attach(stack: FlowControl, endpoints: Openers): void {
    this.#stack = stack;
    this.#endpoints = endpoints;
  }

  get connectionCount(): number {
    return this.#count;
  }

  get nextTimeout(): number {
    return this.#lookAt;
  }

  handleTimeout(now: number): void {
    this.#now = now;
    for (const carried of this.#leaving) this.#leave(carried, now);
    this.#lookAt = this.#leaving.size > 0 ? now + LAST_WORDS_POLL_MS : Number.POSITIVE_INFINITY;
  }

  /** To be told before the stack gets input or is polled. */
  setNow(now: number): void {
    this.#now = now;
  }

  // ── the stack's events ────────────────────────────────────────────────────────────────────────────────────────

  syn(key: FlowKey): SynVerdict {
    const now = this.#now;
    let decision = this.#policy.decide(key.clientAddress, key.targetAddress, key.targetPort, now);
    if (decision.transport !== "tcp") {
      if (this.#count >= this.#maxConnections) {
        decision = { transport: "tcp", peerId: decision.peerId, reason: "connection_limit" };
      } else {
        const reason = this.#budget.refusal(decision.peerId);
        if (reason !== undefined) decision = { transport: "tcp", peerId: decision.peerId, reason };
      }
    }
    if (decision.transport === "tcp") {
      this.#plainFlows.open(key, decision, now);
      return "plain";
    }
    this.#decision = decision;
    return "hold";
  }

  held(flow: Flow): void {
    const decision = this.#decision!;
    const { transport } = decision;
    if (transport === "tcp") throw new Error("A connection that goes as plain TCP is not held.");
    this.#decision = undefined;
    const now = this.#now;
    const entry = this.#entries.open(
      {
        role: "source",
        sourceIp: flow.clientAddress,
        sourcePort: flow.clientPort,
        destinationIp: flow.targetAddress,
        destinationPort: flow.targetPort,
        peerId: decision.peerId,
      },
      transport,
      decision.reason,
      now,
    );
    entry.state = "ConnectingDst";
    const conn = this.#endpoints![transport].connect(
      decision.peerId,
      {
        source: { ip: flow.clientAddress, port: flow.clientPort },
        destination: { ip: flow.targetAddress, port: flow.targetPort },
      },
      now,
      { openTimeoutMs: HOLD_MS, rttMs: this.#rttMs(decision.peerId) },
    );
    if (conn === undefined) {
      this.#goPlain(flow, entry, "connection_limit", now);
      return;
    }
    const carried = new Carried(this, flow, conn, entry);
    conn.owner = carried;
    entry.close = (at, reason) => this.#abort(carried, reason, at);
    this.#byFlow[flow.id] = carried;
    this.#count++;
  }

  /** Too many SYNs are held: this one goes on as plain TCP before it would be lost. */
  evicting(flow: Flow): void {
    const carried = this.#byFlow[flow.id];
    if (carried === undefined) return;
    carried.connClosed = true;
    carried.conn.release(this.#now);
    this.#byFlow[flow.id] = undefined;
    this.#count--;
    carried.flowClosed = true;
    this.#goPlain(flow, carried.entry, "connection_limit", this.#now);
  }

  established(flow: Flow): void {
    const carried = this.#byFlow[flow.id];
    if (carried !== undefined) carried.entry.state = "Connected";
  }

  writable(flow: Flow): void {
    const carried = this.#byFlow[flow.id];
    if (carried !== undefined) this.#moveDown(carried, this.#now);
  }

  finished(flow: Flow): void {
    const carried = this.#byFlow[flow.id];
    if (carried === undefined) return;
    carried.upEnded = true;
    if (!carried.downEnded) carried.entry.state = "ClosingDst";
    if (!carried.connClosed) carried.conn.shutdown(this.#now);
  }

  closed(flow: Flow, reason: TcpCloseReason): void {
    const carried = this.#byFlow[flow.id];
    if (carried === undefined) return;
    this.#byFlow[flow.id] = undefined;
    carried.flowClosed = true;
    if (reason === "finished") {
      // The bytes of the client may still be on their way: the KCP side ends by itself.
      if (carried.connClosed) this.#end(carried, "finished", this.#now);
      return;
    }
    if (reason === "released" || carried.connClosed) {
      this.#end(carried, carried.entry.reason, this.#now);
      return;
    }
    carried.conn.abort(this.#now, "far_end_reset");
    this.#end(carried, flowReason(reason), this.#now);
  }

  /** The client's next bytes: copied into the send ring, all that fits. */
  receive(carried: Carried, offset: number, length: number): number {
    const { conn } = carried;
    if (this.#leaving.has(carried)) return length;
    if (carried.connClosed) {
      carried.entry.reason = "service_reset";
      carried.flow.abort(this.#now);
      return length;
    }
    const taken = conn.writeFrom(offset, length);
    carried.entry.upBytes += taken;
    return taken;
  }

  // ── the endpoint's news ───────────────────────────────────────────────────────────────────────────────────────

  handleReady(conn: CarriedConnection<unknown>, now: number): void {
    this.#now = now;
    const ready = conn.takeReady();
    const carried = conn.owner;
    if (!(carried instanceof Carried)) {
      if ((ready & Ready.closed) !== 0) conn.release(now);
      return;
    }
    if ((ready & Ready.established) !== 0 && !carried.flowClosed) {
      carried.accepted = true;
      carried.entry.carrier = conn;
      this.#policy.noteSuccess(conn.peerId, conn.transport);
      this.#stack!.accept(carried.flow, carried, now);
    }
    if ((ready & Ready.closed) !== 0) {
      this.#handleConnClosed(carried, now);
      return;
    }
    if (carried.flowClosed) {
      // Nobody is there to take it: what still arrives is dropped, so that the far side can finish.
      if (conn.readableBytes > 0) conn.consume(conn.readableBytes);
      return;
    }
    if ((ready & (Ready.readable | Ready.peerFinished)) !== 0) this.#moveDown(carried, now);
    if ((ready & Ready.writable) !== 0 && carried.accepted) carried.flow.receiveSpaceGrew(now);
  }

  /** Ends everything at once: the daemon stops. */
  closeAll(now: number, reason: ReasonCode): void {
    for (const carried of [...this.#byFlow]) if (carried !== undefined) this.#abort(carried, reason, now);
  }

  /** Far side to client: slots move from the receive ring into the TCP send queue. */
  #moveDown(carried: Carried, now: number): void {
    if (!carried.accepted || carried.flowClosed) return;
    const { conn, flow } = carried;
    const run = this.#run;
    while (conn.readableBytes > 0) {
      // Only as many as the flow has room for if they were the largest there can be: what was taken must be sent.
      const room = Math.floor(flow.sendSpace / this.#pool.slotBytes);
      const count = conn.takeSlots(run, 0, Math.min(room, RUN_SLOTS));
      if (count === 0) break;
      if (!flow.sendSlots(run, 0, count)) {
        for (let i = 0; i < count; i++) this.#pool.free(run[i * RUN_WORDS + RunEntry.slot]!);
        this.#abort(carried, "client_reset", now);
        return;
      }
      for (let i = 0; i < count; i++) carried.entry.downBytes += run[i * RUN_WORDS + RunEntry.length]!;
    }
    if (conn.peerFinished && conn.readableBytes === 0 && !carried.downEnded) {
      carried.downEnded = true;
      if (!carried.upEnded) carried.entry.state = "ClosingSrc";
      flow.shutdown();
    }
  }

  #handleConnClosed(carried: Carried, now: number): void {
    const { conn, flow } = carried;
    const reason = conn.closeReason!;
    if (!carried.accepted) {
      this.#handleNotTaken(carried, reason, now);
      return;
    }
    this.#moveDown(carried, now);
    carried.connClosed = true;
    if (carried.flowClosed) {
      this.#end(carried, connReason(reason), now);
      return;
    }
    // An ordinary end: what was received is the client's; its own end follows. Everything else ends the client at once.
    if (conn.peerFinished && (reason === "finished" || carried.upEnded || flow.receivedBytes === 0)) return;
    if (conn.peerFinished && conn.unacknowledgedBytes === 0) return;
    carried.entry.reason = connReason(reason);
    if (reason !== "far_end_reset" && reason !== "reset") {
      flow.abort(now);
      return;
    }
    carried.leaveAt = now + LAST_WORDS_STALL_MS;
    carried.delivered = flow.deliveredBytes;
    this.#leaving.add(carried);
    this.#lookAt = Math.min(this.#lookAt, now + LAST_WORDS_POLL_MS);
    this.#leave(carried, now);
  }

  /** The far side has reset: the client is, too, once it has what came before, or when that gets no further. */
  #leave(carried: Carried, now: number): void {
    const { flow, conn } = carried;
    this.#moveDown(carried, now);
    if (carried.flowClosed) return;
    if (flow.deliveredBytes !== carried.delivered) {
      carried.delivered = flow.deliveredBytes;
      carried.leaveAt = now + LAST_WORDS_STALL_MS;
    }
    const isDone = conn.readableBytes === 0 && flow.unacknowledgedBytes === 0;
    if (isDone || now >= carried.leaveAt) flow.abort(now);
  }

  /** KCP or QUIC was tried for a held SYN, and the far side did not take it. */
  #handleNotTaken(carried: Carried, reason: CarrierCloseReason, now: number): void {
    carried.connClosed = true;
    const { flow, conn, entry } = carried;
    conn.release(now);
    if (carried.flowClosed) {
      this.#end(carried, "client_reset", now);
      return;
    }
    switch (reason) {
      case "target_refused":
        entry.reason = "destination_refused";
        this.#stack!.refuse(flow, now);
        return;
      case "target_timeout":
      case "target_unreachable":
        entry.reason = "destination_unreachable";
        this.#stack!.refuse(flow, now);
        return;
      case "denied":
        entry.reason = "destination_not_exported";
        this.#stack!.refuse(flow, now);
        return;
      case "far_end_reset":
        // The service had taken the connection and reset it before we heard of either: asking again would be a second one.
        entry.reason = "service_reset";
        this.#stack!.refuse(flow, now);
        return;
      case "aborted":
        this.#stack!.refuse(flow, now);
        return;
      default:
    }
    const why: ReasonCode =
      reason === "no_answer" || reason === "undecided"
        ? `${conn.transport}_timeout`
        : `${conn.transport}_refused_by_peer`;
    if (reason !== "busy") this.#policy.noteFailure(conn.peerId, conn.transport, now);
    this.#byFlow[flow.id] = undefined;
    this.#count--;
    carried.flowClosed = true;
    this.#goPlain(flow, entry, why, now);
  }

  /** The held SYN goes on as a plain one; its row goes on too, with the reason. */
  #goPlain(flow: Flow, entry: Entry, reason: ReasonCode, now: number): void {
    this.#plainFlows.adopt(flow, entry, reason, now);
    this.#sendPlain(flow.synOffset, flow.synLength, now);
    this.#stack!.release(flow);
  }

  #abort(carried: Carried, reason: ReasonCode, now: number): void {
    if (carried.entry.endedAt !== undefined) return;
    this.#now = now;
    carried.entry.reason = reason;
    if (!carried.connClosed) carried.conn.abort(now, "far_end_reset");
    carried.connClosed = true;
    if (carried.flowClosed) this.#end(carried, reason, now);
    else if (carried.accepted) carried.flow.abort(now);
    else this.#stack!.refuse(carried.flow, now);
  }

  #end(carried: Carried, reason: ReasonCode, now: number): void {
    if (carried.entry.endedAt !== undefined) return;
    if (this.#byFlow[carried.flow.id] === carried) this.#byFlow[carried.flow.id] = undefined;
    this.#leaving.delete(carried);
    this.#count--;
    this.#entries.end(carried.entry, reason, now);
    carried.conn.release(now);
  }
}

function flowReason(reason: TcpCloseReason): ReasonCode {
  return reason === "clientReset" ? "client_reset" : reason === "aborted" ? "peer_reset" : "client_gone";
}

function connReason(reason: CarrierCloseReason): ReasonCode {
  switch (reason) {
    case "finished":
      return "finished";
    case "silent":
    case "undelivered":
      return "peer_silent";
    case "peer_gone":
      return "peer_gone";
    case "far_end_reset":
      return "service_reset";
    default:
      return "peer_reset";
  }
}
