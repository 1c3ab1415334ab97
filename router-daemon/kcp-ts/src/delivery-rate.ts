import {
  type AckSample,
  type CongestionContext,
  type CongestionController,
  type CongestionFactory,
  Limit,
} from "./congestion.ts";
import { FLOAT_ZERO } from "./float-zero.ts";
import { RateFilter } from "./rate-filter.ts";

/** In flight before anything was measured. */
const INITIAL_DATAGRAMS = 32;
/** The first flight is spread over this much. */
const INITIAL_SPREAD_MS = 10;
const MIN_DATAGRAMS = 4;

/** Start-up doubles the rate each round; it ends when this many rounds brought less than this growth. */
const STARTUP_GAIN = 2.77;
const FULL_ROUNDS = 3;
const FULL_GROWTH = 1.25;
const DRAIN_GAIN = 0.5;
/** Probing: up by this, until so much is in flight; then down until the queue it made is gone; then cruise. */
const UP_GAIN = 1.25;
const DOWN_GAIN = 0.75;
const CRUISE_ROUNDS = 6;
const DOWN_ROUNDS = 3;
/** Probing is repeated at once, and harder, while it brings this much. */
const PROBE_GROWTH = 1.1;
const MAX_UP_GAIN = 2;
/** A round trip longer than the smallest by this, and by what the hosts may add, is a queue. */
const QUEUE_GROWTH = 1.25;
/** In flight at most, in bandwidth-delay products. */
const WINDOW_GAIN = 2;
/** What the hosts at both ends add to the round trip under load (batches, scheduling) is no sign of a queue. */
const HOST_DELAY_MS = 4;

/** A smallest round trip this old is measured again, with the pipe half empty for this long. */
const MIN_RTT_AGE_MS = 10_000;
const PROBE_RTT_MS = 50;
const PROBE_RTT_GAIN = 0.5;

/** Loss that is there without our doing is compensated up to this share. */
const MAX_COMPENSATED_LOSS = 0.3;
/** Loss beyond it by this much in a round means that we send too fast. */
const EXCESS_LOSS = 0.1;
/** So many rounds of it in a row while cruising, with less than this share delivered: the path has become slower. */
const EXCESS_ROUNDS = 2;
const SLOWER = 0.8;
const STARTUP_EXCESS_LOSS = 0.3;
/** Bytes of quiet sending over which the path's own loss is averaged, in datagrams. */
const LOSS_MEMORY_DATAGRAMS = 2_000;
/** A few datagrams say nothing about a share. */
const LOSS_PRIOR_DATAGRAMS = 20;

const Phase = { startup: 0, drain: 1, cruise: 2, up: 3, down: 4, probeRtt: 5 } as const;

/** Send at the rate that the path was seen to deliver, keep about one round trip in flight. */
export function deliveryRate(): CongestionFactory {
  return (context) => new DeliveryRateController(context);
}

/**
 * A model-based controller after BBR: the largest delivery rate of the last ten rounds and the smallest round trip give
 * pace and window. Loss by itself does not slow it down. The loss of a path that is there anyway (measured on what was
 * sent below the measured rate) is added on top of the pace, so that a path that loses a tenth is still filled.
 */
export class DeliveryRateController implements CongestionController {
  windowBytes: number;
  bytesPerMs: number;
  quiet = false;

  readonly #datagramBytes: number;
  readonly #initialBytes: number;
  readonly #hostDelayMs: number;
  readonly #rates = new RateFilter();
  #random: number;
  #phase: number = Phase.startup;
  #minRttMs = Infinity;
  #minRttAtMs = 0;

  // Rounds.
  #roundEndBytes = FLOAT_ZERO;
  #roundAckedBytes = 0;
  #roundLostBytes = 0;
  /** Delivered in a row with a round trip that shows a queue. */
  #queuedBytes = 0;
  #roundsInPhase = 0;
  #cruiseRounds = CRUISE_ROUNDS;
  #upGain = UP_GAIN;
  #excessRounds = 0;
  #roundRate = 0;
  #lastRoundRate = 0;
  #phaseAtMs = 0;
  #phaseRate = 0;
  #fullRate = 0;
  #fullRounds = 0;

  // The path's own loss.
  #quietAckedBytes = 0;
  #quietLostBytes = 0;
  #pathLoss = 0;

  constructor(context: CongestionContext) {
    this.#datagramBytes = context.datagramBytes;
    this.#hostDelayMs = HOST_DELAY_MS + context.ackDelayMs;
    this.#random = (context.seed ^ 0x9e3779b9) | 1;
    this.#initialBytes = INITIAL_DATAGRAMS * context.datagramBytes;
    this.windowBytes = this.#initialBytes;
    this.bytesPerMs = this.windowBytes / INITIAL_SPREAD_MS;
  }

  /** Measured delivery rate in bytes per millisecond, 0 before the first. */
  get deliveryRate(): number {
    return this.#rates.max;
  }

  /** Share of datagrams that the path loses by itself. */
  get pathLoss(): number {
    return this.#pathLoss;
  }

  handleAcks(sample: AckSample): void {
    this.#noteLoss(sample);
    if (sample.rttMs >= 0) {
      const queue = this.#isQueue(sample.rttMs) && sample.limit !== Limit.data;
      this.#queuedBytes = queue ? this.#queuedBytes + sample.ackedBytes : 0;
      if (sample.rttMs <= this.#minRttMs) {
        this.#minRttMs = sample.rttMs;
        this.#minRttAtMs = sample.nowMs;
      }
    }
    const newRound = sample.priorDeliveredBytes >= this.#roundEndBytes;
    const excessLoss = newRound && this.#endRound(sample);
    const rate = sample.rateBytesPerMs;
    if (rate > this.#roundRate) this.#roundRate = rate;
    if (rate > 0 && (sample.limit === Limit.path || rate >= this.#rates.max)) {
      this.#rates.update(rate, newRound, sample.nowMs);
    }
    if (this.#rates.max === 0 || this.#minRttMs === Infinity) return;
    this.#step(sample, newRound, excessLoss);
    this.#apply(sample.nowMs);
  }

  handleTimeout(count: number): void {
    if (count >= 2) this.windowBytes = MIN_DATAGRAMS * this.#datagramBytes;
  }

  /** The last two rounds delivered much less than we believe in, though we offered it. */
  #isSlower(sample: AckSample): boolean {
    const rate = Math.max(this.#roundRate, this.#lastRoundRate);
    return sample.limit === Limit.path && rate > 0 && rate < this.#rates.max * SLOWER;
  }

  #isQueue(rttMs: number): boolean {
    return rttMs > this.#minRttMs * QUEUE_GROWTH + this.#hostDelayMs;
  }

  #noteLoss(sample: AckSample): void {
    this.#roundAckedBytes += sample.ackedBytes;
    this.#roundLostBytes += sample.lostBytes;
    this.#quietAckedBytes += sample.quietAckedBytes;
    this.#quietLostBytes += sample.quietLostBytes;
    const total = this.#quietAckedBytes + this.#quietLostBytes;
    if (total > LOSS_MEMORY_DATAGRAMS * this.#datagramBytes) {
      this.#quietAckedBytes /= 2;
      this.#quietLostBytes /= 2;
    }
    this.#pathLoss = Math.min(
      MAX_COMPENSATED_LOSS,
      this.#quietLostBytes / (total + LOSS_PRIOR_DATAGRAMS * this.#datagramBytes),
    );
  }

  /** A round trip has passed. True when more was lost in it than the path loses by itself. */
  #endRound(sample: AckSample): boolean {
    this.#roundEndBytes = sample.deliveredBytes;
    this.#roundsInPhase++;
    this.#lastRoundRate = this.#roundRate;
    this.#roundRate = 0;
    const total = this.#roundAckedBytes + this.#roundLostBytes;
    const loss = this.#roundLostBytes / total;
    this.#roundAckedBytes = 0;
    this.#roundLostBytes = 0;
    if (total < LOSS_PRIOR_DATAGRAMS * this.#datagramBytes) return false;
    return loss - this.#pathLoss > (this.#phase === Phase.startup ? STARTUP_EXCESS_LOSS : EXCESS_LOSS);
  }

  #step(sample: AckSample, newRound: boolean, excessLoss: boolean): void {
    const inflight = sample.inflightBytes;
    switch (this.#phase) {
      case Phase.startup:
        if (newRound && sample.limit !== Limit.data) {
          if (this.#rates.max >= this.#fullRate * FULL_GROWTH) {
            this.#fullRate = this.#rates.max;
            this.#fullRounds = 0;
          } else {
            // Loss counts only where the rate has stopped growing: the first flight may burst a short queue.
            this.#fullRounds += excessLoss ? 2 : 1;
          }
        }
        if (
          this.#fullRounds >= FULL_ROUNDS ||
          this.#queuedBytes > Math.max(this.#initialBytes, this.#pipeBytes(1)) / 2
        ) {
          this.#enter(Phase.drain, sample);
        }
        break;
      case Phase.drain:
        if (inflight <= this.#drainedBytes()) this.#enter(Phase.cruise, sample);
        break;
      case Phase.cruise:
        if (newRound) this.#excessRounds = excessLoss ? this.#excessRounds + 1 : 0;
        if (this.#excessRounds >= EXCESS_ROUNDS && this.#isSlower(sample)) {
          this.#rates.reset(Math.max(this.#roundRate, this.#lastRoundRate));
          this.#enter(Phase.drain, sample);
        } else if (sample.nowMs - this.#minRttAtMs > MIN_RTT_AGE_MS && sample.limit === Limit.path) {
          this.#enter(Phase.probeRtt, sample);
        } else if (newRound && this.#roundsInPhase >= this.#cruiseRounds) {
          this.#upGain = UP_GAIN;
          this.#enter(Phase.up, sample);
        }
        break;
      case Phase.up:
        // What this round brings is seen one round trip later, in the phase that follows.
        if (excessLoss || newRound) this.#enter(Phase.down, sample);
        break;
      case Phase.down:
        if (this.#rates.max > this.#phaseRate * PROBE_GROWTH && !excessLoss) {
          this.#upGain = Math.min(MAX_UP_GAIN, this.#upGain * UP_GAIN);
          this.#enter(Phase.up, sample);
        } else if (
          (inflight <= this.#drainedBytes() && sample.nowMs - this.#phaseAtMs > this.#minRttMs / 2) ||
          (newRound && this.#roundsInPhase >= DOWN_ROUNDS)
        ) {
          this.#enter(Phase.cruise, sample);
        }
        break;
      default:
        if (sample.nowMs - this.#phaseAtMs >= PROBE_RTT_MS && newRound) {
          this.#minRttAtMs = sample.nowMs;
          this.#minRttMs = Math.max(this.#probedRttMs, 0.001);
          this.#enter(Phase.cruise, sample);
        } else if (sample.rttMs >= 0 && sample.rttMs < this.#probedRttMs) {
          this.#probedRttMs = sample.rttMs;
        }
    }
  }
  #probedRttMs = Infinity;

  #enter(phase: number, sample: AckSample): void {
    this.#phase = phase;
    this.#phaseAtMs = sample.nowMs;
    this.#phaseRate = this.#rates.max;
    this.#roundsInPhase = 0;
    this.#excessRounds = 0;
    this.#roundEndBytes = sample.deliveredBytes;
    this.#probedRttMs = sample.smoothedRttMs;
    // Connections that share a path probe at different times.
    this.#random ^= this.#random << 13;
    this.#random ^= this.#random >>> 17;
    this.#random ^= this.#random << 5;
    this.#cruiseRounds = CRUISE_ROUNDS + (this.#random & 3);
  }

  /** What fills the path: bandwidth times round trip, with what the hosts hold. */
  #pipeBytes(gain: number): number {
    return this.#fullPace() * (this.#minRttMs + this.#hostDelayMs) * gain;
  }

  /** In flight when there is no queue. */
  #drainedBytes(): number {
    return this.#fullPace() * (this.#minRttMs + this.#hostDelayMs / 2);
  }

  /** The rate to send at so that the measured one arrives. */
  #fullPace(): number {
    return this.#rates.max / (1 - this.#pathLoss);
  }

  #apply(nowMs: number): void {
    let pace = 1;
    let window = WINDOW_GAIN;
    this.quiet = false;
    switch (this.#phase) {
      case Phase.startup:
        pace = STARTUP_GAIN;
        break;
      case Phase.drain:
        pace = DRAIN_GAIN;
        this.quiet = true;
        break;
      case Phase.up:
        pace = this.#upGain;
        break;
      case Phase.down:
        pace = DOWN_GAIN;
        // At first a short queue may still overflow with what the probe put there.
        this.quiet = nowMs - this.#phaseAtMs > this.#minRttMs / 4;
        break;
      case Phase.probeRtt:
        window = PROBE_RTT_GAIN;
        this.quiet = true;
        break;
      default:
    }
    this.bytesPerMs = this.#fullPace() * pace;
    this.windowBytes = Math.max(MIN_DATAGRAMS * this.#datagramBytes, this.#pipeBytes(window));
    if (this.#phase === Phase.startup) {
      // A few bytes that were answered say nothing about the path: the first flight is always allowed.
      this.bytesPerMs = Math.max(this.bytesPerMs, this.#initialBytes / INITIAL_SPREAD_MS);
      this.windowBytes = Math.max(this.windowBytes, this.#initialBytes);
    }
  }
}
