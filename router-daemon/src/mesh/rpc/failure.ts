/** Why a call did not succeed: at home, or as the callee tells it (routes-rpc.md 1.7). */
import type { RpcError } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";

export type RpcFailureCode =
  // At home.
  | "timeout"
  | "cancelled"
  | "too_many_calls"
  | "request_too_large"
  | "bad_response"
  // Told by the callee.
  | "invalid_service"
  | "invalid_method_index"
  | "decode_error"
  | "encode_error"
  | "execute_error"
  | "malformed_packet"
  | "callee_timeout"
  | "other_error";

export interface RpcFailure {
  readonly code: RpcFailureCode;
  /** A sentence; of a callee's failure the first line of its words. */
  readonly message: string;
}

export type RpcResult<R> =
  | { readonly ok: true; readonly response: R }
  | { readonly ok: false; readonly failure: RpcFailure };

/** Characters of a callee's text that are kept. */
export const MAX_FAILURE_TEXT = 200;

/** What the callee said went wrong. */
export function failureOf(error: RpcError): RpcFailure {
  if (error.invalidService !== undefined) {
    return failure("invalid_service", `The peer has no service ${error.invalidService.serviceName}.`);
  }
  if (error.invalidMethodIndex !== undefined) {
    const { serviceName, methodIndex } = error.invalidMethodIndex;
    return failure("invalid_method_index", `The peer's ${serviceName} has no method ${methodIndex}.`);
  }
  if (error.prostDecodeError !== undefined) {
    return failure("decode_error", "The peer could not read the request.");
  }
  if (error.prostEncodeError !== undefined) {
    return failure("encode_error", "The peer could not write its answer.");
  }
  if (error.executeError !== undefined) return failure("execute_error", error.executeError.errorMessage);
  if (error.malformatRpcPacket !== undefined) {
    return failure("malformed_packet", error.malformatRpcPacket.errorMessage);
  }
  if (error.timeout !== undefined) return failure("callee_timeout", error.timeout.errorMessage);
  return failure("other_error", error.otherError?.errorMessage ?? "The peer gave no reason.");
}

function failure(code: RpcFailureCode, text: string): RpcFailure {
  // Stock nodes put whole stack traces here.
  const line = text.split("\n", 1)[0]!;
  return { code, message: line.slice(0, MAX_FAILURE_TEXT) };
}

/** What our handlers may answer instead of a response. */
export type ServeFailureCode = "decode_error" | "execute_error" | "callee_timeout" | "other_error";

export function serveError(code: ServeFailureCode, message: string): Init<RpcError> {
  switch (code) {
    case "decode_error":
      return { prostDecodeError: {} };
    case "execute_error":
      return { executeError: { errorMessage: message } };
    case "callee_timeout":
      return { timeout: { errorMessage: message } };
    case "other_error":
      return { otherError: { errorMessage: message } };
  }
}
