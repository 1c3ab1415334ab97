/**
 * Links that others open: our listeners, their SYNs, and the handshake they must show.
 *
 * ```
 *  SYN ──▶ HalfOpen ──▶ SACK        HandShake ──▶ judge ──▶ answer ──▶ Links.up
 *              └── 5 s, or a first packet that is none ──▶ forgotten
 * ```
 */
import { endpointPort, formatEndpoint, parseEndpoint } from "../wire/endpoint.ts";
import { decodeHandshake, encodeHandshake } from "../wire/handshake.ts";
import { PacketType, PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { readConnId, SYN_BYTES, TUNNEL_HEADER_BYTES, TunnelType } from "../wire/udp-tunnel.ts";
import { parseListenerUrl } from "../wire/udp-url.ts";
import { quoted } from "./event.ts";
import { type HalfOpen, HalfOpenTable } from "./half-open.ts";
import { judgeRequest } from "./handshake-rules.ts";
import { MAX_ACCEPTED_LINKS, MAX_LISTENERS } from "./limits.ts";
import { type Link, sessionKey } from "./link-table.ts";
import { isOverlay, type LinkContext, type Links } from "./links.ts";
import { LINK_REASONS, type LinkReason } from "./reason.ts";
import { RefusalLog } from "./refusal-log.ts";
import { ENDPOINT_BYTES } from "./underlay.ts";

/** A listener as it was really opened. */
export interface Listener {
  readonly url: string;
  readonly socket: number;
  /** Address text as configured, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** Why a listener could not be opened: a negative host error and a sentence. */
export interface ListenerFailure {
  readonly url: string;
  readonly error: number;
  readonly message: string;
}

/** `-EINVAL`, for URLs that the verifier should have caught. */
const INVALID = -22;

export class Acceptor {
  readonly #context: LinkContext;
  readonly #links: Links;
  readonly #isOwnSyn: (connId: number, magicLow: number, magicHigh: number, now: number) => boolean;
  readonly #refusals = new RefusalLog();
  readonly #halfOpen = new HalfOpenTable();
  readonly #listeners = new Map<string, Listener>();
  readonly #sockets = new Set<number>();

  constructor(
    context: LinkContext,
    links: Links,
    isOwnSyn: (connId: number, magicLow: number, magicHigh: number, now: number) => boolean,
  ) {
    this.#context = context;
    this.#links = links;
    this.#isOwnSyn = isOwnSyn;
  }

  get listeners(): readonly Listener[] {
    return [...this.#listeners.values()];
  }

  get sockets(): IterableIterator<number> {
    return this.#sockets.values();
  }

  /** Sessions without a handshake. */
  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  hasSocket(handle: number): boolean {
    return this.#sockets.has(handle);
  }

  // ── listeners ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens and closes listeners so that exactly these are open. Those that cannot be opened are returned. */
  setListeners(urls: readonly string[], now: number): ListenerFailure[] {
    const wanted = new Set(urls);
    for (const listener of [...this.#listeners.values()]) {
      if (!wanted.has(listener.url)) this.#closeListener(listener, now);
    }
    const failures: ListenerFailure[] = [];
    for (const url of wanted) {
      const failure = this.#listeners.has(url) ? undefined : this.#openListener(url);
      if (failure === undefined) continue;
      failures.push(failure);
      this.#context.events.push("error", failure.message, {
        type: "listener_failed",
        url,
        error: failure.error,
      });
    }
    return failures;
  }

  #openListener(url: string): ListenerFailure | undefined {
    const parsed = parseListenerUrl(url);
    if (typeof parsed === "string")
      return { url, error: INVALID, message: `The listener "${url}" cannot be opened. ${parsed}` };
    if (this.#listeners.size >= MAX_LISTENERS) {
      const message = `The listener "${url}" is one too many: at most ${MAX_LISTENERS} can be configured.`;
      return { url, error: INVALID, message };
    }
    const bytes = parseEndpoint({ address: parsed.host, port: parsed.port })!;
    const socket = this.#context.io.openSocket(bytes);
    if ("error" in socket) {
      const message = `Cannot listen on ${url}: ${socket.message} Free the port ${endpointPort(bytes)} or choose another one.`;
      return { url, error: socket.error, message };
    }
    this.#listeners.set(url, { url, socket: socket.handle, address: parsed.host, port: socket.port });
    this.#sockets.add(socket.handle);
    return undefined;
  }

  #closeListener(listener: Listener, now: number): void {
    for (const link of [...this.#links.table.values()]) {
      if (link.socket === listener.socket) this.#links.close(link, "listener_removed", now);
    }
    this.#halfOpen.removeSocket(listener.socket);
    this.#context.io.underlay.close(listener.socket);
    this.#sockets.delete(listener.socket);
    this.#listeners.delete(listener.url);
  }

  // ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  findHalfOpen(key: string): HalfOpen | undefined {
    return this.#halfOpen.find(key);
  }

  handleSyn(socket: number, offset: number, length: number, endpointOffset: number, now: number): void {
    const { bytes, drops, io } = this.#context;
    if (length !== SYN_BYTES) {
      drops.bad_syn++;
      return;
    }
    const connId = readConnId(bytes, offset);
    const magicLow = readU32(bytes, offset + 8);
    const magicHigh = readU32(bytes, offset + 12);
    const endpoint = bytes.slice(endpointOffset, endpointOffset + ENDPOINT_BYTES);
    const key = sessionKey(socket, endpoint, 0, connId);
    const known = this.#links.table.find(key) !== undefined || this.#halfOpen.find(key) !== undefined;
    if (!known) {
      const refused =
        this.#isOwnSyn(connId, magicLow, magicHigh, now) || this.#comesFromOverlay(endpoint, now);
      if (refused || this.#halfOpen.add(key, socket, endpoint, connId, now) === undefined) {
        drops.syn_refused++;
        return;
      }
    }
    // The session is registered before the SACK leaves: what follows the SACK finds it. A repeated SYN is answered again.
    io.sendSyn(socket, endpoint, connId, TunnelType.sack, magicLow, magicHigh);
  }

  #comesFromOverlay(endpoint: Uint8Array, now: number): boolean {
    if (!isOverlay(endpoint, this.#context.overlay())) return false;
    this.#tellRefused(endpoint, "overlay_address", "", now);
    return true;
  }

  /** The first DATA of a session must be its handshake. Whatever comes of it, the session is half-open no more. */
  handleFirstPacket(session: HalfOpen, offset: number, length: number, now: number): void {
    const { bytes, identity, io } = this.#context;
    const { socket, endpoint, connId } = session;
    this.#halfOpen.remove(session);
    if (length < PEER_HEADER_BYTES || bytes[offset + 8] !== PacketType.handshake) {
      this.#refuse(endpoint, "not_a_handshake", "", now);
      return;
    }
    const request = decodeHandshake(bytes, offset + PEER_HEADER_BYTES, offset + length);
    if (request === undefined) {
      this.#refuse(endpoint, "bad_handshake", "", now);
      return;
    }
    const { verdict, replyDigest } = judgeRequest(identity, request);
    if (verdict.accepted) {
      const link = this.#accept(session, now);
      if (link === undefined) {
        this.#refuse(endpoint, "table_full", "", now);
        return;
      }
      this.#links.table.rxPackets[link.number] = 1;
      this.#links.table.rxBytes[link.number] = length + TUNNEL_HEADER_BYTES;
      link.handshakes = 1;
      this.#links.sendHandshake(link, replyDigest);
      this.#links.up(link, request, false, now);
      return;
    }
    // The answer comes before the refusal, so that the other side can tell why (links.md 4.2).
    const body = encodeHandshake({ ...identity, digest: replyDigest });
    io.sendHandshakeDatagram(socket, endpoint, connId, identity.peerId, body);
    this.#refuse(endpoint, verdict.reason, request.networkName, now);
  }

  #accept({ socket, endpoint, connId }: HalfOpen, now: number): Link | undefined {
    if (this.#links.table.accepted >= MAX_ACCEPTED_LINKS) return undefined;
    return this.#links.add("server", socket, endpoint, connId, "", now);
  }

  /** A handshake again: our answer was lost, so it is given again. */
  handleRepeatedHandshake(link: Link, offset: number, length: number): void {
    const { bytes, identity, drops } = this.#context;
    const request = decodeHandshake(bytes, offset + PEER_HEADER_BYTES, offset + length);
    if (request === undefined || request.peerId !== link.peerId) drops.unexpected_handshake++;
    else this.#links.sendHandshake(link, judgeRequest(identity, request).replyDigest);
  }

  get nextTimeout(): number {
    return this.#halfOpen.nextTimeout;
  }

  handleTimeout(now: number): void {
    this.#context.drops.half_open_expired += this.#halfOpen.expire(now);
  }

  #refuse(endpoint: Uint8Array, reason: LinkReason, networkName: string, now: number): void {
    this.#context.drops.handshake_refused++;
    this.#tellRefused(endpoint, reason, networkName, now);
  }

  #tellRefused(endpoint: Uint8Array, reason: LinkReason, networkName: string, now: number): void {
    if (!this.#refusals.isNews(endpoint, reason, now)) return;
    const remote = formatEndpoint(endpoint);
    const named = reason === "wrong_network_name" ? ` It names the network ${quoted(networkName)}.` : "";
    this.#context.events.push(
      "warning",
      `A link from ${remote} was refused. ${LINK_REASONS[reason]}${named}`,
      {
        type: "link_refused",
        remote,
        reason,
      },
    );
  }
}
