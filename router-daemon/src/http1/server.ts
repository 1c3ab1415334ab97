import type {
  ByteStream,
  StreamAddress,
  StreamFailure,
  StreamHandlers,
  StreamListener,
  Streams,
} from "../host/streams.ts";
import type { Timers } from "../host/timers.ts";
import { HttpFault, type HttpRequest, type HttpResponse } from "./message.ts";
import { CONTINUE, writeResponse } from "./message-writer.ts";
import { type ParsedRequest, RequestParser } from "./request-parser.ts";

export interface HttpServerOptions {
  readonly maxClients: number;
  readonly maxBodyBytes: number;
  /** A request that is not complete so long after its first byte is refused; a client that is silent so long is let go. */
  readonly requestTimeoutMs: number;
  /** Answers a request. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  /** The answer to what is no request. */
  refuse(fault: HttpFault): HttpResponse;
  /** The answer when `handle` fails. */
  fail(error: unknown): HttpResponse;
}

/** How long a client is heard out after the last answer, so that it gets to read it (RFC 9112 9.6). */
export const LINGER_MS = 1000;

/** Serves HTTP/1.1: persistent connections, one request of a client at a time, answers in the order of the requests. */
export function serveHttp(
  streams: Streams,
  timers: Timers,
  address: StreamAddress,
  options: HttpServerOptions,
): Promise<StreamListener | StreamFailure> {
  return streams.listen(
    address,
    { maxClients: options.maxClients },
    (stream) => new ServerConnection(stream, timers, options),
  );
}

/**
 * ```
 *  reading ── request complete ─▶ answering ── written ─▶ flushing ── with the kernel ─▶ reading …
 *     │ fault, timeout, end                       │ last answer         │ timeout
 *     └──────────────▶ leaving ◀──────────────────┘                     ▼
 *                         └──── other end closes, or timeout ────────▶ closed
 * ```
 * The stream is paused while a request is answered: whoever sends more waits in the kernel.
 */
type Phase = "reading" | "answering" | "flushing" | "leaving";

class ServerConnection implements StreamHandlers {
  readonly #stream: ByteStream;
  readonly #timers: Timers;
  readonly #options: HttpServerOptions;
  readonly #parser: RequestParser;
  #phase: Phase = "reading";
  #timer = 0;
  /** The running timer is that of a request, not of silence. */
  #timesRequest = false;

  constructor(stream: ByteStream, timers: Timers, options: HttpServerOptions) {
    this.#stream = stream;
    this.#timers = timers;
    this.#options = options;
    this.#parser = new RequestParser(options.maxBodyBytes);
    this.#startTimer(options.requestTimeoutMs);
  }

  data(bytes: Uint8Array): void {
    if (this.#phase === "leaving") return;
    this.#parser.handleBytes(bytes);
    if (this.#phase === "reading") this.#advance();
  }

  ended(): void {
    if (this.#phase !== "reading") return;
    this.#parser.handleEnd();
    this.#advance();
    if (this.#phase === "reading") this.#leave();
  }

  drained(): void {
    if (this.#phase === "flushing") this.#readOn();
  }

  closed(): void {
    this.#timers.stopTimer(this.#timer);
    this.#phase = "leaving";
  }

  /** Looks at what the parser has. */
  #advance(): void {
    const { fault } = this.#parser;
    if (fault !== undefined) {
      this.#leave(this.#options.refuse(fault));
      return;
    }
    const request = this.#parser.take();
    if (request !== undefined) {
      void this.#answer(request);
      return;
    }
    if (this.#parser.takeExpectation()) this.#stream.write(CONTINUE);
    if (this.#parser.inRequest && !this.#timesRequest) {
      this.#startTimer(this.#options.requestTimeoutMs);
      this.#timesRequest = true;
    }
  }

  async #answer(request: ParsedRequest): Promise<void> {
    this.#phase = "answering";
    this.#stream.pause();
    this.#timers.stopTimer(this.#timer);
    let { keepAlive } = request;
    let response: HttpResponse;
    try {
      response = await this.#options.handle(request);
    } catch (error) {
      response = this.#options.fail(error);
      keepAlive = false;
    }
    // The client may be gone by now.
    if (this.#phase !== "answering") return;
    const flushed = this.#stream.write(writeResponse(response, keepAlive, request.method !== "HEAD"));
    if (!keepAlive) this.#leave();
    else if (flushed) this.#readOn();
    else {
      this.#phase = "flushing";
      this.#startTimer(this.#options.requestTimeoutMs);
    }
  }

  #readOn(): void {
    this.#phase = "reading";
    this.#startTimer(this.#options.requestTimeoutMs);
    this.#advance();
    if (this.#phase === "reading") this.#stream.resume();
  }

  /** No more answers after this one. What the client still sends is read and dropped, so that it is not cut off while it reads. */
  #leave(last?: HttpResponse): void {
    this.#phase = "leaving";
    if (last !== undefined) this.#stream.write(writeResponse(last, false, true));
    this.#stream.end();
    this.#stream.resume();
    this.#startTimer(LINGER_MS);
  }

  #startTimer(delayMs: number): void {
    this.#timers.stopTimer(this.#timer);
    this.#timesRequest = false;
    this.#timer = this.#timers.startTimer(() => this.#handleTimeout(), delayMs);
  }

  #handleTimeout(): void {
    if (this.#phase !== "reading") {
      this.#stream.destroy();
    } else if (this.#parser.inRequest) {
      const seconds = this.#options.requestTimeoutMs / 1000;
      this.#leave(
        this.#options.refuse(new HttpFault(408, `The request was not complete within ${seconds} seconds.`)),
      );
    } else {
      this.#leave();
    }
  }
}
