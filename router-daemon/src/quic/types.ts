/**
 * What the proxy sees of EasyTier's QUIC (proxies.md 6): the same surface as of KCP, so that it drives either without knowing which.
 * One QUIC connection per peer carries any number of streams, and a stream is what KCP calls a connection.
 *
 * A stream's life, source role (left) and destination role (right):
 *
 * ```
 *  connect() ─▶ opening ── handshake if there is no connection, then target ──▶ offered    Ready.incoming: accept() or refuse()
 *                  │ ◀──── ours: first STREAM frame; stock: acknowledgement ──────┤
 *                  ▼                                                              ▼
 *                 open ◀═════════════════════ bytes ═════════════════════════▶  open
 *     shutdown() ─FIN─▶ Ready.peerFinished                  shutdown() ─FIN─▶ …            each direction ends on its own
 *                  ▼
 *                closed   Ready.closed, closeReason
 * ```
 */
import type { CongestionFactory, SlotPool, SlotQuota } from "kcp-ts";
import type { CarriedConnection, KcpRole } from "../kcp/types.ts";
import type { HashPort } from "./checksum.ts";

export type QuicRole = KcpRole;

/** One carried TCP connection over QUIC. */
export interface QuicStream<Owner = unknown> extends CarriedConnection<Owner> {
  /** Of the stream on its QUIC connection, -1 while it has none. */
  readonly id: number;
}

/** Where an endpoint puts what leaves it; one call per datagram for the node `peerId` (packet types 16 and 17). */
export interface QuicPacketSink {
  /** The bytes stay valid until the endpoint is given anything again. `false` = this one was taken, but no more now. */
  packet(peerId: number, offset: number, length: number): boolean;
}

/** Bounds and times of an endpoint; all have defaults (`limits.ts`). */
export interface QuicLimits {
  /** Streams of the endpoint, and of one QUIC connection: what a destination allows its peers. */
  readonly maxStreams: number;
  readonly maxStreamsPerConnection: number;
  /** QUIC connections of the endpoint and of one peer, closing ones included. */
  readonly maxConnections: number;
  readonly maxConnectionsPerPeer: number;
  /** Source role: how long `connect` waits for any sign of life. */
  readonly openTimeoutMs: number;
  /** How long a peer that shows signs of life may take to decide; also how long `accept` may take. */
  readonly decideTimeoutMs: number;
  /** After `shutdown`: longest time without any progress of delivery. */
  readonly drainStallMs: number;
  /** Largest datagram toward peers of our kind. Stock peers: 1200. */
  readonly extendedDatagramBytes: number;
  /** Slots of the pool that writing leaves alone, so that receiving goes on; never more than an eighth of the pool. */
  readonly spareSlots: number;
}

export interface QuicEndpointOptions {
  readonly role: QuicRole;
  readonly pool: SlotPool;
  /** Fills `bytes` with randomness: connection IDs, which are the only protection against blind injection. */
  readonly random: (bytes: Uint8Array) => void;
  readonly limits?: Partial<QuicLimits>;
  /** Default: in TypeScript, which an interpreter takes milliseconds per packet for. */
  readonly hash?: HashPort;
  /** Default: the delivery-rate controller, a BBR. */
  readonly congestion?: CongestionFactory;
  /** How the streams of a peer share the pool with everybody else. Default: all of the endpoint are one group. */
  readonly quotaOf?: (peerId: number) => SlotQuota;
  /** Round-trip time to a peer as the mesh knows it, 0 = unknown: lost first packets are repeated sooner. */
  readonly rttMs?: (peerId: number) => number;
}

/** Counters of an endpoint: what was dropped and why, what was opened. */
export interface QuicEndpointCounters {
  /** Streams. */
  opened: number;
  established: number;
  closed: number;
  /** QUIC connections. */
  handshakes: number;
  connectionsClosed: number;
  /** Connections that were closed because the peer broke a rule. */
  protocolErrors: number;
  /** No packet that can be read, or of another version. */
  droppedMalformed: number;
  /** Neither form of the checksum fits. */
  droppedChecksum: number;
  /** Of no connection, and none to be opened. */
  droppedUnknown: number;
  /** A packet number that was there before. */
  droppedDuplicate: number;
  /** Data for which there was no slot: it is sent again. */
  droppedNoRoom: number;
  /** Connections or streams beyond a bound. */
  refusedBusy: number;
  /** Stream headers that say no IPv4 target. */
  droppedConnectionData: number;
  /** A connection that no longer answered was replaced. */
  replaced: number;
  statelessResets: number;
}
