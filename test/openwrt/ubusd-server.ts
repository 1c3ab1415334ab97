import { randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { Ubusd } from "./ubusd.ts";

export interface UbusdServer {
  readonly ubusd: Ubusd;
  /** Ends every connection and removes the socket, as when ubusd dies. */
  close(): Promise<void>;
}

/** The stand-in behind a unix socket, for clients with real streams. */
export function serveUbusd(path: string): Promise<UbusdServer> {
  const ubusd = new Ubusd(() => (randomBytes(4).readUInt32BE() | 1024) >>> 0);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const attached = ubusd.attach({ write: (bytes) => socket.write(bytes), close: () => socket.destroy() });
    socket.on("data", (chunk) => attached.receive(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      attached.detach();
    });
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return new Promise((resolve) => {
    server.listen(path, () => resolve({ ubusd, close }));
  });
}
