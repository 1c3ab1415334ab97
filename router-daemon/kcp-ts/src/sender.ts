import { type AckSample, type CongestionController, Limit } from "./congestion.ts";
import type { DatagramSink } from "./kcp.ts";
import type { Settings } from "./options.ts";
import { Pacer } from "./pacer.ts";
import { RoundTrip } from "./round-trip.ts";
import { SecondCopies } from "./second-copies.ts";
import { Command, commandWord, HEADER_BYTES, writeHeader } from "./segment.ts";
import { CELL_SHIFT, Cell, CellFlag, SendRing, State } from "./send-ring.ts";

/** A segment is lost when one sent this many transmissions later has arrived… */
const LOSS_THRESHOLD = 3;
/** …or when a later one has arrived and it is overdue by this share of the round trip, and at least this much. */
const LOSS_DELAY_SHIFT = 3;
const MIN_LOSS_DELAY_US = 1_000;
/** A path seen to reorder is given more time; what is remembered of it halves this often. */
const REORDER_MEMORY_MS = 4_000;
/** Segments sent again at once when the timeout strikes: one lost probe must not cost another timeout. */
const TIMEOUT_PROBES = 2;
/** Retransmitted segments acknowledged sooner than this share of the smallest round trip had not been lost. */
const TOO_SOON = 0.85;

/**
 * With plain KCP a run of losses this long is most likely one lost datagram of acknowledgements: all of the run is sent
 * again, there is no way to tell, but no more than this counts as loss of the path.
 */
const PLAIN_LOSS_RUN = 4;

/** A stock peer acknowledges once per update interval (proxies.md 3.9); ours at once, when its host lets it. */
const PLAIN_INTERVAL_MS = 10;
const PLAIN_ACK_DELAY_MS = 18;
const ACK_DELAY_MS = 5;

/** A segment that is not full leaves at once while fewer than this are in flight, else after this pause. */
const PARTIAL_FREE_SEGMENTS = 8;
const PARTIAL_INTERVAL_MS = 1;

/** How sure we are which transmission an acknowledgement is for. */
const Match = {
  /** The last one. */
  exact: 0,
  /** Any: says nothing about time and order. */
  unknown: 1,
  /** An earlier one: it had not been lost. */
  earlier: 2,
} as const;

/** The sending half: transmission, loss detection, timeouts. What is to be sent lies in its ring. */
export class Sender {
  readonly ring: SendRing;
  readonly roundTrip: RoundTrip;
  readonly controller: CongestionController;
  inflightBytes = 0;
  /** As the peer last said, in segments; what every KCP assumes before it has heard. */
  remoteWindow = 128;
  // Counters of segments.
  sent = 0;
  retransmitted = 0;
  spurious = 0;
  lost = 0;
  deliveredBytes = 0;
  deliveredPayloadBytes = 0;

  readonly #settings: Settings;
  readonly #words: Int32Array;
  readonly #pacer: Pacer;
  readonly #copies: SecondCopies;
  /** For extended acknowledgements: bit set = acknowledged ahead of `una`. Same layout as the receive ring's. */
  #ackedBits: Int32Array;

  #order = 0;
  #newestOrder = -1;
  /** What limits us, and the count of delivered bytes up to which what is in flight was limited by it. */
  #limit: number = Limit.path;
  #limitedUntil = 0;
  /** When the window was last in the way. */
  #windowFullMs = -Infinity;
  #deliveredAtUs = 0;
  #flightAtUs = 0;

  // The batch of acknowledgements since the last `poll`.
  #unsettled = false;
  #sampled = false;
  #sampleOrder = 0;
  #sampleDelivered = 0;
  #sampleDeliveredAtUs = 0;
  #sampleFlightAtUs = 0;
  #sampleSentAtUs = 0;
  #sampleLimit: number = Limit.path;
  #sampleRttUs = 0;
  readonly #sample: AckSample = {
    nowMs: 0,
    ackedBytes: 0,
    lostBytes: 0,
    quietAckedBytes: 0,
    quietLostBytes: 0,
    rttMs: -1,
    smoothedRttMs: 0,
    rateBytesPerMs: 0,
    limit: Limit.path,
    deliveredBytes: 0,
    priorDeliveredBytes: 0,
    inflightBytes: 0,
  };

  // Timers.
  #lossAtMs = Infinity;
  #timeoutHeldMs = -Infinity;
  #probes = 0;
  #partialAtMs = -Infinity;
  #reorderUs = 0;
  #reorderAtMs = 0;

  // Of the current `poll`.
  #nowMs = 0;
  #nowUs = 0;
  #ts = 0;
  #una = 0;
  #command = 0;

  constructor(settings: Settings, words: Int32Array) {
    this.#settings = settings;
    this.#words = words;
    this.ring = new SendRing(settings.sendWindow, settings.initialSequence);
    this.roundTrip = new RoundTrip(settings.extended ? ACK_DELAY_MS : PLAIN_ACK_DELAY_MS);
    const datagramBytes = settings.mtu;
    this.controller = settings.congestion({
      datagramBytes,
      ackDelayMs: settings.extended ? 0 : PLAIN_INTERVAL_MS,
      seed: settings.conv >>> 0,
    });
    this.#pacer = new Pacer(datagramBytes);
    this.#copies = new SecondCopies(settings.secondCopies, this.roundTrip);
    this.#ackedBits = new Int32Array(settings.extended ? this.ring.maxSegments >>> 5 : 0);
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

  // ── input ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An ACK segment: `sn` has arrived, in the transmission that carried `ts`. */
  handleAck(sn: number, ts: number, nowUs: number): void {
    const ring = this.ring;
    if (((sn - ring.una) | 0) < 0 || ((sn - ring.next) | 0) >= 0) return;
    const cell = (sn & ring.mask) << CELL_SHIFT;
    const cells = ring.cells;
    if (cells[cell + Cell.state] === State.acknowledged) return;
    let match: number = Match.exact;
    if (cells[cell + Cell.tries]! > 1) {
      if (cells[cell + Cell.ts] !== ts) match = Match.earlier;
      else if (cells[cell + Cell.earlierTs] === ts) match = Match.unknown;
    }
    this.#acknowledge(sn, cell, match, nowUs, true);
  }

  /** Everything below `una` has arrived. False when that cannot be: nothing like it was sent. */
  handleUna(una: number, nowUs: number): void {
    const ring = this.ring;
    const cells = ring.cells;
    const extended = this.#settings.extended;
    let sn = ring.una;
    for (; ((sn - una) | 0) < 0; sn = (sn + 1) | 0) {
      const cell = (sn & ring.mask) << CELL_SHIFT;
      if (cells[cell + Cell.state] !== State.acknowledged) {
        this.#acknowledge(sn, cell, this.#guess(cell, nowUs), nowUs, extended);
      } else if (extended) {
        this.#ackedBits[(sn & ring.mask) >>> 5]! &= ~(1 << sn);
      }
    }
    while (sn !== ring.next && cells[((sn & ring.mask) << CELL_SHIFT) + Cell.state] === State.acknowledged) {
      if (extended) this.#ackedBits[(sn & ring.mask) >>> 5]! &= ~(1 << sn);
      sn = (sn + 1) | 0;
    }
    ring.una = sn;
  }

  /** One word of an extended acknowledgement: bit `b` stands for `first + b`; `first` is a multiple of 32. */
  handleBits(first: number, word: number, nowUs: number): void {
    const ring = this.ring;
    const below = (ring.una - first) | 0;
    if (below >= 32) return;
    if (below > 0) word &= -1 << below;
    const above = (ring.next - first) | 0;
    if (above <= 0) return;
    if (above < 32) word &= (1 << above) - 1;
    const at = (first & ring.mask) >>> 5;
    let fresh = word & ~this.#ackedBits[at]!;
    if (fresh === 0) return;
    this.#ackedBits[at]! |= fresh;
    while (fresh !== 0) {
      const bit = 31 - Math.clz32(fresh & -fresh);
      fresh &= fresh - 1;
      const sn = (first + bit) | 0;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      if (ring.cells[cell + Cell.state] === State.acknowledged) continue;
      this.#acknowledge(sn, cell, this.#guess(cell, nowUs), nowUs, true);
    }
  }

  /** Which transmission an acknowledgement without a time is for. */
  #guess(cell: number, nowUs: number): number {
    const cells = this.ring.cells;
    if (cells[cell + Cell.tries] === 1) return Match.exact;
    const minUs = this.roundTrip.minMs * 1000 * TOO_SOON;
    return ((nowUs - cells[cell + Cell.sentAt]!) | 0) < minUs ? Match.earlier : Match.unknown;
  }

  #acknowledge(sn: number, cell: number, match: number, nowUs: number, adapt: boolean): void {
    const ring = this.ring;
    const cells = ring.cells;
    const size = cells[cell + Cell.length]! + HEADER_BYTES;
    const flags = cells[cell + Cell.flags]!;
    if (cells[cell + Cell.state] === State.flying) {
      ring.flying.remove(cells, ring.mask, sn);
      this.inflightBytes -= size;
      if (match === Match.earlier) {
        this.spurious++;
        if (adapt) this.#noteReordering((nowUs - cells[cell + Cell.earlierAt]!) | 0);
      }
    } else {
      // Given up too early, but not sent again yet.
      ring.lost.remove(cells, ring.mask, sn);
      if (adapt) this.#noteReordering((nowUs - cells[cell + Cell.sentAt]!) | 0);
    }
    this.#settings.pool.free(cells[cell + Cell.slot]!);
    cells[cell + Cell.slot] = -1;
    cells[cell + Cell.state] = State.acknowledged;
    this.deliveredBytes += size;
    this.deliveredPayloadBytes += size - HEADER_BYTES;
    this.#deliveredAtUs = nowUs;
    this.#unsettled = true;
    this.#sample.ackedBytes += size;
    if ((flags & CellFlag.quiet) !== 0) this.#sample.quietAckedBytes += size;
    if (match !== Match.exact) return;
    const order = cells[cell + Cell.order]!;
    if (((order - this.#newestOrder) | 0) > 0) this.#newestOrder = order;
    if (this.#sampled && ((order - this.#sampleOrder) | 0) < 0) return;
    this.#sampled = true;
    this.#sampleOrder = order;
    this.#sampleDelivered = cells[cell + Cell.delivered]!;
    this.#sampleDeliveredAtUs = cells[cell + Cell.deliveredAt]!;
    this.#sampleFlightAtUs = cells[cell + Cell.flightAt]!;
    const sentAtUs = cells[cell + Cell.sentAt]!;
    this.#sampleSentAtUs = sentAtUs;
    this.#sampleLimit = flags & CellFlag.limit;
    this.#sampleRttUs = (nowUs - sentAtUs) | 0;
  }

  /** A segment came `ageUs` after it was sent, when it had been given up: the next ones get that much time. */
  #noteReordering(ageUs: number): void {
    const rttUs = Math.max(this.roundTrip.smoothedMs, this.roundTrip.latestMs) * 1000;
    const late = (ageUs - rttUs) * 1.25;
    this.#reorderUs = Math.min(Math.max(this.#reorderUs, late, MIN_LOSS_DELAY_US), rttUs + MIN_LOSS_DELAY_US);
    this.#reorderAtMs = this.#nowMs;
  }

  // ── between input and output ────────────────────────────────────────────────────────────────────────────────────────

  /** Draws the conclusions of what was acknowledged since the last call, and of the time that has passed. */
  settle(nowMs: number, nowUs: number): void {
    this.#nowMs = nowMs;
    this.#nowUs = nowUs;
    if (this.#unsettled) {
      this.#unsettled = false;
      this.#settleAcks(nowMs, nowUs);
    } else if (nowMs >= this.#lossAtMs) {
      this.#detectLosses(nowMs, nowUs);
    }
    if (nowMs >= this.#timeoutAt()) this.#strike(nowMs);
  }

  #settleAcks(nowMs: number, nowUs: number): void {
    const roundTrip = this.roundTrip;
    const sample = this.#sample;
    roundTrip.handleProgress();
    sample.rttMs = -1;
    sample.rateBytesPerMs = 0;
    sample.limit = this.#sampleLimit;
    if (this.#sampled) {
      sample.rttMs = this.#sampleRttUs / 1000;
      roundTrip.handleSample(sample.rttMs);
      // The slower of sending and delivering: acknowledgements that were held up and come in one burst do not look
      // like a fast path (draft-cheng-iccrg-delivery-rate-estimation).
      const ackUs = (this.#deliveredAtUs - this.#sampleDeliveredAtUs) | 0;
      const sendUs = (this.#sampleSentAtUs - this.#sampleFlightAtUs) | 0;
      const spanUs = Math.max(ackUs, sendUs);
      if (spanUs > 0 && spanUs >= roundTrip.minMs * 1000 * TOO_SOON) {
        sample.rateBytesPerMs = (((this.deliveredBytes | 0) - this.#sampleDelivered) | 0) / (spanUs / 1000);
      }
      this.#flightAtUs = this.#sampleSentAtUs;
      sample.priorDeliveredBytes =
        this.deliveredBytes - (((this.deliveredBytes | 0) - this.#sampleDelivered) | 0);
      this.#sampled = false;
    }
    if (this.deliveredBytes > this.#limitedUntil) this.#limit = Limit.path;
    if (this.#reorderUs !== 0 && nowMs - this.#reorderAtMs > REORDER_MEMORY_MS) {
      this.#reorderAtMs = nowMs;
      this.#reorderUs = this.#reorderUs > MIN_LOSS_DELAY_US ? this.#reorderUs / 2 : 0;
    }
    this.#detectLosses(nowMs, nowUs);
    sample.nowMs = nowMs;
    sample.smoothedRttMs = roundTrip.smoothedMs;
    sample.deliveredBytes = this.deliveredBytes;
    sample.inflightBytes = this.inflightBytes;
    this.controller.handleAcks(sample);
    sample.ackedBytes = 0;
    sample.lostBytes = 0;
    sample.quietAckedBytes = 0;
    sample.quietLostBytes = 0;
  }

  /** Looks at the oldest transmissions only: the chain is in their order, so the first that may live ends the search. */
  #detectLosses(nowMs: number, nowUs: number): void {
    const ring = this.ring;
    const cells = ring.cells;
    const rttUs = Math.max(this.roundTrip.smoothedMs, this.roundTrip.latestMs) * 1000;
    const sample = this.#sample;
    const { lostBytes, quietLostBytes } = sample;
    const lostBefore = this.lost;
    this.#lossAtMs = Infinity;
    while (ring.flying.count !== 0) {
      const sn = ring.flying.head;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const behind = (this.#newestOrder - cells[cell + Cell.order]!) | 0;
      if (behind <= 0) break;
      const graceUs =
        behind >= LOSS_THRESHOLD
          ? this.#reorderUs
          : Math.max(this.#reorderUs, rttUs / (1 << LOSS_DELAY_SHIFT), MIN_LOSS_DELAY_US);
      if (graceUs !== 0) {
        const remainingUs = rttUs + graceUs - ((nowUs - cells[cell + Cell.sentAt]!) | 0);
        if (remainingUs > 0) {
          this.#lossAtMs = nowMs + remainingUs / 1000;
          break;
        }
      }
      this.#giveUp(sn, cell);
    }
    const count = this.lost - lostBefore;
    if (count > PLAIN_LOSS_RUN && !this.#settings.extended) {
      sample.lostBytes = lostBytes + ((sample.lostBytes - lostBytes) * PLAIN_LOSS_RUN) / count;
      sample.quietLostBytes =
        quietLostBytes + ((sample.quietLostBytes - quietLostBytes) * PLAIN_LOSS_RUN) / count;
    }
  }

  #giveUp(sn: number, cell: number): void {
    const ring = this.ring;
    const cells = ring.cells;
    const size = cells[cell + Cell.length]! + HEADER_BYTES;
    ring.flying.remove(cells, ring.mask, sn);
    ring.lost.append(cells, ring.mask, sn);
    cells[cell + Cell.state] = State.lost;
    this.inflightBytes -= size;
    this.lost++;
    this.#sample.lostBytes += size;
    if ((cells[cell + Cell.flags]! & CellFlag.quiet) !== 0) this.#sample.quietLostBytes += size;
  }

  /** When the oldest transmission has been without an answer for too long. */
  #timeoutAt(): number {
    const ring = this.ring;
    if (ring.flying.count === 0) return Infinity;
    const sentAtUs = ring.cells[((ring.flying.head & ring.mask) << CELL_SHIFT) + Cell.sentAt]!;
    const at = this.#nowMs + this.roundTrip.timeoutMs - ((this.#nowUs - sentAtUs) | 0) / 1000;
    return Math.max(at, this.#timeoutHeldMs);
  }

  /** The timeout strikes: only the oldest segments go again; their acknowledgement tells about all others. */
  #strike(nowMs: number): void {
    const ring = this.ring;
    this.roundTrip.handleTimeout();
    this.controller.handleTimeout(this.roundTrip.timeouts);
    this.#timeoutHeldMs = nowMs + this.roundTrip.timeoutMs;
    for (this.#probes = 0; this.#probes < TIMEOUT_PROBES && ring.flying.count !== 0; this.#probes++) {
      this.#giveUp(ring.flying.head, (ring.flying.head & ring.mask) << CELL_SHIFT);
    }
  }

  // ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends what pacing and windows allow, after `settle`. False when the sink took no more. */
  poll(sink: DatagramSink, ts: number, una: number, wnd: number): boolean {
    const ring = this.ring;
    const copies = this.#copies;
    const nowMs = this.#nowMs;
    this.#ts = ts;
    this.#una = una;
    this.#command = commandWord(Command.push, 0, wnd);

    let used = 0;
    while (copies.dueAtMs <= nowMs) {
      const sn = copies.sn;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const wanted =
        ((sn - ring.una) | 0) >= 0 &&
        ring.cells[cell + Cell.state] === State.flying &&
        ring.cells[cell + Cell.order] === copies.order;
      if (wanted) {
        if (!this.#repeat(cell, sn, sink)) return false;
        used += ring.cells[cell + Cell.length]! + HEADER_BYTES;
      }
      copies.next(wanted, nowMs);
    }

    const maxPayload = this.#settings.maxPayload;
    const rate = this.controller.bytesPerMs;
    const congestionWindow = this.controller.windowBytes;
    const credit = this.#pacer.credit(nowMs, rate);
    let hungry = false;
    let limited = false;
    let open = true;

    while (ring.lost.count !== 0) {
      const sn = ring.lost.head;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const size = ring.cells[cell + Cell.length]! + HEADER_BYTES;
      if (this.#probes > 0) {
        this.#probes--;
      } else if (used >= credit) {
        hungry = true;
        break;
      } else if (this.inflightBytes + size > congestionWindow && this.inflightBytes !== 0) {
        limited = true;
        break;
      }
      open = this.#transmit(sn, cell, size, sink);
      if (!open) break;
      used += size;
    }

    if (open && !hungry && !limited) {
      const window = this.#window;
      while (ring.next !== ring.end && ((ring.next - ring.una) | 0) < window) {
        const sn = ring.next;
        const cell = (sn & ring.mask) << CELL_SHIFT;
        const length = ring.cells[cell + Cell.length]!;
        const size = length + HEADER_BYTES;
        if (used >= credit) {
          hungry = true;
          break;
        }
        if (this.inflightBytes + size > congestionWindow && this.inflightBytes !== 0) {
          limited = true;
          break;
        }
        if (length < maxPayload) {
          if (ring.flying.count >= PARTIAL_FREE_SEGMENTS && nowMs < this.#partialAtMs) break;
          this.#partialAtMs = nowMs + PARTIAL_INTERVAL_MS;
        }
        open = this.#transmit(sn, cell, size, sink);
        if (!open) break;
        used += size;
      }
    }
    if (used !== 0 || hungry) this.#pacer.handleSent(used, rate, hungry);
    if (open && !hungry && !limited) {
      const full = ((ring.end - ring.una) | 0) >= this.#window;
      this.#limit = full ? Limit.window : Limit.data;
      if (full) this.#windowFullMs = nowMs;
      this.#limitedUntil = this.deliveredBytes + this.inflightBytes;
    }
    return open;
  }

  #transmit(sn: number, cell: number, size: number, sink: DatagramSink): boolean {
    const settings = this.#settings;
    const ring = this.ring;
    const cells = ring.cells;
    const offset = cells[cell + Cell.slot]! * settings.pool.slotBytes + settings.headerAt;
    const ts = this.#ts;
    writeHeader(
      this.#words,
      offset >>> 2,
      settings.conv,
      this.#command,
      ts,
      sn,
      this.#una,
      size - HEADER_BYTES,
    );
    if (!sink.datagram(offset, size)) return false;

    const nowUs = this.#nowUs;
    const state = cells[cell + Cell.state];
    if (state === State.lost) {
      ring.lost.remove(cells, ring.mask, sn);
      this.retransmitted++;
      cells[cell + Cell.earlierTs] = cells[cell + Cell.ts]!;
      cells[cell + Cell.earlierAt] = cells[cell + Cell.sentAt]!;
      const tries = cells[cell + Cell.tries]! + 1;
      cells[cell + Cell.tries] = tries;
      if (this.#holdsUp(sn, tries)) this.#copies.handleRepair(sn, this.#order, tries, this.#nowMs);
    } else {
      ring.next = (sn + 1) | 0;
      this.sent++;
      cells[cell + Cell.tries] = 1;
    }
    if (this.inflightBytes === 0) {
      this.#flightAtUs = nowUs;
      this.#deliveredAtUs = nowUs;
    }
    const order = this.#order;
    this.#order = (order + 1) | 0;
    cells[cell + Cell.state] = State.flying;
    cells[cell + Cell.ts] = ts;
    cells[cell + Cell.sentAt] = nowUs;
    cells[cell + Cell.order] = order;
    cells[cell + Cell.delivered] = this.deliveredBytes | 0;
    cells[cell + Cell.deliveredAt] = this.#deliveredAtUs;
    cells[cell + Cell.flightAt] = this.#flightAtUs;
    cells[cell + Cell.flags] = this.#limit | (this.controller.quiet ? CellFlag.quiet : 0);
    ring.flying.append(cells, ring.mask, sn);
    this.inflightBytes += size;
    const segments = ring.flying.count + ((ring.end - ring.next) | 0);
    this.#copies.handleSent(sn, order, size, segments, this.#nowMs);
    return true;
  }

  /** The window is, or may soon be, full because of this hole. */
  #holdsUp(sn: number, tries: number): boolean {
    if (this.#nowMs - this.#windowFullMs < 2 * this.roundTrip.smoothedMs) return true;
    return tries > 2 && ((this.ring.next - sn) | 0) > this.#window >>> 1;
  }

  /** Sends a flying segment once more as it is: same `ts`, so that its acknowledgement means the first transmission. */
  #repeat(cell: number, sn: number, sink: DatagramSink): boolean {
    const settings = this.#settings;
    const cells = this.ring.cells;
    const offset = cells[cell + Cell.slot]! * settings.pool.slotBytes + settings.headerAt;
    const length = cells[cell + Cell.length]!;
    writeHeader(
      this.#words,
      offset >>> 2,
      settings.conv,
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
    if (this.#unsettled) return this.#nowMs;
    return Math.min(this.#lossAtMs, this.#timeoutAt(), this.#copies.dueAtMs, this.#sendAt());
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
      this.inflightBytes + length + HEADER_BYTES > this.controller.windowBytes &&
      this.inflightBytes !== 0
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
    this.inflightBytes = 0;
    this.#unsettled = false;
    this.#lossAtMs = Infinity;
    this.#copies.clear();
  }
}
