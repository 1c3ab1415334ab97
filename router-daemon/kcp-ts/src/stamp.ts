/**
 * Words of the record of one transmission, in cells of 16 words, as the rate sampler reads and writes them. Whoever keeps records
 * (KCP's send ring, QUIC's sent packets) has these words at these places; the others of the cell are his own.
 */
export const STAMP_SHIFT = 4;

export const Stamp = {
  /** Moment (microseconds, signed 32 bits) and place in the order of the transmission. */
  sentAt: 5,
  order: 6,
  /** Bytes delivered, when they were, and start of the flight, as known at the transmission. */
  delivered: 9,
  deliveredAt: 10,
  flightAt: 11,
  /** Bits of `StampFlag`. */
  flags: 12,
} as const;

/** How things stood at the transmission: the `Limit` in the low two bits, and whether it was `quiet`. */
export const StampFlag = { limit: 3, quiet: 4 } as const;
