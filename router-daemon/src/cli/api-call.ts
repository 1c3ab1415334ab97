import type { Answer, ApiError } from "../api/error.ts";
import { API_PREFIX, MAX_ANSWER_LENGTH } from "../api/http.ts";
import type { CallLimits, CallResult } from "../http1/client.ts";
import type { HttpRequest } from "../http1/message.ts";
import type { Unreachable } from "./io.ts";

const LIMITS: CallLimits = {
  // A character takes at most four bytes.
  maxBodyBytes: 4 * MAX_ANSWER_LENGTH,
  /** How long the daemon may take for an answer. */
  timeoutMs: 15_000,
};

/** One HTTP request to whoever serves a unix socket. */
export type HttpCall = (socket: string, request: HttpRequest, limits: CallLimits) => Promise<CallResult>;

/** Calls a method of the daemon behind a socket. */
export async function callApi(
  http: HttpCall,
  socket: string,
  method: string,
  args: object,
): Promise<Answer<unknown> | Unreachable> {
  const request: HttpRequest = {
    method: "POST",
    target: `${API_PREFIX}/${method}`,
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode(JSON.stringify(args)),
  };
  const result = await http(socket, request, LIMITS);
  if (!result.ok) return { ok: false, unreachable: unreachable(socket, result.code) };
  return readAnswer(socket, result.response.status, new TextDecoder().decode(result.response.body));
}

function readAnswer(socket: string, status: number, text: string): Answer<unknown> | Unreachable {
  try {
    const value = JSON.parse(text) as { readonly error?: ApiError } | null;
    if (status === 200) return { ok: true, result: value };
    if (value?.error !== undefined) return { ok: false, error: value.error };
  } catch {
    // Not JSON: not our daemon.
  }
  return { ok: false, unreachable: unreachable(socket, "not http") };
}

function unreachable(socket: string, code: string): string {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return `kcp-router is not running (nobody answers on ${socket}). Start it with "kcp-router run -c FILE", or name its socket with --socket PATH.`;
    case "EACCES":
    case "EPERM":
      return `The socket ${socket} may only be used by its owner. Run the command as root.`;
    case "ETIMEDOUT":
      return `kcp-router does not answer on ${socket}. Look at its log; restart it if it hangs.`;
    case "not http":
      return `What answers on ${socket} is no kcp-router. Name its socket with --socket PATH.`;
    default:
      return `The connection to ${socket} failed (${code === "" ? "cut off" : code}). Try again.`;
  }
}
