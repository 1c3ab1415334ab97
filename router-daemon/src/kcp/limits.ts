/**
 * Bounds and times of the connection layer. `KcpLimits` holds what a deployment may want to change; the constants below are
 * fixed by the protocol notes or follow from them.
 */
import { MAX_WINDOW_SEGMENTS, MIN_RECEIVE_WINDOW_SEGMENTS, type SlotPool } from "kcp-ts";
import { KCP_HEADER_BYTES } from "./packet.ts";
import type { KcpLimits } from "./types.ts";

export const DEFAULT_KCP_LIMITS: KcpLimits = {
  maxConnections: 4096,
  maxConnectionsPerPeer: 2048,
  maxHalfOpen: 256,
  maxHalfOpenPerPeer: 128,
  openTimeoutMs: 3_000,
  decideTimeoutMs: 12_000,
  silenceMs: 60_000,
  drainStallMs: 600_000,
  stockAnswerQuietMs: 1_000,
  stockHalfClosedIdleMs: 600_000,
  stockHalfClosedStallMs: 30_000,
  extendedMtu: 1346,
  extendedWindow: 4096,
  spareSlots: 64,
};

/** KCP datagrams of peers of our kind are at least this large. */
export const MIN_EXTENDED_MTU = 576;

/** The defaults with `changes`. Throws a RangeError with a sentence when they do not fit together or into the pool's slots. */
export function settleLimits(changes: Partial<KcpLimits> | undefined, pool: SlotPool): KcpLimits {
  const limits = { ...DEFAULT_KCP_LIMITS, ...changes };
  for (const [name, value] of Object.entries(limits)) {
    if (!(value > 0)) throw new RangeError(`${name} must be above 0, not ${value}.`);
  }
  const maxMtu = pool.slotBytes - ((KCP_HEADER_BYTES + 3) & ~3);
  const { extendedMtu, extendedWindow } = limits;
  if (!Number.isInteger(extendedMtu) || extendedMtu < MIN_EXTENDED_MTU || extendedMtu > maxMtu) {
    throw new RangeError(
      `extendedMtu must be a whole number from ${MIN_EXTENDED_MTU} to ${maxMtu} (slots of ${pool.slotBytes} bytes), not ${extendedMtu}.`,
    );
  }
  const [least, most] = [MIN_RECEIVE_WINDOW_SEGMENTS, MAX_WINDOW_SEGMENTS];
  if (!Number.isInteger(extendedWindow) || extendedWindow < least || extendedWindow > most) {
    throw new RangeError(
      `extendedWindow must be a whole number from ${least} to ${most}, not ${extendedWindow}.`,
    );
  }
  return limits;
}

// ── opening (proxies.md 3.4) ────────────────────────────────────────────────────────────────────────────────────────
/** The SYN (and the destination's SYN+ACK) is repeated this often when nothing better is known. */
export const OPEN_REPEAT_MS = 300;
/** Bounds of the first repetition when the path's round-trip time is known. */
export const OPEN_REPEAT_MIN_MS = 50;
/** Repetition of the SYN once the peer has shown a sign of life: it is deciding, haste does not help. */
export const DECIDING_REPEAT_MS = 500;
/** Convs that may race for one connection. A stock destination never repeats its SYN+ACK, only a new conv gets a new one. */
export const MAX_RACING_CONVS = 4;
/** Every so many SYNs of a conv the next conv joins the race: the second after 2 x 300 ms. */
export const SYNS_PER_CONV = 2;
/** SYN+ACK repetitions of a destination before it gives up. */
export const MAX_SYN_ACKS = 10;
/** The third packet is repeated after these times until the destination's first DATA packet arrives. */
export const THIRD_PACKET_REPEATS_MS: readonly number[] = [200, 500, 1000];
/** Toward a stock destination a large first flight waits this long behind the third packet, or it is thrown away there … */
export const STOCK_FIRST_FLIGHT_DELAY_MS = 10;
/** … but not one of a few segments: their second copies (`KcpOptions.secondCopies`) come late enough, and sooner than that. */
export const STOCK_SMALL_FLIGHT_BYTES = 4 * 1176;
/** Racing attempts of one client connection are recognised for this long after the first was established. */
export const DUPLICATE_GUARD_MS = 2_000;
/** A conv that was in use a moment ago is not opened again by a SYN that the network held back. */
export const CLOSED_MEMORY_MS = 30_000;
/** Convs remembered as closed; a power of two. Newer ones overwrite. */
export const CLOSED_MEMORY = 1024;

// ── closing (proxies.md 3.7) ────────────────────────────────────────────────────────────────────────────────────────
/** First repetition of a FIN, doubling. */
export const FIN_REPEAT_MS = 200;
export const MAX_FIN_REPEATS = 5;
/** How often a stock peer is asked for its window while it empties its queue before our FIN. */
export const DRAIN_PROBE_MS = 20;
/** The same once the window has not moved for `DRAIN_PROBE_SLOW_AFTER_MS`: a reader that has paused. */
export const DRAIN_PROBE_SLOW_MS = 500;
export const DRAIN_PROBE_SLOW_AFTER_MS = 2_000;
/** Behind the window a stock peer holds up to so many bytes more (128 items and the copier's); a FIN waits for them, … */
export const DRAIN_HELD_BYTES = 160_000;
/** … at least this long, … */
export const DRAIN_SETTLE_MS = 200;
/** … as long as they take at the rate at which the peer was seen to read, but not longer than this, … */
export const DRAIN_SETTLE_MAX_MS = 60_000;
/** … or, when nothing was seen of it, at this rate. */
export const DRAIN_ASSUMED_BYTES_PER_MS = 100;
/** A window that has grown by so many segments tells how fast the peer reads; less may be one turn of its scheduler. */
export const DRAIN_TELLING_SEGMENTS = 32;
/** An RST is repeated after these times, unless the peer answered. */
export const RESET_REPEATS_MS: readonly number[] = [200, 600];
/** A closed connection's key stays taken this long, to absorb what is still under way. */
export const CLOSED_LINGER_MS = 1_000;

// ── keep-alive (proxies.md 3.8) ─────────────────────────────────────────────────────────────────────────────────────
export const PING_INTERVAL_MS = 10_000;
/** PINGs of one round are this far apart (less when the round would not fit into the interval). */
export const PING_SPACING_MS = 5;
/** Bytes of a PING's body that are sent back; longer bodies are cut. */
export const MAX_PING_BODY_BYTES = 16;

// ── stock KCP (proxies.md 3.9) ──────────────────────────────────────────────────────────────────────────────────────
export const STOCK_MTU = 1200;
export const STOCK_WINDOW = 1024;
/** Payload bytes of a stock segment. */
export const STOCK_MSS = 1176;

// ── output ──────────────────────────────────────────────────────────────────────────────────────────────────────────
/** Slots that hold control packets on their way out; more of them wait for the next `poll`. */
export const CONTROL_SLOTS = 4;
/** Answers to packets of unknown connections that may wait for `poll`. */
export const MAX_PENDING_RESETS = 64;
/** Such answers per second, and at once after a quiet time. */
export const RESETS_PER_SECOND = 200;
export const RESET_BURST = 200;
/** Datagrams one connection may send before the next one has its turn. */
export const FAIR_QUANTUM_DATAGRAMS = 64;
/** A connection with no more than this unacknowledged goes before the bulk ones. */
export const INTERACTIVE_BYTES = 16_384;
