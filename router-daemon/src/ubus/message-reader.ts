import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "./limits.ts";
import { decodeMessage, type UbusMessage } from "./message.ts";

const FIRST_BYTES = 4096;
/** After so large a message the room for it is given back. */
const KEPT_BYTES = 65_536;

/**
 * Cuts a byte stream into messages.
 *
 * ```
 *  │ taken already │ begun message …      │ free │
 *                  ▲ #start               ▲ #end
 * ```
 */
export class MessageReader {
  #bytes = new Uint8Array(FIRST_BYTES);
  #start = 0;
  #end = 0;
  #broken = false;

  /** The stream cannot be read any further: a length or a message that cannot be. Close the connection. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Bytes of memory that it holds. */
  get capacity(): number {
    return this.#bytes.length;
  }

  push(chunk: Uint8Array): void {
    if (this.#broken) return;
    if (this.#end + chunk.length > this.#bytes.length) this.#makeRoom(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole message, its bytes a copy of its own; undefined when more has to come. */
  next(): UbusMessage | undefined {
    const available = this.#end - this.#start;
    if (this.#broken || available < HEADER_BYTES + 4) return undefined;
    const view = new DataView(this.#bytes.buffer, this.#start, HEADER_BYTES + 4);
    const outer = view.getUint32(HEADER_BYTES) & 0xff_ffff;
    if (outer < 4 || outer > MAX_MESSAGE_BYTES) return this.#break();
    const length = HEADER_BYTES + outer;
    if (available < length) return undefined;
    const message = decodeMessage(this.#bytes.slice(this.#start, this.#start + length));
    this.#start += length;
    return message ?? this.#break();
  }

  #break(): undefined {
    this.#broken = true;
    this.#bytes = new Uint8Array(0);
    return undefined;
  }

  /** What is there moves to the front, into a larger array when it must; never more than a message and a chunk. */
  #makeRoom(bytes: number): void {
    const kept = this.#end - this.#start;
    const needed = kept + bytes;
    const small = needed <= KEPT_BYTES && this.#bytes.length > KEPT_BYTES;
    if (needed > this.#bytes.length || small) {
      const grown = new Uint8Array(
        Math.max(FIRST_BYTES, small ? needed : Math.max(needed, this.#bytes.length * 2)),
      );
      grown.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = grown;
    } else {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = kept;
  }
}
