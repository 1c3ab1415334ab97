/**
 * Links that we open: one connector per configured URL, one dial at a time each.
 *
 * ```
 *  Connector ──dial──▶ SYN … SACK ──▶ handshake … answer ──▶ Links.up
 *      ▲                  │                 │                   │
 *      └── 1 s later ─────┴── failed ───────┘◀──── closed ──────┘
 * ```
 */
import type { Endpoint } from "../wire/endpoint.ts";
import { decodeHandshake } from "../wire/handshake.ts";
import { PEER_HEADER_BYTES, readU32 } from "../wire/peer-header.ts";
import { readConnId, SYN_BYTES } from "../wire/udp-tunnel.ts";
import { parsePeerUrl } from "../wire/udp-url.ts";
import { anyAddressFor, Connector } from "./connector.ts";
import { Dial } from "./dial.ts";
import { judgeReply } from "./handshake-rules.ts";
import { MAX_PEER_URLS } from "./limits.ts";
import type { Link } from "./link-table.ts";
import { isOverlay, type LinkContext, type Links } from "./links.ts";
import { LINK_REASONS, type LinkReason } from "./reason.ts";
import { ENDPOINT_BYTES } from "./underlay.ts";

export class Dialer {
  readonly #context: LinkContext;
  readonly #links: Links;
  readonly #connectors = new Map<string, Connector>();
  /** The sockets of dials and of the links that came of them. */
  readonly #sockets = new Map<number, Connector>();

  constructor(context: LinkContext, links: Links) {
    this.#context = context;
    this.#links = links;
  }

  get connectors(): IterableIterator<Connector> {
    return this.#connectors.values();
  }

  get sockets(): IterableIterator<number> {
    return this.#sockets.keys();
  }

  hasSocket(handle: number): boolean {
    return this.#sockets.has(handle);
  }

  // ── commands ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Keeps exactly these peers connected. Returns a sentence for each URL that cannot be dialled; the others go on. */
  setPeers(urls: readonly string[], now: number): string[] {
    const wanted = new Set(urls);
    for (const [url, connector] of [...this.#connectors]) {
      if (wanted.has(url)) continue;
      this.#connectors.delete(url);
      if (connector.dial !== undefined) this.#end(connector.dial);
      if (connector.link !== undefined) this.#links.close(connector.link, "peer_removed", now);
    }
    const problems: string[] = [];
    for (const url of wanted) {
      if (this.#connectors.has(url)) continue;
      const target = parsePeerUrl(url);
      if (typeof target === "string") problems.push(`The peer "${url}" cannot be dialled. ${target}`);
      else if (this.#connectors.size >= MAX_PEER_URLS) {
        problems.push(`The peer "${url}" is one too many: at most ${MAX_PEER_URLS} can be configured.`);
      } else this.#connectors.set(url, new Connector({ ...target, url }));
    }
    return problems;
  }

  /** Answers a `resolve` event. An empty list = the name could not be resolved. */
  handleResolved(url: string, endpoints: readonly Endpoint[], now: number): void {
    const connector = this.#connectors.get(url);
    if (connector === undefined || connector.target.family !== 0) return;
    if (!connector.handleResolved(endpoints, now)) this.#tellUnresolved(connector, now);
  }

  // ── datagrams and packets ─────────────────────────────────────────────────────────────────────────────────────────

  handleSack(socket: number, offset: number, length: number, endpointOffset: number, now: number): void {
    const { bytes } = this.#context;
    const connector = this.#sockets.get(socket);
    const dial = connector?.dial;
    if (connector === undefined || dial === undefined || length !== SYN_BYTES) return;
    const connId = readConnId(bytes, offset);
    if (!dial.matches(connId, readU32(bytes, offset + 8), readU32(bytes, offset + 12))) return;
    // The other side may answer from another address than the one we asked: that is where it is then.
    const endpoint = bytes.slice(endpointOffset, endpointOffset + ENDPOINT_BYTES);
    const link = this.#links.add("client", socket, endpoint, connId, connector.target.url, now);
    if (link === undefined) this.#fail(connector, "table_full", now);
    else dial.opened(link, now);
  }

  /** The node we dial has opened its NAT towards us. Anybody else's hole punch means nothing. */
  handleHolePunch(socket: number, endpointOffset: number, now: number): void {
    const dial = this.#sockets.get(socket)?.dial;
    if (dial === undefined) return;
    for (let at = 0; at < ENDPOINT_BYTES; at++) {
      if (this.#context.bytes[endpointOffset + at] !== dial.target[at]) return;
    }
    dial.handleHolePunch(now);
  }

  /** True when a SYN that one of our listeners received is our own: the URL leads back to us. */
  handleOwnSyn(connId: number, magicLow: number, magicHigh: number, now: number): boolean {
    for (const connector of this.#connectors.values()) {
      if (!connector.dial?.matches(connId, magicLow, magicHigh)) continue;
      this.#fail(connector, "self_connection", now);
      return true;
    }
    return false;
  }

  /** A handshake on a link that waits for one: the answer to ours. */
  handleReply(link: Link, offset: number, length: number, now: number): void {
    const { bytes, identity, events } = this.#context;
    const connector = this.#connectors.get(link.url);
    if (connector === undefined || connector.dial?.link !== link) return;
    const reply = decodeHandshake(bytes, offset + PEER_HEADER_BYTES, offset + length);
    if (reply === undefined) {
      this.#fail(connector, "bad_handshake", now);
      return;
    }
    const verdict = judgeReply(identity, reply);
    if (verdict.accepted) {
      connector.connected(link);
      this.#links.up(link, reply, verdict.shared, now);
      return;
    }
    this.#fail(connector, verdict.reason, now);
    if (verdict.reason === "peer_id_conflict") {
      events.push("error", LINK_REASONS.peer_id_conflict, { type: "duplicate_peer_id" });
    }
  }

  /** A link of ours ended: its socket goes, its URL is dialled again. */
  handleClosed(link: Link, reason: LinkReason, now: number): void {
    this.#closeSocket(link.socket);
    const connector = this.#connectors.get(link.url);
    if (connector?.link === link) connector.disconnected(reason, now);
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  get nextTimeout(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const connector of this.#connectors.values()) next = Math.min(next, connector.nextTimeout);
    return next;
  }

  handleTimeout(now: number): void {
    for (const connector of this.#connectors.values()) {
      if (connector.dial !== undefined) this.#tend(connector, connector.dial, now);
      this.#run(connector, now);
    }
  }

  #run(connector: Connector, now: number): void {
    for (;;) {
      const step = connector.step(now, this.#context.random);
      if (step.do === "nothing") return;
      if (step.do === "dial") this.#start(connector, step.endpoint, now);
      else if (step.do === "unresolved") this.#tellUnresolved(connector, now);
      else {
        const { url, host, port } = connector.target;
        this.#context.events.push("info", `Looking up ${host}.`, { type: "resolve", url, host, port });
      }
    }
  }

  #start(connector: Connector, endpoint: Uint8Array, now: number): void {
    const { io, random, overlay } = this.#context;
    if (isOverlay(endpoint, overlay())) {
      this.#tellFailed(connector, "overlay_address", now);
      return;
    }
    const socket = io.openSocket(anyAddressFor(endpoint));
    if ("error" in socket) {
      this.#tellFailed(connector, "socket_failed", now, socket.message);
      return;
    }
    connector.dial = new Dial(io, random, socket.handle, endpoint, now);
    this.#sockets.set(socket.handle, connector);
    this.#tend(connector, connector.dial, now);
  }

  #tend(connector: Connector, dial: Dial, now: number): void {
    const step = dial.handleTimeout(now);
    if (step === "send_handshake" && dial.link !== undefined) {
      this.#links.sendHandshake(dial.link, this.#context.identity.digest);
    } else if (step === "send_failed") {
      this.#fail(connector, "send_failed", now, this.#context.io.underlay.describeError(dial.error));
    } else if (step === "timed_out") {
      this.#fail(connector, dial.link === undefined ? "no_answer" : "handshake_unanswered", now);
    }
  }

  // ── failure ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #fail(connector: Connector, reason: LinkReason, now: number, detail = ""): void {
    if (connector.dial !== undefined) this.#end(connector.dial);
    this.#tellFailed(connector, reason, now, detail);
  }

  #end(dial: Dial): void {
    if (dial.link !== undefined) this.#links.discard(dial.link);
    this.#closeSocket(dial.socket);
  }

  #closeSocket(socket: number): void {
    if (this.#sockets.delete(socket)) this.#context.io.underlay.close(socket);
  }

  #tellFailed(connector: Connector, reason: LinkReason, now: number, detail = ""): void {
    if (!connector.failed(reason, now)) return;
    const { url } = connector.target;
    const cause = detail === "" ? "" : ` (${detail})`;
    this.#context.events.push("warning", `No link to ${url}. ${LINK_REASONS[reason]}${cause}`, {
      type: "dial_failed",
      url,
      reason,
    });
  }

  #tellUnresolved(connector: Connector, now: number): void {
    if (!connector.hasEndpoints) this.#tellFailed(connector, "name_not_resolved", now);
  }
}
