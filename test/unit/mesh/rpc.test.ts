import { createHash } from "node:crypto";
import test from "ava";
import * as fc from "fast-check";
import { RpcEndpoint } from "../../../router-daemon/src/mesh/rpc/endpoint.ts";
import { MAX_FAILURE_TEXT, type RpcResult } from "../../../router-daemon/src/mesh/rpc/failure.ts";
import { fragment, MAX_RPC_PACKET_BYTES } from "../../../router-daemon/src/mesh/rpc/fragment.ts";
import type { IncomingCall } from "../../../router-daemon/src/mesh/rpc/incoming-call.ts";
import {
  MAX_CALLS,
  MAX_CALLS_PER_PEER,
  MAX_MESSAGE_BYTES,
  MAX_PARTIAL_BYTES,
  MAX_PARTIAL_REQUESTS,
  MAX_PARTIAL_REQUESTS_PER_PEER,
  MAX_PIECES,
  MAX_SERVING_PER_PEER,
  PARTIAL_TIMEOUT_MS,
  PIECE_OVERHEAD_BYTES,
} from "../../../router-daemon/src/mesh/rpc/limits.ts";
import { PartialRequests, PieceBudget } from "../../../router-daemon/src/mesh/rpc/pieces.ts";
import { callMethod, GET_IP_LIST, handler } from "../../../router-daemon/src/mesh/rpc/service.ts";
import { decode } from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { RpcPacket, RpcRequest, RpcResponse } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import type { Init } from "../../../router-daemon/src/wire/messages/schema.ts";
import { seededRandom } from "../../random.ts";
import { bytesHex, hexBytes, type JsonObject, readVectors } from "../wire/messages-vectors.ts";
import { RpcNetwork } from "./rpc-network.ts";

const REQUEST = 8;
const RESPONSE = 9;
const A = 0x11223344;
const B = 0x55667788;
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255);
const echo = (call: IncomingCall): Uint8Array => call.request;

/** Two endpoints; B serves "Echo". */
function pair(seed = 1): { network: RpcNetwork; a: RpcEndpoint; b: RpcEndpoint } {
  const network = new RpcNetwork(seed);
  const a = network.addEndpoint(A);
  const b = network.addEndpoint(B);
  b.register("Echo", [echo]);
  return { network, a, b };
}

/** An endpoint alone, with what it sends. */
function single(localPeerId = A): { rpc: RpcEndpoint; sent: RpcPacket[] } {
  const sent: RpcPacket[] = [];
  const rpc = new RpcEndpoint({
    localPeerId,
    networkName: "testnet",
    random: seededRandom(7),
    send: (_to, _type, packet) => sent.push(decode(RpcPacket, packet)),
  });
  rpc.register("Echo", [echo]);
  return { rpc, sent };
}

function request(init: Init<RpcPacket> = {}, body: Init<RpcRequest> = {}): Uint8Array {
  return encode(RpcPacket, {
    fromPeer: B,
    toPeer: A,
    transactionId: 5n,
    descriptor: { domainName: "testnet", protoName: "Echo", serviceName: "Echo", methodIndex: 1 },
    body: encode(RpcRequest, { timeoutMs: 1000, ...body }),
    isRequest: true,
    totalPieces: 1,
    ...init,
  });
}

const answerOf = (packet: RpcPacket | undefined): RpcResponse => decode(RpcResponse, packet!.body);

test("the fragmentation plan is the reference's", (t) => {
  const plan = (readVectors("routes-rpc.json").rpc as JsonObject).fragmentation as unknown as {
    transaction_id: string;
    from: number;
    to: number;
    max_rpc_packet_len: number;
    pieces: { offset: number; length: number; rpc_packet_len: number; rpc_packet_sha256: string }[];
  };
  t.is(MAX_RPC_PACKET_BYTES, plan.max_rpc_packet_len);
  const name = "OspfRouteRpc";
  const pieces = fragment(
    {
      fromPeer: plan.from,
      toPeer: plan.to,
      transactionId: BigInt(plan.transaction_id),
      descriptor: { domainName: "testnet", protoName: name, serviceName: name, methodIndex: 1 },
      isRequest: true,
      traceId: 0,
    },
    bytes(3000),
  );
  t.is(pieces.length, plan.pieces.length);
  for (const [at, expected] of plan.pieces.entries()) {
    const packet = decode(RpcPacket, pieces[at]!);
    t.is(packet.body.length, expected.length);
    t.deepEqual(packet.body, bytes(3000).slice(expected.offset, expected.offset + expected.length));
    t.is(pieces[at]!.length, expected.rpc_packet_len);
    if (expected.rpc_packet_sha256 === createHash("sha256").update(pieces[at]!).digest("hex")) continue;
    // The plan's sender announces zstd; ours differs in nothing else.
    const stock = { ...packet, compressionInfo: packet.compressionInfo && { algo: 1, acceptedAlgo: 2 } };
    t.is(createHash("sha256").update(encode(RpcPacket, stock)).digest("hex"), expected.rpc_packet_sha256);
  }
});

test("our request and response are byte for byte those of the vectors", (t) => {
  const vectors = (readVectors("routes-rpc.json").rpc as JsonObject).messages as unknown as JsonObject[];
  const ours = vectors.find((vector) => vector.name === "RpcPacket request from a node without zstd")!;
  const packet = decode(RpcPacket, hexBytes(ours.hex as string));
  const { fromPeer, toPeer, transactionId, isRequest, traceId, body } = packet;
  const pieces = fragment(
    { fromPeer, toPeer, transactionId, descriptor: packet.descriptor!, isRequest, traceId },
    body,
  );
  t.deepEqual(pieces.map(bytesHex), [ours.hex as string]);
});

interface CapturedFrame {
  readonly dir: string;
  readonly payload_decrypted?: string;
  readonly hex: string;
  readonly udp?: object;
  readonly header: { from_peer_id: number; to_peer_id: number; packet_type: number };
  readonly rpc_packet?: { transaction_id: string };
}

test("every captured RPC frame is understood and encodes to the same bytes", (t) => {
  let frames = 0;
  const sessions = readVectors("captures.json").sessions as unknown as { frames: CapturedFrame[] }[];
  for (const session of sessions) {
    for (const frame of session.frames) {
      if (frame.rpc_packet === undefined) continue;
      frames++;
      const payload = frame.payload_decrypted ?? frame.hex.slice((frame.udp ? 8 + 16 : 4 + 16) * 2);
      const packet = decode(RpcPacket, hexBytes(payload));
      t.is(bytesHex(encode(RpcPacket, packet)), payload);
      t.is(packet.transactionId, BigInt(frame.rpc_packet.transaction_id));
      t.is(packet.fromPeer, frame.header.from_peer_id);
      t.is(packet.toPeer, frame.header.to_peer_id);
      t.is(packet.isRequest, frame.header.packet_type === REQUEST);
      if (packet.totalPieces !== 1 || packet.compressionInfo?.algo === 2) continue;
      const schema = packet.isRequest ? RpcRequest : RpcResponse;
      t.is(bytesHex(encode<object>(schema, decode<object>(schema, packet.body))), bytesHex(packet.body));
    }
  }
  t.true(frames > 30, `${frames} frames`);
});

test("a captured request in two pieces, the second first, reaches the handler whole", (t) => {
  const sessions = readVectors("captures.json").sessions as unknown as {
    name: string;
    frames: CapturedFrame[];
    network: string;
    reassembled_RpcRequest: string;
  }[];
  const session = sessions.find(({ name }) => name === "fragmented_request")!;
  const [first] = session.frames;
  const rpc = new RpcEndpoint({
    localPeerId: first!.header.to_peer_id,
    networkName: session.network,
    random: seededRandom(1),
    send: () => {},
  });
  const received: string[] = [];
  rpc.register("OspfRouteRpc", [
    (call) => {
      received.push(bytesHex(call.request));
      return new Uint8Array(0);
    },
  ]);
  for (const frame of session.frames) {
    rpc.handlePacket(REQUEST, frame.header.from_peer_id, hexBytes(frame.payload_decrypted!), 0);
  }
  t.deepEqual(received, [bytesHex(decode(RpcRequest, hexBytes(session.reassembled_RpcRequest)).request)]);
  t.is(rpc.partialBytes, 0);
});

test("a call gets its answer, large ones too, and nothing is left behind", (t) => {
  const { network, a, b } = pair();
  network.jitterMs = 20;
  for (const length of [0, 1, 1170, 1180, 5_000, 300_000]) {
    const results: RpcResult<Uint8Array>[] = [];
    a.call(B, "Echo", 1, bytes(length), 5000, network.now, (result) => results.push(result));
    network.run(200);
    t.deepEqual(results, [{ ok: true, response: bytes(length) }]);
  }
  t.is(a.pendingCalls, 0);
  t.is(a.partialBytes + b.partialBytes, 0);
  network.run(20_000);
  t.is(a.nextTimeout, Number.POSITIVE_INFINITY);
  for (const packet of network.sent) t.true(packet.bytes.length <= MAX_RPC_PACKET_BYTES);
});

test("calls run side by side and may be answered out of order", (t) => {
  const { network, a, b } = pair();
  const waiting: IncomingCall[] = [];
  b.register("Later", [
    (call) => {
      waiting.push(call);
      return undefined;
    },
  ]);
  const answers: string[] = [];
  for (const name of ["one", "two"]) {
    a.call(B, "Later", 1, new Uint8Array(0), 5000, network.now, (result) =>
      answers.push(`${name} ${result.ok}`),
    );
  }
  network.run(50);
  t.is(waiting.length, 2);
  waiting[1]!.respond(new Uint8Array(1), network.now);
  network.run(50);
  waiting[0]!.respond(new Uint8Array(1), network.now);
  waiting[0]!.respond(new Uint8Array(2), network.now);
  network.run(50);
  t.deepEqual(answers, ["two true", "one true"]);
});

test("without an answer a call fails when its time is up, and a late answer is a stray", (t) => {
  const { network, a, b } = pair();
  let late: IncomingCall | undefined;
  b.register("Never", [
    (call) => {
      late = call;
      return undefined;
    },
  ]);
  const results: RpcResult<Uint8Array>[] = [];
  const started = network.now;
  let at = 0;
  network.latencyMs = 100;
  a.call(B, "Never", 1, new Uint8Array(0), 300, started, (result, now) => {
    results.push(result);
    at = now;
  });
  network.run(300);
  t.is(results.length, 1);
  t.like(results[0], { ok: false, failure: { code: "timeout" } });
  t.is(at, started + 300);
  // The callee's own timer answers with a timeout error, too late.
  network.run(300);
  t.true(late!.answered);
  t.is(a.counters.strayPackets, 1);
  t.is(results.length, 1);
});

test("errors of the callee arrive as what they are", (t) => {
  const { network, a, b } = pair();
  b.register("Sick", [
    (call, now) => {
      call.fail("execute_error", `${"first line ".repeat(50)}\nsecond line`, now);
      return undefined;
    },
    undefined,
    handler(GET_IP_LIST, () => ({})),
  ]);
  const codes: string[] = [];
  const call = (service: string, index: number, body = new Uint8Array(0)): void =>
    a.call(B, service, index, body, 1000, network.now, (result) =>
      codes.push(result.ok ? "ok" : `${result.failure.code}: ${result.failure.message}`),
    );
  call("Nobody", 1);
  call("Sick", 2);
  call("Sick", 9);
  call("Sick", 1);
  call("Sick", 3, Uint8Array.of(0x0a));
  call("Sick", 0x101);
  network.run(100);
  const line = "first line ".repeat(50).slice(0, MAX_FAILURE_TEXT);
  t.deepEqual(codes, [
    'invalid_service: The peer has no service "Nobody".',
    'invalid_method_index: The peer\'s "Sick" has no method 2.',
    'invalid_method_index: The peer\'s "Sick" has no method 9.',
    `execute_error: ${line}`,
    "decode_error: The peer could not read the request.",
    `execute_error: ${line}`,
  ]);
});

test("an unknown service, domain or proto name is answered with invalid_service in double quotes", (t) => {
  const { rpc, sent } = single();
  const descriptor = { domainName: "testnet", protoName: "X", serviceName: "X", methodIndex: 1 };
  rpc.handlePacket(REQUEST, B, request({ descriptor, traceId: -3 }), 0);
  const echoNames = { ...descriptor, protoName: "Echo", serviceName: "Echo" };
  rpc.handlePacket(REQUEST, B, request({ descriptor: { ...echoNames, domainName: "other" } }), 0);
  rpc.handlePacket(REQUEST, B, request({ descriptor: { ...echoNames, protoName: "Other" } }), 0);
  rpc.handlePacket(REQUEST, B, request({ descriptor: { ...echoNames, methodIndex: 0 } }), 0);
  t.is(answerOf(sent[0]).error?.invalidService?.serviceName, '"X"');
  t.is(answerOf(sent[1]).error?.invalidService?.serviceName, '"Echo"');
  t.is(answerOf(sent[2]).error?.invalidService?.serviceName, '"Echo"');
  t.is(answerOf(sent[3]).error?.invalidMethodIndex?.methodIndex, 0);
  t.like(sent[0], {
    fromPeer: A,
    toPeer: B,
    transactionId: 5n,
    isRequest: false,
    traceId: -3,
    totalPieces: 1,
  });
  t.deepEqual(sent[0]!.descriptor, descriptor);
  t.deepEqual(sent[0]!.compressionInfo, { algo: 1, acceptedAlgo: 1 });
});

test("compressed and unreadable bodies are answered with an error; a missing compression_info is plain", (t) => {
  const { rpc, sent } = single();
  rpc.handlePacket(REQUEST, B, request({ compressionInfo: { algo: 2 } }), 0);
  rpc.handlePacket(REQUEST, B, request({ compressionInfo: { algo: 0 } }), 0);
  rpc.handlePacket(REQUEST, B, request({ body: Uint8Array.of(0xff) }), 0);
  rpc.handlePacket(REQUEST, B, request({ compressionInfo: undefined }, { request: Uint8Array.of(1, 2) }), 0);
  t.truthy(answerOf(sent[0]).error?.executeError);
  t.truthy(answerOf(sent[1]).error?.executeError);
  t.truthy(answerOf(sent[2]).error?.prostDecodeError);
  t.deepEqual([...answerOf(sent[3]).response], [1, 2]);
});

test("without time an immediate handler still answers, a slow one fails at once", (t) => {
  const { rpc, sent } = single();
  rpc.register("Slow", [() => undefined]);
  rpc.handlePacket(REQUEST, B, request({}, { timeoutMs: 0 }), 0);
  const descriptor = { domainName: "testnet", protoName: "Slow", serviceName: "Slow", methodIndex: 1 };
  rpc.handlePacket(REQUEST, B, request({ descriptor }, { timeoutMs: -5 }), 0);
  t.is(answerOf(sent[0]).error, undefined);
  t.truthy(answerOf(sent[1]).error?.timeout);
});

test("a compressed or unreadable answer fails the call", (t) => {
  for (const change of [
    { compressionInfo: { algo: 2 } },
    { compressionInfo: { algo: 0 } },
    { body: Uint8Array.of(8) },
  ]) {
    const { rpc, sent } = single();
    const results: RpcResult<Uint8Array>[] = [];
    rpc.call(B, "Echo", 1, new Uint8Array(0), 1000, 0, (result) => results.push(result));
    const { transactionId, descriptor } = sent[0]!;
    const answer = { fromPeer: B, toPeer: A, transactionId, descriptor, totalPieces: 1, ...change };
    rpc.handlePacket(RESPONSE, B, encode(RpcPacket, answer), 1);
    t.like(results[0], { ok: false, failure: { code: "bad_response" } });
  }
});

test("packets that do not fit are dropped without an answer", (t) => {
  const { rpc, sent } = single();
  const bad: Uint8Array[] = [
    Uint8Array.of(0xff),
    request({ isRequest: false }),
    request({ fromPeer: 77 }),
    request({ totalPieces: 0, descriptor: undefined }),
    request({ totalPieces: 1, descriptor: undefined }),
    request({ totalPieces: 2, pieceIdx: 2 }),
    request({ totalPieces: 0, pieceIdx: 1 }),
    request({ totalPieces: MAX_PIECES + 1, pieceIdx: 3 }),
    request({ totalPieces: 0xffffffff, pieceIdx: 0xfffffffe }),
  ];
  for (const packet of bad) rpc.handlePacket(REQUEST, B, packet, 0);
  t.is(rpc.counters.malformedPackets, bad.length);
  rpc.handlePacket(REQUEST, B, request({ toPeer: 99 }), 0);
  rpc.handlePacket(RESPONSE, B, request({ isRequest: false }), 0);
  t.is(rpc.counters.strayPackets, 2);
  t.is(sent.length, 0);
  // The old style, complete by itself.
  rpc.handlePacket(REQUEST, B, request({ totalPieces: 0 }), 0);
  t.is(sent.length, 1);
});

test("only the peer that was asked can answer, once", (t) => {
  const { rpc, sent } = single();
  const results: RpcResult<Uint8Array>[] = [];
  rpc.call(B, "Echo", 1, new Uint8Array(0), 1000, 0, (result) => results.push(result));
  const { transactionId, descriptor } = sent[0]!;
  const answer = (fromPeer: number): Uint8Array =>
    encode(RpcPacket, { fromPeer, toPeer: A, transactionId, descriptor, totalPieces: 1 });
  rpc.handlePacket(RESPONSE, 99, answer(99), 1);
  t.is(results.length, 0);
  rpc.handlePacket(RESPONSE, B, answer(B), 1);
  rpc.handlePacket(RESPONSE, B, answer(B), 1);
  t.is(results.length, 1);
  t.is(rpc.counters.strayPackets, 2);
});

test("a request that comes twice while it is served is served once", (t) => {
  const { rpc, sent } = single();
  const calls: IncomingCall[] = [];
  rpc.register("Echo", [
    (call) => {
      calls.push(call);
      return undefined;
    },
  ]);
  rpc.handlePacket(REQUEST, B, request(), 0);
  rpc.handlePacket(REQUEST, B, request(), 0);
  t.is(calls.length, 1);
  calls[0]!.respond(new Uint8Array(0), 1);
  t.is(sent.length, 1);
});

test("pieces of a request: any order, twice, wrong total; a set without news expires", (t) => {
  const piece = (pieceIdx: number, totalPieces = 3, transactionId = 5n): RpcPacket =>
    decode(RpcPacket, request({ pieceIdx, totalPieces, transactionId, body: Uint8Array.of(pieceIdx) }));
  const partials = new PartialRequests(new PieceBudget());
  t.true(partials.add(piece(2), 0));
  t.false(partials.add(piece(2), 0));
  t.false(partials.add(piece(1, 4), 0));
  t.true(partials.add(piece(0), 100));
  const whole = partials.add(piece(1), 200);
  t.deepEqual([...(whole as { body: Uint8Array }).body], [0, 1, 2]);
  t.is(partials.size, 0);

  partials.add(piece(0), 1000);
  partials.add(piece(1), 2000);
  t.is(partials.handleTimeout(1000 + PARTIAL_TIMEOUT_MS), 0);
  t.is(partials.nextTimeout, 2000 + PARTIAL_TIMEOUT_MS);
  t.is(partials.handleTimeout(2000 + PARTIAL_TIMEOUT_MS), 1);
  t.is(partials.size, 0);
});

test("incomplete requests cannot take more memory than their limits say", (t) => {
  const { rpc } = single();
  const body = bytes(1500);
  for (let i = 0; i < 20_000; i++) {
    const fromPeer = 1000 + (i % 500);
    const packet = request({
      fromPeer,
      transactionId: BigInt(i % 3000),
      body,
      totalPieces: MAX_PIECES,
      pieceIdx: 1 + (i % 1000),
    });
    rpc.handlePacket(REQUEST, fromPeer, packet, i / 100);
    if (rpc.partialBytes > MAX_PARTIAL_BYTES) return t.fail(`${rpc.partialBytes} bytes after ${i} pieces`);
  }
  t.true(rpc.partialBytes <= MAX_PARTIAL_REQUESTS * MAX_MESSAGE_BYTES);
  rpc.handleTimeout(1e9);
  t.is(rpc.partialBytes, 0);
  t.is(rpc.nextTimeout, Number.POSITIVE_INFINITY);
});

test("one peer's incomplete requests do not push out another's", (t) => {
  const partials = new PartialRequests(new PieceBudget());
  const piece = (fromPeer: number, transactionId: number, pieceIdx: number): RpcPacket =>
    decode(
      RpcPacket,
      request({
        fromPeer,
        transactionId: BigInt(transactionId),
        pieceIdx,
        totalPieces: 2,
        body: Uint8Array.of(1),
      }),
    );
  partials.add(piece(1, 0, 0), 0);
  for (let i = 0; i < 1000; i++) partials.add(piece(2, i, 0), 1);
  t.is(partials.size, 1 + MAX_PARTIAL_REQUESTS_PER_PEER);
  t.is(typeof partials.add(piece(1, 0, 1), 2), "object");
  for (let peer = 10; peer < 1000; peer++) partials.add(piece(peer, 0, 0), 3);
  t.is(partials.size, MAX_PARTIAL_REQUESTS);
});

test("empty pieces count too", (t) => {
  const budget = new PieceBudget();
  const partials = new PartialRequests(budget);
  for (let set = 0; set < 64; set++) {
    for (let pieceIdx = 1; pieceIdx < MAX_PIECES; pieceIdx++) {
      const numbers = { fromPeer: set + 1, pieceIdx, totalPieces: MAX_PIECES, body: new Uint8Array(0) };
      partials.add(decode(RpcPacket, request(numbers)), 0);
    }
  }
  t.true(budget.usedBytes <= MAX_PARTIAL_BYTES);
  t.true(partials.size < 64, `${partials.size} sets`);
  partials.handleTimeout(1e9);
  t.is(budget.usedBytes, 0);
});

test("one message cannot take the whole budget: a request that grows too large is dropped", (t) => {
  const budget = new PieceBudget();
  const partials = new PartialRequests(budget);
  const body = bytes(2000);
  for (let pieceIdx = 1; pieceIdx < MAX_PIECES; pieceIdx++) {
    partials.add(decode(RpcPacket, request({ pieceIdx, totalPieces: MAX_PIECES, body })), 0);
    if (budget.usedBytes > MAX_MESSAGE_BYTES + MAX_PIECES * PIECE_OVERHEAD_BYTES) return t.fail();
  }
  t.pass();
});

test("calls are limited, per peer and together, and the ones too many fail at once", (t) => {
  const { rpc } = single();
  const codes: string[] = [];
  const call = (peerId: number): void =>
    rpc.call(peerId, "Echo", 1, new Uint8Array(0), 1000, 0, (result) =>
      codes.push(result.ok ? "ok" : result.failure.code),
    );
  for (let i = 0; i <= MAX_CALLS_PER_PEER; i++) call(B);
  t.deepEqual(codes, ["too_many_calls"]);
  for (let i = 0; i < 2 * MAX_CALLS; i++) call(10 + i);
  t.is(rpc.pendingCalls, MAX_CALLS);
  rpc.call(1, "Echo", 1, bytes(MAX_MESSAGE_BYTES), 1000, 0, (result) =>
    t.like(result, { failure: { code: "request_too_large" } }),
  );
});

test("requests being served are limited per peer; the ones too many are refused", (t) => {
  const { rpc, sent } = single();
  rpc.register("Slow", [() => undefined]);
  const descriptor = { domainName: "testnet", protoName: "Slow", serviceName: "Slow", methodIndex: 1 };
  for (let i = 0; i < MAX_SERVING_PER_PEER + 3; i++) {
    rpc.handlePacket(REQUEST, B, request({ descriptor, transactionId: BigInt(i) }), 0);
  }
  t.is(sent.length, 3);
  for (const packet of sent) t.truthy(answerOf(packet).error?.otherError);
  rpc.handleTimeout(rpc.nextTimeout);
  t.is(sent.length, MAX_SERVING_PER_PEER + 3);
  t.truthy(answerOf(sent[10]).error?.timeout);
});

test("an answer that is too large becomes an error", (t) => {
  const { rpc, sent } = single();
  rpc.register("Echo", [() => new Uint8Array(MAX_MESSAGE_BYTES)]);
  rpc.handlePacket(REQUEST, B, request(), 0);
  t.is(sent.length, 1);
  t.truthy(answerOf(sent[0]).error?.otherError);
});

test("when a peer goes, its calls fail and its requests are forgotten", (t) => {
  const { rpc, sent } = single();
  const codes: string[] = [];
  rpc.call(B, "Echo", 1, new Uint8Array(0), 1000, 0, (result) =>
    codes.push(result.ok ? "ok" : result.failure.code),
  );
  rpc.call(99, "Echo", 1, new Uint8Array(0), 1000, 0, (result) =>
    codes.push(result.ok ? "ok" : result.failure.code),
  );
  let waiting: IncomingCall | undefined;
  rpc.register("Slow", [
    (call) => {
      waiting = call;
      return undefined;
    },
  ]);
  const descriptor = { domainName: "testnet", protoName: "Slow", serviceName: "Slow", methodIndex: 1 };
  rpc.handlePacket(REQUEST, B, request({ descriptor }), 0);
  rpc.handlePacket(REQUEST, B, request({ transactionId: 9n, totalPieces: 2 }), 0);
  const before = sent.length;
  rpc.cancelPeer(B);
  t.deepEqual(codes, ["cancelled"]);
  t.is(rpc.partialBytes, 0);
  waiting!.respond(new Uint8Array(0), 1);
  t.is(sent.length, before);
  t.is(rpc.pendingCalls, 1);
});

test("typed calls and handlers speak messages", (t) => {
  const { network, a, b } = pair();
  b.register("DirectConnectorRpc", [
    handler(GET_IP_LIST, () => ({ listeners: [{ url: "udp://0.0.0.0:11010" }] })),
  ]);
  const urls: string[] = [];
  callMethod(a, B, GET_IP_LIST, {}, 1000, network.now, (result) => {
    if (result.ok) urls.push(...result.response.listeners.map((listener) => listener.url));
  });
  network.run(50);
  t.deepEqual(urls, ["udp://0.0.0.0:11010"]);
});

test("over a lossy, duplicating, reordering network every call ends exactly once, and what succeeds is right", (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { network, a, b } = pair(seed);
  network.loss = 0.1;
  network.duplication = 0.1;
  network.jitterMs = 50;
  const ends = new Map<number, number>();
  let succeeded = 0;
  for (let i = 0; i < 200; i++) {
    const body = bytes(network.random() % 4000);
    network.at(network.now + i * 100, () =>
      a.call(B, "Echo", 1, body, 1000, network.now, (result) => {
        ends.set(i, (ends.get(i) ?? 0) + 1);
        if (!result.ok) return;
        succeeded++;
        t.deepEqual(result.response, body);
      }),
    );
  }
  network.run(60_000);
  t.is(ends.size, 200, `seed ${seed}`);
  t.deepEqual(new Set(ends.values()), new Set([1]), `seed ${seed}`);
  t.true(succeeded > 60, `seed ${seed}: ${succeeded}`);
  t.is(a.partialBytes + b.partialBytes, 0, `seed ${seed}`);
});

test("any packet is survived", (t) => {
  const { rpc } = single();
  rpc.call(B, "Echo", 1, new Uint8Array(0), 1e9, 0, () => {});
  const captured = (readVectors("captures.json").sessions as unknown as { frames: CapturedFrame[] }[])
    .flatMap((session) => session.frames)
    .filter((frame) => frame.rpc_packet !== undefined && frame.payload_decrypted !== undefined)
    .map((frame) => hexBytes(frame.payload_decrypted!));
  const mutated = fc
    .tuple(
      fc.constantFrom(...captured, request()),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
    )
    .map(([packet, changes]) => {
      const changed = packet.slice();
      for (const [at, value] of changes) changed[at % changed.length] = value;
      return changed;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated), fc.constantFrom(REQUEST, RESPONSE), (packet, type) => {
      rpc.handlePacket(type, B, packet, 1);
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 3000 },
  );
  t.true(rpc.partialBytes <= MAX_PARTIAL_BYTES);
});
