import { Client, type ClientOptions } from "../unit/tcp/client.ts";
import type { NaiveSegment } from "../unit/tcp/naive.ts";
import type { Clock } from "./clock.ts";
import type { Stream } from "./stream.ts";

/**
 * A TCP connection in segments, by the small client that the TCP stack is tested against. It can also be the passive end: a
 * client that is told to connect, whose SYN is kept until the other end's SYN has come, and goes out as SYN-ACK.
 */
export class SegmentStream implements Stream {
  readonly client: Client;
  onChange: () => void = () => undefined;
  readonly #clock: Clock;
  readonly #emit: (segment: NaiveSegment) => void;
  /** Passive end: our SYN, until the other end has acknowledged it. */
  #heldSyn: NaiveSegment | undefined;
  #isPassive = false;
  #opened: () => void = () => undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, emit: (segment: NaiveSegment) => void, options: Partial<ClientOptions>) {
    this.#clock = clock;
    this.#emit = emit;
    this.client = new Client((segment) => this.#send(segment), options);
  }

  /** Active open. */
  connect(): void {
    this.client.connect(this.#clock.now);
    this.#arm();
  }

  /** Passive open by the other end's SYN; `opened` is called when it has acknowledged ours. */
  accept(syn: NaiveSegment, opened: () => void): void {
    this.#isPassive = true;
    this.#opened = opened;
    this.client.connect(this.#clock.now);
    this.handle(syn);
  }

  handle(segment: NaiveSegment): void {
    const isSyn = segment.flags.has("syn");
    // As the active end takes it: a SYN that acknowledges nothing. The acknowledgement of our own is not waited for.
    this.client.handle(segment, this.#clock.now);
    if (this.#heldSyn !== undefined && !isSyn && segment.flags.has("ack")) {
      this.#heldSyn = undefined;
      this.#opened();
    }
    this.#arm();
    this.onChange();
  }

  #send(segment: NaiveSegment): void {
    if (!this.#isPassive) {
      this.#emit(segment);
      return;
    }
    if (segment.flags.has("syn")) {
      this.#heldSyn = segment;
      return;
    }
    if (this.#heldSyn === undefined || segment.payload.length > 0 || !segment.flags.has("ack")) {
      this.#emit(segment);
      return;
    }
    const { timestamps } = segment;
    const synAck: NaiveSegment = {
      ...this.#heldSyn,
      flags: new Set(["syn", "ack"]),
      acknowledgement: segment.acknowledgement,
    };
    delete synAck.timestamps;
    if (timestamps !== undefined) synAck.timestamps = timestamps;
    this.#emit(synAck);
  }

  /** The client's timers, on the world's clock. */
  #arm(): void {
    const next = this.client.nextTimeout;
    if (next === Number.POSITIVE_INFINITY || next === this.#timerAt) return;
    this.#timerAt = next;
    this.#clock.at(next, () => {
      if (this.#timerAt !== next) return;
      this.#timerAt = Number.POSITIVE_INFINITY;
      if (this.client.nextTimeout <= this.#clock.now) this.client.handleTimeout(this.#clock.now);
      this.#arm();
    });
  }

  received(): Uint8Array {
    return this.client.received;
  }
  get receivedBytes(): number {
    return this.client.receivedBytes;
  }
  get hasEnded(): boolean {
    // While it does not read, bytes may lie in front of the end.
    return this.client.finReceived && this.client.reading;
  }
  get wasReset(): boolean {
    return this.client.state === "reset";
  }
  get isOpen(): boolean {
    return this.client.state === "open";
  }
  get unsentBytes(): number {
    return this.client.unacknowledged;
  }

  write(bytes: Uint8Array): void {
    this.client.write(bytes, this.#clock.now);
    this.#arm();
  }

  end(): void {
    this.client.close(this.#clock.now);
    this.#arm();
  }

  reset(): void {
    this.client.abort(this.#clock.now);
  }

  pause(): void {
    this.client.reading = false;
  }

  resume(): void {
    this.client.resumeReading(this.#clock.now);
    this.#arm();
    this.onChange();
  }
}
