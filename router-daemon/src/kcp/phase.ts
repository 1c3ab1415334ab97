/**
 * What the four phases of a connection have in common, and what they and the connection need of the endpoint.
 *
 * ```
 *   source        OpeningPhase ──┐
 *                                ├──▶ OpenPhase ──▶ ClosedPhase ──▶ forgotten
 *   destination   OfferedPhase ──┘         (any phase may close)
 * ```
 */
import type { SlotPool, SlotQuota } from "kcp-ts";
import type { Capabilities } from "./conn-data.ts";
import type { Connection } from "./connection.ts";
import type { KcpEndpointCounters, KcpLimits, KcpRole, KcpTarget } from "./types.ts";

export interface Phase {
  /** When `handleTimeout` wants to be called, in milliseconds of `now`. */
  readonly nextAt: number;
  /**
   * A packet without PING: `kind` are its state flags, its body lies at `offset` in `slot`. True = the slot was taken. The phase
   * may replace itself.
   */
  receive(conv: number, kind: number, slot: number, offset: number, length: number, now: number): boolean;
  /** A PONG came. */
  receivePong(now: number): void;
  handleTimeout(now: number): void;
  /** Called about every ten seconds. */
  keepAlive(now: number): void;
}

/** What connections need of their endpoint. */
export interface ConnectionHost<Owner> {
  readonly role: KcpRole;
  readonly pool: SlotPool;
  readonly limits: KcpLimits;
  readonly capabilities: Capabilities;
  readonly counters: KcpEndpointCounters;
  readonly quotaOf: (peerId: number) => SlotQuota | undefined;
  /** The connection has news for the glue. */
  markReady(connection: Connection<Owner>): void;
  /** The connection may have something to send, or its timers have changed. */
  requestPoll(connection: Connection<Owner>): void;
  /** A writer got less than it wanted. */
  noteStarved(connection: Connection<Owner>): void;
  /** A further conv for the connection: packets with it are handed to the connection. */
  addConv(connection: Connection<Owner>): number;
  removeConv(connection: Connection<Owner>, conv: number): void;
  /** Destination role: the connection is half-open no more. */
  leaveHalfOpen(connection: Connection<Owner>): void;
  /** Packets need not find the connection any more. */
  forget(connection: Connection<Owner>, now: number): void;
  /** Neither packets nor the glue need the connection any more. */
  remove(connection: Connection<Owner>): void;
}

export interface ConnectionOptions<Owner> {
  readonly host: ConnectionHost<Owner>;
  readonly peerId: number;
  readonly conv: number;
  readonly target: KcpTarget;
  readonly now: number;
  /** Destination role: what the source's SYN said of it; undefined = stock. */
  readonly capabilities?: Capabilities | undefined;
  /** Source role. */
  readonly openTimeoutMs?: number | undefined;
  readonly rttMs?: number | undefined;
}
