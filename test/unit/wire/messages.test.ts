import { readFileSync } from "node:fs";
import test from "ava";
import * as fc from "fast-check";
import { generate } from "../../../router-daemon/proto/generate.ts";
import { parseProto } from "../../../router-daemon/proto/parse.ts";
import { parseIpv4, parseUuid, uuidText } from "../../../router-daemon/src/wire/messages/address.ts";
import {
  decode,
  MAX_ELEMENTS,
  MessageError,
  tryDecode,
} from "../../../router-daemon/src/wire/messages/decode.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import * as gen from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import type { AnySchema } from "../../../router-daemon/src/wire/messages/schema.ts";
import {
  bytesHex,
  fromJson,
  hexBytes,
  type Json,
  type JsonObject,
  readVectors,
  schemaOf,
  withoutDefaults,
} from "./messages-vectors.ts";

interface VectorMessage {
  readonly name: string;
  readonly message: string;
  readonly value: JsonObject;
  readonly hex: string;
}

/** Every {message, value, hex} of the vector file whose message we have. */
function vectorMessages(): VectorMessage[] {
  const found: VectorMessage[] = [];
  const walk = (node: Json): void => {
    if (Array.isArray(node)) for (const item of node) walk(item);
    else if (node !== null && typeof node === "object") {
      if (
        typeof node.message === "string" &&
        typeof node.hex === "string" &&
        schemaOf(node.message) !== undefined
      ) {
        found.push(node as unknown as VectorMessage);
      } else for (const item of Object.values(node)) walk(item);
    }
  };
  walk(readVectors("routes-rpc.json"));
  return found;
}

const vectors = vectorMessages();
const schemas = (Object.values(gen) as unknown[]).filter(
  (item) => "byNumber" in (item as object),
) as AnySchema[];

test("the vector files name the messages we need", (t) => {
  t.true(vectors.length >= 30, `${vectors.length} vectors`);
});

for (const vector of vectors) {
  test(`encodes and decodes: ${vector.name}`, (t) => {
    const schema = schemaOf(vector.message)!;
    const value = fromJson(schema, vector.value);
    t.is(bytesHex(encode(schema, value)), vector.hex);
    const decoded = decode(schema, hexBytes(vector.hex));
    t.deepEqual(withoutDefaults(decoded), withoutDefaults(value));
    t.is(bytesHex(encode(schema, decoded as object)), vector.hex);
  });
}

test("the preamble of proxied connections is the reference's", (t) => {
  const address = (text: string): object => {
    const [host, port] = text.split(":");
    return { ipv4: { addr: parseIpv4(host!)! }, port: Number(port) };
  };
  const cases = readVectors("proxies.json").kcp_conn_data as unknown as {
    src: string;
    dst: string;
    hex: string;
  }[];
  t.is(cases.length, 6);
  for (const { src, dst, hex } of cases) {
    const value = {
      src: src === "absent" ? undefined : src.startsWith("present") ? {} : address(src),
      dst: address(dst),
    };
    t.is(bytesHex(encode(gen.KcpConnData, value)), hex);
    const decoded = decode(gen.KcpConnData, hexBytes(hex));
    t.deepEqual(withoutDefaults(decoded), withoutDefaults(value));
    t.is(decoded.src === undefined, src === "absent");
    t.is(decoded.kcpRouter, undefined);
  }
  const quic = readVectors("proxies.json").quic_stream_header as unknown as { conn_data: string };
  t.is(decode(gen.KcpConnData, hexBytes(quic.conn_data)).dst?.port, 80);
});

test("our extension of the preamble is an unknown field to those who lack it", (t) => {
  const bytes = encode(gen.KcpConnData, { dst: { port: 80 }, kcpRouter: { halfClose: true } });
  t.deepEqual(decode(gen.KcpConnData, bytes).kcpRouter, {
    extendedAcks: false,
    maxSegmentBytes: 0,
    halfClose: true,
  });
  // SocketAddr has no field 1601 either, so it stands in for a stock node's KcpConnData.
  const extension = encode(gen.KcpAcceptData, { kcpRouter: { halfClose: true } });
  t.is(bytesHex(bytes).endsWith(bytesHex(extension)), true);
  t.deepEqual(decode(gen.SocketAddr, extension), { ipv4: undefined, ipv6: undefined, port: 0 });
});

test("explicit presence: a zero that is set is written and read back, an absent one is not", (t) => {
  t.is(
    bytesHex(encode(gen.SyncRouteInfoResponse, { error: gen.SyncRouteInfoError.duplicatePeerId })),
    "1800",
  );
  t.is(decode(gen.SyncRouteInfoResponse, hexBytes("1800")).error, 0);
  t.is(decode(gen.SyncRouteInfoResponse, hexBytes("")).error, undefined);
  t.is(bytesHex(encode(gen.RoutePeerInfo, { hostname: "" })), "3200");
});

test("numbers keep all their bits", (t) => {
  for (const id of [0n, 1n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 0xffffffffn, 0x100000000n, 2n ** 53n + 1n]) {
    t.is(decode(gen.RpcPacket, encode(gen.RpcPacket, { transactionId: id })).transactionId, id);
    const unsigned = id & 0xffff_ffff_ffff_ffffn;
    t.is(decode(gen.RpcResponse, encode(gen.RpcResponse, { runtimeUs: id })).runtimeUs, unsigned);
  }
  t.is(decode(gen.RpcPacket, encode(gen.RpcPacket, { fromPeer: 0xffffffff })).fromPeer, 0xffffffff);
  t.is(decode(gen.RpcPacket, encode(gen.RpcPacket, { traceId: -7 })).traceId, -7);
  t.is(encode(gen.RpcPacket, { traceId: -7 }).length, 11);
});

test("repeated numbers are read packed and unpacked, mixed", (t) => {
  const row = decode(gen.RouteConnPeerListPeerConnInfo, hexBytes("1001" + "12020203" + "1004"));
  t.deepEqual(row.connectedPeerIds, [1, 2, 3, 4]);
});

test("of a oneof the last member on the wire counts, and encoding two is refused", (t) => {
  const both = decode(gen.SocketAddr, hexBytes("0a020801" + "12020802"));
  t.is(both.ipv4, undefined);
  t.is(both.ipv6?.part1, 2);
  t.throws(() => encode(gen.SocketAddr, { ipv4: {}, ipv6: {} }), { instanceOf: TypeError });
});

test("repeated occurrences of a sub-message merge, the last scalar wins", (t) => {
  const packet = decode(gen.RpcPacket, hexBytes("0801" + "22030a0161" + "0802" + "22022005"));
  t.is(packet.fromPeer, 2);
  t.is(packet.descriptor?.domainName, "a");
  t.is(packet.descriptor?.methodIndex, 5);
});

test("unknown fields of every wire type are skipped", (t) => {
  const unknown = `f80601f906${"00".repeat(8)}fa060161fd06${"00".repeat(4)}`;
  t.is(decode(gen.Ipv4Addr, hexBytes(`${unknown}0805${unknown}`)).addr, 5);
});

test("what is not a message is refused with a typed error", (t) => {
  const bad: [AnySchema, string, string][] = [
    [gen.Ipv4Addr, "08", "truncated"],
    [gen.Ipv4Addr, "0880", "truncated"],
    [gen.Url, "0a0561", "truncated"],
    [gen.Url, "0affffffff0f61", "truncated"],
    [gen.Url, "0affffffffffffffffff01", "truncated"],
    [gen.Url, "0a01ff", "not_utf8"],
    [gen.Url, "0a03eda080", "not_utf8"],
    [gen.Url, "0801", "malformed"],
    [gen.Ipv4Addr, "0a00", "malformed"],
    [gen.Ipv4Addr, "08ffffffffffffffffff02", "malformed"],
    [gen.Ipv4Addr, "08ffffffffffffffffffff01", "malformed"],
    [gen.Ipv4Addr, "0001", "malformed"],
    [gen.Ipv4Addr, "0b0c", "malformed"],
    [gen.Ipv4Addr, "ffffffffff0f00", "malformed"],
    [gen.Ipv4Addr, "fd06000000", "truncated"],
    // The inner message claims more than its frame.
    [gen.RpcPacket, "22020a05" + "6161616161", "truncated"],
    [gen.RouteConnPeerList, "0a0312050102030405", "truncated"],
    [gen.PeerInfoForGlobalMap, "0a020a00", "malformed"],
  ];
  for (const [schema, hex, code] of bad) {
    const error = t.throws(() => decode(schema, hexBytes(hex)), { instanceOf: MessageError }, hex);
    t.is((error as MessageError).code, code as MessageError["code"], hex);
    t.is(tryDecode(schema, hexBytes(hex)), undefined);
  }
});

test("U+FFFD itself is a legal text", (t) => {
  t.is(decode(gen.Url, hexBytes("0a03efbfbd")).url, "\ufffd");
});

test("one message makes a limited number of objects", (t) => {
  const full = new Uint8Array(2 * MAX_ELEMENTS);
  for (let at = 0; at < full.length; at += 2) full[at] = 0x0a;
  t.is(decode(gen.RouteConnPeerList, full).peerConnInfos.length, MAX_ELEMENTS);
  const over = new Uint8Array(full.length + 2).fill(0x0a, full.length, full.length + 1);
  over.set(full);
  const error = t.throws(() => decode(gen.RouteConnPeerList, over), { instanceOf: MessageError });
  t.is((error as MessageError).code, "too_many_elements");
});

test("what is decoded does not refer to the bytes it came from", (t) => {
  const bytes = encode(gen.RpcPacket, { body: Uint8Array.of(1, 2, 3) });
  const packet = decode(gen.RpcPacket, bytes);
  bytes.fill(9);
  t.deepEqual([...packet.body], [1, 2, 3]);
});

test("a decoder of twenty lines reads the same fields from what we write", (t) => {
  for (const vector of vectors) {
    const schema = schemaOf(vector.message)!;
    const value = fromJson(schema, vector.value);
    t.deepEqual(
      naiveKnownFields(schema, encode(schema, value)),
      naiveKnownFields(schema, hexBytes(vector.hex)),
    );
  }
});

/** [field number, varint or bytes as hex] in order of appearance; independent of the real decoder. */
function naiveKnownFields(schema: AnySchema, bytes: Uint8Array): [number, bigint | string | object][] {
  const fields: [number, bigint | string | object][] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) fields.push([tag >> 3, varint()]);
    else {
      const length = Number(varint());
      const inner = bytes.subarray(at, at + length);
      at += length;
      const message = schema.byNumber.get(tag >> 3)?.message;
      const isMap = schema.byNumber.get(tag >> 3)?.shape === "map";
      fields.push([
        tag >> 3,
        message !== undefined && !isMap ? naiveKnownFields(message, inner) : bytesHex(inner),
      ]);
    }
  }
  return fields;
}

test("any bytes decode or are refused, never anything else, and what decodes survives a round trip", (t) => {
  const seeds = vectors.map((vector) => ({ schema: schemaOf(vector.message)!, bytes: hexBytes(vector.hex) }));
  const arbitrary = fc.oneof(
    fc.tuple(fc.constantFrom(...schemas), fc.uint8Array({ maxLength: 80 })),
    fc
      .tuple(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      )
      .map(([{ schema, bytes }, changes]): [AnySchema, Uint8Array] => {
        const changed = bytes.slice();
        for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
        return [schema, changed];
      }),
  );
  fc.assert(
    fc.property(arbitrary, ([schema, bytes]) => {
      const decoded = tryDecode(schema, bytes);
      if (decoded === undefined) return;
      const again = decode(schema, encode(schema, decoded as object));
      t.deepEqual(again, decoded);
    }),
    { numRuns: 3000, interruptAfterTimeLimit: 4000 },
  );
  t.pass();
});

test("the generated file is what the .proto files say", (t) => {
  const written = readFileSync(
    new URL("../../../router-daemon/src/wire/messages/gen/messages.ts", import.meta.url),
    "utf8",
  );
  t.is(written, generate());
});

test("the generator's parser refuses what it does not understand, and names the line", (t) => {
  for (const text of [
    "message A {\n  group B = 1 {\n}\n}",
    "message A {\n  float x = 1;\n  string y = 1;\n}",
    "message A {\n  string y = 19001;\n}",
    "message A {",
    "message A {\n  map<string, B> b = 1;\n}",
    "service A {\n}",
  ]) {
    t.throws(() => parseProto(text, "bad.proto"), { instanceOf: SyntaxError, message: /bad\.proto/ }, text);
  }
});

test("UUIDs and addresses in text form and back", (t) => {
  const text = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  t.is(uuidText(parseUuid(text)!), text);
  t.is(parseUuid("6ba7b810"), undefined);
  t.is(parseIpv4("10.144.144.1"), 177246209);
  for (const bad of ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1.2.3.4.5", "a.b.c.d"])
    t.is(parseIpv4(bad), undefined);
});
