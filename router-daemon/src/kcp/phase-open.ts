/**
 * Bytes flow (proxies.md 3.5, rows Established, LocalClosed, PeerClosed; 3.7, 3.8).
 *
 * ```
 *   our direction     running ─shutdown▶ Ending ─FIN▶ … ─told, or acknowledged (ours)▶ done
 *   peer's direction  running ─FIN (ours: and its last byte is here)▶ finished             both done ──▶ closed
 * ```
 */
import type { Kcp } from "kcp-ts";
import { readU32 } from "../wire/peer-header.ts";
import { NO_REASON, reasonOf } from "./conn-data.ts";
import type { Connection } from "./connection.ts";
import { Control } from "./controls.ts";
import { Ending } from "./ending.ts";
import { STOCK_FIRST_FLIGHT_DELAY_MS, STOCK_SMALL_FLIGHT_BYTES, THIRD_PACKET_REPEATS_MS } from "./limits.ts";
import { ACK_DATA, KcpFlag, SYN_ACK } from "./packet.ts";
import type { Phase } from "./phase.ts";
import { Ready } from "./types.ts";

/** Body of a FIN between nodes of our kind. */
const FINAL_BYTES = 4;

export class OpenPhase<Owner> implements Phase {
  readonly #connection: Connection<Owner>;
  readonly #kcp: Kcp;
  readonly #isSource: boolean;
  #ending: Ending | undefined = undefined;
  #hasHeardData = false;
  /** A large first flight is held back until then. */
  #holdUntil = 0;
  /** Bytes (modulo 2^32) after which the peer's direction ends, -1 = not told yet. */
  #peerFinalBytes = -1;
  #pingSentAt = Number.NaN;
  #lastHeardAt: number;
  /** Bytes were delivered either way: the connection is not stuck. */
  #lastProgressAt: number;
  /** The peer last acknowledged bytes. */
  #deliveredAt: number;
  /** The third packet goes out again. */
  #thirdAt = Infinity;
  #thirds = 0;

  constructor(connection: Connection<Owner>, kcp: Kcp, now: number) {
    this.#connection = connection;
    this.#kcp = kcp;
    this.#isSource = connection.host.role === "source";
    this.#lastHeardAt = now;
    this.#lastProgressAt = now;
    this.#deliveredAt = now;
    if (!this.#isSource) return;
    this.#thirdAt = now + THIRD_PACKET_REPEATS_MS[0]!;
    // A stock destination throws away what comes right behind the third packet (proxies.md 3.4).
    if (connection.agreed === undefined) this.#holdUntil = now + STOCK_FIRST_FLIGHT_DELAY_MS;
    connection.owe(Control.third);
  }

  get nextAt(): number {
    let at = this.#kcp.nextTimeout;
    if (at < this.#holdUntil && this.isHeld(at)) at = this.#holdUntil;
    if (this.#thirdAt < at) at = this.#thirdAt;
    if (this.#ending !== undefined && this.#ending.nextAt < at) at = this.#ending.nextAt;
    return at;
  }

  /** KCP output waits. */
  isHeld(now: number): boolean {
    return now < this.#holdUntil && this.#kcp.unacknowledgedBytes > STOCK_SMALL_FLIGHT_BYTES;
  }

  // ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

  receive(_conv: number, kind: number, slot: number, offset: number, length: number, now: number): boolean {
    this.#lastHeardAt = now;
    let isTaken = false;
    const hasData = (kind & KcpFlag.data) !== 0;
    if (hasData && length > 0) isTaken = this.#receiveData(slot, offset, length, now);
    if (kind === ACK_DATA) return isTaken;
    const connection = this.#connection;
    if ((kind & KcpFlag.rst) !== 0) {
      this.#receiveReset(hasData ? NO_REASON : connection.reasonIn(offset, length), now);
    } else if ((kind & KcpFlag.fin) !== 0) {
      this.#receiveFin(offset, hasData ? 0 : length, now);
    } else if (kind === KcpFlag.ack) {
      if (connection.isExtended && this.#ending !== undefined) {
        this.#ending.acknowledge();
        this.#checkFinished(now);
        connection.requestPoll();
      }
    } else if (kind === SYN_ACK && this.#isSource) {
      // The destination has not seen our third packet.
      connection.owe(Control.third);
    }
    return isTaken;
  }

  #receiveData(slot: number, offset: number, length: number, now: number): boolean {
    const kcp = this.#kcp;
    const before = kcp.readableBytes;
    const isTaken = kcp.handleDatagram(slot, offset, length, now);
    this.#noteData(kcp.readableBytes - before, now);
    return isTaken;
  }

  /** Segments that follow each other (`Kcp.handleRun`). */
  receiveRun(words: Int32Array, at: number, count: number, now: number): boolean {
    const kcp = this.#kcp;
    const before = kcp.readableBytes;
    if (!kcp.handleRun(words, at, count, now)) return false;
    this.#lastHeardAt = now;
    this.#noteData(kcp.readableBytes - before, now);
    return true;
  }

  /** KCP has had input, which made `received` bytes readable. */
  #noteData(received: number, now: number): void {
    const connection = this.#connection;
    if (!this.#hasHeardData) {
      this.#hasHeardData = true;
      this.#holdUntil = 0;
      // The destination answers, so it has seen the third packet.
      this.#thirdAt = Infinity;
    }
    if (received > 0) {
      connection.noteReceived(received);
      this.#lastProgressAt = now;
      connection.signal(Ready.readable);
      if (this.#peerFinalBytes >= 0) this.#checkPeerEnd(now);
    }
    if (connection.noteAcknowledged()) {
      this.#lastProgressAt = now;
      this.#deliveredAt = now;
      if (connection.isWritable) connection.signal(Ready.writable);
      else if (this.#kcp.unacknowledgedBytes === 0 && this.#ending?.delivered(now) === true) {
        connection.owe(Control.fin);
      }
    }
    if (this.#ending !== undefined && !this.#ending.isSent) this.#stepEnding(now);
    connection.requestPoll();
  }

  #receiveFin(offset: number, length: number, now: number): void {
    const connection = this.#connection;
    if (!connection.tellsItsEnd) this.#finishPeer(now);
    else if (length < FINAL_BYTES) connection.host.counters.droppedData++;
    else if (connection.peerFinished) connection.owe(Control.finAck);
    else {
      this.#peerFinalBytes = readU32(connection.host.pool.bytes, offset);
      this.#checkPeerEnd(now);
    }
    this.#checkFinished(now);
  }

  /** The FIN of a peer of our kind tells how many bytes precede it, and is acknowledged when they are here. */
  #checkPeerEnd(now: number): void {
    const connection = this.#connection;
    if (connection.peerFinished || connection.bytesReceived >>> 0 !== this.#peerFinalBytes) return;
    connection.owe(Control.finAck);
    this.#finishPeer(now);
    this.#checkFinished(now);
  }

  #finishPeer(now: number): void {
    const connection = this.#connection;
    if (connection.peerFinished) return;
    connection.peerFinished = true;
    this.#lastProgressAt = now;
    connection.signal(Ready.peerFinished);
  }

  #receiveReset(code: number, now: number): void {
    const connection = this.#connection;
    if (code !== NO_REASON) {
      connection.close(reasonOf(code, "reset"), now);
      return;
    }
    const isDelivered = this.#kcp.unacknowledgedBytes === 0;
    // A stock peer whose FIN was lost answers our PING, or our FIN, with RST. It sends FIN only after all its bytes were
    // acknowledged, so nothing is missing (proxies.md 3.7).
    const isLostFin =
      !connection.isExtended && (this.#ending?.isSent === true || !Number.isNaN(this.#pingSentAt));
    if (isDelivered && (connection.peerFinished || isLostFin)) {
      this.#finishPeer(now);
      connection.close("finished", now);
    } else connection.close("reset", now);
  }

  receivePong(now: number): void {
    this.#lastHeardAt = now;
    if (Number.isNaN(this.#pingSentAt)) return;
    this.#connection.pingRttMs = now - this.#pingSentAt;
    this.#pingSentAt = Number.NaN;
  }

  /** The peer has sent PING, which is answered already. */
  receivePing(now: number): void {
    this.#lastHeardAt = now;
    // A stock peer pings on a connection whose FIN it should have seen: perhaps it has not.
    if (this.#ending?.isSent === true && !this.#connection.tellsItsEnd) this.#connection.owe(Control.fin);
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────

  handleTimeout(now: number): void {
    if (now >= this.#thirdAt) {
      const nextMs = THIRD_PACKET_REPEATS_MS[++this.#thirds];
      this.#thirdAt = nextMs === undefined ? Infinity : now + nextMs;
      this.#connection.owe(Control.third);
    }
    if (this.#ending !== undefined && now >= this.#ending.nextAt) this.#stepEnding(now);
    this.#connection.requestPoll();
  }

  /** Silence, stalls, PING. */
  keepAlive(now: number): void {
    this.#kcp.trim();
    const connection = this.#connection;
    const { limits } = connection.host;
    if (now - this.#lastHeardAt > limits.silenceMs) {
      connection.end("silent", NO_REASON, now);
      return;
    }
    const isStockHalfClosed = connection.peerFinished && !connection.tellsItsEnd;
    const stuckMs = now - this.#lastProgressAt;
    const isEnding = connection.locallyFinished;
    if (this.#kcp.unacknowledgedBytes > 0) {
      const isStuck =
        (isStockHalfClosed && stuckMs > limits.stockHalfClosedStallMs) ||
        (isEnding && stuckMs > limits.drainStallMs);
      if (isStuck) {
        connection.end("undelivered", NO_REASON, now);
        return;
      }
    } else if (isStockHalfClosed && !isEnding && stuckMs > limits.stockHalfClosedIdleMs) {
      connection.end("silent", NO_REASON, now);
      return;
    } else if (this.#ending?.isExhausted === true) connection.owe(Control.fin);
    // A PING would make a half-closed stock source reset the connection (proxies.md 3.7).
    if (isStockHalfClosed) return;
    this.#pingSentAt = now;
    connection.owe(Control.ping);
  }

  // ── the end of our direction ──────────────────────────────────────────────────────────────────────────────────

  shutdown(now: number): void {
    // From here on the FIN says what the third packet said.
    this.#thirdAt = Infinity;
    this.#lastProgressAt = now;
    const { tellsItsEnd, bytesSent, createdAt } = this.#connection;
    this.#ending = new Ending(this.#kcp, tellsItsEnd, bytesSent, createdAt, now);
    this.#stepEnding(now);
  }

  #stepEnding(now: number): void {
    const connection = this.#connection;
    const { limits } = connection.host;
    // Toward a stock destination FIN cuts its answer short: let it speak first.
    const mayCut = this.#isSource && !connection.peerFinished;
    const quietUntil = mayCut ? this.#lastProgressAt + limits.stockAnswerQuietMs : 0;
    const stallMs = connection.peerFinished ? limits.stockHalfClosedStallMs : limits.drainStallMs;
    if (this.#ending!.step(now, this.#deliveredAt, quietUntil, stallMs)) {
      connection.owe(Control.fin);
      this.#checkFinished(now);
    }
    connection.requestPoll();
  }

  /** Both directions have ended: ours is known to have arrived (peers of our kind say so), or was told at least. */
  #checkFinished(now: number): void {
    const connection = this.#connection;
    const ending = this.#ending;
    if (!connection.peerFinished || ending === undefined) return;
    if (connection.tellsItsEnd ? ending.isAcknowledged : ending.isSent) connection.close("finished", now);
  }
}
