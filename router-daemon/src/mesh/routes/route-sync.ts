/**
 * Route sync: every node announces itself and its links, tells its neighbours what it knows, and finds paths in what it has
 * learned (routes-rpc.md 3). Sans-IO: the neighbours come in by `setDirectPeers`, the rest travels over RPC.
 *
 * Of the two roles a session has, we always take the one that keeps it alive ("initiator") towards every direct peer: the
 * election of the reference saves a few calls and needs care not to end up with a session nobody owns.
 *
 * A change's life: request of a neighbour or command → tables → (paths and addresses computed, at most so often) → every
 * session looks whether its peer lacks something → SyncRouteInfo → marked as known there.
 */
import {
  SyncRouteInfoError,
  type SyncRouteInfoRequest,
  type SyncRouteInfoResponse,
} from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import type { RpcEndpoint } from "../rpc/endpoint.ts";
import type { RpcResult } from "../rpc/failure.ts";
import type { IncomingCall } from "../rpc/incoming-call.ts";
import { callMethod, handler, SYNC_ROUTE_INFO } from "../rpc/service.ts";
import type { DirectPeer, Random32 } from "../types.ts";
import type { AddressTable } from "./address-table.ts";
import { readAnnouncement } from "./announcement.ts";
import { type ConnectionRow, readRows } from "./connection-rows.ts";
import { type ForeignEntry, ForeignTable } from "./foreign-table.ts";
import { MAX_ROUTE_EVENTS, SWEEP_MS, TARGET_REQUEST_BYTES } from "./limits.ts";
import {
  type Difference,
  mayTellForeign,
  mayTellInfo,
  syncRequest,
  syncResponse,
  type ToldInfo,
} from "./outgoing.ts";
import { OwnAnnouncement } from "./own-announcement.ts";
import { PeerTable } from "./peer-table.ts";
import { type LatencyLookup, RouteTables } from "./route-tables.ts";
import { Session } from "./session.ts";
import { random64, sessionId } from "./session-id.ts";
import type { LocalInfo, PeerInfo, RoutedPrefix, RouteEvent } from "./types.ts";

export interface RouteSyncOptions {
  readonly localPeerId: number;
  readonly localInfo: LocalInfo;
  readonly rpc: RpcEndpoint;
  readonly random: Random32;
  /** When it begins; 0 when left out. */
  readonly now?: number;
}

export interface RouteCounters {
  /** Sync requests answered and made. */
  requestsServed: number;
  requestsMade: number;
  requestsFailed: number;
  /** Announcements that do not decode, are too large, or for which there is no room. */
  infosRefused: number;
  rowsRefused: number;
  foreignRefused: number;
  eventsDropped: number;
}

interface Collected extends Difference {
  /** More is left than one request should carry. */
  readonly more: boolean;
}

export class RouteSync {
  readonly counters: RouteCounters = {
    requestsServed: 0,
    requestsMade: 0,
    requestsFailed: 0,
    infosRefused: 0,
    rowsRefused: 0,
    foreignRefused: 0,
    eventsDropped: 0,
  };
  readonly #localPeerId: number;
  readonly #rpc: RpcEndpoint;
  readonly #sessionSeed: bigint;
  readonly #own: OwnAnnouncement;
  readonly #peers: PeerTable;
  readonly #tables: RouteTables;
  readonly #addresses: AddressTable;
  readonly #foreign = new ForeignTable();
  readonly #sessions = new Map<number, Session>();
  readonly #events: RouteEvent[] = [];
  #isDuplicate = false;
  #sweepAt: number;
  #nextTimeout = 0;

  constructor({ localPeerId, localInfo, rpc, random, now = 0 }: RouteSyncOptions) {
    this.#localPeerId = localPeerId;
    this.#rpc = rpc;
    this.#sessionSeed = random64(random);
    this.#own = new OwnAnnouncement(localPeerId, localInfo, random);
    this.#peers = new PeerTable(localPeerId, now, ({ peerId, isReachable }) => {
      this.#forgetSaved(peerId);
      if (isReachable) this.#emit({ type: "peer_left", peerId });
    });
    this.#tables = new RouteTables(this.#peers);
    this.#addresses = this.#tables.addresses;
    this.#sweepAt = now + SWEEP_MS;
    rpc.register(SYNC_ROUTE_INFO.service, [
      handler(SYNC_ROUTE_INFO, (request, call, at) => this.#handleRequest(request, call, at)),
    ]);
    this.#announce(now);
    this.#setOwnRow(new Uint32Array(0), 1, now);
    this.#changed(now);
    this.#reschedule();
  }

  // ── getters ───────────────────────────────────────────────────────────────────────────────────────────────────

  get nextTimeout(): number {
    return this.#nextTimeout;
  }

  /** Goes up whenever something that the look-ups below tell may have changed. */
  get revision(): number {
    return this.#tables.revision;
  }

  get localInfo(): LocalInfo {
    return this.#own.info;
  }

  /** The direct peer to hand a packet for `peerId` to; 0 = unreachable (routes-rpc.md 5.4). */
  nextHop(peerId: number): number {
    if (this.#sessions.has(peerId)) return peerId;
    return this.#peers.get(peerId)?.path.nextHop ?? 0;
  }

  /** The node that a unicast IPv4 address belongs to, perhaps ourselves; 0 = nobody (routes-rpc.md 5.2). */
  ownerOf(ipv4: number): number {
    return this.#addresses.ownerOf(ipv4);
  }

  /** True for addresses whose packets go to all of `broadcastPeers`. */
  isBroadcast(ipv4: number): boolean {
    return this.#addresses.isBroadcast(ipv4);
  }

  get broadcastPeers(): readonly number[] {
    return this.#addresses.broadcastPeers;
  }

  /** Exported subnets of other nodes that are in use: the kernel's routes into the network. */
  get routedPrefixes(): readonly RoutedPrefix[] {
    return this.#addresses.routedPrefixes;
  }

  /** A node that has announced itself (ourselves included), reachable or not. */
  peer(peerId: number): PeerInfo | undefined {
    return this.#peers.get(peerId)?.info;
  }

  /** All other nodes that have announced themselves. */
  peers(): PeerInfo[] {
    const views: PeerInfo[] = [];
    for (const record of this.#peers.values()) {
      const { info } = record;
      if (info !== undefined && record.peerId !== this.#localPeerId) views.push(info);
    }
    return views;
  }

  /** What the tables hold, next to their limits in `limits.ts`. */
  get usage(): { peers: number; announcementBytes: number; rowEntries: number; foreignEntries: number } {
    const { size, announcementBytes, rowEntries } = this.#peers;
    return { peers: size, announcementBytes, rowEntries, foreignEntries: this.#foreign.size };
  }

  pollEvent(): RouteEvent | undefined {
    return this.#events.shift();
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The neighbours with a live link, all of them each time. */
  setDirectPeers(peers: readonly DirectPeer[], now: number): void {
    const ids = new Set(
      peers.map(({ peerId }) => peerId).filter((id) => id !== 0 && id !== this.#localPeerId),
    );
    for (const peerId of [...this.#sessions.keys()]) if (!ids.has(peerId)) this.#sessions.delete(peerId);
    for (const peerId of ids) {
      if (!this.#sessions.has(peerId)) this.#sessions.set(peerId, new Session(peerId, now));
    }
    const row = this.#peers.local.row!;
    if (row.peers.length !== ids.size || row.peers.some((peerId) => !ids.has(peerId))) {
      this.#setOwnRow(Uint32Array.from(ids).sort(), row.version + 1, now);
      this.#tables.markStale();
      // Our own links are never late: traffic would go where nobody is any more.
      this.#rebuild(now);
    }
    this.#reschedule();
  }

  /** Changes what we announce; what is left out stays. */
  setLocalInfo(change: Partial<LocalInfo>, now: number): void {
    this.#own.change(change);
    if (this.#announce(now)) this.#changed(now);
    this.#reschedule();
  }

  /** Tells the wall clock, for the time stamps others see. May be told again when it was wrong. */
  setClock(unixMs: number, now: number): void {
    this.#own.setClock(unixMs, now);
  }

  /** Latencies of links that others measured: they decide between paths of the same length. */
  setLatencies(latency: LatencyLookup, now: number): void {
    this.#tables.setLatencies(latency);
    this.#rebuildIfDue(now);
    this.#reschedule();
  }

  handleTimeout(now: number): void {
    if (now < this.#nextTimeout) return;
    if (now >= this.#own.renewAt && this.#announce(now)) this.#changed(now);
    if (now >= this.#sweepAt) this.#sweep(now);
    this.#rebuildIfDue(now);
    for (const session of [...this.#sessions.values()]) {
      if (now >= session.nextTimeout) this.#callIfNeeded(session, now);
    }
    this.#reschedule();
  }

  // ── requests of others ────────────────────────────────────────────────────────────────────────────────────────

  #handleRequest(
    request: SyncRouteInfoRequest,
    call: IncomingCall,
    now: number,
  ): Init<SyncRouteInfoResponse> | undefined {
    if (request.myPeerId !== call.fromPeerId) {
      call.fail("execute_error", "The request names another peer than its packet.", now);
      return undefined;
    }
    this.counters.requestsServed++;
    // Its first request may come before its link is known here as live: it is heard, and gets a session with the link.
    const session = this.#sessions.get(request.myPeerId);
    session?.handleSessionId(request.mySessionId);
    let isNews = false;
    for (const raw of request.peerInfos?.items ?? []) isNews = this.#applyInfo(raw, session, now) || isNews;
    for (const row of readRows(request)) isNews = this.#applyRow(row, session, now) || isNews;
    let isForeignNews = false;
    for (const info of request.foreignNetworkInfos?.infos ?? []) {
      const applied = this.#foreign.apply(info, now);
      if (applied === undefined) this.counters.foreignRefused++;
      else session?.savedForeign.set(applied.id, applied.version);
      isForeignNews = applied?.changed === true || isForeignNews;
    }
    if (isNews) this.#changed(now);
    if (isForeignNews) this.#syncNow();
    this.#reschedule();
    return syncResponse(session !== undefined, sessionId(this.#sessionSeed, request.myPeerId));
  }

  #applyInfo(raw: Uint8Array, session: Session | undefined, now: number): boolean {
    const announcement = readAnnouncement(raw);
    if (announcement === undefined) {
      this.counters.infosRefused++;
      return false;
    }
    const { peerId, infoVersion, routeId } = announcement.announced;
    if (peerId === this.#localPeerId) {
      if (routeId !== this.#own.routeId && infoVersion > this.#own.version) this.#reportDuplicate();
      return false;
    }
    const isNewer = infoVersion > (this.#peers.get(peerId)?.infoVersion ?? 0);
    if (isNewer && !this.#peers.setAnnouncement(announcement, now)) {
      this.counters.infosRefused++;
      return false;
    }
    session?.savedInfos.set(peerId, infoVersion);
    return isNewer;
  }

  #applyRow(row: ConnectionRow, session: Session | undefined, now: number): boolean {
    const { peerId, version } = row;
    if (peerId === this.#localPeerId) {
      // Only we raise our version. Should others hold a higher one, ours must overtake it to be heard.
      const own = this.#peers.local.row!;
      if (version <= own.version || version >= 0xffffffff) return false;
      this.#setOwnRow(own.peers, version + 1, now);
      return true;
    }
    const isNewer = version > (this.#peers.get(peerId)?.rowVersion ?? 0);
    if (isNewer && !this.#peers.setRow(row, now)) {
      this.counters.rowsRefused++;
      return false;
    }
    session?.savedRows.set(peerId, version);
    return isNewer;
  }

  // ── our requests ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets every session look for news. */
  #syncNow(): void {
    for (const session of this.#sessions.values()) session.mayHaveNews = true;
  }

  #callIfNeeded(session: Session, now: number): void {
    // Who has not said anything yet most likely understands the list.
    const knowsList = this.peer(session.peerId)?.featureFlags.supportConnListSync ?? true;
    const form = knowsList ? "list" : "bitmap";
    const news = this.#collect(session, form);
    session.mayHaveNews = false;
    const isNews = news.infos.length + news.rows.length + news.foreign.length !== 0;
    if (!isNews && !session.needsCall && !session.isKeepAliveDue(now)) return;
    session.handleCall(now);
    this.counters.requestsMade++;
    const from = { peerId: this.#localPeerId, sessionId: sessionId(this.#sessionSeed, session.peerId) };
    const request = syncRequest(from, session.peerId, news, form);
    callMethod(this.#rpc, session.peerId, SYNC_ROUTE_INFO, request, session.timeoutMs, now, (result, at) =>
      this.#handleAnswer(session, news, result, at),
    );
  }

  #handleAnswer(
    session: Session,
    news: Collected,
    result: RpcResult<SyncRouteInfoResponse>,
    now: number,
  ): void {
    if (this.#sessions.get(session.peerId) !== session) return;
    const succeeded = result.ok && result.response.error === undefined;
    session.handleAnswer(succeeded, news.more, now);
    if (!succeeded) this.counters.requestsFailed++;
    if (result.ok && result.response.error === SyncRouteInfoError.duplicatePeerId) this.#reportDuplicate();
    if (result.ok && succeeded) {
      session.handleSessionId(result.response.sessionId);
      // Who has become unreachable meanwhile is not marked: it will be told again when it is back.
      const isThere = (peerId: number): boolean => this.#peers.get(peerId)?.isReachable === true;
      for (const { peerId, announcement } of news.infos) {
        if (isThere(peerId)) session.savedInfos.set(peerId, announcement!.announced.infoVersion);
      }
      for (const { peerId, version } of news.rows)
        if (isThere(peerId)) session.savedRows.set(peerId, version);
      for (const { id, value } of news.foreign) session.savedForeign.set(id, value.version);
    }
    this.#reschedule();
  }

  /** What the peer is not known to have, up to what one request should carry. */
  #collect(session: Session, form: "list" | "bitmap"): Collected {
    let room = TARGET_REQUEST_BYTES;
    let more = false;
    const take = (bytes: number): boolean => {
      if (room <= 0) more = true;
      else room -= bytes;
      return !more;
    };
    const infos: ToldInfo[] = [];
    const rows: ConnectionRow[] = [];
    for (const record of this.#peers.values()) {
      const { peerId, announcement, row } = record;
      if (!record.isReachable || peerId === session.peerId) continue;
      const isInfoNews =
        mayTellInfo(record, session.peerId) && record.infoVersion > (session.savedInfos.get(peerId) ?? 0);
      if (isInfoNews && take(announcement!.raw.length + 4)) infos.push({ peerId, announcement });
      const isRowNews = row !== undefined && row.version > (session.savedRows.get(peerId) ?? 0);
      if (isRowNews && take(row.peers.length * 5 + 16)) rows.push(row);
    }
    const foreign: ForeignEntry[] = [];
    for (const entry of this.#foreign.values()) {
      if (!mayTellForeign(entry, session.peerId)) continue;
      const isNews = entry.value.version > (session.savedForeign.get(entry.id) ?? 0);
      if (isNews && take(entry.bytes)) foreign.push(entry);
    }
    // A matrix is all or nothing.
    const all = form === "bitmap" && rows.length !== 0 ? this.#reachableRows() : rows;
    return { infos, rows: all, foreign, more };
  }

  #reachableRows(): ConnectionRow[] {
    const rows: ConnectionRow[] = [];
    for (const { isReachable, row } of this.#peers.values()) {
      if (isReachable && row !== undefined) rows.push(row);
    }
    return rows;
  }

  // ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** An announcement or a row has changed, ours or another's. */
  #changed(now: number): void {
    this.#tables.markStale();
    this.#rebuildIfDue(now);
    this.#syncNow();
  }

  #announce(now: number): boolean {
    const announcement = this.#own.next(now);
    return announcement !== undefined && this.#peers.setAnnouncement(announcement, now);
  }

  #setOwnRow(peers: Uint32Array, version: number, now: number): void {
    this.#peers.setRow({ peerId: this.#localPeerId, version, peers }, now);
  }

  #rebuildIfDue(now: number): void {
    if (now >= this.#tables.nextTimeout) this.#rebuild(now);
  }

  #rebuild(now: number): void {
    const { joined, left } = this.#tables.rebuild(this.#own.info, now);
    for (const peerId of joined) this.#emit({ type: "peer_joined", peerId });
    for (const peerId of left) {
      // Others may forget it while it is away: it is told again when it is back.
      this.#forgetSaved(peerId);
      this.#emit({ type: "peer_left", peerId });
    }
    this.#syncNow();
  }

  #sweep(now: number): void {
    this.#sweepAt = now + SWEEP_MS;
    if (this.#peers.sweep(now)) this.#changed(now);
    // What a peer has told us of an unreachable node it may have forgotten itself by the time the node is back.
    for (const { peerId, isReachable, unreachableSince } of this.#peers.values()) {
      if (!isReachable && now - unreachableSince > SWEEP_MS) this.#forgetSaved(peerId);
    }
    for (const id of this.#foreign.sweep(now, (peerId) => this.#peers.get(peerId) !== undefined)) {
      for (const { savedForeign } of this.#sessions.values()) savedForeign.delete(id);
    }
  }

  #forgetSaved(peerId: number): void {
    for (const session of this.#sessions.values()) session.forgetPeer(peerId);
  }

  /** Once: the node starts over with another id, and with another RouteSync. */
  #reportDuplicate(): void {
    if (!this.#isDuplicate) this.#emit({ type: "duplicate_peer_id" });
    this.#isDuplicate = true;
  }

  #emit(event: RouteEvent): void {
    if (this.#events.length >= MAX_ROUTE_EVENTS) {
      this.#events.shift();
      this.counters.eventsDropped++;
    }
    this.#events.push(event);
  }

  #reschedule(): void {
    let next = Math.min(this.#sweepAt, this.#own.renewAt, this.#tables.nextTimeout);
    for (const session of this.#sessions.values()) next = Math.min(next, session.nextTimeout);
    this.#nextTimeout = next;
  }
}
