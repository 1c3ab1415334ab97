import { readFileSync } from "node:fs";
import test from "ava";
import fc from "fast-check";
import { readU32 } from "../../../router-daemon/src/wire/peer-header.ts";
import {
  classifyDatagram,
  NOT_TUNNEL,
  readConnId,
  STUN,
  SYN_BYTES,
  TunnelType,
  writeSyn,
  writeTunnelHeader,
} from "../../../router-daemon/src/wire/udp-tunnel.ts";

interface Vector {
  name: string;
  conn_id: number;
  msg_type: number;
  magic_u64?: string;
  hex: string;
}
const vectors = JSON.parse(readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"));
const captures = JSON.parse(readFileSync(new URL("../../vectors/captures.json", import.meta.url), "utf8"));
const tunnel: Vector[] = vectors.udp_tunnel;

for (const vector of tunnel) {
  test(`tunnel vector: ${vector.name}`, (t) => {
    const bytes = Buffer.from(vector.hex, "hex");
    t.is(classifyDatagram(bytes, 0, bytes.length), vector.msg_type);
    t.is(readConnId(bytes, 0), vector.conn_id);
    const out = new Uint8Array(bytes.length);
    if (vector.magic_u64 !== undefined) {
      const magic = BigInt(vector.magic_u64);
      const low = Number(magic & 0xffffffffn);
      t.is(readU32(bytes, 8), low);
      writeSyn(out, 0, vector.conn_id, vector.msg_type, low, Number(magic >> 32n));
    } else {
      out.set(bytes);
      writeTunnelHeader(out, 0, vector.conn_id, vector.msg_type, bytes.length - 8);
    }
    t.is(Buffer.from(out).toString("hex"), vector.hex);
  });
}

test("every captured datagram is of the recorded type and session", (t) => {
  let seen = 0;
  for (const session of captures.sessions) {
    for (const { udp, hex, what } of session.frames) {
      if (udp === undefined) continue;
      const bytes = Buffer.from(hex, "hex");
      t.is(classifyDatagram(bytes, 0, bytes.length), udp.msg_type, what);
      t.is(readConnId(bytes, 0), udp.conn_id);
      if (udp.magic !== undefined) {
        t.is(bytes.length, SYN_BYTES);
        t.is(bytes.readBigUInt64LE(8), BigInt(udp.magic));
      }
      seen++;
    }
  }
  t.true(seen > 30);
});

test("STUN is told apart before the tunnel header is looked at", (t) => {
  for (const hex of [vectors.stun.request, vectors.stun.response, captures.stun.request]) {
    const bytes = Buffer.from(hex, "hex");
    t.is(classifyDatagram(bytes, 0, bytes.length), STUN);
  }
});

test("garbage in the padding byte changes nothing", (t) => {
  const bytes = Buffer.from(tunnel[0]!.hex, "hex");
  bytes[5] = 0xa7;
  t.is(classifyDatagram(bytes, 0, bytes.length), TunnelType.syn);
});

test("a datagram that is short, lies about its length or has an unknown type is none", (t) => {
  const syn = Buffer.from(tunnel[0]!.hex, "hex");
  for (let length = 0; length < syn.length; length++) t.is(classifyDatagram(syn, 0, length), NOT_TUNNEL);
  const longer = Buffer.concat([syn, Buffer.of(0)]);
  t.is(classifyDatagram(longer, 0, longer.length), NOT_TUNNEL);
  for (const type of [0, 8, 9, 0x20, 0xff]) {
    const bytes = Buffer.from(syn);
    bytes[4] = type;
    t.is(classifyDatagram(bytes, 0, bytes.length), NOT_TUNNEL);
  }
});

test("whatever bytes come, the answer is a type, STUN or nothing", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const type = classifyDatagram(bytes, 0, bytes.length);
      return type >= STUN && type <= TunnelType.holePunch6;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});
