/**
 * Sessions that sent a SYN to a listener and have not shown their handshake yet (links.md 2.2). They cost neither a link
 * number nor the host's attention. There is no cookie, so the table is small, each address has a share of it, and a full
 * table gives up its oldest entry.
 */
import { ADDRESS_BYTES } from "../wire/endpoint.ts";
import {
  HALF_OPEN_EVICTABLE_MS,
  HALF_OPEN_TIMEOUT_MS,
  MAX_HALF_OPEN,
  MAX_HALF_OPEN_PER_ADDRESS,
} from "./limits.ts";

export interface HalfOpen {
  readonly key: string;
  readonly socket: number;
  readonly endpoint: Uint8Array;
  readonly connId: number;
  readonly openedAtMs: number;
}

export class HalfOpenTable {
  /** Oldest first: a Map keeps the order of insertion, and entries are never renewed. */
  readonly #sessions = new Map<string, HalfOpen>();
  readonly #perAddress = new Map<string, number>();

  get size(): number {
    return this.#sessions.size;
  }

  find(key: string): HalfOpen | undefined {
    return this.#sessions.get(key);
  }

  /** Adds a session; undefined when there is no room, and the SYN is to be ignored. */
  add(key: string, socket: number, endpoint: Uint8Array, connId: number, now: number): HalfOpen | undefined {
    const address = addressKey(endpoint);
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (ofAddress >= MAX_HALF_OPEN_PER_ADDRESS) return undefined;
    if (this.#sessions.size >= MAX_HALF_OPEN) {
      const oldest = this.#oldest();
      if (oldest === undefined || now - oldest.openedAtMs < HALF_OPEN_EVICTABLE_MS) return undefined;
      this.remove(oldest);
    }
    const session: HalfOpen = { key, socket, endpoint, connId, openedAtMs: now };
    this.#sessions.set(key, session);
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1);
    return session;
  }

  remove(session: HalfOpen): void {
    if (!this.#sessions.delete(session.key)) return;
    const address = addressKey(session.endpoint);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  removeSocket(socket: number): void {
    for (const session of [...this.#sessions.values()]) if (session.socket === socket) this.remove(session);
  }

  get nextTimeout(): number {
    const oldest = this.#oldest();
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest.openedAtMs + HALF_OPEN_TIMEOUT_MS;
  }

  /** Forgets sessions whose time is over; returns how many. */
  expire(now: number): number {
    let count = 0;
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      if (now < oldest.openedAtMs + HALF_OPEN_TIMEOUT_MS) break;
      this.remove(oldest);
      count++;
    }
    return count;
  }

  #oldest(): HalfOpen | undefined {
    return this.#sessions.values().next().value;
  }
}

function addressKey(endpoint: Uint8Array): string {
  let key = "";
  for (let at = 0; at < ADDRESS_BYTES; at++) key += String.fromCharCode(endpoint[at]!);
  return key;
}
