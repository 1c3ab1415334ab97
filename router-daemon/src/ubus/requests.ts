import { UbusStatus } from "./constants.ts";
import { MAX_REQUESTS, REQUEST_TIMEOUT_MS } from "./limits.ts";
import type { UbusMessage } from "./message.ts";

/** DATA messages kept of one answer. */
export const MAX_ANSWER_PARTS = 256;

export interface Reply {
  readonly status: number;
  readonly parts: readonly UbusMessage[];
}

interface Pending {
  readonly peer: number;
  readonly deadline: number;
  readonly parts: UbusMessage[];
  readonly done: (reply: Reply) => void;
}

/** Requests of ours that wait for their answer: any number of DATA, then one STATUS (ubus-wire.md 5). */
export class Requests {
  readonly #pending = new Map<number, Pending>();
  #sequence = 0;

  get size(): number {
    return this.#pending.size;
  }

  get nextTimeout(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.#pending.values()) next = Math.min(next, deadline);
    return next;
  }

  /** A sequence number that no pending request has. */
  nextSequence(): number {
    do this.#sequence = (this.#sequence + 1) & 0xffff;
    while (this.#pending.has(this.#sequence));
    return this.#sequence;
  }

  /** False = too many are pending; nothing was added. */
  add(sequence: number, peer: number, now: number, done: (reply: Reply) => void): boolean {
    if (this.#pending.size >= MAX_REQUESTS) return false;
    this.#pending.set(sequence, { peer, deadline: now + REQUEST_TIMEOUT_MS, parts: [], done });
    return true;
  }

  /** It was never sent: nobody is told. */
  cancel(sequence: number): void {
    this.#pending.delete(sequence);
  }

  /** Takes a DATA or STATUS; what answers nothing of ours is ignored. */
  handle(message: UbusMessage, isStatus: boolean): void {
    const pending = this.#pending.get(message.sequence);
    if (pending === undefined || pending.peer !== message.peer) return;
    if (!isStatus) {
      if (pending.parts.length < MAX_ANSWER_PARTS) pending.parts.push(message);
      return;
    }
    this.#pending.delete(message.sequence);
    pending.done({ status: message.status ?? UbusStatus.unknownError, parts: pending.parts });
  }

  handleTimeout(now: number): void {
    for (const [sequence, pending] of this.#pending) {
      if (now < pending.deadline) continue;
      this.#pending.delete(sequence);
      pending.done({ status: UbusStatus.timeout, parts: pending.parts });
    }
  }

  /** The connection is gone. */
  failAll(): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) pending.done({ status: UbusStatus.connectionFailed, parts: [] });
  }
}
