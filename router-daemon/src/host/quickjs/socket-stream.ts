import { END_OF_STREAM, PollEvent } from "../host.ts";
import { type ByteStream, MAX_STREAM_BACKLOG_BYTES, type StreamHandlers } from "../streams.ts";
import type { QuickJsNative } from "./native.ts";

/** What a stream needs of the executable. */
export type StreamNative = Pick<
  QuickJsNative,
  | "socketError"
  | "socketRead"
  | "socketWrite"
  | "socketShutdown"
  | "socketClose"
  | "socketWatch"
  | "errorName"
>;

/** A stream with more than this waiting is slow. */
const SLOW_BYTES = 64 * 1024;

/** What comes is read into one buffer for all streams: it is valid during `data` only. */
const INPUT = new Uint8Array(64 * 1024);

/**
 * One socket as a byte stream. It is closed here; `closed` follows when the stack is empty, so that nobody is called from inside
 * his own call.
 *
 * ```
 *  connecting ─▶ open ─┬─ end() and all written ─▶ shut down ─┬─▶ gone ─▶ closed()
 *                      └─ the other end's end ────────────────┘
 *        any ── failure, destroy() ────────────────────────────▶ gone
 * ```
 */
export class SocketStream implements ByteStream {
  readonly #native: StreamNative;
  readonly #socket: number;
  readonly #forget: (socket: number) => void;
  #handlers: StreamHandlers | undefined;
  #connecting: boolean;
  #gone = false;
  #paused = false;
  /** The other end sends no more. */
  #peerEnded = false;
  /** `end` was called; `#shutDown`: and everything before it is with the kernel. */
  #ended = false;
  #shutDown = false;
  #slow = false;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Bytes of the queue's first array that are written. */
  #written = 0;

  /** A socket below 0 is the failure to make one. `forget` is called once, when the socket is closed. */
  constructor(
    native: StreamNative,
    socket: number,
    state: "connecting" | "open",
    forget: (socket: number) => void,
  ) {
    this.#native = native;
    this.#socket = socket;
    this.#forget = forget;
    this.#connecting = state === "connecting";
    if (socket < 0) this.#leave(native.errorName(socket));
    else this.#watch();
  }

  attach(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#gone || this.#ended) return false;
    let taken = 0;
    if (this.#queue.length === 0 && !this.#connecting) taken = this.#writeNow(bytes, 0);
    if (taken < 0) return false;
    if (taken < bytes.length) {
      if (this.#queuedBytes + bytes.length - taken > MAX_STREAM_BACKLOG_BYTES) {
        this.#leave("ENOBUFS");
        return false;
      }
      this.#queue.push(bytes.slice(taken));
      this.#queuedBytes += bytes.length - taken;
      this.#watch();
    }
    if (this.#queuedBytes >= SLOW_BYTES) this.#slow = true;
    return !this.#slow;
  }

  end(): void {
    if (this.#gone || this.#ended) return;
    this.#ended = true;
    this.#finish();
  }

  destroy(): void {
    this.#leave("");
  }

  pause(): void {
    this.#paused = true;
    this.#watch();
  }

  resume(): void {
    this.#paused = false;
    this.#watch();
  }

  /** From the loop. */
  handleEvents(events: number): void {
    if (this.#connecting && !this.#connected()) return;
    if ((events & PollEvent.writable) !== 0) this.#flush();
    if ((events & PollEvent.readable) !== 0 && !this.#paused && !this.#gone) this.#read();
  }

  #connected(): boolean {
    const error = this.#native.socketError(this.#socket);
    if (error === 0) {
      this.#connecting = false;
      this.#watch();
      this.#finish();
      return true;
    }
    const name = this.#native.errorName(error);
    if (name !== "EINPROGRESS") this.#leave(name);
    return false;
  }

  #flush(): void {
    while (!this.#gone) {
      const first = this.#queue[0];
      if (first === undefined) break;
      const taken = this.#writeNow(first, this.#written);
      if (taken <= 0) return;
      this.#written += taken;
      this.#queuedBytes -= taken;
      if (this.#written === first.length) {
        this.#queue.shift();
        this.#written = 0;
      }
    }
    if (this.#gone) return;
    this.#watch();
    if (this.#slow) {
      this.#slow = false;
      this.#handlers?.drained();
    }
    this.#finish();
  }

  /** Bytes taken; negative when the stream has failed and is gone. */
  #writeNow(bytes: Uint8Array, from: number): number {
    const taken = this.#native.socketWrite(this.#socket, bytes, from, bytes.length - from);
    if (taken < 0) this.#leave(this.#native.errorName(taken));
    return taken;
  }

  #read(): void {
    const got = this.#native.socketRead(this.#socket, INPUT, 0, INPUT.length);
    if (got > 0) {
      this.#handlers?.data(INPUT.subarray(0, got));
    } else if (got === END_OF_STREAM) {
      this.#peerEnded = true;
      this.#watch();
      this.#handlers?.ended();
      this.#finish();
    } else if (got < 0) {
      this.#leave(this.#native.errorName(got));
    }
  }

  /** Ends what can be ended: our direction when all is written, the stream when both have ended. */
  #finish(): void {
    if (this.#gone || this.#connecting) return;
    if (this.#ended && !this.#shutDown && this.#queue.length === 0) {
      this.#shutDown = true;
      this.#native.socketShutdown(this.#socket);
    }
    if (this.#shutDown && this.#peerEnded) this.#leave("");
  }

  #leave(code: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    if (this.#socket > 0) this.#native.socketClose(this.#socket);
    void Promise.resolve().then(() => {
      this.#forget(this.#socket);
      this.#handlers?.closed(code);
    });
  }

  #watch(): void {
    if (this.#gone) return;
    const readable = !this.#paused && !this.#peerEnded && !this.#connecting ? PollEvent.readable : 0;
    const writable = this.#connecting || this.#queue.length > 0 ? PollEvent.writable : 0;
    this.#native.socketWatch(this.#socket, readable | writable);
  }
}
