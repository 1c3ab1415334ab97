/**
 * Destination side: a KCP or QUIC connection of a peer becomes an ordinary TCP connection to the service.
 *
 * Life of one (proxies.md 5):
 * ```
 *  Ready.incoming ─▶ may it be dialled? ─no─▶ refuse(denied)
 *                       │ yes
 *                       ▼ tcpConnect
 *                   ConnectingDst ─error, 10 s─▶ refuse(why)
 *                       │ writable, no error
 *                       ▼ accept()
 *                   Connected:   kcp.view ─▶ tcpWrite ─▶ kcp.consume        up   (slots of the receive ring, no copy)
 *                                kcp.reserve ◀─ tcpRead ─▶ kcp.commit       down (read straight into the send ring)
 *                       │ each direction ends by itself (half-close)
 *                       │        └ the service resets: what it sent before is delivered first, then the client is reset
 *                       ▼ both ended, all delivered
 *                    Closed
 * ```
 */
import { type CarriedConnection, type CloseReason, Ready, type RefusalReason } from "../kcp/types.ts";
import type { Entry, EntryTable } from "./entry.ts";
import { LAST_WORDS_STALL_MS } from "./last-words.ts";
import type { MemoryBudget } from "./memory-budget.ts";
import type { ReasonCode } from "./reason.ts";
import {
  ECONNREFUSED,
  EINPROGRESS,
  END_OF_STREAM,
  ETIMEDOUT,
  SocketEvent,
  type TcpSockets,
} from "./socket.ts";

/** How long a service may take to accept the TCP connection, milliseconds (EasyTier waits as long). */
export const CONNECT_TIMEOUT_MS = 10_000;
/** (offset, length) pairs handed to the kernel per call. */
export const MAX_IOV_PAIRS = 64;
/** Bytes one connection may move per direction before the others have their turn. */
export const TURN_BYTES = 256 * 1024;

/** Whether the node may be asked to dial an address. The deny reasons are those of `REASONS`. */
export interface DialPolicy {
  mayDial(ipv4: number, port: number): "yes" | "destination_not_exported" | "destination_protected";
}

export interface DestinationOptions {
  readonly sockets: TcpSockets;
  readonly dialPolicy: DialPolicy;
  readonly entries: EntryTable;
  readonly budget: Pick<MemoryBudget, "refusal">;
  /** `disable_quic_input` is not set. Default: it is not. */
  readonly quicInput?: () => boolean;
  /** The arena as words, and the index of `2 * MAX_IOV_PAIRS` words that are this proxy's own. */
  readonly words: Int32Array;
  readonly iovWord: number;
}

class Carried {
  readonly conn: CarriedConnection<unknown>;
  readonly entry: Entry;
  readonly deadline: number;
  handle: number;
  connected = false;
  readable = false;
  writable = false;
  /** The kernel said that nothing more will come: a short read is not the end of it until END_OF_STREAM. */
  hangup = false;
  /** The service has reset the connection: what it sent before may still be there to be read … */
  broken = false;
  /** … and now all of it was. */
  drained = false;
  /** While in `#leaving`: when it ends if no more than these bytes are delivered. */
  leaveAt = Number.POSITIVE_INFINITY;
  delivered = 0;
  /** The service's direction has ended and was passed on. */
  downEnded = false;
  /** The client's direction has ended and was passed on. */
  upEnded = false;
  /** In `#turns`. */
  waiting = false;
  over = false;

  constructor(conn: CarriedConnection<unknown>, entry: Entry, handle: number, deadline: number) {
    this.conn = conn;
    this.entry = entry;
    this.handle = handle;
    this.deadline = deadline;
  }
}

export class DestinationProxy {
  readonly #sockets: TcpSockets;
  readonly #dialPolicy: DialPolicy;
  readonly #entries: EntryTable;
  readonly #budget: DestinationOptions["budget"];
  readonly #quicInput: () => boolean;
  readonly #words: Int32Array;
  readonly #iov: number;
  readonly #byHandle = new Map<number, Carried>();
  /** Not connected yet, oldest first: all wait equally long, so this is also the order of their deadlines. */
  readonly #connecting = new Set<Carried>();
  /** Broken, with bytes of the service still on their way; the one that will wait longest is last. */
  readonly #leaving = new Set<Carried>();
  /** Those that had more to move than their turn allowed. */
  #turns: Carried[] = [];
  #nextTurns: Carried[] = [];

  constructor(options: DestinationOptions) {
    this.#sockets = options.sockets;
    this.#dialPolicy = options.dialPolicy;
    this.#entries = options.entries;
    this.#budget = options.budget;
    this.#quicInput = options.quicInput ?? (() => true);
    this.#words = options.words;
    this.#iov = options.iovWord;
  }

  get connectionCount(): number {
    return this.#byHandle.size;
  }

  get nextTimeout(): number {
    if (this.#turns.length > 0) return Number.NEGATIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const first of this.#connecting) {
      next = first.deadline;
      break;
    }
    for (const first of this.#leaving) return Math.min(next, first.leaveAt);
    return next;
  }

  /** News of one connection of the destination endpoint. */
  handleReady(conn: CarriedConnection<unknown>, now: number): void {
    const ready = conn.takeReady();
    if ((ready & Ready.incoming) !== 0) this.#dial(conn, now);
    const carried = conn.owner;
    if (!(carried instanceof Carried)) {
      if ((ready & Ready.closed) !== 0) conn.release(now);
      return;
    }
    if ((ready & Ready.closed) !== 0) this.#handleClosed(carried, now);
    else this.#move(carried, now);
  }

  /** News of one TCP socket. */
  handleSocket(handle: number, events: number, now: number): void {
    const carried = this.#byHandle.get(handle);
    if (carried === undefined) return;
    if (!carried.connected) {
      const error = this.#sockets.tcpError(handle);
      if (error === -EINPROGRESS) return;
      this.#connecting.delete(carried);
      if (error < 0) {
        this.#refuse(carried, refusal(-error), now);
        return;
      }
      carried.connected = true;
      carried.writable = true;
      carried.readable = true;
      carried.entry.state = "Connected";
      carried.entry.carrier = carried.conn;
      carried.conn.accept(now);
    }
    if ((events & SocketEvent.readable) !== 0) carried.readable = true;
    if ((events & SocketEvent.writable) !== 0) carried.writable = true;
    if ((events & (SocketEvent.hangup | SocketEvent.error)) !== 0) {
      carried.hangup = true;
      carried.readable = true;
    }
    if ((events & SocketEvent.error) !== 0) carried.broken = true;
    this.#move(carried, now);
  }

  handleTimeout(now: number): void {
    for (const carried of this.#connecting) {
      if (now < carried.deadline) break;
      this.#connecting.delete(carried);
      this.#refuse(carried, "target_timeout", now);
    }
    for (const carried of this.#leaving) {
      if (now < carried.leaveAt) break;
      this.#abort(carried, "service_reset", now);
    }
    if (this.#turns.length === 0) return;
    const turns = this.#turns;
    this.#turns = this.#nextTurns;
    this.#nextTurns = turns;
    for (const carried of turns) {
      carried.waiting = false;
      this.#move(carried, now);
    }
    turns.length = 0;
  }

  /** Ends everything at once: the daemon stops. */
  closeAll(now: number, reason: ReasonCode): void {
    for (const carried of [...this.#byHandle.values()]) this.#abort(carried, reason, now);
  }

  #dial(conn: CarriedConnection<unknown>, now: number): void {
    const { source, destination } = conn;
    const entry = this.#entries.open(
      {
        role: "destination",
        sourceIp: source.ip,
        sourcePort: source.port,
        destinationIp: destination.ip,
        destinationPort: destination.port,
        peerId: conn.peerId,
      },
      conn.transport,
      `${conn.transport}_allowed`,
      now,
    );
    entry.state = "ConnectingDst";
    const verdict = this.#dialPolicy.mayDial(destination.ip, destination.port);
    if (verdict !== "yes") {
      this.#entries.end(entry, verdict, now);
      conn.refuse(now, "denied");
      conn.release(now);
      return;
    }
    // A QUIC connection that was open when the switch was set lives on; new streams on it do not.
    if (conn.transport === "quic" && !this.#quicInput()) {
      this.#entries.end(entry, "destination_quic_disabled", now);
      conn.refuse(now, "refused");
      conn.release(now);
      return;
    }
    // A source of our kind goes on with plain TCP at once. A stock one could not: it is served as long as there is a slot.
    const full = conn.isExtended ? this.#budget.refusal(conn.peerId) : undefined;
    if (full !== undefined) {
      this.#entries.end(entry, full, now);
      conn.refuse(now, "busy");
      conn.release(now);
      return;
    }
    const handle = this.#sockets.tcpConnect(destination.ip, destination.port);
    if (handle < 0) {
      this.#entries.end(entry, "destination_unreachable", now);
      conn.refuse(now, refusal(-handle));
      conn.release(now);
      return;
    }
    const carried = new Carried(conn, entry, handle, now + CONNECT_TIMEOUT_MS);
    conn.owner = carried;
    entry.close = (at, reason) => this.#abort(carried, reason, at);
    this.#byHandle.set(handle, carried);
    this.#connecting.add(carried);
  }

  #refuse(carried: Carried, reason: RefusalReason, now: number): void {
    if (carried.over) return;
    carried.conn.refuse(now, reason);
    this.#end(carried, reason === "target_refused" ? "destination_refused" : "destination_unreachable", now);
  }

  #handleClosed(carried: Carried, now: number): void {
    if (carried.over) return;
    const { closeReason } = carried.conn;
    if (closeReason === "finished") {
      // What the peer sent before it finished is still readable: it belongs to the service.
      this.#move(carried, now);
      if (carried.over) return;
      if (carried.conn.readableBytes > 0) return;
      this.#end(carried, "finished", now);
      return;
    }
    this.#sockets.tcpAbort(carried.handle);
    this.#end(carried, closedReason(closeReason), now, true);
  }

  /** Moves what can be moved, a turn's worth at most. */
  #move(carried: Carried, now: number): void {
    if (carried.over || !carried.connected) return;
    const moreUp = this.#moveUp(carried);
    const more = this.#moveDown(carried, now) || moreUp;
    if (carried.over) return;
    if (carried.upEnded && carried.downEnded && carried.conn.state === "closed") {
      this.#end(carried, "finished", now);
      return;
    }
    if (carried.broken) this.#leave(carried, now);
    if (!carried.over && more && !carried.waiting) {
      carried.waiting = true;
      this.#turns.push(carried);
    }
  }

  /** Client to service. Returns true when the turn ended before the work. */
  #moveUp(carried: Carried): boolean {
    const { conn, handle } = carried;
    let moved = 0;
    while (carried.writable && moved < TURN_BYTES) {
      const pairs = conn.view(this.#words, this.#iov, MAX_IOV_PAIRS);
      if (pairs === 0) break;
      const written = this.#sockets.tcpWrite(handle, this.#iov, pairs);
      if (written < 0) {
        // Whether the service has finished its direction or was cut off: what came before is there to be read.
        carried.broken = true;
        carried.readable = true;
        carried.writable = false;
        return false;
      }
      let offered = 0;
      for (let i = 0; i < pairs; i++) offered += this.#words[this.#iov + 2 * i + 1]!;
      if (written < offered) carried.writable = false;
      conn.consume(written);
      carried.entry.upBytes += written;
      moved += written;
    }
    if (!carried.upEnded && conn.peerFinished && conn.readableBytes === 0) {
      carried.upEnded = true;
      carried.entry.state = "ClosingDst";
      this.#sockets.tcpShutdown(handle);
    }
    return carried.writable && conn.readableBytes > 0;
  }

  /** Service to client. Returns true when the turn ended before the work. */
  #moveDown(carried: Carried, now: number): boolean {
    const { conn, handle } = carried;
    let moved = 0;
    while (carried.readable && !carried.downEnded && moved < TURN_BYTES) {
      const pairs = conn.reserve(this.#words, this.#iov, MAX_IOV_PAIRS);
      if (pairs === 0) return false;
      const read = this.#sockets.tcpRead(handle, this.#iov, pairs);
      if (read === END_OF_STREAM) {
        conn.commit(0);
        carried.downEnded = true;
        carried.readable = false;
        // After a write that failed the kernel tells the reset as an end.
        if (carried.broken) return false;
        if (!carried.upEnded) carried.entry.state = "ClosingSrc";
        conn.shutdown(now);
        return false;
      }
      if (read <= 0) {
        conn.commit(0);
        carried.readable = false;
        if (read < 0) {
          carried.broken = true;
          carried.drained = true;
        }
        return false;
      }
      let offered = 0;
      for (let i = 0; i < pairs; i++) offered += this.#words[this.#iov + 2 * i + 1]!;
      conn.commit(read);
      carried.entry.downBytes += read;
      moved += read;
      // A short read has emptied the socket; what comes later is a new edge, except the end, which may be known already.
      if (read < offered && !carried.hangup) carried.readable = false;
    }
    return carried.readable && !carried.downEnded && conn.writableBytes > 0;
  }

  /** The service has reset: the client is, too, once it has what the service had sent, or when that gets no further. */
  #leave(carried: Carried, now: number): void {
    const underWay = carried.conn.unacknowledgedBytes;
    if (underWay === 0 && (carried.drained || carried.downEnded)) {
      this.#abort(carried, "service_reset", now);
      return;
    }
    const delivered = carried.entry.downBytes - underWay;
    if (this.#leaving.has(carried) && delivered === carried.delivered) return;
    carried.delivered = delivered;
    carried.leaveAt = now + LAST_WORDS_STALL_MS;
    this.#leaving.delete(carried);
    this.#leaving.add(carried);
  }

  /** Something broke: both sides are told at once. */
  #abort(carried: Carried, reason: ReasonCode, now: number): void {
    if (carried.over) return;
    this.#sockets.tcpAbort(carried.handle);
    carried.conn.abort(now, "far_end_reset");
    this.#end(carried, reason, now, true);
  }

  #end(carried: Carried, reason: ReasonCode, now: number, socketGone = false): void {
    carried.over = true;
    this.#connecting.delete(carried);
    this.#leaving.delete(carried);
    this.#byHandle.delete(carried.handle);
    if (!socketGone) this.#sockets.close(carried.handle);
    this.#entries.end(carried.entry, reason, now);
    carried.conn.release(now);
  }
}

function refusal(errno: number): RefusalReason {
  if (errno === ECONNREFUSED) return "target_refused";
  if (errno === ETIMEDOUT) return "target_timeout";
  return "target_unreachable";
}

function closedReason(reason: CloseReason | undefined): ReasonCode {
  switch (reason) {
    case "silent":
      return "peer_silent";
    case "peer_gone":
      return "peer_gone";
    case "far_end_reset":
      return "client_reset";
    case "finished":
      return "finished";
    default:
      return "peer_reset";
  }
}
