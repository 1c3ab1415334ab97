import type { FrameWriter } from "./frame-writer.ts";
import type { FrameSink } from "./types.ts";

/** Segments without a flow (RST, answers of lingering connections) that wait for the next `poll`; more are not sent. */
export const MAX_PENDING_REPLIES = 256;

/** Nothing is expected any more; but a window, once announced, is not taken back. */
const WINDOW_FIELD = 0xffff;

/** A ring of small segments without payload. */
export class Replies {
  dropped = 0;
  readonly #client = new Int32Array(MAX_PENDING_REPLIES);
  readonly #target = new Int32Array(MAX_PENDING_REPLIES);
  readonly #ports = new Int32Array(MAX_PENDING_REPLIES);
  readonly #sequence = new Int32Array(MAX_PENDING_REPLIES);
  readonly #ack = new Int32Array(MAX_PENDING_REPLIES);
  readonly #flags = new Uint8Array(MAX_PENDING_REPLIES);
  readonly #hasTimestamps = new Uint8Array(MAX_PENDING_REPLIES);
  readonly #value = new Int32Array(MAX_PENDING_REPLIES);
  readonly #echo = new Int32Array(MAX_PENDING_REPLIES);
  #head = 0;
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Queues a segment to `client`, addresses as in `TupleTable`. */
  add(client: number, target: number, ports: number, sequence: number, ack: number, flags: number): void {
    this.#push(client, target, ports, sequence, ack, flags);
  }

  addWithTimestamps(
    client: number,
    target: number,
    ports: number,
    sequence: number,
    ack: number,
    flags: number,
    value: number,
    echo: number,
  ): void {
    const place = this.#push(client, target, ports, sequence, ack, flags);
    if (place < 0) return;
    this.#hasTimestamps[place] = 1;
    this.#value[place] = value;
    this.#echo[place] = echo;
  }

  #push(client: number, target: number, ports: number, sequence: number, ack: number, flags: number): number {
    if (this.#count === MAX_PENDING_REPLIES) {
      this.dropped++;
      return -1;
    }
    const place = (this.#head + this.#count) % MAX_PENDING_REPLIES;
    this.#count++;
    this.#client[place] = client;
    this.#target[place] = target;
    this.#ports[place] = ports;
    this.#sequence[place] = sequence;
    this.#ack[place] = ack;
    this.#flags[place] = flags;
    this.#hasTimestamps[place] = 0;
    return place;
  }

  /** Sends all; false = the sink is full and some are left. */
  poll(writer: FrameWriter, sink: FrameSink): boolean {
    while (this.#count > 0) {
      const at = this.#head;
      writer.begin(
        this.#client[at]!,
        this.#target[at]!,
        this.#ports[at]!,
        this.#sequence[at]!,
        this.#ack[at]!,
        this.#flags[at]!,
        WINDOW_FIELD,
      );
      if (this.#hasTimestamps[at] !== 0) writer.addTimestamps(this.#value[at]!, this.#echo[at]!);
      writer.finish(0, 1, 0);
      if (!sink.frame(writer.iov, 1)) return false;
      this.#head = (at + 1) % MAX_PENDING_REPLIES;
      this.#count--;
    }
    return true;
  }

  clear(): void {
    this.#count = 0;
  }
}
