import type { SlotPool } from "kcp-ts";
import { DEFAULT_MSS } from "../wire/tcp.ts";
import type { Segment } from "./segment.ts";

/** The client's SYN: the kept frame while it is held, and what it said. */
export class ClientSyn {
  /** The slot that holds the frame, -1 = none any more; the frame's place in the arena. */
  slot = -1;
  offset = 0;
  length = 0;
  sequence = 0;
  mss = 0;
  /** -1 = windows are not scaled. */
  shift = -1;
  window = 0;
  sack = false;
  timestamps = false;
  timestamp = 0;

  /** Keeps a frame that lies at the start of `slot` already; it belongs to the SYN from now on. */
  hold(segment: Segment, slot: number, slotBytes: number, length: number): void {
    this.slot = slot;
    this.offset = slot * slotBytes;
    this.length = length;
    segment.parseOptions();
    const { options } = segment;
    this.sequence = segment.sequence;
    this.window = segment.window;
    this.mss = options.mss === 0 ? DEFAULT_MSS : options.mss;
    this.shift = options.windowShift;
    this.sack = options.sackPermitted;
    this.timestamps = options.hasTimestamps;
    this.timestamp = options.timestampValue;
  }

  /** The frame is not needed any more; what it said stays. */
  freeFrame(pool: SlotPool): void {
    if (this.slot >= 0) pool.free(this.slot);
    this.slot = -1;
    this.offset = 0;
    this.length = 0;
  }
}
