import type {
  ByteStream,
  StreamHandlers,
  StreamListener,
  Streams,
} from "../../../router-daemon/src/host/streams.ts";
import type { Timers } from "../../../router-daemon/src/host/timers.ts";
import { bytes, text } from "./text.ts";

/** Timers on a clock that a test moves. */
export class VirtualTimers implements Timers {
  #now = 0;
  #last = 0;
  readonly #running = new Map<number, { readonly at: number; readonly run: () => void }>();

  get running(): number {
    return this.#running.size;
  }
  startTimer(run: () => void, delayMs: number): number {
    this.#running.set(++this.#last, { at: this.#now + delayMs, run });
    return this.#last;
  }
  stopTimer(timer: number): void {
    this.#running.delete(timer);
  }
  advance(ms: number): void {
    this.#now += ms;
    for (const [timer, { at, run }] of [...this.#running]) {
      if (at <= this.#now && this.#running.delete(timer)) run();
    }
  }
}

/** The end of a stream that the code under test writes to; the test plays the kernel and the other end. */
export class PlayedStream implements ByteStream {
  handlers: StreamHandlers | undefined;
  /** What was written and not yet taken by the test. */
  written = "";
  /** Answer of `write`: false = the other end is slow. */
  fast = true;
  paused = false;
  finished = false;
  gone = false;

  write(given: Uint8Array): boolean {
    if (!this.finished && !this.gone) this.written += text(given);
    return this.fast;
  }
  end(): void {
    this.finished = true;
  }
  destroy(): void {
    if (this.gone) return;
    this.gone = true;
    queueMicrotask(() => this.handlers?.closed(""));
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }

  /** The other end sends; what a paused stream is sent waits in its place, as in a kernel. */
  send(given: string): void {
    if (this.paused) throw new Error("The stream is paused: nothing may be handed in.");
    this.handlers?.data(bytes(given));
  }
  taken(): string {
    const { written } = this;
    this.written = "";
    return written;
  }
}

/** Streams whose other ends a test plays. */
export class PlayedStreams implements Streams {
  #accept: ((stream: ByteStream) => StreamHandlers) | undefined;
  readonly connected: PlayedStream[] = [];

  connect(_address: unknown, handlers: StreamHandlers): PlayedStream {
    const stream = new PlayedStream();
    stream.handlers = handlers;
    this.connected.push(stream);
    return stream;
  }
  listen(
    _address: unknown,
    _options: unknown,
    accept: (stream: ByteStream) => StreamHandlers,
  ): Promise<StreamListener> {
    this.#accept = accept;
    return Promise.resolve({ ok: true, port: 0, close() {} });
  }
  /** A client comes. */
  client(): PlayedStream {
    const stream = new PlayedStream();
    stream.handlers = this.#accept?.(stream);
    return stream;
  }
}

/** Lets promises that are settled run on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
