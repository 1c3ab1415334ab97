/**
 * Answers to packets of connections nobody knows (proxies.md 3.5, unknown key): an RST each (or the last acknowledgement
 * of a connection that ended well), but a peer that floods us gets a bounded number, and none of it grows memory.
 */
import { MAX_PENDING_RESETS, RESET_BURST, RESETS_PER_SECOND } from "./limits.ts";

export class StrayAnswers {
  readonly #peers = new Uint32Array(MAX_PENDING_RESETS);
  readonly #convs = new Uint32Array(MAX_PENDING_RESETS);
  readonly #codes = new Uint8Array(MAX_PENDING_RESETS);
  #count = 0;
  #tokens = RESET_BURST;
  #filledAt = Number.NaN;

  get count(): number {
    return this.#count;
  }

  /** `code` = what the answer says (`ClosedMemory`), 0 = nothing. False = the limit is reached, the packet goes unanswered. */
  add(peerId: number, conv: number, code: number, now: number): boolean {
    if (Number.isNaN(this.#filledAt)) this.#filledAt = now;
    const refill = ((now - this.#filledAt) * RESETS_PER_SECOND) / 1000;
    if (refill > 0) {
      this.#tokens = Math.min(RESET_BURST, this.#tokens + refill);
      this.#filledAt = now;
    }
    for (let i = 0; i < this.#count; i++) {
      if (this.#convs[i] === conv && this.#peers[i] === peerId) return true;
    }
    if (this.#tokens < 1 || this.#count === MAX_PENDING_RESETS) return false;
    this.#tokens--;
    this.#peers[this.#count] = peerId;
    this.#convs[this.#count] = conv;
    this.#codes[this.#count] = code;
    this.#count++;
    return true;
  }

  /** Hands the newest to `send` until it says false or none is left. */
  drain(send: (peerId: number, conv: number, code: number) => boolean): void {
    while (this.#count > 0) {
      const at = this.#count - 1;
      if (!send(this.#peers[at]!, this.#convs[at]!, this.#codes[at]!)) return;
      this.#count = at;
    }
  }
}
