/** Conversations recorded between stock nodes: every datagram is read as its description says, and one side is replayed to ours. */
import test from "ava";
import { ChecksumForm } from "../../../router-daemon/src/quic/checksum.ts";
import { FrameType } from "../../../router-daemon/src/quic/frames.ts";
import { PacketKind } from "../../../router-daemon/src/quic/packet.ts";
import { decodeParameters } from "../../../router-daemon/src/quic/transport-parameters.ts";
import { Cursor } from "../../../router-daemon/src/quic/varint.ts";
import { type ReadFrame, readDatagram, reseal } from "./packets.ts";
import { Side } from "./side.ts";
import { CONVERSATIONS, fromHex, type SeenFrame, toHex, VECTORS } from "./vectors.ts";

const SEEN_NAMES: Readonly<Record<string, string>> = {
  CRYPTO: "crypto",
  PADDING: "padding",
  PING: "ping",
  ACK: "ack",
  NEW_CONNECTION_ID: "newConnectionId",
  STREAM: "stream",
  HANDSHAKE_DONE: "handshakeDone",
  NEW_TOKEN: "newToken",
  RETIRE_CONNECTION_ID: "retireConnectionId",
  // An extension that is spoken only with those who ask for it, which we do not.
  IMMEDIATE_ACK: "unknown",
  CONNECTION_CLOSE_APP: "applicationClose",
  CONNECTION_CLOSE: "connectionClose",
  RESET_STREAM: "resetStream",
  STOP_SENDING: "stopSending",
};

function describe(frame: SeenFrame): Partial<ReadFrame> {
  const name = SEEN_NAMES[frame.frame]!;
  switch (name) {
    case "ack":
      return { name, delay: frame.delay!, ranges: [...frame.ranges!].sort((a, b) => b[1] - a[1]) };
    case "stream":
      return { name, streamId: frame.id!, offset: frame.offset!, data: frame.data!, fin: frame.fin! };
    case "newConnectionId":
      return { name, value: frame.seq!, data: frame.cid! };
    case "newToken":
      return { name, data: frame.token! };
    case "retireConnectionId":
      return { name, value: frame.seq! };
    default:
      return { name };
  }
}

for (const { name, datagrams } of CONVERSATIONS) {
  test(`every datagram of "${name}" is read as its description says`, (t) => {
    t.true(datagrams.length > 5);
    for (const { datagram, packets, meaning } of datagrams) {
      const read = readDatagram(fromHex(datagram));
      t.is(read.length, packets.length, meaning);
      for (const [i, seen] of packets.entries()) {
        const packet = read[i]!;
        t.is(packet.form, ChecksumForm.wide);
        t.is(packet.kind, seen.type);
        t.is(packet.firstByte, seen.first_byte);
        t.is(packet.dcid, seen.dcid);
        t.is(packet.number, seen.truncated_pn);
        t.is(packet.numberBytes, seen.pn_len);
        t.is(packet.headerBytes, seen.header_len);
        t.is(packet.payloadBytes, seen.payload_len);
        if (seen.key_phase !== undefined) t.is(packet.keyPhase, seen.key_phase === 1);
        const unknownAt = seen.frames.findIndex(({ frame }) => frame === "IMMEDIATE_ACK");
        const known = unknownAt < 0 ? seen.frames : seen.frames.slice(0, unknownAt + 1);
        t.is(packet.frames.length, known.length, meaning);
        for (const [k, frame] of known.entries()) t.like(packet.frames[k], describe(frame), meaning);
      }
    }
  });
}

test("every datagram of the conversation between two stock endpoints is read, and every checksum fits", (t) => {
  const names: Readonly<Record<string, string>> = {
    HSDONE: "handshakeDone",
    NEW_CID: "newConnectionId",
    RETIRE: "retireConnectionId",
    STOP_SENDING: "stopSending",
    APPCLOSE: "applicationClose",
    CLOSE: "connectionClose",
  };
  for (const { datagram, packets } of VECTORS.quic_captured.datagrams) {
    const read = readDatagram(fromHex(datagram));
    t.is(read.length, packets.length);
    for (const [i, seen] of packets.entries()) {
      const packet = read[i]!;
      t.like(packet, {
        form: ChecksumForm.wide,
        kind: seen.type,
        number: seen.pn,
        numberBytes: seen.pn_bytes,
        dcid: seen.dcid,
        firstByte: seen.first_byte,
      });
      const expected = seen.frames.map((text) => {
        const name = text.slice(0, text.indexOf("{"));
        return name.startsWith("STREAM") ? "stream" : (names[name] ?? name.toLowerCase());
      });
      t.deepEqual(
        packet.frames.map(({ name }) => name),
        expected,
      );
    }
  }
});

/** Makes PADDING of an ACK at the payload's start: it acknowledges what another server has sent. */
function blankAck(bytes: Uint8Array, at: number): void {
  if (bytes[at] !== FrameType.ack) return;
  const cursor = new Cursor(bytes);
  cursor.reset(bytes, at + 1, bytes.length);
  cursor.varint();
  cursor.varint();
  const ranges = cursor.varint();
  for (let i = 0; i < 1 + 2 * ranges; i++) cursor.varint();
  bytes.fill(FrameType.padding, at, cursor.at);
}

/** The smallest client of the notes against a stock server: opening, 11 bytes each way, both ends, close. */
const MINIMAL = CONVERSATIONS.find(({ name }) => name.includes("test client"))!;

test("a recorded client is served by our endpoint: target, bytes, end, close", (t) => {
  const [first] = MINIMAL.datagrams;
  const side = new Side("destination", first!.to_peer_id, first!.from_peer_id);
  side.plan = () => ({ readBytesPerMs: 0 });
  const sent: Uint8Array[] = [];
  const ourCid = (): Uint8Array => fromHex(readDatagram(sent[0]!)[0]!.scid);
  for (const { t_ms, dir, datagram, packets } of MINIMAL.datagrams) {
    if (dir !== "client->server") continue;
    // Their server's connection ID is replaced by ours; everything else is as it was recorded.
    const isFirst = packets[0]!.dcid.length === 40;
    const bytes = reseal(fromHex(datagram), ChecksumForm.wide, (arena, header) => {
      if (!isFirst) arena.set(ourCid(), header.dcidAt);
      if (header.kind === PacketKind.short) blankAck(arena, header.payloadAt);
    });
    side.handle(bytes, t_ms);
    side.step(t_ms, (out) => sent.push(out));
  }
  const stream = side.talkers[0]!.connection;
  t.deepEqual(stream.destination, { ip: 0x0a7e_0002, port: 7001 });
  t.true(stream.peerFinished);
  const bytes = new Uint8Array(100);
  t.is(toHex(bytes, 0, stream.read(bytes)), "030a11181f262d343b4249");
  t.is(stream.closeReason, "reset");
  t.is(side.endpoint.counters.protocolErrors, 0);
  t.is(side.endpoint.counters.droppedChecksum, 0);
  const frames = sent.flatMap(readDatagram).flatMap((packet) => packet.frames.map(({ name }) => name));
  t.deepEqual(frames.slice(0, 2), ["ack", "crypto"]);
  t.true(frames.includes("handshakeDone"));
  t.is(frames[frames.length - 1], "connectionClose", "the close is answered once");
});

test("our own first datagram is what a stock server reads: one Initial of 1200 bytes with the block in one frame", (t) => {
  const side = new Side("source", 1, 2);
  side.connect(5000, {}, 0);
  const sent: Uint8Array[] = [];
  side.step(0, (out) => sent.push(out));
  t.is(sent.length, 1);
  t.is(sent[0]!.length, 1200);
  const [packet, ...others] = readDatagram(sent[0]!);
  t.is(others.length, 0);
  t.like(packet, { kind: "Initial", form: ChecksumForm.wide, number: 0 });
  t.is(packet!.dcid.length, 40);
  t.deepEqual(
    packet!.frames.map(({ name, offset }) => [name, offset]),
    [
      ["crypto", 0],
      ["padding", undefined],
    ],
  );
  const block = fromHex(packet!.frames[0]!.data!);
  const parameters = decodeParameters(block, 0, block.length, false);
  if (typeof parameters === "number") return void t.fail();
  t.is(toHex(parameters.sourceCid!), packet!.scid);
  t.is(parameters.maxDatagramBytes, 1200);
  t.is(parameters.maxIdleTimeoutMs, 30_000);
  t.is(parameters.maxStreams, 0, "servers open no streams");
});
