/** Where the daemon is seen from outside: the API's socket, loopback TCP for those who have a token, ubus. */
import { apiFront } from "../api/http-front.ts";
import type { InTurn } from "../api/in-turn.ts";
import type { EventRow } from "../api/rows.ts";
import { MAX_TOKEN_LENGTH, MAX_TOKENS, Tokens } from "../api/tokens.ts";
import type { DaemonView } from "../api/view.ts";
import { type LoopbackEndpoint, parseLoopback } from "../config/api-kinds.ts";
import type { Config } from "../config/config.ts";
import { serveHttp } from "../http1/server.ts";
import { type ServingEngine, serveApi } from "./api-server.ts";
import type { Daemon } from "./daemon.ts";
import { UbusService } from "./ubus-service.ts";
import { WorkShare } from "./work-share.ts";

/** Room for every token with its role, and comments. */
export const MAX_TOKEN_FILE_BYTES = 2 * MAX_TOKENS * MAX_TOKEN_LENGTH;
/** Bits of a file's mode: others than its owner may read it. */
const OTHERS_MAY_READ = 0o044;

export interface FacesOptions {
  readonly daemon: DaemonView & Pick<Daemon, "tell" | "lookAtAddresses" | "turns">;
  readonly engine: ServingEngine;
  readonly config: Config;
  /** A file of at most so many bytes, with its mode, or why it cannot be read. */
  readSecretFile(
    path: string,
    maxBytes: number,
  ):
    | { readonly ok: true; readonly text: string; readonly mode: number }
    | { readonly ok: false; readonly reason: string };
  /** Monotonic milliseconds. */
  now(): number;
  onFailure(error: unknown): void;
}

export type OpenFaces =
  | { readonly ok: true; readonly faces: Faces }
  /** A full sentence with the remedy; nothing is left open. */
  | { readonly ok: false; readonly message: string };

export interface Faces {
  /** Something happened. */
  event(row: EventRow): void;
  close(): void;
}

export async function openFaces(options: FacesOptions): Promise<OpenFaces> {
  const { daemon, engine, config, now, onFailure } = options;
  const share = new WorkShare({ timers: engine.timers, now, turns: () => daemon.turns });
  const inTurn: InTurn = (work) => share.run(work);
  const served = await serveApi(daemon, engine, config.rpc_socket, onFailure, inTurn);
  if (!served.ok) return served;
  const tcp = await serveTcp(options, inTurn);
  if (!tcp.ok) {
    served.server.close();
    return tcp;
  }
  const ubus = new UbusService(daemon, {
    streams: engine.streams,
    timers: engine.timers,
    path: config.ubus_socket,
    now,
    interfacesChanged: () => daemon.lookAtAddresses(),
    tell: (level, code, message) => daemon.tell(level, code, message),
    onFailure,
    inTurn,
  });
  ubus.start();
  return {
    ok: true,
    faces: {
      event: (row) => ubus.event(row),
      close() {
        ubus.close();
        tcp.close();
        served.server.close();
      },
    },
  };
}

type TcpFace = { readonly ok: true; close(): void } | { readonly ok: false; readonly message: string };

/** The API on loopback TCP, when the configuration wants it. */
async function serveTcp(
  { daemon, engine, config, readSecretFile, onFailure }: FacesOptions,
  inTurn: InTurn,
): Promise<TcpFace> {
  const endpoint = parseLoopback(config.rpc_listen);
  if (endpoint === undefined) return { ok: true, close() {} };
  const file = readSecretFile(config.rpc_token_file, MAX_TOKEN_FILE_BYTES);
  const bad = (why: string): TcpFace => ({ ok: false, message: `${config.rpc_token_file}: ${why}` });
  if (!file.ok) return bad(`The tokens cannot be read: ${file.reason}`);
  if ((file.mode & OTHERS_MAY_READ) !== 0) {
    return bad(`Others than its owner can read the tokens. Run: chmod 600 ${config.rpc_token_file}`);
  }
  const tokens = Tokens.parse(file.text);
  if (typeof tokens === "string") return bad(tokens);
  const front = apiFront(daemon, onFailure, inTurn, tokens);
  const listener = await serveHttp(engine.streams, engine.timers, endpoint, front);
  if (listener.ok) return listener;
  return { ok: false, message: portSentence(endpoint, listener.code) };
}

function portSentence({ ipv4, port }: LoopbackEndpoint, code: string): string {
  const why =
    code === "EADDRINUSE" ? "another program has it" : code === "EACCES" ? "permission denied" : code;
  return `The API cannot listen on ${ipv4}:${port}: ${why}. Choose another rpc_listen, or remove it.`;
}
