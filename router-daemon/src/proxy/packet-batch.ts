import type { SlotPool } from "kcp-ts";
import type { PacketBatch } from "./plain-path.ts";

/** Datagrams handed to the kernel in one call at most. */
export const MAX_BATCH = 512;
/** Words of one entry, as the host's `send` reads it. */
const TX_WORDS = 4;
/** Words of the arena a batch needs. */
export const BATCH_WORDS = MAX_BATCH * TX_WORDS;

/**
 * Collects what goes to peers and hands it to the host in one call. What was added must stay as it is until `flush`; a full
 * batch flushes itself.
 */
export class TransmitBatch implements PacketBatch {
  readonly #send: (list: number, count: number) => number;
  readonly #pool: SlotPool;
  readonly #words: Int32Array;
  readonly #word: number;
  readonly #slots = new Int32Array(MAX_BATCH);
  #observe: ((list: number, count: number) => void) | undefined;
  #count = 0;
  #slotCount = 0;
  /** Packets the host took, and those it did not. */
  sent = 0;
  dropped = 0;

  constructor(
    send: (list: number, count: number) => number,
    pool: SlotPool,
    words: Int32Array,
    word: number,
  ) {
    this.#send = send;
    this.#pool = pool;
    this.#words = words;
    this.#word = word;
  }

  /** `observe` sees each batch before it leaves: the mesh counts bytes per link. */
  setObserver(observe: (list: number, count: number) => void): void {
    this.#observe = observe;
  }

  add(offset: number, length: number, route: number, slot: number): void {
    const at = this.#word + this.#count * TX_WORDS;
    this.#words[at] = offset;
    this.#words[at + 1] = length;
    this.#words[at + 2] = route;
    this.#words[at + 3] = 0;
    this.#count++;
    if (slot >= 0) this.#slots[this.#slotCount++] = slot;
    if (this.#count === MAX_BATCH) this.flush();
  }

  flush(): void {
    if (this.#count === 0) return;
    this.#observe?.(this.#word, this.#count);
    const sent = this.#send(this.#word, this.#count);
    const taken = Math.max(sent, 0);
    this.sent += taken;
    this.dropped += this.#count - taken;
    this.#count = 0;
    for (let i = 0; i < this.#slotCount; i++) this.#pool.free(this.#slots[i]!);
    this.#slotCount = 0;
  }
}
