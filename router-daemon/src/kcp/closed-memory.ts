/**
 * Convs that were in use a moment ago. A SYN that the network held back or doubled must not open a second real TCP connection, a
 * peer whose RST was lost is told again why, and one that lost our last acknowledgement is told again that all is well. One entry per bucket, newer ones overwrite: forgetting is allowed.
 */
import { hashKey } from "./conv-table.ts";
import { CLOSED_MEMORY, CLOSED_MEMORY_MS } from "./limits.ts";

/** In place of an RST's code: everything arrived both ways, and a peer of our kind may still ask for the acknowledgement. */
export const FINISHED = 255;

export class ClosedMemory {
  readonly #seed: number;
  readonly #convs = new Uint32Array(CLOSED_MEMORY);
  readonly #peers = new Uint32Array(CLOSED_MEMORY);
  readonly #until = new Float64Array(CLOSED_MEMORY);
  readonly #codes = new Uint8Array(CLOSED_MEMORY);

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** `code` is what an RST would say (0 = nothing), or `FINISHED`. */
  add(conv: number, peerId: number, code: number, now: number): void {
    const at = hashKey(conv, peerId, this.#seed) & (CLOSED_MEMORY - 1);
    this.#convs[at] = conv;
    this.#peers[at] = peerId;
    this.#until[at] = now + CLOSED_MEMORY_MS;
    this.#codes[at] = code;
  }

  /** The code the conv was closed with; -1 = it is not remembered. */
  find(conv: number, peerId: number, now: number): number {
    const at = hashKey(conv, peerId, this.#seed) & (CLOSED_MEMORY - 1);
    if (this.#convs[at] !== conv || this.#peers[at] !== peerId || now >= this.#until[at]!) return -1;
    return this.#codes[at]!;
  }
}
