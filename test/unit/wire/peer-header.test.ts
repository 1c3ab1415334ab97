import { readFileSync } from "node:fs";
import test from "ava";
import {
  PacketFlag,
  PacketType,
  PEER_HEADER_BYTES,
  PeerHeaderOffset,
  readU32,
  writePeerHeader,
  writeU32,
} from "../../../router-daemon/src/wire/peer-header.ts";

interface Fields {
  from_peer_id: number;
  to_peer_id: number;
  packet_type: number;
  flags: number;
  forward_counter: number;
  reserved: number;
  len: number;
}
const vectors = JSON.parse(readFileSync(new URL("../../vectors/links.json", import.meta.url), "utf8"));
const captures = JSON.parse(readFileSync(new URL("../../vectors/captures.json", import.meta.url), "utf8"));
const headers: { name: string; fields: Fields; hex: string }[] = vectors.peer_manager_header;

function readHeader(bytes: Uint8Array, at = 0): Fields {
  return {
    from_peer_id: readU32(bytes, at + PeerHeaderOffset.from),
    to_peer_id: readU32(bytes, at + PeerHeaderOffset.to),
    packet_type: bytes[at + PeerHeaderOffset.type]!,
    flags: bytes[at + PeerHeaderOffset.flags]!,
    forward_counter: bytes[at + PeerHeaderOffset.counter]!,
    reserved: bytes[at + PeerHeaderOffset.reserved]!,
    len: readU32(bytes, at + PeerHeaderOffset.len),
  };
}

for (const { name, fields, hex } of headers) {
  test(`header vector: ${name}`, (t) => {
    const bytes = Buffer.from(hex, "hex");
    t.deepEqual(readHeader(bytes), fields);
    const out = new Uint8Array(PEER_HEADER_BYTES).fill(0xee);
    writePeerHeader(
      out,
      0,
      fields.from_peer_id,
      fields.to_peer_id,
      fields.packet_type,
      fields.flags,
      fields.len,
    );
    // Our own packets always start with counter 1 and reserved 0.
    const ours = Buffer.from(bytes);
    ours[PeerHeaderOffset.counter] = 1;
    ours[PeerHeaderOffset.reserved] = 0;
    t.is(Buffer.from(out).toString("hex"), ours.toString("hex"));
  });
}

test("the header of every captured frame reads as it was decoded", (t) => {
  let seen = 0;
  for (const session of captures.sessions) {
    for (const frame of session.frames) {
      if (frame.header === undefined) continue;
      const bytes = Buffer.from(frame.hex, "hex");
      // A UDP frame has the tunnel header in front, a TCP frame its length.
      const at = frame.udp === undefined ? 4 : 8;
      t.deepEqual(readHeader(bytes, at), { reserved: 0, ...frame.header }, `${session.name}: ${frame.what}`);
      seen++;
    }
  }
  t.true(seen > 40);
});

test("numbers are little-endian and unsigned at any offset", (t) => {
  const bytes = new Uint8Array(9);
  for (const value of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678]) {
    writeU32(bytes, 3, value);
    t.is(readU32(bytes, 3), value);
    t.is(bytes[3], value & 0xff);
    t.is(bytes[6], value >>> 24);
  }
});

test("types and flags have the numbers of the protocol", (t) => {
  t.is(PacketType.kcpSource, 11);
  t.is(PacketType.kcpDestination, 12);
  t.is(PacketType.rpcRequest, 8);
  t.is(PacketFlag.encrypted | PacketFlag.compressed | PacketFlag.notSendToTun, 0x51);
});
