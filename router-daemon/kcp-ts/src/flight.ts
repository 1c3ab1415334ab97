import { LossWindow } from "./loss-window.ts";
import type { Settings } from "./options.ts";
import { RateSampler } from "./rate-sampler.ts";
import { ACK_ALLOWANCE_MS, PLAIN_ACK_ALLOWANCE_MS, RoundTrip } from "./round-trip.ts";
import { HEADER_BYTES } from "./segment.ts";
import { CELL_SHIFT, Cell, SendRing, State } from "./send-ring.ts";
import { StampFlag } from "./stamp.ts";

/** Retransmitted segments acknowledged sooner than this share of the smallest round trip had not been lost. */
const TOO_SOON = 0.85;

/**
 * With plain KCP a run of losses this long is most likely one lost datagram of acknowledgements: all of the run is sent
 * again, there is no way to tell, but no more than this counts as loss of the path.
 */
const PLAIN_LOSS_RUN = 4;

/** Times of segments are rounded to this: what is due within it is due. */
export const TICK_MS = 0.001;

/** Far below the 35 minutes after which the sign of a difference of microseconds turns. */
export const MAX_PAUSE_MS = 600_000;

/** How sure we are which transmission an acknowledgement is for. */
const Match = {
  /** The last one. */
  exact: 0,
  /** Any: says nothing about time and order. */
  unknown: 1,
  /** An earlier one: it had not been lost. */
  earlier: 2,
} as const;

/** What has been sent: which of it has arrived, which is lost. */
export class Flight {
  readonly ring: SendRing;
  readonly roundTrip: RoundTrip;
  readonly rates = new RateSampler();
  inflightBytes = 0;
  /** When the next segment becomes lost if nothing is heard of it. */
  lossAtMs = Infinity;
  // Counters.
  spurious = 0;
  lost = 0;
  deliveredPayloadBytes = 0;

  readonly #settings: Settings;
  readonly #lossWindow = new LossWindow();
  /** For extended acknowledgements: bit set = acknowledged ahead of `una`. Same layout as the receive ring's, … */
  readonly #ackedBits: Int32Array;
  /** … for a ring with this mask. */
  #ackedMask = 0;
  #newestOrder = -1;
  #nowMs = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.ring = new SendRing(settings.sendWindow, settings.initialSequence);
    this.roundTrip = new RoundTrip(settings.extended ? ACK_ALLOWANCE_MS : PLAIN_ACK_ALLOWANCE_MS);
    this.#ackedBits = new Int32Array(settings.extended ? this.ring.maxSegments >>> 5 : 0);
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
    let sn = this.#acknowledgeRun(ring.una, una, nowUs);
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

  /**
   * What nearly always is all of it, in one step: the segments from `from` to `una` that were sent once and in this order. Returns
   * the first that was not.
   */
  #acknowledgeRun(from: number, una: number, nowUs: number): number {
    const { cells, mask, flying } = this.ring;
    const { pool } = this.#settings;
    let sn = from;
    let head = flying.head;
    let left = flying.count;
    let bytes = 0;
    let quietBytes = 0;
    let cell = 0;
    for (; left !== 0 && sn === head && ((sn - una) | 0) < 0; sn = (sn + 1) | 0) {
      const at = (sn & mask) << CELL_SHIFT;
      if (cells[at + Cell.tries] !== 1) break;
      cell = at;
      const size = cells[cell + Cell.length]! + HEADER_BYTES;
      bytes += size;
      if ((cells[cell + Cell.flags]! & StampFlag.quiet) !== 0) quietBytes += size;
      pool.free(cells[cell + Cell.slot]!);
      cells[cell + Cell.slot] = -1;
      cells[cell + Cell.state] = State.acknowledged;
      head = cells[cell + Cell.following]!;
      left--;
    }
    if (sn === from) return sn;
    flying.head = head;
    flying.count = left;
    this.inflightBytes -= bytes;
    this.deliveredPayloadBytes += bytes - ((sn - from) | 0) * HEADER_BYTES;
    this.rates.handleDelivered(bytes - quietBytes, 0, nowUs);
    if (quietBytes !== 0) this.rates.handleDelivered(quietBytes, StampFlag.quiet, nowUs);
    // The chain is in the order of transmission: the last is the newest.
    this.#noteNewest(cell, nowUs);
    return sn;
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
    if (this.#ackedMask !== ring.mask) this.#settleBits();
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

  /** The ring has another size: each bit has another place. */
  #settleBits(): void {
    const { una, next, mask, cells } = this.ring;
    this.#ackedMask = mask;
    this.#ackedBits.fill(0);
    for (let sn = una; sn !== next; sn = (sn + 1) | 0) {
      const isAcknowledged = cells[((sn & mask) << CELL_SHIFT) + Cell.state] === State.acknowledged;
      if (isAcknowledged) this.#ackedBits[(sn & mask) >>> 5]! |= 1 << sn;
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
    if (cells[cell + Cell.state] === State.flying) {
      ring.flying.remove(cells, ring.mask, sn);
      this.inflightBytes -= size;
      if (match === Match.earlier) {
        this.spurious++;
        if (adapt) this.#handleLate((nowUs - cells[cell + Cell.earlierAt]!) | 0);
      }
    } else {
      // Given up too early, but not sent again yet.
      ring.lost.remove(cells, ring.mask, sn);
      if (adapt) this.#handleLate((nowUs - cells[cell + Cell.sentAt]!) | 0);
    }
    this.#settings.pool.free(cells[cell + Cell.slot]!);
    cells[cell + Cell.slot] = -1;
    cells[cell + Cell.state] = State.acknowledged;
    this.deliveredPayloadBytes += size - HEADER_BYTES;
    this.rates.handleDelivered(size, cells[cell + Cell.flags]!, nowUs);
    if (match === Match.exact) this.#noteNewest(cell, nowUs);
  }

  /** The last transmission of the segment in `cell` has arrived. */
  #noteNewest(cell: number, nowUs: number): void {
    const cells = this.ring.cells;
    const order = cells[cell + Cell.order]!;
    if (((order - this.#newestOrder) | 0) > 0) this.#newestOrder = order;
    this.rates.handleTransmission(cells, cell, nowUs);
  }

  #handleLate(ageUs: number): void {
    this.#lossWindow.handleLate(ageUs, this.#rttUs, this.#nowMs);
  }

  // ── losses ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After a pause so long that differences of microseconds may have wrapped: everything in flight is overdue. */
  age(nowUs: number): void {
    const { flying, cells, mask } = this.ring;
    for (let i = 0, sn = flying.head; i < flying.count; i++) {
      const cell = (sn & mask) << CELL_SHIFT;
      cells[cell + Cell.sentAt] = (nowUs - MAX_PAUSE_MS * 1000) | 0;
      sn = cells[cell + Cell.following]!;
    }
  }

  /** The round trip that a segment now takes, rather too long than too short. */
  get #rttUs(): number {
    return Math.max(this.roundTrip.smoothedMs, this.roundTrip.latestMs) * 1000;
  }

  /** Looks at the oldest transmissions only: the chain is in their order, so the first that may live ends the search. */
  detectLosses(nowMs: number, nowUs: number): void {
    this.#nowMs = nowMs;
    this.#lossWindow.settle(nowMs);
    const ring = this.ring;
    const cells = ring.cells;
    const rttUs = this.#rttUs;
    const { lostBytes, quietLostBytes } = this.rates;
    const lostBefore = this.lost;
    this.lossAtMs = Infinity;
    while (ring.flying.count !== 0) {
      const sn = ring.flying.head;
      const cell = (sn & ring.mask) << CELL_SHIFT;
      const behind = (this.#newestOrder - cells[cell + Cell.order]!) | 0;
      if (behind <= 0) break;
      const graceUs = this.#lossWindow.graceUs(behind, rttUs);
      if (graceUs !== 0) {
        const remainingUs = rttUs + graceUs - ((nowUs - cells[cell + Cell.sentAt]!) | 0);
        if (remainingUs > TICK_MS * 1000) {
          this.lossAtMs = nowMs + remainingUs / 1000;
          break;
        }
      }
      this.giveUp(sn, cell);
    }
    const count = this.lost - lostBefore;
    if (count > PLAIN_LOSS_RUN && !this.#settings.extended) {
      this.rates.discountLost(PLAIN_LOSS_RUN / count, lostBytes, quietLostBytes);
    }
  }

  giveUp(sn: number, cell: number): void {
    const ring = this.ring;
    const cells = ring.cells;
    const size = cells[cell + Cell.length]! + HEADER_BYTES;
    ring.flying.remove(cells, ring.mask, sn);
    ring.lost.append(cells, ring.mask, sn);
    cells[cell + Cell.state] = State.lost;
    this.inflightBytes -= size;
    this.lost++;
    this.rates.handleLost(size, cells[cell + Cell.flags]!);
  }
}
