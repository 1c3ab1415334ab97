/**
 * The surface of the user-space TCP stack: what its user implements, what it is given, what it promises.
 *
 * ```
 *              syn(key) ── "plain" ──▶ handleFrame() = false: the SYN travels as plain IP, no state is made
 *                 │ "hold"
 *              held(flow) ── release ──▶ closed("released")    the caller has re-sent synOffset/synLength as plain IP
 *                 │ accept     │ refuse ─▶ RST ──▶ closed("refused")
 *              SYN-ACK …       └ evicted, client gave up ──▶ closed(…)
 *                 │
 *              established(flow)
 *                 │   receiver.receive() / finished(flow)   client → us, in order, then its FIN
 *                 │   flow.send() / flow.shutdown()         us → client, writable(flow) when there is room again
 *              closed(flow, reason)      exactly once for every flow that was held, always the last event of it
 * ```
 *
 * Every method but `handleFrame` and `poll` may be called from inside events, `receive` included. Output is made by `poll`
 * only: call it after every batch of input or commands.
 */

import type { SlotPool, SlotQuota } from "kcp-ts";
import type { TcpLimits } from "./limits.ts";

/** Addresses are unsigned 32-bit numbers (10.0.0.1 = 0x0a000001), ports are 0..65535. */
export interface FlowKey {
  /** The LAN client, who sent the SYN. */
  readonly clientAddress: number;
  readonly clientPort: number;
  /** Where the client wants to connect to: the address we pretend to be. */
  readonly targetAddress: number;
  readonly targetPort: number;
}

/** What to do with the SYN of a new connection: keep it unanswered, or leave it to the plain path. */
export type SynVerdict = "hold" | "plain";

/** Why a flow ended. */
export type CloseReason =
  /** Both directions ended with FIN and everything is acknowledged. */
  | "finished"
  /** The client sent RST (also while its SYN was held). */
  | "clientReset"
  /** The client acknowledged nothing for `userTimeoutMs`, or no keep-alive probe was answered. */
  | "timeout"
  /** The client did not complete the handshake after our SYN-ACKs. */
  | "handshakeTimeout"
  /** Held too long among too many: `maxHeldSyns` was reached and this one had to go. */
  | "evicted"
  /** By us: `abort`, `refuse`, `release`. */
  | "aborted"
  | "refused"
  | "released";

/** State names of RFC 9293 3.3.2, with `held` before them. TIME-WAIT is kept outside of flows. */
export type FlowState =
  | "held"
  | "synReceived"
  | "established"
  | "finWait1"
  | "finWait2"
  | "closing"
  | "closeWait"
  | "lastAck"
  | "closed";

/** The stack's user. Called synchronously from `handleFrame`, `poll` or commands. */
export interface TcpEvents {
  /**
   * A SYN of an unknown connection. "plain": no state is made and `handleFrame` returns false. `key` is valid during the
   * call only. Not asked when `maxFlows` is reached: such SYNs are plain (counted).
   */
  syn(key: FlowKey): SynVerdict;
  /** The SYN is held; answer with `accept`, `refuse` or `release`, now or later. How long it waits is up to the user. */
  held(flow: Flow): void;
  /**
   * `maxHeldSyns` is reached and this held flow has to go: the last chance to `release` (after sending its frame as plain IP)
   * or `refuse` it. Otherwise it is closed as "evicted", and the client's next SYN begins anew.
   */
  evicting(flow: Flow): void;
  /** The client has acknowledged our SYN-ACK. */
  established(flow: Flow): void;
  /** There is room again: `sendSpace` was below an eighth of the flow's bound and has grown past a quarter. */
  writable(flow: Flow): void;
  /** The client's FIN, after all its bytes were received (half-close: sending goes on). */
  finished(flow: Flow): void;
  /** The end of the flow; its slots are free again and `flow` answers nothing any more. */
  closed(flow: Flow, reason: CloseReason): void;
}

/** Takes what the client sends. */
export interface FlowReceiver {
  /**
   * Bytes that may come now; the advertised window follows it. A promise: what was advertised stays advertised (the right
   * edge never shrinks), so let it count only what is sure to be taken. Asked on every acknowledgement: keep it cheap.
   */
  readonly space: number;
  /**
   * The next `length` bytes of the stream lie at arena `offset`, valid during the call: copy them. Returns how many were
   * taken; the rest is kept out of order if there is room, else counts as never arrived, and the client sends it again.
   */
  receive(offset: number, length: number): number;
}

/** Takes output frames; for the daemon one call is one `host.tunWrite(handle, iov, pairs)`. */
export interface FrameSink {
  /**
   * One frame as `pairs` (offset, length) pairs in `words` from word index `iov` on: first the headers (vnet, IPv4, TCP),
   * then payload. Valid during the call. False = queue full: nothing was taken, the stack tries again later.
   */
  frame(iov: number, pairs: number): boolean;
}

/** One connection of a LAN client. */
export interface Flow extends FlowKey {
  /** Small dense number (0..maxFlows-1), unique among live flows: an index for the user's own tables. */
  readonly id: number;
  readonly state: FlowState;
  /** While held: arena offset and length of the kept SYN frame, vnet header in front. Length 0 afterwards. */
  readonly synOffset: number;
  readonly synLength: number;
  /** Bytes that `send` would take now, 0 after `shutdown` and before `accept`. */
  readonly sendSpace: number;
  /** Bytes sent or queued that the client has not acknowledged. 0 = everything has arrived. */
  readonly unacknowledgedBytes: number;
  /** Bytes the client may still send by what was advertised to it: slots to be kept for it. */
  readonly promisedBytes: number;
  /** Smoothed round trip time to the client, 0 before the first sample. */
  readonly srttMs: number;
  /** Stream bytes received in order and stream bytes acknowledged by the client. */
  readonly receivedBytes: number;
  readonly deliveredBytes: number;
  /** Bytes sent more than once. */
  readonly retransmittedBytes: number;

  /**
   * Takes the slot with its payload of `length` bytes at arena `offset` and queues it; the slot is freed when the client
   * has acknowledged it. False = not taken (no room, not accepted yet, shut down, or closed): the caller still owns it.
   */
  send(slot: number, offset: number, length: number): boolean;
  /**
   * The same for `count` slots, each with at least a byte: a run (`RunEntry` of kcp-ts) at `words[at]`. All or none: `sendSpace` has
   * room for them when it is `count` whole slots.
   */
  sendSlots(words: Int32Array, at: number, count: number): boolean;
  /** Tells that `receiver.space` has grown: the client hears of it if it matters to it. */
  receiveSpaceGrew(now: number): void;
  /** FIN after everything queued. Receiving goes on. */
  shutdown(): void;
  /** RST now; queued data is thrown away. Of a held flow: `refuse`. */
  abort(now: number): void;
}

export interface TcpStackOptions {
  readonly pool: SlotPool;
  /** How much of the pool a flow's send queue may hold. Default: `limits` are the only bound. */
  readonly quota?: SlotQuota | undefined;
  /** The arena as 32-bit words. */
  readonly words: Int32Array;
  /** `TCP_REGION_BYTES` of the arena for headers and iov lists, a multiple of 64 (`HostMemory.reserve`). */
  readonly regionOffset: number;
  /** Uniformly random 32-bit numbers (any sign), good enough for sequence numbers (RFC 6528). */
  readonly random: () => number;
  /** MTU of the device: our MSS is 40 bytes less. */
  readonly mtu: number;
  readonly events: TcpEvents;
  /** Defaults are in `limits.ts`. */
  readonly limits?: Partial<TcpLimits>;
  /** Most payload bytes of one output frame. Default: as much as an IPv4 packet holds. */
  readonly maxSegmentBytes?: number;
}
