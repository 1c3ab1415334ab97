import { TcpFlag } from "../wire/tcp.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { Segment } from "./segment.ts";
import { isAfter, isBefore } from "./sequence.ts";

/** Bytes of the option in every segment. */
export const TIMESTAMP_BYTES = 12;
/** Timestamps older than this say nothing about order (RFC 7323 5.5). */
const LIFE_MS = 24 * 24 * 3600 * 1000;

/** Timestamps of one connection (RFC 7323): our clock, the client's last one to echo, and what is too old to be true. */
export class Timestamps {
  /** Both sides have agreed on them. */
  readonly enabled: boolean;
  /** Random, so that the clock does not tell how long we run. */
  readonly clockOffset: number;
  /** TS.Recent. */
  recent: number;
  #recentAt: number;

  constructor(enabled: boolean, clockOffset: number, recent: number, now: number) {
    this.enabled = enabled;
    this.clockOffset = clockOffset;
    this.recent = recent;
    this.#recentAt = now;
  }

  /** Our clock in milliseconds, a signed 32-bit number that wraps. */
  clock(now: number): number {
    return (Math.floor(now) + this.clockOffset) | 0;
  }

  /** The segment carries the option exactly when it must. A RST is never judged by it (RFC 7323 5.2). */
  isComplete(segment: Segment): boolean {
    return !this.enabled || segment.options.hasTimestamps || (segment.flags & TcpFlag.rst) !== 0;
  }

  /** PAWS: the segment is a ghost of earlier sequence numbers (RFC 7323 5.3). */
  isOld(segment: Segment, now: number): boolean {
    if (!this.enabled || (segment.flags & TcpFlag.rst) !== 0) return false;
    return isBefore(segment.options.timestampValue, this.recent) && now - this.#recentAt <= LIFE_MS;
  }

  /** An acceptable segment: its value is echoed if it is the first that was not acknowledged before (RFC 7323 4.3). */
  note(segment: Segment, lastAckSent: number, now: number): void {
    if (!this.enabled || isAfter(segment.sequence, lastAckSent)) return;
    if (isBefore(segment.options.timestampValue, this.recent)) return;
    this.recent = segment.options.timestampValue;
    this.#recentAt = now;
  }

  addTo(writer: FrameWriter, now: number): void {
    if (this.enabled) writer.addTimestamps(this.clock(now), this.recent);
  }
}
