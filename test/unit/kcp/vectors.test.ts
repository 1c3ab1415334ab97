import { readFileSync } from "node:fs";
import test from "ava";
import { decodeSyn } from "../../../router-daemon/src/kcp/conn-data.ts";
import type { SocketAddress } from "../../../router-daemon/src/kcp/index.ts";
import { encode } from "../../../router-daemon/src/wire/messages/encode.ts";
import { KcpConnData } from "../../../router-daemon/src/wire/messages/gen/messages.ts";
import { decodePacket, encodePacket } from "./probe.ts";

interface Vectors {
  kcp_conn_data: { src: string; dst: string; hex: string }[];
  kcp_conn_packet: { name: string; hex: string; payload?: string; fields?: Record<string, number> }[];
}

const VECTORS = JSON.parse(
  readFileSync(new URL("../../vectors/proxies.json", import.meta.url), "utf8"),
) as Vectors;

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function parse(text: string): SocketAddress {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+):(\d+)$/.exec(text);
  // "absent", "present, no ip, port 0": 0.0.0.0:0.
  if (match === null) return { ip: 0, port: 0 };
  const [a, b, c, d, port] = match.slice(1).map(Number) as [number, number, number, number, number];
  return { ip: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, port };
}

test("connection data of the vectors is understood, and ours is the same bytes but for our own field", (t) => {
  for (const { src, dst, hex } of VECTORS.kcp_conn_data) {
    const bytes = fromHex(hex);
    const syn = decodeSyn(bytes, 0, bytes.length)!;
    t.deepEqual(syn.target, { source: parse(src), destination: parse(dst) }, hex);
    t.is(syn.capabilities, undefined);
    if (!src.includes(":")) continue;
    const source = parse(src);
    const again = encode(KcpConnData, {
      src: { ipv4: { addr: source.ip }, port: source.port },
      dst: { ipv4: { addr: parse(dst).ip }, port: parse(dst).port },
    });
    t.is(toHex(again), hex);
  }
});

test("what cannot be connected to has no target", (t) => {
  const decode = (bytes: Uint8Array) => decodeSyn(bytes, 0, bytes.length);
  t.is(decode(fromHex("0a0b0a050887fcf95318fe9403"))!.target, undefined, "no destination");
  const ipv6 = encode(KcpConnData, {
    src: { ipv4: { addr: 1 }, port: 1 },
    dst: { ipv6: { part1: 1, part2: 2, part3: 3, part4: 4 }, port: 80 },
  });
  t.is(decode(ipv6)!.target, undefined, "IPv6");
  t.is(decode(fromHex("ffffffff")), undefined, "not protobuf");
  t.is(decode(new Uint8Array(4096)), undefined, "too long");
});

test("packets of the vectors are written and read back", (t) => {
  for (const { name, hex, fields, payload } of VECTORS.kcp_conn_packet) {
    const packet = decodePacket(fromHex(hex));
    t.is(toHex(encodePacket(packet)), hex, name);
    t.is(packet.conv, 2712847316, name);
    t.is(packet.sourceId, 287454020, name);
    t.is(packet.destinationId, 1432778632, name);
    if (fields === undefined) continue;
    t.is(packet.flags, fields.flag!);
    t.is(toHex(packet.body), payload!);
  }
});
