/**
 * The links by number, with the counters that every received packet touches. A link's number is the host's name for it.
 *
 * Numbers are reused as late as possible: a receive batch may still hold packets of a link that was closed in its midst.
 */
import { formatEndpoint } from "../wire/endpoint.ts";
import { MAX_LINKS } from "./limits.ts";
import type { Pinger } from "./pinger.ts";

export const LinkState = {
  free: 0,
  /** Known to the host; the handshake is under way, nothing else is accepted. */
  handshake: 1,
  up: 2,
} as const;

/** One underlay connection. */
export interface Link {
  readonly number: number;
  readonly role: "client" | "server";
  readonly socket: number;
  /** 18 bytes: where it leads. */
  readonly endpoint: Uint8Array;
  readonly connId: number;
  /** The URL it was dialled with; empty for accepted ones. */
  readonly url: string;
  /** Set by the handshake. */
  peerId: number;
  shared: boolean;
  /** The network the other side named. */
  networkName: string;
  pinger: Pinger | undefined;
  /** When its handshake was done. */
  upAtMs: number;
  /** Handshake packets among those received. Nothing else ever arrived = the other side did not take us in. */
  handshakes: number;
  /** The last own packet could not be sent: the network was away. */
  sendFailed: boolean;
}

export class LinkTable {
  /** `LinkState` by link number. */
  readonly state = new Uint8Array(MAX_LINKS);
  readonly rxPackets = new Float64Array(MAX_LINKS);
  /** Bytes are those of datagrams: tunnel header, peer header, payload and what encryption adds. */
  readonly rxBytes = new Float64Array(MAX_LINKS);
  readonly txPackets = new Float64Array(MAX_LINKS);
  readonly txBytes = new Float64Array(MAX_LINKS);
  /** Time of the last received packet. */
  readonly lastRxMs = new Float64Array(MAX_LINKS);

  readonly #links: (Link | undefined)[] = new Array<Link | undefined>(MAX_LINKS).fill(undefined);
  readonly #byKey = new Map<string, Link>();
  readonly #freeNumbers: number[] = Array.from({ length: MAX_LINKS }, (_, number) => number);
  #accepted = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** Links opened by others. */
  get accepted(): number {
    return this.#accepted;
  }

  get isFull(): boolean {
    return this.#freeNumbers.length === 0;
  }

  at(number: number): Link | undefined {
    return this.#links[number];
  }

  find(key: string): Link | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<Link> {
    return this.#byKey.values();
  }

  /** Adds a link in state `handshake`. Undefined when the table is full or the session is in it already. */
  add(
    role: "client" | "server",
    socket: number,
    endpoint: Uint8Array,
    connId: number,
    url: string,
    now: number,
  ): Link | undefined {
    const key = sessionKey(socket, endpoint, 0, connId);
    if (this.#byKey.has(key)) return undefined;
    const number = this.#freeNumbers.shift();
    if (number === undefined) return undefined;
    const link: Link = {
      number,
      role,
      socket,
      endpoint,
      connId,
      url,
      peerId: 0,
      shared: false,
      networkName: "",
      pinger: undefined,
      upAtMs: Number.NEGATIVE_INFINITY,
      handshakes: 0,
      sendFailed: false,
    };
    this.#links[number] = link;
    this.#byKey.set(key, link);
    this.state[number] = LinkState.handshake;
    this.rxPackets[number] = 0;
    this.rxBytes[number] = 0;
    this.txPackets[number] = 0;
    this.txBytes[number] = 0;
    this.lastRxMs[number] = now;
    if (role === "server") this.#accepted++;
    return link;
  }

  remove(link: Link): void {
    if (this.#links[link.number] !== link) return;
    this.#links[link.number] = undefined;
    this.#byKey.delete(sessionKey(link.socket, link.endpoint, 0, link.connId));
    this.#freeNumbers.push(link.number);
    this.state[link.number] = LinkState.free;
    if (link.role === "server") this.#accepted--;
  }

  countSent(number: number, packets: number, bytes: number): void {
    this.txPackets[number] = this.txPackets[number]! + packets;
    this.txBytes[number] = this.txBytes[number]! + bytes;
  }
}

/** Names a session: socket, the other side's endpoint, conn_id (links.md 2.3). */
export function sessionKey(socket: number, bytes: Uint8Array, offset: number, connId: number): string {
  let key = `${socket} ${connId} `;
  for (let at = 0; at < 18; at++) key += String.fromCharCode(bytes[offset + at]!);
  return key;
}

export function linkRemote(link: Link): string {
  return formatEndpoint(link.endpoint);
}
