/** Remembers who was refused why, so that a client that comes back every second fills no log. */
import { ADDRESS_BYTES } from "../wire/endpoint.ts";
import { MAX_REMEMBERED_REFUSALS, REFUSAL_REPEAT_MS } from "./limits.ts";
import type { LinkReason } from "./reason.ts";

export class RefusalLog {
  /** Address and reason → when it was told. Oldest first. */
  readonly #told = new Map<string, number>();

  /** True when this refusal is worth telling. */
  isNews(endpoint: Uint8Array, reason: LinkReason, now: number): boolean {
    let key: string = reason;
    for (let at = 0; at < ADDRESS_BYTES; at++) key += String.fromCharCode(endpoint[at]!);
    const toldAtMs = this.#told.get(key);
    if (toldAtMs !== undefined && now - toldAtMs < REFUSAL_REPEAT_MS) return false;
    this.#told.delete(key);
    if (this.#told.size >= MAX_REMEMBERED_REFUSALS) {
      const oldest = this.#told.keys().next().value;
      if (oldest !== undefined) this.#told.delete(oldest);
    }
    this.#told.set(key, now);
    return true;
  }
}
