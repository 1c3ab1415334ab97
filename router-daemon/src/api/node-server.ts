import { existsSync, lstatSync, unlinkSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { createHttpApp } from "./http.ts";
import type { DaemonView } from "./view.ts";

/** Clients served at one time; more wait in the kernel's backlog. */
export const MAX_API_CLIENTS = 64;
/** A request that is not complete by then is cut off. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How long an existing socket is given to show that somebody serves it. */
const PROBE_TIMEOUT_MS = 1000;

export type ServeResult =
  | { readonly ok: true; readonly server: ApiServer }
  /** A full sentence with the remedy. */
  | { readonly ok: false; readonly message: string };

export interface ApiServer {
  /** Stops serving, ends open requests and removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves the API on a unix socket that only its owner can use. A socket that a dead daemon left behind is replaced; one that
 * is served, or a file that is no socket, is left alone.
 */
export async function serveApi(
  view: DaemonView,
  path: string,
  onFailure: (error: unknown) => void = () => {},
): Promise<ServeResult> {
  const obstacle = await clearPath(path);
  if (obstacle !== undefined) return { ok: false, message: obstacle };

  const listener = getRequestListener(createHttpApp(view, onFailure).fetch, { overrideGlobalObjects: false });
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      void listener(request, response);
    },
  );
  server.maxConnections = MAX_API_CLIENTS;

  return new Promise((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      resolve({ ok: false, message: listenSentence(path, error.code ?? "") }),
    );
    server.once("listening", () => {
      server.on("error", onFailure);
      resolve({ ok: true, server: { close: () => closeServer(server) } });
    });
    // The socket is made inside listen(): with this mask nobody else can ever connect, not even for a moment.
    const mask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(mask);
    }
  });
}

function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Makes room for the socket, or says what stands in the way. */
async function clearPath(path: string): Promise<string | undefined> {
  try {
    if (!lstatSync(path).isSocket()) {
      return `${path} exists and is not a socket. Remove it, or choose another rpc_socket.`;
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code !== "ENOENT") return listenSentence(path, code);
    // Binding in a missing directory is told as "permission denied" by libuv; said here it is the truth.
    return existsSync(dirname(path)) ? undefined : listenSentence(path, "ENOENT");
  }
  if (await isServed(path)) {
    return `${path} is in use: a kcp-router is running already. Stop it first, or choose another rpc_socket.`;
  }
  try {
    unlinkSync(path);
    return undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    return code === "ENOENT" ? undefined : listenSentence(path, code);
  }
}

/** True when somebody accepts there, or might: only a clear "refused" counts as left behind. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const finish = (served: boolean) => {
      probe.destroy();
      resolve(served);
    };
    probe.setTimeout(PROBE_TIMEOUT_MS, () => finish(true));
    probe.once("connect", () => finish(true));
    probe.once("error", (error: NodeJS.ErrnoException) =>
      finish(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}

function listenSentence(path: string, code: string): string {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `The socket ${path} cannot be made: permission denied. Start as root, or choose another rpc_socket.`;
    case "ENOENT":
    case "ENOTDIR":
      return `The socket ${path} cannot be made: the directory ${dirname(path)} does not exist. Make it, or choose another rpc_socket.`;
    case "EADDRINUSE":
      return `${path} is in use: a kcp-router is running already. Stop it first, or choose another rpc_socket.`;
    case "EROFS":
      return `The socket ${path} cannot be made: the file system is read-only. Choose another rpc_socket.`;
    default:
      return `The socket ${path} cannot be made (${code === "" ? "unknown error" : code}). Choose another rpc_socket.`;
  }
}
