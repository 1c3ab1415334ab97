import { PollEvent } from "../host.ts";
import type {
  ByteStream,
  StreamAddress,
  StreamFailure,
  StreamHandlers,
  StreamListener,
  Streams,
} from "../streams.ts";
import type { QuickJsNative } from "./native.ts";
import { SocketStream } from "./socket-stream.ts";

/** What byte streams need of the executable. */
export type StreamsNative = Pick<
  QuickJsNative,
  | "socketConnectUnix"
  | "socketConnectTcp"
  | "socketListenUnix"
  | "socketListenTcp"
  | "socketPort"
  | "socketAccept"
  | "socketError"
  | "socketRead"
  | "socketWrite"
  | "socketShutdown"
  | "socketClose"
  | "socketWatch"
  | "onSocket"
  | "startTimer"
  | "stopTimer"
  | "removeFile"
  | "errorName"
>;

/** How long accepting rests after a failure that is not the client's (no descriptors). */
const ACCEPT_REST_MS = 1000;

/** Byte streams by the executable's sockets. There is one object for the process: the loop tells one receiver. */
export function createQuickJsStreams(native: StreamsNative): Streams {
  const sockets = new SocketTable(native);
  return {
    connect(address, handlers) {
      const socket =
        "unix" in address
          ? native.socketConnectUnix(address.unix)
          : native.socketConnectTcp(ipv4Number(address.ipv4), address.port);
      const stream = new SocketStream(native, socket, "connecting", (gone) => sockets.remove(gone));
      stream.attach(handlers);
      if (socket > 0) sockets.add(socket, (events) => stream.handleEvents(events));
      return stream;
    },

    listen(address, options, accept) {
      const socket =
        "unix" in address
          ? native.socketListenUnix(address.unix)
          : native.socketListenTcp(ipv4Number(address.ipv4), address.port);
      const result: StreamListener | StreamFailure =
        socket < 0
          ? { ok: false, code: native.errorName(socket) }
          : new SocketListener(native, sockets, socket, address, options.maxClients, accept);
      return Promise.resolve(result);
    },
  };
}

/** Who is told what happens on a socket. */
class SocketTable {
  readonly #handlers = new Map<number, (events: number) => void>();

  constructor(native: StreamsNative) {
    native.onSocket((socket, events) => this.#handlers.get(socket)?.(events));
  }

  add(socket: number, handle: (events: number) => void): void {
    this.#handlers.set(socket, handle);
  }
  remove(socket: number): void {
    this.#handlers.delete(socket);
  }
}

/** Clients beyond `maxClients` stay in the kernel's queue. */
class SocketListener implements StreamListener {
  readonly ok = true;
  readonly port: number;
  readonly #native: StreamsNative;
  readonly #sockets: SocketTable;
  readonly #socket: number;
  readonly #path: string | undefined;
  readonly #maxClients: number;
  readonly #accept: (stream: ByteStream) => StreamHandlers;
  readonly #clients = new Set<SocketStream>();
  #timer = 0;
  #closed = false;

  constructor(
    native: StreamsNative,
    sockets: SocketTable,
    socket: number,
    address: StreamAddress,
    maxClients: number,
    accept: (stream: ByteStream) => StreamHandlers,
  ) {
    this.#native = native;
    this.#sockets = sockets;
    this.#socket = socket;
    this.#path = "unix" in address ? address.unix : undefined;
    this.port = this.#path === undefined ? native.socketPort(socket) : 0;
    this.#maxClients = maxClients;
    this.#accept = accept;
    sockets.add(socket, () => this.#acceptOne());
    this.#watch();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#native.stopTimer(this.#timer);
    this.#sockets.remove(this.#socket);
    this.#native.socketClose(this.#socket);
    if (this.#path !== undefined) this.#native.removeFile(this.#path);
    for (const client of this.#clients) client.destroy();
  }

  #watch(): void {
    const room = this.#clients.size < this.#maxClients;
    if (!this.#closed) this.#native.socketWatch(this.#socket, room ? PollEvent.readable : 0);
  }

  /** One at a time: the loop comes back as long as somebody waits. */
  #acceptOne(): void {
    const socket = this.#native.socketAccept(this.#socket);
    if (socket < 0) {
      this.#native.socketWatch(this.#socket, 0);
      this.#timer = this.#native.startTimer(() => this.#watch(), ACCEPT_REST_MS);
    }
    if (socket <= 0) return;
    const client = new SocketStream(this.#native, socket, "open", (gone) => {
      this.#sockets.remove(gone);
      this.#clients.delete(client);
      this.#watch();
    });
    this.#clients.add(client);
    this.#sockets.add(socket, (events) => client.handleEvents(events));
    client.attach(this.#accept(client));
    this.#watch();
  }
}

/** A dotted address, which its callers have checked, as a number. */
function ipv4Number(text: string): number {
  return text.split(".").reduce((number, part) => (number << 8) | Number(part), 0);
}
