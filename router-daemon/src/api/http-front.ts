import type { HttpResponse } from "../http1/message.ts";
import type { HttpServerOptions } from "../http1/server.ts";
import { type ErrorCode, refusal } from "./error.ts";
import { ANSWER_HEADERS, createHttpApp, MAX_BODY_BYTES } from "./http.ts";
import type { InTurn } from "./in-turn.ts";
import type { Tokens } from "./tokens.ts";
import type { DaemonView } from "./view.ts";

/** Clients served at one time; more wait to be accepted. */
export const MAX_API_CLIENTS = 64;
/** A request that is not complete by then is refused. */
const REQUEST_TIMEOUT_MS = 10_000;

/** Puts the API behind an HTTP server: its messages to those of the web platform, which Hono reads and writes, and back. */
export function apiFront(
  view: DaemonView,
  onFailure: (error: unknown) => void,
  inTurn: InTurn,
  tokens?: Tokens,
): HttpServerOptions {
  const app = createHttpApp(view, onFailure, tokens);
  return {
    maxClients: MAX_API_CLIENTS,
    maxBodyBytes: MAX_BODY_BYTES,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,

    handle: ({ method, target, headers, body }) =>
      inTurn(async () => {
        const bodiless = method === "GET" || method === "HEAD" || body.length === 0;
        const init = { method, headers: headers.map(([name, value]): [string, string] => [name, value]) };
        const request = new Request(`http://localhost${target}`, bodiless ? init : { ...init, body });
        const response = await app.fetch(request);
        return {
          status: response.status,
          headers: [...response.headers],
          body: new Uint8Array(await response.arrayBuffer()),
        };
      }),

    refuse: ({ status, message }) => failure(status, status === 413 ? "too_large" : "bad_request", message),
    fail(error) {
      onFailure(error);
      return failure(
        500,
        "internal",
        "The request failed inside the daemon. Its log says more; please report it.",
      );
    },
  };
}

function failure(status: number, code: ErrorCode, message: string): HttpResponse {
  const body = new TextEncoder().encode(JSON.stringify({ error: refusal(code, message).error }));
  return { status, headers: Object.entries(ANSWER_HEADERS), body };
}
