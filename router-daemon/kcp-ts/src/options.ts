import type { CongestionFactory } from "./congestion.ts";
import { deliveryRate } from "./delivery-rate.ts";
import { FixedSlotPool, type SlotPool } from "./pool.ts";
import type { SlotQuota } from "./quota.ts";
import { HEADER_BYTES } from "./segment.ts";

/** Most segments of one direction of one connection: the largest window. */
export const MAX_WINDOW_SEGMENTS = 4096;
/** Rings begin with this many entries and double as they are needed. */
export const MIN_RING_SEGMENTS = 64;
/** A KCP sender assumes this window until it has heard from the peer, so no peer may have a smaller one. */
export const MIN_RECEIVE_WINDOW_SEGMENTS = 128;
/** An extended acknowledgement of a full window must fit one datagram. */
export const MIN_EXTENDED_MTU = HEADER_BYTES + (MAX_WINDOW_SEGMENTS / 32 + 1) * 4;
/** Acknowledgements waiting for the next `poll`, of plain KCP; what comes beyond is left to `una`. */
export const MAX_PENDING_ACKS = 4096;
/** Slots of acknowledgement datagrams that one `poll` may fill. */
export const MAX_SCRATCH_SLOTS = 96;
/** A writer may queue this many unsent segments, or a congestion window's worth where that is more. */
export const MIN_UNSENT_SEGMENTS = 64;
/** Slots of the pool that a connection makes for itself when it is given none. */
export const DEFAULT_POOL_SLOTS = 4096;

export interface KcpOptions {
  /** The connection's number, equal at both ends. */
  conv: number;
  /** Where the payload lies. Default: a pool of its own, of `DEFAULT_POOL_SLOTS`. */
  pool?: SlotPool;
  /** Largest datagram, header included. Default 1200. */
  mtu?: number;
  /** Bytes in front of every datagram that are left to the caller. Default 0. */
  headroom?: number;
  /** Most segments in flight. Default 1024. */
  sendWindow?: number;
  /** Most segments received and not read. Default 1024, at least 128. */
  receiveWindow?: number;
  /** Both ends are this package and agreed on it: compact acknowledgements. Default false: plain KCP. */
  extended?: boolean;
  /** Default: the delivery-rate controller. */
  congestion?: CongestionFactory;
  /** Send each segment of a thin stream, and repairs that hold up the window, a second time. Default true. */
  secondCopies?: boolean;
  /**
   * Free slots of the pool that writing leaves alone, so that receiving goes on; segments out of order leave half of them
   * alone, so that the one that is missing can come in. Default: a sixteenth of the pool, at most 64.
   */
  spareSlots?: number;
  /** How much of the pool the connection may hold, where it is shared with others. Default: its windows are the only bound. */
  quota?: SlotQuota | undefined;
  /** `now` at the start of the connection, where its clock `ts` is 0. Default: the first `now` that is given. */
  startMs?: number;
  /** First sequence number of both directions: 0 in KCP; another one only to test the wrap. */
  initialSequence?: number;
}

/** Options with every default filled in and everything checked. */
export interface Settings {
  readonly conv: number;
  readonly pool: SlotPool;
  readonly mtu: number;
  /** Where the KCP header begins in a slot: the headroom, rounded up so that the header is aligned. */
  readonly headerAt: number;
  readonly maxPayload: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
  readonly extended: boolean;
  readonly congestion: CongestionFactory;
  readonly secondCopies: boolean;
  readonly spareSlots: number;
  readonly quota: SlotQuota | undefined;
  readonly startMs: number | undefined;
  readonly initialSequence: number;
}

function whole(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be a whole number from ${min} to ${max}, not ${value}.`);
  }
  return value;
}

/** Checks the options; throws a RangeError with a sentence. */
export function settle(options: KcpOptions): Settings {
  const headroom = whole("headroom", options.headroom ?? 0, 0, 4096);
  const headerAt = (headroom + 3) & ~3;
  const extended = options.extended ?? false;
  const minMtu = extended ? MIN_EXTENDED_MTU : 2 * HEADER_BYTES;
  const mtu = whole("mtu", options.mtu ?? 1200, minMtu, 65000);
  const pool =
    options.pool ?? new FixedSlotPool(DEFAULT_POOL_SLOTS, { slotBytes: (headerAt + mtu + 63) & ~63 });
  if (pool.slotBytes % 4 !== 0 || pool.bytes.byteOffset % 4 !== 0) {
    throw new RangeError(
      `The pool's slots must be aligned to 4 bytes; slotBytes is ${pool.slotBytes} and the arena begins at ${pool.bytes.byteOffset}.`,
    );
  }
  if (headerAt + mtu > pool.slotBytes) {
    throw new RangeError(
      `A datagram of ${mtu} bytes behind ${headerAt} bytes of headroom does not fit a slot of ${pool.slotBytes}; choose a smaller mtu.`,
    );
  }
  return {
    conv: whole("conv", options.conv, 0, 0xffffffff) | 0,
    pool,
    mtu,
    headerAt,
    maxPayload: mtu - HEADER_BYTES,
    sendWindow: whole("sendWindow", options.sendWindow ?? 1024, 1, MAX_WINDOW_SEGMENTS),
    receiveWindow: whole(
      "receiveWindow",
      options.receiveWindow ?? 1024,
      MIN_RECEIVE_WINDOW_SEGMENTS,
      MAX_WINDOW_SEGMENTS,
    ),
    extended,
    congestion: options.congestion ?? deliveryRate(),
    secondCopies: options.secondCopies ?? true,
    spareSlots: whole(
      "spareSlots",
      options.spareSlots ?? Math.min(64, pool.slotCount >>> 4),
      0,
      pool.slotCount,
    ),
    quota: options.quota,
    startMs: options.startMs,
    initialSequence: whole("initialSequence", options.initialSequence ?? 0, 0, 0xffffffff) | 0,
  };
}
