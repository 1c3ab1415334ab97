import { apiFront } from "../api/http-front.ts";
import type { InTurn } from "../api/in-turn.ts";
import type { DaemonView } from "../api/view.ts";
import type { Streams } from "../host/streams.ts";
import { serveHttp } from "../http1/server.ts";
import type { Engine } from "./engine.ts";

/** How long an existing socket is given to show that somebody serves it. */
const PROBE_TIMEOUT_MS = 1000;

export type ServeResult =
  | { readonly ok: true; readonly server: ApiServer }
  /** A full sentence with the remedy. */
  | { readonly ok: false; readonly message: string };

export interface ApiServer {
  /** Stops serving, ends open requests and removes the socket. */
  close(): void;
}

/** The part of the engine that serving needs. */
export type ServingEngine = Pick<Engine, "streams" | "timers" | "fileKind" | "removeFile">;

/**
 * Serves the API on a unix socket that only its owner can use. A socket that a dead daemon left behind is replaced; one that
 * is served, or a file that is no socket, is left alone.
 */
export async function serveApi(
  view: DaemonView,
  engine: ServingEngine,
  path: string,
  onFailure: (error: unknown) => void = () => {},
  inTurn: InTurn = (work) => work(),
): Promise<ServeResult> {
  const obstacle = await clearPath(engine, path);
  if (obstacle !== undefined) return { ok: false, message: obstacle };
  const front = apiFront(view, onFailure, inTurn);
  const listener = await serveHttp(engine.streams, engine.timers, { unix: path }, front);
  return listener.ok
    ? { ok: true, server: listener }
    : { ok: false, message: listenSentence(path, listener.code) };
}

/** Makes room for the socket, or says what stands in the way. */
async function clearPath(engine: ServingEngine, path: string): Promise<string | undefined> {
  const kind = engine.fileKind(path);
  if (typeof kind === "object") {
    if (kind.code !== "ENOENT") return listenSentence(path, kind.code);
    // Binding in a missing directory is told as "permission denied" by Node; said here it is the truth.
    return typeof engine.fileKind(folderOf(path)) === "object" ? listenSentence(path, "ENOENT") : undefined;
  }
  if (kind !== "socket") {
    return `${path} exists and is not a socket. Remove it, or choose another rpc_socket.`;
  }
  if (await isServed(engine, path)) return listenSentence(path, "EADDRINUSE");
  const code = engine.removeFile(path);
  return code === "" || code === "ENOENT" ? undefined : listenSentence(path, code);
}

/** True when somebody accepts there, or might: only a clear "refused" counts as left behind. */
function isServed({ streams, timers }: ServingEngine, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = timers.startTimer(() => finish(true), PROBE_TIMEOUT_MS);
    const probe = connectProbe(streams, path, (code) => finish(code !== "ECONNREFUSED" && code !== "ENOENT"));
    const finish = (served: boolean): void => {
      timers.stopTimer(timer);
      resolve(served);
      probe.destroy();
    };
  });
}

/** Connects, says that it has nothing to say, and waits for the other end to close: a server of ours does so at once. */
function connectProbe(streams: Streams, path: string, closed: (code: string) => void) {
  const probe = streams.connect({ unix: path }, { data() {}, ended() {}, drained() {}, closed });
  probe.end();
  return probe;
}

function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}

function listenSentence(path: string, code: string): string {
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `The socket ${path} cannot be made: permission denied. Start as root, or choose another rpc_socket.`;
    case "ENOENT":
    case "ENOTDIR":
      return `The socket ${path} cannot be made: the directory ${folderOf(path)} does not exist. Make it, or choose another rpc_socket.`;
    case "EADDRINUSE":
      return `${path} is in use: a kcp-router is running already. Stop it first, or choose another rpc_socket.`;
    case "EROFS":
      return `The socket ${path} cannot be made: the file system is read-only. Choose another rpc_socket.`;
    default:
      return `The socket ${path} cannot be made (${code === "" ? "unknown error" : code}). Choose another rpc_socket.`;
  }
}
