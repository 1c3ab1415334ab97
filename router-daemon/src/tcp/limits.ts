/** Every bound of the stack, and its times. Numbers are chosen for a LAN: near, fast, sometimes a sleeping phone. */

export interface TcpLimits {
  /** Flows at once, held ones included. A SYN beyond it travels as plain IP. */
  readonly maxFlows: number;
  /** Held SYNs at once. Beyond it the client that holds most gives way; see `held-syns.ts`. */
  readonly maxHeldSyns: number;
  /** Bound of a flow's send queue: starts at the first, grows with the congestion window up to the second. */
  readonly minSendBytes: number;
  readonly maxSendBytes: number;
  /** Slots that a flow's send queue may hold (small payloads fill slots badly). A power of two. */
  readonly maxSendSlots: number;
  /** Slots with out-of-order data: of one flow, and of all together. */
  readonly maxReorderSlots: number;
  readonly maxReorderSlotsInAll: number;
  /** Connections remembered after their end (TIME-WAIT, and those that answer RST). The oldest goes. */
  readonly maxLingering: number;
  /** How long they are remembered. */
  readonly lingerMs: number;
  /** The client is silent for this long: probe it. */
  readonly keepAliveIdleMs: number;
  readonly keepAliveIntervalMs: number;
  readonly keepAliveProbes: number;
  /** Sent data unacknowledged for this long: give up (RFC 9293 3.8.3). */
  readonly userTimeoutMs: number;
}

export const DEFAULT_TCP_LIMITS: TcpLimits = {
  maxFlows: 4096,
  maxHeldSyns: 256,
  minSendBytes: 128 * 1024,
  maxSendBytes: 1024 * 1024,
  maxSendSlots: 1024,
  maxReorderSlots: 512,
  maxReorderSlotsInAll: 2048,
  maxLingering: 1024,
  lingerMs: 10_000,
  keepAliveIdleMs: 60_000,
  keepAliveIntervalMs: 15_000,
  keepAliveProbes: 6,
  userTimeoutMs: 120_000,
};

/** Bytes of the arena that a stack needs for itself: output headers and iov lists. */
export const TCP_REGION_BYTES = 2048;
