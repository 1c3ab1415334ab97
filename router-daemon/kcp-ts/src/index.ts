export {
  type AckSample,
  type CongestionContext,
  type CongestionController,
  type CongestionFactory,
  fixedWindow,
  Limit,
} from "./congestion.ts";
export { cubic } from "./cubic.ts";
export { deliveryRate } from "./delivery-rate.ts";
export { type DatagramSink, Kcp, type TakenSlot } from "./kcp.ts";
export {
  DEFAULT_POOL_SLOTS,
  type KcpOptions,
  MAX_PENDING_ACKS,
  MAX_SCRATCH_SLOTS,
  MAX_WINDOW_SEGMENTS,
  MIN_EXTENDED_MTU,
  MIN_RECEIVE_WINDOW_SEGMENTS,
  MIN_RING_SEGMENTS,
  MIN_UNSENT_SEGMENTS,
} from "./options.ts";
export { DEFAULT_SLOT_BYTES, FixedSlotPool, type SlotPool } from "./pool.ts";
export { MIN_SHARE_SLOTS, SlotQuota } from "./quota.ts";
export {
  Command,
  decodeSegments,
  encodeSegment,
  HEADER_BYTES,
  type Segment,
  type SegmentError,
} from "./segment.ts";
export { RUN_WORDS, RunEntry, RunHead } from "./slot-run.ts";
export type { KcpStats } from "./stats.ts";
