/**
 * When a link is pinged, what its answers say, and when it is dead (links.md 6). One per link; no bytes here.
 *
 * A tick of 1 s decides: on a healthy link pings thin out to 2, 4, 8, 16, 32 s. A lost ping, or sending without hearing
 * anything, brings the next one at once, and ticks of 200 ms until one is answered.
 *
 * Every packet of the link is a sign of life, and a path that loses much hardly loses everything: a lost ping counts against the
 * link only when nothing at all came while its answer was waited for.
 */
import {
  LATENCY_WINDOW,
  LOSS_WINDOW,
  MAX_PING_INDEX,
  PING_DOUBT_TICK_MS,
  PING_LOSSES_TO_CLOSE,
  PING_LOSSES_TO_CLOSE_SUSPECT,
  PING_TICK_MS,
  PING_TIMEOUT_MS,
} from "./limits.ts";
import type { Random32 } from "./types.ts";

/** Unanswered pings at the same time: one per tick, each gone after 2 s, with room to spare. */
const IN_FLIGHT = 16;
/** Chance that a quiet link is pinged one step earlier than its interval. */
const EARLY_CHANCE = 0.2;

export class Pinger {
  readonly #random: Random32;
  #ticks = 0;
  #lastPingTick = 0;
  #index = 0;
  #seenTx = 0;
  #seenRx = 0;
  #nextTickMs: number;

  /** Ring of unanswered pings by sequence modulo its size; NaN = answered or none. */
  readonly #sentAtMs = new Float64Array(IN_FLIGHT).fill(Number.NaN);
  readonly #sequences = new Uint32Array(IN_FLIGHT);
  /** Packets received before each of them was sent. */
  readonly #rxAtSend = new Float64Array(IN_FLIGHT);
  #sequence = 0;

  readonly #rttMs = new Float64Array(LATENCY_WINDOW);
  #rttCount = 0;
  #rttNext = 0;
  readonly #lost = new Uint8Array(LOSS_WINDOW);
  #lostCount = 0;
  #lostNext = 0;
  #lossesInARow = 0;
  /** Of them, those since the last sign of life. */
  #silentLosses = 0;
  #suspect = false;

  constructor(random: Random32, now: number) {
    this.#random = random;
    this.#nextTickMs = now;
  }

  /** Mean of the last 15 round trips; null before the first. */
  get latencyMs(): number | null {
    if (this.#rttCount === 0) return null;
    let sum = 0;
    for (let at = 0; at < this.#rttCount; at++) sum += this.#rttMs[at]!;
    return sum / this.#rttCount;
  }

  /** Share of the last 100 pings that were lost; null before the first result. */
  get lossShare(): number | null {
    if (this.#lostCount === 0) return null;
    let sum = 0;
    for (let at = 0; at < this.#lostCount; at++) sum += this.#lost[at]!;
    return sum / this.#lostCount;
  }

  /** Pings lost since the last answer. */
  get lossesInARow(): number {
    return this.#lossesInARow;
  }

  get isDead(): boolean {
    return this.#silentLosses >= (this.#suspect ? PING_LOSSES_TO_CLOSE_SUSPECT : PING_LOSSES_TO_CLOSE);
  }

  get isSuspect(): boolean {
    return this.#suspect;
  }

  /** Something speaks against the link: ask at once, and give up sooner. An answer clears it. */
  suspect(now: number): void {
    if (this.#suspect) return;
    this.#suspect = true;
    this.#nextTickMs = now;
  }

  get nextTimeout(): number {
    let next = this.#nextTickMs;
    for (let at = 0; at < IN_FLIGHT; at++) {
      const deadline = this.#sentAtMs[at]! + PING_TIMEOUT_MS;
      if (deadline < next) next = deadline;
    }
    return next;
  }

  /** Counts pings whose time is over, with the link's packets received so far. True when there were any. */
  expire(now: number, rxPackets: number): boolean {
    let any = false;
    for (let at = 0; at < IN_FLIGHT; at++) {
      if (!(now >= this.#sentAtMs[at]! + PING_TIMEOUT_MS)) continue;
      this.#sentAtMs[at] = Number.NaN;
      this.#lossesInARow++;
      this.#silentLosses = rxPackets === this.#rxAtSend[at] ? this.#silentLosses + 1 : 0;
      this.#result(1);
      any = true;
    }
    return any;
  }

  /**
   * Runs the tick when it is due, with the link's packet counters (pings included). Returns the sequence number of the
   * ping to send now, or -1.
   */
  tick(now: number, txPackets: number, rxPackets: number): number {
    if (now < this.#nextTickMs) return -1;
    const unheard = txPackets > this.#seenTx && rxPackets === this.#seenRx;
    const inDoubt = this.#lossesInARow > 0 || this.#suspect || unheard;
    if (inDoubt) this.#index = 0;
    const tickMs = inDoubt ? PING_DOUBT_TICK_MS : PING_TICK_MS;
    // After a pause (suspended machine) one tick stands for all that were missed.
    this.#nextTickMs = Math.max(this.#nextTickMs + tickMs, now + tickMs / 2);
    this.#ticks++;
    this.#seenTx = txPackets;
    this.#seenRx = rxPackets;
    if (this.#ticks - this.#lastPingTick < 2 ** this.#index) return -1;
    this.#index = Math.min(this.#index + 1, MAX_PING_INDEX);
    if (this.#index > 3 && this.#random() / 2 ** 32 < EARLY_CHANCE) this.#index--;
    this.#lastPingTick = this.#ticks;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    const at = sequence % IN_FLIGHT;
    this.#sequences[at] = sequence;
    this.#sentAtMs[at] = now;
    this.#rxAtSend[at] = rxPackets;
    return sequence;
  }

  /** True when the pong answers a ping of ours that is still waited for. */
  handlePong(sequence: number, now: number): boolean {
    const at = sequence % IN_FLIGHT;
    const sentAtMs = this.#sentAtMs[at]!;
    if (Number.isNaN(sentAtMs) || this.#sequences[at] !== sequence) return false;
    this.#sentAtMs[at] = Number.NaN;
    this.#rttMs[this.#rttNext] = Math.max(0, now - sentAtMs);
    this.#rttNext = (this.#rttNext + 1) % LATENCY_WINDOW;
    if (this.#rttCount < LATENCY_WINDOW) this.#rttCount++;
    this.#lossesInARow = 0;
    this.#silentLosses = 0;
    this.#suspect = false;
    this.#result(0);
    return true;
  }

  #result(lost: 0 | 1): void {
    this.#lost[this.#lostNext] = lost;
    this.#lostNext = (this.#lostNext + 1) % LOSS_WINDOW;
    if (this.#lostCount < LOSS_WINDOW) this.#lostCount++;
  }
}
