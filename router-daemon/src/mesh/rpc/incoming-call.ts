/** A request that is being served. */
import { encode } from "../../wire/messages/encode.ts";
import { type RpcDescriptor, type RpcError, RpcResponse } from "../../wire/messages/gen/messages.ts";
import type { Init } from "../../wire/messages/schema.ts";
import { type ServeFailureCode, serveError } from "./failure.ts";

/**
 * Serves one method. It returns the encoded response, or undefined when it has called `call.fail`, or will call
 * `call.respond` or `call.fail` later: until `call.deadline`, when the endpoint answers for it.
 */
export type RpcHandler = (call: IncomingCall, now: number) => Uint8Array | undefined;

export interface CallIdentity {
  readonly fromPeerId: number;
  readonly transactionId: bigint;
  readonly descriptor: RpcDescriptor;
  readonly traceId: number;
}

export class IncomingCall {
  readonly fromPeerId: number;
  readonly identity: CallIdentity;
  /** The encoded request message. */
  readonly request: Uint8Array;
  readonly startedAt: number;
  /** When the caller stops waiting. */
  readonly deadline: number;
  readonly #answer: (call: IncomingCall, response: Uint8Array, now: number) => void;
  #answered = false;

  constructor(
    identity: CallIdentity,
    request: Uint8Array,
    startedAt: number,
    deadline: number,
    answer: (call: IncomingCall, response: Uint8Array, now: number) => void,
  ) {
    this.fromPeerId = identity.fromPeerId;
    this.identity = identity;
    this.request = request;
    this.startedAt = startedAt;
    this.deadline = deadline;
    this.#answer = answer;
  }

  get answered(): boolean {
    return this.#answered;
  }

  /** Sends the response. Only the first answer counts. */
  respond(response: Uint8Array, now: number): void {
    this.#finish({ response }, now);
  }

  /** Sends a failure; the message is for people at the caller's end. */
  fail(code: ServeFailureCode, message: string, now: number): void {
    this.failWith(serveError(code, message), now);
  }

  failWith(error: Init<RpcError>, now: number): void {
    this.#finish({ error }, now);
  }

  /** The answer is no longer wanted. */
  forget(): void {
    this.#answered = true;
  }

  #finish(answer: Init<RpcResponse>, now: number): void {
    if (this.#answered) return;
    this.#answered = true;
    const runtimeUs = BigInt(Math.max(0, Math.round((now - this.startedAt) * 1000)));
    this.#answer(this, encode(RpcResponse, { ...answer, runtimeUs }), now);
  }
}
