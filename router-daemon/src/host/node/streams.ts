import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

import {
  type ByteStream,
  type ListenOptions,
  MAX_STREAM_BACKLOG_BYTES,
  MAX_WAITING_CLIENTS,
  type StreamAddress,
  type StreamFailure,
  type StreamHandlers,
  type StreamListener,
  type Streams,
} from "../streams.ts";

/** Byte streams by `node:net`. */
export const nodeStreams: Streams = {
  connect(address, handlers) {
    const socket =
      "unix" in address
        ? createConnection({ path: address.unix, allowHalfOpen: true })
        : createConnection({ host: address.ipv4, port: address.port, allowHalfOpen: true });
    const stream = new NodeStream(socket);
    stream.attach(handlers);
    return stream;
  },

  listen(address, options, accept) {
    return new Promise((resolve) => new NodeListener(address, options, accept, resolve));
  },
};

class NodeStream implements ByteStream {
  readonly #socket: Socket;
  #paused = false;
  #ended = false;
  #code = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? "EIO";
    });
  }

  /** From now on what happens is told to `handlers`. Node emits nothing from inside a call, so nothing is missed. */
  attach(handlers: StreamHandlers): void {
    const socket = this.#socket;
    socket.on("data", (bytes: Buffer) => handlers.data(bytes));
    socket.on("end", () => handlers.ended());
    socket.on("drain", () => handlers.drained());
    socket.on("close", () => handlers.closed(this.#code));
    if (!this.#paused) socket.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#socket.destroyed) return false;
    if (this.#socket.writableLength + bytes.length > MAX_STREAM_BACKLOG_BYTES) {
      this.#code = "ENOBUFS";
      this.#socket.destroy();
      return false;
    }
    return this.#socket.write(Buffer.from(bytes));
  }

  end(): void {
    this.#ended = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }
}

class NodeListener implements StreamListener {
  readonly ok = true;
  readonly #server: Server;
  readonly #accept: (stream: ByteStream) => StreamHandlers;
  readonly #maxClients: number;
  readonly #clients = new Set<Socket>();
  /**
   * Node cannot leave clients in the kernel's queue: they are connected and wait here unread, which looks the same to them.
   * Beyond these Node cuts off.
   */
  readonly #waiting: Socket[] = [];

  constructor(
    address: StreamAddress,
    options: ListenOptions,
    accept: (stream: ByteStream) => StreamHandlers,
    settle: (result: StreamListener | StreamFailure) => void,
  ) {
    this.#accept = accept;
    this.#maxClients = options.maxClients;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#waiting.push(socket);
      this.#serveWaiting();
    });
    this.#server = server;
    server.maxConnections = options.maxClients + MAX_WAITING_CLIENTS;
    // The second and later calls of `settle` change nothing: a failed accept() is the client's trouble.
    server.on("error", (error: NodeJS.ErrnoException) => settle({ ok: false, code: error.code ?? "EIO" }));
    server.on("listening", () => settle(this));
    if ("unix" in address) listenPrivately(server, address.unix);
    else server.listen(address.port, address.ipv4);
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return address === null || typeof address === "string" ? 0 : address.port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    for (const socket of this.#clients) socket.destroy();
  }

  #serveWaiting(): void {
    while (this.#clients.size < this.#maxClients) {
      const socket = this.#waiting.shift();
      if (socket === undefined) return;
      this.#clients.add(socket);
      const stream = new NodeStream(socket);
      stream.attach(this.#accept(stream));
      socket.on("close", () => {
        this.#clients.delete(socket);
        this.#serveWaiting();
      });
    }
  }
}

/** The socket's file is made inside listen(): with this mask nobody else can ever connect, not even for a moment. */
function listenPrivately(server: Server, path: string): void {
  const mask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
}
