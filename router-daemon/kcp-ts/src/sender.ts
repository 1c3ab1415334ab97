import { type CongestionController, Limit } from "./congestion.ts";
import { Flight, MAX_PAUSE_MS, TICK_MS } from "./flight.ts";
import type { DatagramSink } from "./kcp.ts";
import type { Settings } from "./options.ts";
import { Pacer } from "./pacer.ts";
import { PLAIN_INTERVAL_MS } from "./round-trip.ts";
import { SecondCopies, THIN_SEGMENTS } from "./second-copies.ts";
import { Command, commandWord, HEADER_BYTES, writeHeader } from "./segment.ts";
import { CELL_SHIFT, Cell, type SendRing, State } from "./send-ring.ts";

/** Segments sent again at once when the timeout strikes: one lost probe must not cost another timeout. */
const TIMEOUT_PROBES = 2;
/** A segment that is not full leaves at once while fewer than this are in flight, else after this pause. */
const PARTIAL_FREE_SEGMENTS = 8;
const PARTIAL_INTERVAL_MS = 1;

/** The sending half: transmission, loss detection, timeouts. What is to be sent lies in its ring. */
export class Sender {
  readonly flight: Flight;
  readonly ring: SendRing;
  readonly controller: CongestionController;
  /** As the peer last said, in segments; what every KCP assumes before it has heard. */
  remoteWindow = 128;
  // Counters of segments.
  sent = 0;
  retransmitted = 0;

  readonly #settings: Settings;
  readonly #words: Int32Array;
  readonly #slotBytes: number;
  readonly #headerAt: number;
  readonly #conv: number;
  readonly #pacer: Pacer;
  readonly #copies: SecondCopies;
  /** Counts transmissions: their order decides what is lost. */
  #order = 0;
  /** When the window was last in the way. */
  #windowFullMs = -Infinity;

  // Timers.
  #timeoutHeldMs = -Infinity;
  #probes = 0;
  #partialAtMs = -Infinity;

  // Of the current `poll`.
  #nowMs = 0;
  #nowUs = 0;
  #ts = 0;
  #una = 0;
  #command = 0;

  constructor(settings: Settings, words: Int32Array) {
    this.#settings = settings;
    this.#words = words;
    this.#slotBytes = settings.pool.slotBytes;
    this.#headerAt = settings.headerAt;
    this.#conv = settings.conv;
    this.flight = new Flight(settings);
    this.ring = this.flight.ring;
    this.controller = settings.congestion({
      datagramBytes: settings.mtu,
      ackDelayMs: settings.extended ? 0 : PLAIN_INTERVAL_MS,
      seed: settings.conv >>> 0,
    });
    this.#pacer = new Pacer(settings.mtu);
    this.#copies = new SecondCopies(settings.secondCopies, this.flight.roundTrip);
  }

  get duplicated(): number {
    return this.#copies.sent;
  }

  /** Data datagrams sent, of every kind. */
  get datagrams(): number {
    return this.sent + this.retransmitted + this.#copies.sent;
  }

  /** Something is unsent, and only the peer's window is in the way. */
  get blockedByPeer(): boolean {
    const { una, next, end } = this.ring;
    return next !== end && next === una && this.remoteWindow === 0;
  }

  /** Segments that may be sent and not acknowledged. */
  get #window(): number {
    return Math.min(this.#settings.sendWindow, this.remoteWindow);
  }

  // ── between input and output ────────────────────────────────────────────────────────────────────────────────────────

  /** Draws the conclusions of what was acknowledged since the last call, and of the time that has passed. */
  settle(nowMs: number, nowUs: number): void {
    const flight = this.flight;
    if (nowMs - this.#nowMs > MAX_PAUSE_MS) flight.age(nowUs);
    this.#nowMs = nowMs;
    this.#nowUs = nowUs;
    const { rates, roundTrip } = flight;
    if (rates.pending) {
      roundTrip.handleProgress();
      rates.measure(roundTrip);
      flight.detectLosses(nowMs, nowUs);
      this.controller.handleAcks(rates.take(roundTrip, flight.inflightBytes, nowMs));
      rates.clear();
    } else if (nowMs >= flight.lossAtMs) {
      flight.detectLosses(nowMs, nowUs);
    }
    if (nowMs >= this.#timeoutAt() - TICK_MS) this.#strike(nowMs);
  }

  /** When the oldest transmission has been without an answer for too long. */
  #timeoutAt(): number {
    const ring = this.ring;
    if (ring.flying.count === 0) return Infinity;
    const sentAtUs = ring.cells[((ring.flying.head & ring.mask) << CELL_SHIFT) + Cell.sentAt]!;
    const at = this.#nowMs + this.flight.roundTrip.timeoutMs - ((this.#nowUs - sentAtUs) | 0) / 1000;
    return Math.max(at, this.#timeoutHeldMs);
  }

  /** The timeout strikes: only the oldest segments go again; their acknowledgement tells about all others. */
  #strike(nowMs: number): void {
    const { flight, ring } = this;
    flight.roundTrip.handleTimeout();
    this.controller.handleTimeout(flight.roundTrip.timeouts);
    this.#timeoutHeldMs = nowMs + flight.roundTrip.timeoutMs;
    for (this.#probes = 0; this.#probes < TIMEOUT_PROBES && ring.flying.count !== 0; this.#probes++) {
      flight.giveUp(ring.flying.head, (ring.flying.head & ring.mask) << CELL_SHIFT);
    }
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends what pacing and windows allow, after `settle`. False when the sink took no more. */
  poll(sink: DatagramSink, ts: number, una: number, wnd: number): boolean {
    const { flight, ring } = this;
    const nowMs = this.#nowMs;
    const maxPayload = this.#settings.maxPayload;
    const rate = this.controller.bytesPerMs;
    const congestionWindow = this.controller.windowBytes;
    const credit = this.#pacer.credit(nowMs, rate);
    this.#ts = ts;
    this.#una = una;
    this.#command = commandWord(Command.push, 0, wnd);
    let used = 0;
    // More would have left but for the pace; but for the congestion window.
    let hungry = false;
    let limited = false;
    let open = true;

    const copies = this.#copies;
    while (open && copies.dueAtMs !== Infinity) {
      const sn = copies.sn;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const wanted =
        ((sn - ring.una) | 0) >= 0 &&
        ring.cells[cell + Cell.state] === State.flying &&
        ring.cells[cell + Cell.order] === copies.order;
      if (wanted) {
        if (copies.dueAtMs > nowMs) break;
        open = this.#repeat(cell, sn, sink);
        if (!open) break;
        used += ring.cells[cell + Cell.length]! + HEADER_BYTES;
      }
      copies.next(wanted, nowMs);
    }

    while (open && ring.lost.count !== 0) {
      const sn = ring.lost.head;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const size = ring.cells[cell + Cell.length]! + HEADER_BYTES;
      if (this.#probes > 0) {
        this.#probes--;
      } else if (used >= credit) {
        hungry = true;
        break;
      } else if (flight.inflightBytes + size > congestionWindow && flight.inflightBytes !== 0) {
        limited = true;
        break;
      }
      open = this.#sendAgain(sn, cell, size, sink);
      if (!open) break;
      used += size;
    }

    if (open && !hungry && !limited) {
      const window = this.#window;
      const first = ring.next;
      const cells = ring.cells;
      let inflight = flight.inflightBytes;
      while (ring.next !== ring.end && ((ring.next - ring.una) | 0) < window) {
        const sn = ring.next;
        const cell = (sn & ring.mask) << CELL_SHIFT;
        const length = cells[cell + Cell.length]!;
        const size = length + HEADER_BYTES;
        if (used >= credit) {
          hungry = true;
          break;
        }
        if (inflight + size > congestionWindow && inflight !== 0) {
          limited = true;
          break;
        }
        if (length < maxPayload) {
          const flying = ring.flying.count + ((sn - first) | 0);
          if (flying >= PARTIAL_FREE_SEGMENTS && nowMs < this.#partialAtMs) break;
          this.#partialAtMs = nowMs + PARTIAL_INTERVAL_MS;
        }
        const offset = cells[cell + Cell.slot]! * this.#slotBytes + this.#headerAt;
        writeHeader(this.#words, offset >>> 2, this.#conv, this.#command, ts, sn, una, length);
        open = sink.datagram(offset, size);
        if (!open) break;
        ring.next = (sn + 1) | 0;
        inflight += size;
        used += size;
      }
      if (ring.next !== first) this.#noteSent(first, ring.next, inflight);
    }
    if (used !== 0 || hungry) this.#pacer.handleSent(used, rate, hungry);
    if (open && !hungry && !limited) {
      const full = ((ring.end - ring.una) | 0) >= this.#window;
      this.flight.rates.handleLimit(full ? Limit.window : Limit.data, flight.inflightBytes);
      if (full) this.#windowFullMs = nowMs;
    }
    return open;
  }

  /** All from `from` up to `to` have left for the first time; `inflightBytes` with them. */
  #noteSent(from: number, to: number, inflightBytes: number): void {
    const { flight, ring } = this;
    const { cells, mask } = ring;
    const ts = this.#ts;
    const nowUs = this.#nowUs;
    const segments = ring.flying.count + ((ring.end - from) | 0);
    // All have left at one moment: how things stood then is the same for each.
    const model = (from & mask) << CELL_SHIFT;
    flight.rates.stamp(cells, model, flight.inflightBytes === 0, this.controller.quiet, nowUs);
    const delivered = cells[model + Cell.delivered]!;
    const deliveredAt = cells[model + Cell.deliveredAt]!;
    const flightAt = cells[model + Cell.flightAt]!;
    const flags = cells[model + Cell.flags]!;
    let order = this.#order;
    for (let sn = from; sn !== to; sn = (sn + 1) | 0) {
      const cell = (sn & mask) << CELL_SHIFT;
      cells[cell + Cell.tries] = 1;
      cells[cell + Cell.state] = State.flying;
      cells[cell + Cell.ts] = ts;
      cells[cell + Cell.sentAt] = nowUs;
      cells[cell + Cell.order] = order;
      cells[cell + Cell.delivered] = delivered;
      cells[cell + Cell.deliveredAt] = deliveredAt;
      cells[cell + Cell.flightAt] = flightAt;
      cells[cell + Cell.flags] = flags;
      if (segments <= THIN_SEGMENTS) {
        this.#copies.handleSent(sn, order, cells[cell + Cell.length]! + HEADER_BYTES, segments, this.#nowMs);
      }
      order = (order + 1) | 0;
    }
    this.#order = order;
    this.sent += (to - from) | 0;
    ring.flying.appendRun(cells, mask, from, to);
    flight.inflightBytes = inflightBytes;
  }

  /** A lost segment. */
  #sendAgain(sn: number, cell: number, size: number, sink: DatagramSink): boolean {
    const { flight, ring } = this;
    const cells = ring.cells;
    const offset = cells[cell + Cell.slot]! * this.#slotBytes + this.#headerAt;
    const ts = this.#ts;
    writeHeader(this.#words, offset >>> 2, this.#conv, this.#command, ts, sn, this.#una, size - HEADER_BYTES);
    if (!sink.datagram(offset, size)) return false;

    const nowUs = this.#nowUs;
    ring.lost.remove(cells, ring.mask, sn);
    this.retransmitted++;
    cells[cell + Cell.earlierTs] = cells[cell + Cell.ts]!;
    cells[cell + Cell.earlierAt] = cells[cell + Cell.sentAt]!;
    const tries = cells[cell + Cell.tries]! + 1;
    cells[cell + Cell.tries] = tries;
    if (this.#holdsUp(sn, tries)) this.#copies.handleRepair(sn, this.#order, tries, this.#nowMs);
    const order = this.#order;
    this.#order = (order + 1) | 0;
    cells[cell + Cell.state] = State.flying;
    cells[cell + Cell.ts] = ts;
    cells[cell + Cell.sentAt] = nowUs;
    cells[cell + Cell.order] = order;
    flight.rates.stamp(cells, cell, flight.inflightBytes === 0, this.controller.quiet, nowUs);
    ring.flying.append(cells, ring.mask, sn);
    flight.inflightBytes += size;
    const segments = ring.flying.count + ((ring.end - ring.next) | 0);
    if (segments <= THIN_SEGMENTS) this.#copies.handleSent(sn, order, size, segments, this.#nowMs);
    return true;
  }

  /** The window is, or may soon be, full because of this hole. */
  #holdsUp(sn: number, tries: number): boolean {
    if (this.#nowMs - this.#windowFullMs < 2 * this.flight.roundTrip.smoothedMs) return true;
    return tries > 2 && ((this.ring.next - sn) | 0) > this.#window >>> 1;
  }

  /** Sends a flying segment once more as it is: same `ts`, so that its acknowledgement means the first transmission. */
  #repeat(cell: number, sn: number, sink: DatagramSink): boolean {
    const cells = this.ring.cells;
    const offset = cells[cell + Cell.slot]! * this.#slotBytes + this.#headerAt;
    const length = cells[cell + Cell.length]!;
    writeHeader(
      this.#words,
      offset >>> 2,
      this.#conv,
      this.#command,
      cells[cell + Cell.ts]!,
      sn,
      this.#una,
      length,
    );
    return sink.datagram(offset, HEADER_BYTES + length);
  }

  // ── when next ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** When `settle` and `poll` have something to do, if nothing is put in before. */
  get nextTimeout(): number {
    if (this.flight.rates.pending) return this.#nowMs;
    return Math.min(this.flight.lossAtMs, this.#timeoutAt(), this.#copies.dueAtMs, this.#sendAt());
  }

  /** When the next segment may leave; `Infinity` when only an acknowledgement can make room. */
  #sendAt(): number {
    const ring = this.ring;
    const cells = ring.cells;
    const retransmit = ring.lost.count !== 0;
    if (retransmit && this.#probes > 0) return this.#nowMs;
    if (!retransmit) {
      const window = this.#window;
      if (ring.next === ring.end || ((ring.next - ring.una) | 0) >= window) return Infinity;
    }
    const cell = ((retransmit ? ring.lost.head : ring.next) & ring.mask) << CELL_SHIFT;
    const length = cells[cell + Cell.length]!;
    if (
      this.flight.inflightBytes + length + HEADER_BYTES > this.controller.windowBytes &&
      this.flight.inflightBytes !== 0
    ) {
      return Infinity;
    }
    const at = this.#pacer.readyAt(this.controller.bytesPerMs);
    const held =
      !retransmit && length < this.#settings.maxPayload && ring.flying.count >= PARTIAL_FREE_SEGMENTS;
    return held && this.#partialAtMs > at ? this.#partialAtMs : at;
  }

  /** Frees every slot that is held for the peer. */
  dispose(): void {
    const ring = this.ring;
    for (let sn = ring.una; sn !== ring.end; sn = (sn + 1) | 0) {
      const slot = ring.cells[((sn & ring.mask) << CELL_SHIFT) + Cell.slot]!;
      if (slot >= 0) this.#settings.pool.free(slot);
    }
    ring.una = ring.next = ring.end;
    ring.flying.count = 0;
    ring.lost.count = 0;
    this.flight.inflightBytes = 0;
    this.flight.rates.pending = false;
    this.flight.lossAtMs = Infinity;
    this.#copies.clear();
  }
}
