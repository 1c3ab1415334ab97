/**
 * Byte streams of the control side: the API's server, its clients, ubus. Each engine has them (`host/node/streams.ts`,
 * `host/quickjs/streams.ts`); one suite holds for all (`test/unit/host/streams-conformance.ts`). Payload of the virtual network never comes
 * this way.
 *
 * Handlers are called from the engine's loop, never from inside a call of these methods. `closed` is the last call and comes exactly
 * once for every stream, whoever ended it; what is written after it goes nowhere.
 */
export interface Streams {
  /** Connects; writing may begin at once. A failure comes as `closed` with its code. */
  connect(address: StreamAddress, handlers: StreamHandlers): ByteStream;
  /**
   * Listens. `accept` is called with each client and says who handles it. A unix socket is made with mode 0600 from the first moment on,
   * and its file is removed by `close`; a file that is there already is left alone (`EADDRINUSE`). Never rejects.
   */
  listen(
    address: StreamAddress,
    options: ListenOptions,
    accept: (stream: ByteStream) => StreamHandlers,
  ): Promise<StreamListener | StreamFailure>;
}

/** A unix socket, or TCP with an IPv4 address in dotted form. */
export type StreamAddress = { readonly unix: string } | { readonly ipv4: string; readonly port: number };

export interface ListenOptions {
  /** Clients at one time; up to MAX_WAITING_CLIENTS more are connected and wait unread until one of them is gone. */
  readonly maxClients: number;
}

export interface ByteStream {
  /**
   * Takes all bytes (the caller may use the array again). False = the other end is slow: whoever can wait writes again after `drained`.
   * What is not yet with the kernel is bounded: beyond MAX_STREAM_BACKLOG_BYTES the stream ends with `ENOBUFS`.
   */
  write(bytes: Uint8Array): boolean;
  /** No more bytes after those written; the other end sees the end of the stream. Later writes go nowhere. */
  end(): void;
  /** Closes at once; what was not sent is lost. `closed` follows. */
  destroy(): void;
  /** Stops and resumes `data` and `ended`: back pressure for the sender. */
  pause(): void;
  resume(): void;
}

export interface StreamHandlers {
  /** Bytes that came; valid during the call. */
  data(bytes: Uint8Array): void;
  /** The other end sends no more. A stream whose both directions have ended closes by itself. */
  ended(): void;
  /** Follows a `write` that answered false: what it took is with the kernel. */
  drained(): void;
  /** The code is the system's name of the failure (`ECONNREFUSED`), or empty after an orderly end and after `destroy`. */
  closed(code: string): void;
}

export interface StreamListener {
  readonly ok: true;
  /** The port that was bound, for port 0; 0 for a unix socket. */
  readonly port: number;
  /** Ends the listener and every client of it. */
  close(): void;
}
export interface StreamFailure {
  readonly ok: false;
  readonly code: string;
}

/** Most bytes a stream holds back for a slow other end. */
export const MAX_STREAM_BACKLOG_BYTES = 8 * 1024 * 1024;
/** Clients beyond `maxClients` that may wait; the kernel refuses those beyond (`ECONNREFUSED`, `EAGAIN`), or they are cut off. */
export const MAX_WAITING_CLIENTS = 128;
