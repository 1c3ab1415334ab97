/**
 * Remote calls between peers, both directions at once (routes-rpc.md 1). Sans-IO: packets and the time in, packets out.
 *
 * A call's life: `call` → encode, cut into pieces, `send` … pieces of the response → joined, decoded → `done`.
 * A request's life: pieces → joined, decoded → handler, which answers at once or later → cut into pieces, `send`.
 * Nothing is sent twice: a lost piece is a timeout, and the caller above decides whether to try again.
 */
import { tryDecode } from "../../wire/messages/decode.ts";
import { encode } from "../../wire/messages/encode.ts";
import { CompressionAlgo, RpcPacket, RpcRequest, RpcResponse } from "../../wire/messages/gen/messages.ts";
import { PacketType, type Random32 } from "../types.ts";
import { failureOf, type RpcFailureCode, type RpcResult } from "./failure.ts";
import { fragment } from "./fragment.ts";
import { IncomingCall, type RpcHandler } from "./incoming-call.ts";
import {
  MAX_CALLS,
  MAX_CALLS_PER_PEER,
  MAX_MESSAGE_BYTES,
  MAX_SERVING,
  MAX_SERVING_MS,
  MAX_SERVING_PER_PEER,
} from "./limits.ts";
import { isPiece, PartialRequests, PieceBudget, PieceSet, type WholeMessage, wholePacket } from "./pieces.ts";

export interface RpcEndpointOptions {
  readonly localPeerId: number;
  /** The domain of all services between peers. */
  readonly networkName: string;
  readonly random: Random32;
  /** Sends an RpcPacket as payload of a packet of the given type; the callee keeps no reference to `bytes`. */
  readonly send: (toPeerId: number, packetType: number, bytes: Uint8Array) => void;
}

/** Called once per call, perhaps before `call` returns. */
export type RpcDone = (result: RpcResult<Uint8Array>, now: number) => void;

/** What happened so far. */
export interface RpcCounters {
  calls: number;
  callsFailed: number;
  requestsServed: number;
  /** Answered with an error: unknown service or method, busy, compressed, unreadable. */
  requestsRefused: number;
  /** Packets that are no RpcPacket, or contradict themselves or their packet type. */
  malformedPackets: number;
  /** Packets for another peer, or of a call nobody waits for (any more). */
  strayPackets: number;
  /** Pieces seen twice, or for which there was no room. */
  droppedPieces: number;
  /** Requests some pieces of which never came. */
  expiredRequests: number;
}

interface Call {
  readonly peerId: number;
  readonly deadline: number;
  readonly done: RpcDone;
  pieces: PieceSet | undefined;
}

export class RpcEndpoint {
  readonly localPeerId: number;
  readonly counters: RpcCounters = {
    calls: 0,
    callsFailed: 0,
    requestsServed: 0,
    requestsRefused: 0,
    malformedPackets: 0,
    strayPackets: 0,
    droppedPieces: 0,
    expiredRequests: 0,
  };
  readonly #networkName: string;
  readonly #send: RpcEndpointOptions["send"];
  readonly #services = new Map<string, readonly (RpcHandler | undefined)[]>();
  readonly #budget = new PieceBudget();
  readonly #partials = new PartialRequests(this.#budget);
  readonly #calls = new Map<bigint, Call>();
  readonly #serving = new Map<string, IncomingCall>();
  #transactionId: bigint;
  /** Not later than the first deadline; perhaps earlier. */
  #nextDeadline = Number.POSITIVE_INFINITY;
  #now = 0;

  constructor({ localPeerId, networkName, random, send }: RpcEndpointOptions) {
    this.localPeerId = localPeerId;
    this.#networkName = networkName;
    this.#send = send;
    this.#transactionId = BigInt.asIntN(64, (BigInt(random()) << 32n) | BigInt(random()));
  }

  get nextTimeout(): number {
    return Math.min(this.#nextDeadline, this.#partials.nextTimeout);
  }

  /** Calls without an answer yet. */
  get pendingCalls(): number {
    return this.#calls.size;
  }

  /** Bytes of incomplete messages. */
  get partialBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Serves a service. `handlers[0]` is method 1; methods without a handler are answered with invalid_method_index. */
  register(service: string, handlers: readonly (RpcHandler | undefined)[]): void {
    this.#services.set(service, handlers);
  }

  /** Calls a method of a peer. `done` gets the encoded response or why there is none, at the latest after `timeoutMs`. */
  call(
    toPeerId: number,
    service: string,
    methodIndex: number,
    request: Uint8Array,
    timeoutMs: number,
    now: number,
    done: RpcDone,
  ): void {
    this.#now = now;
    this.counters.calls++;
    // 0 would leave the callee no time at all, and the field is an int32.
    const timeout = Math.min(Math.max(1, Math.round(timeoutMs)), 0x7fffffff);
    const body = encode(RpcRequest, { request, timeoutMs: timeout });
    if (body.length > MAX_MESSAGE_BYTES) {
      this.#failCall(done, "request_too_large", `A request of ${body.length} bytes is too large.`, now);
      return;
    }
    let ofPeer = 0;
    for (const call of this.#calls.values()) if (call.peerId === toPeerId) ofPeer++;
    if (this.#calls.size >= MAX_CALLS || ofPeer >= MAX_CALLS_PER_PEER) {
      this.#failCall(done, "too_many_calls", "Too many calls wait for an answer.", now);
      return;
    }
    const transactionId = this.#transactionId;
    this.#transactionId = BigInt.asIntN(64, transactionId + 1n);
    const deadline = now + timeout;
    this.#calls.set(transactionId, { peerId: toPeerId, deadline, done, pieces: undefined });
    this.#nextDeadline = Math.min(this.#nextDeadline, deadline);
    const descriptor = {
      domainName: this.#networkName,
      protoName: service,
      serviceName: service,
      methodIndex,
    };
    const head = { fromPeer: this.localPeerId, toPeer: toPeerId, transactionId, descriptor, isRequest: true };
    for (const piece of fragment({ ...head, traceId: 0 }, body)) {
      this.#send(toPeerId, PacketType.rpcRequest, piece);
    }
  }

  /** Payload of a packet of type 8 or 9. */
  handlePacket(packetType: number, fromPeerId: number, bytes: Uint8Array, now: number): void {
    this.#now = now;
    const packet = tryDecode(RpcPacket, bytes);
    const isRequest = packetType === PacketType.rpcRequest;
    // The ids inside are the ones that count; they repeat the header's.
    if (packet === undefined || packet.isRequest !== isRequest || packet.fromPeer !== fromPeerId) {
      this.counters.malformedPackets++;
    } else if (packet.toPeer !== this.localPeerId) this.counters.strayPackets++;
    else if (!isPiece(packet)) this.counters.malformedPackets++;
    else if (isRequest) this.#handleRequestPiece(packet, now);
    else this.#handleResponsePiece(packet, now);
  }

  handleTimeout(now: number): void {
    this.#now = now;
    this.counters.expiredRequests += this.#partials.handleTimeout(now);
    if (now < this.#nextDeadline) return;
    this.#nextDeadline = Number.POSITIVE_INFINITY;
    for (const [transactionId, call] of [...this.#calls]) {
      if (call.deadline > now) this.#nextDeadline = Math.min(this.#nextDeadline, call.deadline);
      else this.#endCall(transactionId, call, "timeout", "The peer did not answer in time.", now);
    }
    for (const call of [...this.#serving.values()]) {
      if (call.deadline > now) this.#nextDeadline = Math.min(this.#nextDeadline, call.deadline);
      else call.fail("callee_timeout", "No answer in time.", now);
    }
  }

  /** The peer is gone: its calls fail at once, what it wanted is forgotten. */
  cancelPeer(peerId: number, now = this.#now): void {
    this.#partials.dropPeer(peerId);
    for (const [key, call] of [...this.#serving]) {
      if (call.fromPeerId !== peerId) continue;
      call.forget();
      this.#serving.delete(key);
    }
    for (const [transactionId, call] of [...this.#calls]) {
      if (call.peerId === peerId) this.#endCall(transactionId, call, "cancelled", "The peer is gone.", now);
    }
  }

  // ── responses ─────────────────────────────────────────────────────────────────────────────────────────────────

  #handleResponsePiece(packet: RpcPacket, now: number): void {
    const { transactionId } = packet;
    const call = this.#calls.get(transactionId);
    if (call === undefined || call.peerId !== packet.fromPeer) {
      this.counters.strayPackets++;
      return;
    }
    const message = wholePacket(packet) ?? this.#addResponsePiece(call, packet);
    if (message === "full") {
      this.#endCall(transactionId, call, "bad_response", "The peer's answer is too large.", now);
    } else if (message === "ignored") this.counters.droppedPieces++;
    else if (message !== "kept") this.#handleResponse(transactionId, call, message, now);
  }

  #addResponsePiece(call: Call, packet: RpcPacket): WholeMessage | "kept" | "ignored" | "full" {
    call.pieces ??= new PieceSet(this.#budget, packet.totalPieces);
    return call.pieces.add(packet);
  }

  #handleResponse(transactionId: bigint, call: Call, message: WholeMessage, now: number): void {
    const response = isPlain(message) ? tryDecode(RpcResponse, message.body) : undefined;
    if (response === undefined) {
      this.#endCall(transactionId, call, "bad_response", "The peer's answer could not be read.", now);
    } else if (response.error !== undefined) {
      const { code, message: text } = failureOf(response.error);
      this.#endCall(transactionId, call, code, text, now);
    } else {
      this.#forgetCall(transactionId, call);
      call.done({ ok: true, response: response.response }, now);
    }
  }

  #endCall(transactionId: bigint, call: Call, code: RpcFailureCode, message: string, now: number): void {
    // A callback of another call may have ended this one.
    if (this.#calls.get(transactionId) !== call) return;
    this.#forgetCall(transactionId, call);
    this.#failCall(call.done, code, message, now);
  }

  #forgetCall(transactionId: bigint, call: Call): void {
    call.pieces?.drop();
    this.#calls.delete(transactionId);
  }

  #failCall(done: RpcDone, code: RpcFailureCode, message: string, now: number): void {
    this.counters.callsFailed++;
    done({ ok: false, failure: { code, message } }, now);
  }

  // ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

  #handleRequestPiece(packet: RpcPacket, now: number): void {
    const message = wholePacket(packet) ?? this.#partials.add(packet, now);
    if (message === false) this.counters.droppedPieces++;
    else if (message !== true) this.#handleRequest(packet, message, now);
  }

  #handleRequest(packet: RpcPacket, message: WholeMessage, now: number): void {
    const { fromPeer: fromPeerId, transactionId } = packet;
    const key = `${fromPeerId}:${transactionId}`;
    // A datagram that came twice, while the first is still being served.
    if (this.#serving.has(key)) {
      this.counters.droppedPieces++;
      return;
    }
    const { descriptor, traceId } = message;
    const request = isPlain(message) ? tryDecode(RpcRequest, message.body) : undefined;
    const timeoutMs = Math.min(request?.timeoutMs ?? 0, MAX_SERVING_MS);
    const call = new IncomingCall(
      { fromPeerId, transactionId, descriptor, traceId },
      request?.request ?? new Uint8Array(0),
      now,
      now + timeoutMs,
      (answered, response, at) => {
        this.#serving.delete(key);
        this.#sendResponse(answered, response, at);
      },
    );
    if (this.#refuse(call, message, request, now)) {
      this.counters.requestsRefused++;
      return;
    }
    this.counters.requestsServed++;
    this.#serving.set(key, call);
    const handle = this.#services.get(descriptor.serviceName)![(descriptor.methodIndex & 0xff) - 1]!;
    const response = handle(call, now);
    if (response !== undefined) call.respond(response, now);
    else if (timeoutMs <= 0) call.fail("callee_timeout", "The request leaves no time.", now);
    if (!call.answered) this.#nextDeadline = Math.min(this.#nextDeadline, call.deadline);
  }

  /** Answers a request that cannot be served. Callers need the answer: after silence they ask again every few seconds. */
  #refuse(call: IncomingCall, message: WholeMessage, request: RpcRequest | undefined, now: number): boolean {
    const { domainName, serviceName, protoName, methodIndex } = message.descriptor;
    const handlers =
      domainName === this.#networkName && protoName === serviceName && this.#services.get(serviceName);
    // Only the low 8 bits of the index are used.
    const index = methodIndex & 0xff;
    let ofPeer = 0;
    for (const other of this.#serving.values()) if (other.fromPeerId === call.fromPeerId) ofPeer++;
    // Stock nodes put the service's name in double quotes.
    const quoted = `"${serviceName}"`;
    if (!handlers) call.failWith({ invalidService: { serviceName: quoted } }, now);
    else if (handlers[index - 1] === undefined) {
      call.failWith({ invalidMethodIndex: { serviceName: quoted, methodIndex: index } }, now);
    } else if (!isPlain(message)) call.fail("execute_error", "Compressed requests are not understood.", now);
    else if (request === undefined) call.fail("decode_error", "", now);
    else if (this.#serving.size >= MAX_SERVING || ofPeer >= MAX_SERVING_PER_PEER) {
      call.fail("other_error", "Too many requests are being served.", now);
    } else return false;
    return true;
  }

  #sendResponse(call: IncomingCall, response: Uint8Array, now: number): void {
    if (response.length > MAX_MESSAGE_BYTES) {
      const tooLarge = encode(RpcResponse, {
        error: { otherError: { errorMessage: "The answer is too large." } },
      });
      this.#sendResponse(call, tooLarge, now);
      return;
    }
    const { fromPeerId, transactionId, descriptor, traceId } = call.identity;
    const head = { fromPeer: this.localPeerId, toPeer: fromPeerId, transactionId, descriptor, traceId };
    for (const piece of fragment({ ...head, isRequest: false }, response)) {
      this.#send(fromPeerId, PacketType.rpcResponse, piece);
    }
  }
}

function isPlain({ compressionInfo }: WholeMessage): boolean {
  return compressionInfo === undefined || compressionInfo.algo === CompressionAlgo.none;
}
