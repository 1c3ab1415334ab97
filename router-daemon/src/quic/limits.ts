/** Bounds and times of QUIC. `QuicLimits` (types.ts) holds what a deployment may want to change. */
import type { SlotPool } from "kcp-ts";
import { TAG_BYTES } from "./checksum.ts";
import { DATA_AT } from "./send-buffer.ts";
import { MIN_DATAGRAM_BYTES } from "./transport-parameters.ts";
import type { QuicLimits } from "./types.ts";

export const DEFAULT_QUIC_LIMITS: QuicLimits = {
  maxStreams: 4096,
  maxStreamsPerConnection: 1024,
  maxConnections: 512,
  maxConnectionsPerPeer: 8,
  openTimeoutMs: 3_000,
  decideTimeoutMs: 12_000,
  drainStallMs: 600_000,
  extendedDatagramBytes: 1360,
  spareSlots: 64,
};

/** The defaults with `changes`. Throws a RangeError with a sentence when they do not fit together or into the pool's slots. */
export function settleLimits(changes: Partial<QuicLimits> | undefined, pool: SlotPool): QuicLimits {
  const limits = { ...DEFAULT_QUIC_LIMITS, ...changes };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new RangeError(`${name} must be above 0, not ${value}.`);
  }
  const largest = pool.slotBytes - DATA_AT - TAG_BYTES;
  const { extendedDatagramBytes: bytes } = limits;
  if (!Number.isInteger(bytes) || bytes < MIN_DATAGRAM_BYTES || bytes > largest) {
    throw new RangeError(
      `extendedDatagramBytes must be a whole number from ${MIN_DATAGRAM_BYTES} to ${largest} (slots of ${pool.slotBytes} bytes), not ${bytes}.`,
    );
  }
  return { ...limits, spareSlots: Math.min(limits.spareSlots, pool.slotCount >>> 3) };
}

// ── packets (proxies.md 6.1, 6.2) ───────────────────────────────────────────────────────────────────────────────────
/** Toward stock nodes, which drop anything longer without a sign. */
export const STOCK_DATAGRAM_BYTES = 1200;
/** Records of packets that were sent and are not known to have arrived; a power of two. */
export const MAX_SENT_RECORDS = 8192;
/** The same for the two spaces of the handshake, which have a handful of packets. */
export const MAX_HANDSHAKE_RECORDS = 64;

// ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Packets' worth of bytes that one stream may hold for the peer. */
export const MAX_CHUNKS = 4096;
/** Unsent ones, or a congestion window's worth where that is more. */
export const MIN_UNSENT_CHUNKS = 64;
/** Pieces ahead of a hole that one stream keeps. */
export const MAX_HELD_PIECES = 4096;
/** A frame with so much data may keep the slot in which it came; less is copied. */
export const TAKE_SLOT_BYTES = 256;

// ── flow control ────────────────────────────────────────────────────────────────────────────────────────────────────
/** Window of a new stream; it doubles while it is what limits the peer. */
export const INITIAL_STREAM_WINDOW = 256 * 1024;
export const MAX_STREAM_WINDOW = 8 * 1024 * 1024;
/** A stream's window is never grown beyond this part of the pool, nor a connection's beyond twice it (right shifts). */
export const STREAM_WINDOW_POOL_SHIFT = 2;
/** A new limit is told when this part of the window has been read (a right shift). */
export const WINDOW_UPDATE_SHIFT = 2;

// ── acknowledgements (RFC 9000, 13.2) ───────────────────────────────────────────────────────────────────────────────
/** How long a peer may hold one back that has not said anything else. */
export const MAX_ACK_DELAY_MS = 25;
/**
 * What we announce: what we do, and the pauses of a slow router. A peer waits so much longer before it sends its last packets again,
 * which is what a small request that was lost waits for.
 */
export const ANNOUNCED_ACK_DELAY_MS = 8;
export const ACK_DELAY_EXPONENT = 3;
/** A lone packet is acknowledged after this. */
export const ACK_DELAY_MS = 2;
/** Packets that ask for an acknowledgement at most before one leaves. */
export const ACK_EVERY = 2;
/** With so many ranges an ACK asks to be acknowledged itself, so that the oldest can be forgotten. */
export const ACK_PING_RANGES = 16;

// ── life (proxies.md 6.10) ──────────────────────────────────────────────────────────────────────────────────────────
export const IDLE_TIMEOUT_MS = 30_000;
export const KEEP_ALIVE_MS = 5_000;
/** A source's connection without streams is closed after this. */
export const UNUSED_CONNECTION_MS = 60_000;
/** A connection whose peer leaves us without an answer for so long carries no new streams: they get another one. */
export const SUSPECT_AFTER_MS = 1_000;
/** A handshake that is answered by nothing: another attempt, in the other form of the checksum (proxies.md 6.3). */
export const ATTEMPT_AFTER_MS = 1_000;
/** Handshakes toward one peer at the same time. */
export const MAX_ATTEMPTS = 3;
/** A handshake that is not over by then has failed. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A closing connection answers with its close at most so often. */
export const MAX_CLOSE_REPEATS = 8;
/** Probe timeouts for which a closed connection is remembered (RFC 9000, 10.2). */
export const DRAIN_PROBE_TIMEOUTS = 3;
/** Peers whose form of the checksum is remembered. */
export const MAX_REMEMBERED_FORMS = 256;
/** Bytes sent before the client's address is proven, as a multiple of those received (RFC 9000, 8.1). */
export const AMPLIFICATION_FACTOR = 3;

// ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Slots that hold packets without stream data on their way out; more of them wait for the next `poll`. */
export const CONTROL_SLOTS = 16;
/** Datagrams one connection may send before the next one has its turn, and one stream of it before the next. */
export const FAIR_QUANTUM_DATAGRAMS = 64;
export const STREAM_QUANTUM_DATAGRAMS = 8;
/** A chunk that is not full leaves at once while fewer packets than this are under way, else not more often than that. */
export const PARTIAL_FREE_PACKETS = 8;
export const PARTIAL_INTERVAL_MS = 1;
/** Datagrams that leave without regard to pace and window when a probe timeout strikes (RFC 9002, 6.2.4). */
export const PROBE_DATAGRAMS = 2;
