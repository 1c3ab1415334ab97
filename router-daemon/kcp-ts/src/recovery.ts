/**
 * What other protocols of numbered datagrams may share with KCP: rate samples for a congestion controller, pacing, and how long a
 * datagram is waited for, or sent twice.
 */
export { FLOAT_ZERO } from "./float-zero.ts";
export { LossWindow } from "./loss-window.ts";
export { Pacer } from "./pacer.ts";
export { RateSampler, type RttEstimate } from "./rate-sampler.ts";
export { SecondCopies } from "./second-copies.ts";
export { STAMP_SHIFT, Stamp, StampFlag } from "./stamp.ts";
