/**
 * Four connections recorded between running nodes: one side's packets are fed to our endpoint in the other side's place, with the
 * same conv and ids, at their times. What ours answers must have the same effect.
 */
import { readFileSync } from "node:fs";
import test from "ava";
import { type KcpConnection, Ready } from "../../../router-daemon/src/kcp/index.ts";
import { KcpFlag } from "../../../router-daemon/src/kcp/packet.ts";
import { decodePacket, Probe } from "./probe.ts";

interface Captured {
  name: string;
  packets: {
    t_ms: number;
    dir: string;
    payload: string;
    meaning: string;
    decoded: {
      conv: number;
      src_session_id: number;
      dst_session_id: number;
      flags: string;
      conn_data?: { src: string; dst: string };
      segments?: { cmd: string; sn: number; data: string }[];
    };
  }[];
}

const CAPTURES = (
  JSON.parse(readFileSync(new URL("../../vectors/captures-proxies.json", import.meta.url), "utf8")) as {
    kcp: Captured[];
  }
).kcp;

const { syn: SYN, ack: ACK, fin: FIN, data: DATA, rst: RST, ping: PING, pong: PONG } = KcpFlag;

const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));

/** Payload bytes in the PUSH segments of one direction, each sequence number once. */
function stream(capture: Captured, dir: string): string {
  const bySn = new Map<number, string>();
  for (const packet of capture.packets) {
    if (packet.dir !== dir) continue;
    for (const segment of packet.decoded.segments ?? []) {
      if (segment.cmd === "PUSH") bySn.set(segment.sn, segment.data);
    }
  }
  return [...bySn.keys()]
    .sort((a, b) => a - b)
    .map((sn) => bySn.get(sn)!)
    .join("");
}

function readAll(connection: KcpConnection<string>): string {
  const into = new Uint8Array(65536);
  return Buffer.from(into.subarray(0, connection.read(into))).toString("hex");
}

test("every captured packet decodes as its description says", (t) => {
  const bits: Record<string, number> = { SYN, ACK, FIN, DATA, RST, PING, PONG };
  for (const capture of CAPTURES) {
    for (const { payload, decoded } of capture.packets) {
      const packet = decodePacket(fromHex(payload));
      t.is(packet.conv, decoded.conv);
      t.is(packet.sourceId, decoded.src_session_id);
      t.is(packet.destinationId, decoded.dst_session_id);
      t.is(
        packet.flags,
        decoded.flags.split("+").reduce((flags, name) => flags | bits[name]!, 0),
      );
    }
  }
});

for (const capture of CAPTURES) {
  const { src_session_id: sourceId, dst_session_id: destinationId, conv } = capture.packets[0]!.decoded;

  test(`${capture.name}: in the destination's place`, (t) => {
    const probe = new Probe("destination", {}, destinationId, sourceId);
    let connection: KcpConnection<string> | undefined;
    let received = "";
    const replies: number[] = [];
    const news: number[] = [];
    const sent = stream(capture, "destination->source");
    for (const packet of capture.packets) {
      if (packet.dir !== "source->destination") continue;
      replies.push(...probe.pass(packet.t_ms - probe.now).map((reply) => reply.flags));
      // The source acknowledges bytes that this run may not have sent yet: that is rejected, and repeated by it.
      probe.raw(fromHex(packet.payload));
      for (let found = probe.endpoint.pollReady(); found !== undefined; found = probe.endpoint.pollReady()) {
        connection = found;
        const bits = found.takeReady();
        news.push(bits);
        if ((bits & Ready.incoming) !== 0) {
          const [host, port] = capture.packets[0]!.decoded.conn_data!.dst.split(":") as [string, string];
          const ip = host.split(".").reduce((value, octet) => value * 256 + Number(octet), 0);
          t.deepEqual(found.destination, { ip, port: Number(port) });
          if (sent !== "") found.write(fromHex(sent));
        }
        received += readAll(found);
      }
      replies.push(...probe.take().map((reply) => reply.flags));
    }
    t.is(replies[0], SYN | ACK);
    // Early data, which the recorded destination threw away, is kept by ours.
    t.is(received, stream(capture, "source->destination"));
    t.true(replies.includes(ACK | DATA));
    t.truthy(connection);
    t.true(news.some((bits) => (bits & Ready.peerFinished) !== 0));
    t.true(connection!.peerFinished);
    probe.dispose();
    t.is(probe.pool.freeSlots, probe.pool.slotCount);
  });

  test(`${capture.name}: in the source's place`, (t) => {
    const target = { source: { ip: 1, port: 2 }, destination: { ip: 3, port: 4 } };
    const at = startAt(conv - 1, sourceId, destinationId);
    const connection = at.endpoint.connect(destinationId, target, 0)!;
    t.is(connection.conv, conv);
    const replies: number[] = [];
    let received = "";
    const sent = stream(capture, "source->destination");
    for (const packet of capture.packets) {
      if (packet.dir !== "destination->source") continue;
      replies.push(...at.pass(Math.max(0, packet.t_ms - at.now)).map((reply) => reply.flags));
      at.raw(fromHex(packet.payload));
      const found = at.endpoint.pollReady();
      const bits = found?.takeReady() ?? 0;
      if ((bits & Ready.established) !== 0 && sent !== "") connection.write(fromHex(sent));
      // Acknowledgements only count for what has left: let the held first bytes go.
      if ((bits & Ready.established) !== 0) replies.push(...at.pass(0.05).map((reply) => reply.flags));
      received += readAll(connection);
      replies.push(...at.take().map((reply) => reply.flags));
    }
    t.is(replies[0], SYN);
    t.is(replies[1], ACK | DATA);
    t.is(received, stream(capture, "destination->source"));
    t.true(connection.peerFinished || connection.state === "closed");
    if (connection.state === "open") {
      // The destination has ended its direction; when ours ends too, the connection is over.
      connection.shutdown(at.now);
      const rest = at.pass(60_000).map((reply) => reply.flags);
      t.true(rest.includes(FIN) || rest.includes(RST));
      t.is(connection.closeReason, "finished");
    }
    at.dispose();
    t.is(at.pool.freeSlots, at.pool.slotCount);
  });
}

/** A source endpoint whose next conv follows `conv`. */
function startAt(conv: number, localId: number, peerId: number): Probe {
  return new Probe("source", {}, localId, peerId, (bytes) => {
    for (let i = 0; i < 4; i++) bytes[i] = conv >>> (8 * i);
  });
}
