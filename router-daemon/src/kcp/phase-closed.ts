/**
 * The connection is over, but its key stays taken a moment longer: what is still under way is absorbed, a lost RST is repeated
 * (proxies.md 3.5, rows Closed).
 */
import type { Connection } from "./connection.ts";
import { Control } from "./controls.ts";
import { CLOSED_LINGER_MS, RESET_REPEATS_MS } from "./limits.ts";
import { KcpFlag } from "./packet.ts";
import type { Phase } from "./phase.ts";

export class ClosedPhase<Owner> implements Phase {
  /** Packets do not find the connection any more. */
  isForgotten = false;
  /** Let go of when it is forgotten: it knows us, and an engine that counts references then frees both at once. */
  #connection: Connection<Owner> | undefined;
  #expireAt: number;
  /** The RST goes out again. */
  #resetAt = Infinity;
  #resets = 0;

  /** `repeatsReset`: the peer must be told, and does not acknowledge. */
  constructor(connection: Connection<Owner>, now: number, repeatsReset: boolean) {
    this.#connection = connection;
    this.#expireAt = now + CLOSED_LINGER_MS;
    if (repeatsReset) this.#resetAt = now + RESET_REPEATS_MS[0]!;
  }

  get nextAt(): number {
    return Math.min(this.#resetAt, this.#expireAt);
  }

  receive(conv: number, kind: number): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    // It knows.
    if ((kind & (KcpFlag.rst | KcpFlag.fin)) !== 0) this.#resetAt = Infinity;
    if (kind === KcpFlag.syn) {
      connection.controls.addReset(conv);
      connection.requestPoll();
    } else if ((kind & (KcpFlag.fin | KcpFlag.data)) !== 0 && connection.hasAcknowledgedEnd) {
      // It repeats what is here already: our last acknowledgement was lost.
      connection.owe(Control.finAck);
    }
    return false;
  }

  receivePong(): void {}

  handleTimeout(now: number): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (now >= this.#expireAt) {
      this.#expireAt = Infinity;
      this.#resetAt = Infinity;
      this.isForgotten = true;
      this.#connection = undefined;
      connection.host.forget(connection, now);
      if (connection.isReleased) connection.host.remove(connection);
    } else if (now >= this.#resetAt) {
      const nextMs = RESET_REPEATS_MS[++this.#resets];
      this.#resetAt = nextMs === undefined ? Infinity : now + nextMs;
      connection.controls.addReset(connection.conv);
      connection.requestPoll();
    }
  }

  keepAlive(): void {}
}
