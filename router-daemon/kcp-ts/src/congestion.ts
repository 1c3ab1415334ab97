/** The part that decides how much may be in flight and how fast it leaves. */
export interface CongestionController {
  /** Most bytes (headers included) in flight. */
  readonly windowBytes: number;
  /** Pace in bytes per millisecond; `Infinity` sends as fast as the window allows. */
  readonly bytesPerMs: number;
  /** What is sent now cannot be the cause of its own loss: the controller is sending below the rate it measured. */
  readonly quiet: boolean;
  /** What the acknowledgements and losses since the last call say. Called once per batch, not per segment. */
  handleAcks(sample: AckSample): void;
  /** `count` retransmission timeouts in a row without any acknowledgement. */
  handleTimeout(count: number): void;
}

/** What limits a sender. */
export const Limit = {
  /** The congestion window or the pace. */
  path: 0,
  /** The window of the peer, or our own. */
  window: 1,
  /** There was nothing more to send. */
  data: 2,
} as const;

/** One batch of acknowledgements. The object is reused: read it, do not keep it. All bytes include headers. */
export interface AckSample {
  /** When they arrived, in milliseconds. */
  nowMs: number;
  /** Newly acknowledged, and found lost. */
  ackedBytes: number;
  lostBytes: number;
  /** The share of the two that was sent while `quiet`. */
  quietAckedBytes: number;
  quietLostBytes: number;
  /** Round trip of the newest segment, or -1 when none could be measured. */
  rttMs: number;
  /** Smallest round trip that counts at present. */
  smoothedRttMs: number;
  /** Measured delivery rate in bytes per millisecond, or 0 when none. */
  rateBytesPerMs: number;
  /** What kept more from being sent when the newest segment was: one of `Limit`. Only `path` says what the path can. */
  limit: number;
  /** Bytes delivered so far, and as they were when the newest acknowledged segment was sent: they count rounds. */
  deliveredBytes: number;
  priorDeliveredBytes: number;
  /** In flight after this batch. */
  inflightBytes: number;
}

/** What a controller is told when it is made. */
export interface CongestionContext {
  /** Bytes of a full datagram of this connection. */
  datagramBytes: number;
  /** How long the peer may sit on an acknowledgement. */
  ackDelayMs: number;
  /** Different for each connection, to keep their probing apart. */
  seed: number;
}

export type CongestionFactory = (context: CongestionContext) => CongestionController;

/** No congestion control: a fixed number of segments, no pacing. What plain KCP does with `nc = 1`. */
export function fixedWindow(segments: number): CongestionFactory {
  return (context) => ({
    windowBytes: segments * context.datagramBytes,
    bytesPerMs: Infinity,
    quiet: false,
    handleAcks() {},
    handleTimeout() {},
  });
}
