/**
 * What the proxy sees of EasyTier's KCP connection layer.
 *
 * A connection's life, source role (left) and destination role (right):
 *
 * ```
 *  connect() ──▶ opening ──SYN──────────────▶ offered      Ready.incoming: connect to the real target, then
 *                   │                             │          accept() or refuse()
 *                   │ ◀─────────SYN+ACK───────────┤ accept()          ours: only now is the source answered
 *  Ready.established│                             │                   stock: was answered at once, accept() changes nothing
 *                   ▼                             ▼
 *                  open ◀══════ bytes ═══════▶  open
 *     shutdown() ─FIN─▶ Ready.peerFinished        shutdown() ─FIN─▶ …      each direction ends on its own
 *                   ▼                             ▼
 *                 closed   Ready.closed, closeReason; what was received stays readable until release()
 * ```
 *
 * Nothing calls back. After each batch of input (and after `poll`) the glue drains `KcpEndpoint.pollReady()`, which returns each
 * connection that has news once, with `takeReady()` telling which.
 */
import type { SlotPool, SlotQuota } from "kcp-ts";

/** Which end of proxied connections an endpoint is (proxies.md 1): a node has one endpoint of each. */
export type KcpRole = "source" | "destination";

/** IPv4 address (a.b.c.d = a * 2^24 + …, unsigned) and TCP port. */
export interface SocketAddress {
  readonly ip: number;
  readonly port: number;
}

/** Whom a connection joins: the client as the source saw it, and the target as the client addressed it (proxies.md 3.3). */
export interface KcpTarget {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** News of a connection, as bits of `takeReady()`. */
export const Ready = {
  /** Destination role: a new connection. Decide with `accept` or `refuse`; comes before every other bit. */
  incoming: 1,
  /** The far side has taken the connection: bytes may be written. Not set when the connection closes instead. */
  established: 2,
  /** More bytes are readable than before. */
  readable: 4,
  /** More bytes may be written than before (acknowledgements came in, or the pool has slots again). */
  writable: 8,
  /** The peer's direction has ended: after `readableBytes` comes the end of the stream. */
  peerFinished: 16,
  /** The connection is over; see `closeReason`. Set once. Call `release` when what is readable has been read. */
  closed: 32,
} as const;

/**
 * opening: source role, SYN sent. offered: destination role, `accept` or `refuse` is awaited, or the third packet of the opening.
 * open: bytes flow (one or both directions may have ended). closed: over.
 */
export type KcpConnectionState = "opening" | "offered" | "open" | "closed";

/** Why a connection is over. */
export type CloseReason =
  // Before it was established.
  /** Nothing at all was heard from the peer within the open timeout. */
  | "no_answer"
  /** The peer showed signs of life, but did not decide in time. */
  | "undecided"
  /** The peer refused without a reason (stock peers give none). */
  | "refused"
  /** The real target refused the TCP connection. Only peers of our kind tell. */
  | "target_refused"
  /** The real target did not answer. Only peers of our kind tell. */
  | "target_timeout"
  /** No route to the real target. Only peers of our kind tell. */
  | "target_unreachable"
  /** The peer does not serve this target (not its own, not exported, forbidden). Only peers of our kind tell. */
  | "denied"
  /** The peer has too many connections. Only peers of our kind tell. */
  | "busy"
  // After it was established.
  /** Both directions ended, everything was delivered. */
  | "finished"
  /** The peer reset it (or does not know it any more). */
  | "reset"
  /** The peer says that the real target (or client) behind it reset its TCP connection. Only peers of our kind tell. */
  | "far_end_reset"
  /** Nothing was heard from the peer for `KcpLimits.silenceMs`. */
  | "silent"
  /** `forgetPeer`: the peer left the network. */
  | "peer_gone"
  /** Bytes could not be delivered: no progress for `KcpLimits.drainStallMs` after `shutdown`. */
  | "undelivered"
  /** `abort`, `refuse` or `close` was called on this side. */
  | "aborted";

/** What `refuse` and `abort` may tell a peer of our kind. */
export type RefusalReason =
  | "refused"
  | "target_refused"
  | "target_timeout"
  | "target_unreachable"
  | "denied"
  | "busy"
  | "far_end_reset";

/** Fewer transmissions than this tell no share of repetitions: of two, one would be half. */
const MIN_SENT_FOR_SHARE = 16;

/** Part of `transmissions` that was repeated or lost, 0…1; undefined while too few tell. */
export function repeatedShare(repeated: number, transmissions: number): number | undefined {
  return transmissions < MIN_SENT_FOR_SHARE ? undefined : repeated / transmissions;
}

/** Figures of one connection for the table of connections. */
export interface KcpConnectionStats {
  /** Smoothed round-trip time in milliseconds, 0 = not measured yet. */
  readonly srttMs: number;
  /** Share of transmissions that repeated a segment held for lost, 0…1; undefined while too few tell (`repeatedShare`). */
  readonly retransmittedShare: number | undefined;
  /** Payload bytes accepted by `commit`/`write`. */
  readonly bytesSent: number;
  /** Payload bytes received in order. */
  readonly bytesReceived: number;
  /** Slots of the pool that the connection holds now. */
  readonly heldSlots: number;
}

/**
 * One carried TCP connection, over KCP or QUIC. The stream methods are those of `kcp-ts`' `Kcp` and cost nothing extra; in states
 * where no bytes flow they read as empty and write as full. `Owner` is whatever the glue hangs on it.
 */
export interface CarriedConnection<Owner = unknown> {
  readonly transport: "kcp" | "quic";
  /** The glue's own object for this connection; the layer never looks at it. */
  owner: Owner | undefined;
  readonly peerId: number;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly state: KcpConnectionState;
  /** The peer is one of ours: half-close works, a refusal has a reason, acknowledgements are extended. */
  readonly isExtended: boolean;
  /** Milliseconds of the monotonic clock at which the connection was made here. */
  readonly createdAt: number;
  /** Set once `state` is "closed". */
  readonly closeReason: CloseReason | undefined;
  /** The peer's direction has ended. */
  readonly peerFinished: boolean;
  /** `shutdown` was called: nothing more can be written. */
  readonly locallyFinished: boolean;
  readonly stats: KcpConnectionStats;

  /** Takes the `Ready` bits gathered since the last call. */
  takeReady(): number;

  // ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────
  /** Bytes that `reserve` could give now. */
  readonly writableBytes: number;
  /** Writes up to `maxPairs` (offset, length) pairs of free space to `words` from index `at`; returns the number of pairs. */
  reserve(words: Int32Array, at: number, maxPairs: number): number;
  /**
   * The first `bytes` of the space last reserved are filled, the rest is given back (with 0: all). Belongs to the `reserve` just
   * before it: nothing else may be done in between. The caller polls the endpoint after its batch.
   */
  commit(bytes: number): void;
  /** Copies; returns how many bytes were taken. */
  write(bytes: Uint8Array): number;
  /** The same for bytes that lie elsewhere in the arena. */
  writeFrom(offset: number, length: number): number;
  /** Bytes written that the peer has not acknowledged. */
  readonly unacknowledgedBytes: number;

  // ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────
  readonly readableBytes: number;
  /** Writes (offset, length) pairs of the bytes at the front of the stream; returns the number of pairs. */
  view(words: Int32Array, at: number, maxPairs: number): number;
  /** The first `bytes` of the stream are used up; their slots become free. */
  consume(bytes: number): void;
  /** Moves up to `max` front slots to the caller, who frees them: a run (`RunEntry`) at `words[at]`. Returns how many. */
  takeSlots(words: Int32Array, at: number, max: number): number;
  /** Copies; returns how many bytes were given. */
  read(into: Uint8Array): number;

  // ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────
  /**
   * Destination role, state "offered": the real target has taken the connection. Toward a peer of our kind this is what answers
   * the source; writing is allowed from here on. No effect in other states.
   */
  accept(now: number): void;
  /** Destination role: the real target was not reached. A peer of our kind learns the reason; a stock peer sees a reset. */
  refuse(now: number, reason: RefusalReason): void;
  /**
   * Ends our direction after everything written is delivered (proxies.md 3.7). The other direction goes on. Toward a stock
   * destination the FIN, which would cut its answer short, waits until the answer has paused (`KcpLimits.stockAnswerQuietMs`).
   */
  shutdown(now: number): void;
  /** Ends both directions at once with RST; unread bytes are dropped. `closed` is reported with reason "aborted". */
  abort(now: number, reason?: RefusalReason): void;
  /**
   * The glue is done with the connection: its slots are freed and `pollReady` never returns it again. Before it is closed this
   * is an `abort`.
   */
  release(now: number): void;
}

/** One carried TCP connection over KCP. */
export interface KcpConnection<Owner = unknown> extends CarriedConnection<Owner> {
  /** Chosen by the source (proxies.md 3.2); of the attempt that won, once there is one. */
  readonly conv: number;
}

/** Where an endpoint puts what leaves it; one call per packet of type 11 or 12 (proxies.md 3.1), for the node `peerId`. */
export interface KcpPacketSink {
  /**
   * The packet's bytes stay valid until the endpoint is given anything again. `false` = this one was taken, but no more now:
   * the endpoint goes on at the next `poll`.
   */
  packet(peerId: number, offset: number, length: number): boolean;
}

/** Bounds and times of an endpoint; all have defaults (`limits.ts`). */
export interface KcpLimits {
  /** Connections of the endpoint, closed ones that linger included. */
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
  /** Destination role: connections that are not established yet. */
  readonly maxHalfOpen: number;
  readonly maxHalfOpenPerPeer: number;
  /** Source role: how long `connect` waits for any sign of life. */
  readonly openTimeoutMs: number;
  /** How long a peer of our kind that shows signs of life may take to decide; also how long `accept` may take. */
  readonly decideTimeoutMs: number;
  /** A connection whose peer is silent for so long is closed (proxies.md 3.8). */
  readonly silenceMs: number;
  /** After `shutdown`: longest time without any progress of delivery. */
  readonly drainStallMs: number;
  /** See `shutdown`. */
  readonly stockAnswerQuietMs: number;
  /** A connection half-closed by a stock peer ends after so long without a byte either way. */
  readonly stockHalfClosedIdleMs: number;
  /** A stock peer that has sent its FIN often reads no more: bytes for it that make no progress for so long end the connection. */
  readonly stockHalfClosedStallMs: number;
  /** Largest KCP datagram toward peers of our kind: link payload minus 14, peer header and seal. Stock peers: 1200. */
  readonly extendedMtu: number;
  /** Largest window in segments toward peers of our kind. Stock peers: 1024. */
  readonly extendedWindow: number;
  /** Slots of the pool that writing leaves alone, so that receiving goes on; never more than an eighth of the pool. */
  readonly spareSlots: number;
}

export interface KcpEndpointOptions {
  readonly role: KcpRole;
  readonly localPeerId: number;
  readonly pool: SlotPool;
  /** Fills `bytes` with randomness: the first conv (proxies.md 3.2). */
  readonly random: (bytes: Uint8Array) => void;
  readonly limits?: Partial<KcpLimits>;
  /** How much of the pool the connections of a peer may hold. Default: their windows are the only bound. */
  readonly quotaOf?: (peerId: number) => SlotQuota;
}

export interface KcpConnectOptions {
  /** Replaces `KcpLimits.openTimeoutMs`. */
  readonly openTimeoutMs?: number;
  /** Round-trip time to the peer as the mesh knows it, 0 = unknown: the SYN is repeated sooner on fast paths. */
  readonly rttMs?: number;
}

/** Counters of an endpoint: what was dropped and why, what was opened. */
export interface KcpEndpointCounters {
  opened: number;
  established: number;
  closed: number;
  /** Shorter than the 14-byte header. */
  droppedShort: number;
  /** Header ids that are not the sender's and ours. */
  droppedForeignIds: number;
  /** Connection data that is not decodable or has no IPv4 target. */
  droppedConnectionData: number;
  /** KCP input that did not parse, or came outside the state in which data is taken. */
  droppedData: number;
  /** SYNs beyond a bound, answered with RST. */
  refusedBusy: number;
  /** SYNs of a racing attempt whose connection exists already. */
  duplicateSyns: number;
  /** Packets for unknown connections that were not answered because of the rate limit. */
  resetsSuppressed: number;
  resetsSent: number;
}
