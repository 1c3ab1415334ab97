import { type AckSample, Limit } from "./congestion.ts";
import { FLOAT_ZERO } from "./float-zero.ts";
import { Stamp, StampFlag } from "./stamp.ts";

/** A rate over less than this share of the smallest round trip is an accident of timing. */
const MIN_SPAN_SHARE = 0.85;

/** What is known of the round trip, and learns from samples. Milliseconds. */
export interface RttEstimate {
  readonly minMs: number;
  readonly smoothedMs: number;
  handleSample(rttMs: number): void;
}

/**
 * Measures the delivery rate (draft-cheng-iccrg-delivery-rate-estimation): every transmission is stamped with what had
 * been delivered by then; when it is acknowledged, the difference over the time is a rate. The slower of sending and
 * delivering counts, so that acknowledgements which were held up and come in one burst do not look like a fast path.
 */
export class RateSampler {
  deliveredBytes = FLOAT_ZERO;
  /** Something was acknowledged since the last `take`. */
  pending = false;
  readonly #sample: AckSample = {
    nowMs: FLOAT_ZERO,
    ackedBytes: 0,
    lostBytes: 0,
    quietAckedBytes: 0,
    quietLostBytes: 0,
    rttMs: FLOAT_ZERO,
    smoothedRttMs: FLOAT_ZERO,
    rateBytesPerMs: FLOAT_ZERO,
    limit: Limit.path,
    deliveredBytes: FLOAT_ZERO,
    priorDeliveredBytes: FLOAT_ZERO,
    inflightBytes: 0,
  };
  #deliveredAtUs = 0;
  #flightAtUs = 0;
  /** What limits the sender, and up to which count of delivered bytes what is in flight was limited by it. */
  #limit: number = Limit.path;
  #limitedUntil = FLOAT_ZERO;

  // The newest transmission that was acknowledged since the last `take`.
  #sampled = false;
  #order = 0;
  #priorBytes = 0;
  #priorAtUs = 0;
  #priorFlightAtUs = 0;
  #sentAtUs = 0;
  #sampleLimit: number = Limit.path;
  #rttUs = 0;

  /** A segment leaves: its cell remembers how things stand. */
  stamp(cells: Int32Array, cell: number, idle: boolean, quiet: boolean, nowUs: number): void {
    if (idle) {
      this.#flightAtUs = nowUs;
      this.#deliveredAtUs = nowUs;
    }
    cells[cell + Stamp.delivered] = this.deliveredBytes | 0;
    cells[cell + Stamp.deliveredAt] = this.#deliveredAtUs;
    cells[cell + Stamp.flightAt] = this.#flightAtUs;
    cells[cell + Stamp.flags] = quiet ? this.#limit | StampFlag.quiet : this.#limit;
  }

  /** Everything that could be sent has been: what is in flight says nothing about the path. */
  handleLimit(limit: number, inflightBytes: number): void {
    this.#limit = limit;
    this.#limitedUntil = this.deliveredBytes + inflightBytes;
  }

  handleDelivered(bytes: number, flags: number, nowUs: number): void {
    this.deliveredBytes += bytes;
    this.#deliveredAtUs = nowUs;
    this.pending = true;
    this.#sample.ackedBytes += bytes;
    if ((flags & StampFlag.quiet) !== 0) this.#sample.quietAckedBytes += bytes;
  }

  /** The transmission in `cell` is the one that was acknowledged. */
  handleTransmission(cells: Int32Array, cell: number, nowUs: number): void {
    const order = cells[cell + Stamp.order]!;
    if (this.#sampled && ((order - this.#order) | 0) < 0) return;
    const sentAtUs = cells[cell + Stamp.sentAt]!;
    this.#sampled = true;
    this.#order = order;
    this.#priorBytes = cells[cell + Stamp.delivered]!;
    this.#priorAtUs = cells[cell + Stamp.deliveredAt]!;
    this.#priorFlightAtUs = cells[cell + Stamp.flightAt]!;
    this.#sentAtUs = sentAtUs;
    this.#sampleLimit = cells[cell + Stamp.flags]! & StampFlag.limit;
    this.#rttUs = (nowUs - sentAtUs) | 0;
  }

  handleLost(bytes: number, flags: number): void {
    this.#sample.lostBytes += bytes;
    if ((flags & StampFlag.quiet) !== 0) this.#sample.quietLostBytes += bytes;
  }

  /** Only a share of what was reported lost since the two sums were read counts. */
  discountLost(share: number, lostBefore: number, quietLostBefore: number): void {
    const sample = this.#sample;
    sample.lostBytes = lostBefore + (sample.lostBytes - lostBefore) * share;
    sample.quietLostBytes = quietLostBefore + (sample.quietLostBytes - quietLostBefore) * share;
  }

  get lostBytes(): number {
    return this.#sample.lostBytes;
  }
  get quietLostBytes(): number {
    return this.#sample.quietLostBytes;
  }

  /** Draws round trip and rate from the newest acknowledged transmission. */
  measure(roundTrip: RttEstimate): void {
    const sample = this.#sample;
    this.pending = false;
    sample.rttMs = -1;
    sample.rateBytesPerMs = 0;
    if (this.#sampled) {
      this.#sampled = false;
      sample.rttMs = this.#rttUs / 1000;
      sample.limit = this.#sampleLimit;
      roundTrip.handleSample(sample.rttMs);
      const deliveredUs = (this.#deliveredAtUs - this.#priorAtUs) | 0;
      const sendingUs = (this.#sentAtUs - this.#priorFlightAtUs) | 0;
      const spanMs = Math.max(deliveredUs, sendingUs) / 1000;
      const bytes = ((this.deliveredBytes | 0) - this.#priorBytes) | 0;
      if (spanMs > 0 && spanMs >= roundTrip.minMs * MIN_SPAN_SHARE) sample.rateBytesPerMs = bytes / spanMs;
      this.#flightAtUs = this.#sentAtUs;
      sample.priorDeliveredBytes = this.deliveredBytes - bytes;
    }
    if (this.deliveredBytes > this.#limitedUntil) this.#limit = Limit.path;
  }

  /** The sample, complete; valid until `clear`. */
  take(roundTrip: RttEstimate, inflightBytes: number, nowMs: number): AckSample {
    const sample = this.#sample;
    sample.nowMs = nowMs;
    sample.smoothedRttMs = roundTrip.smoothedMs;
    sample.deliveredBytes = this.deliveredBytes;
    sample.inflightBytes = inflightBytes;
    return sample;
  }

  clear(): void {
    const sample = this.#sample;
    sample.ackedBytes = 0;
    sample.lostBytes = 0;
    sample.quietAckedBytes = 0;
    sample.quietLostBytes = 0;
  }
}
