/** Broken, absurd and hostile packets: a connection error or silence, bounded state, no throw, no slot lost. */
import test from "ava";
import fc from "fast-check";
import { World } from "../../../router-daemon/kcp-ts/test/world.ts";
import { ChecksumForm } from "../../../router-daemon/src/quic/checksum.ts";
import { QuicError } from "../../../router-daemon/src/quic/frames.ts";
import { writeVarint } from "../../../router-daemon/src/quic/varint.ts";
import { seededRandom } from "../../random.ts";
import { readDatagram, reseal, shortPacket } from "./packets.ts";
import { Side } from "./side.ts";
import { fromHex } from "./vectors.ts";

/** A destination with one open stream, and the connection IDs of both ends. */
function opened() {
  const world = new World();
  const source = new Side("source", 1, 2, { seed: 1 });
  const destination = new Side("destination", 2, 1, { seed: 2 });
  destination.plan = () => ({ readBytesPerMs: 0 });
  let serverCid = "";
  let clientCid = "";
  source.filter = (bytes) => {
    for (const { scid, kind, dcid } of readDatagram(bytes)) {
      if (scid !== "") clientCid = scid;
      if (kind === "1RTT") serverCid = dcid;
    }
    return true;
  };
  world.connect(source, destination, { delayMs: 1 }, { delayMs: 1 }, 1);
  source.connect(5000, { end: "never" }, 0);
  world.run(500);
  const sent: Uint8Array[] = [];
  let number = 1_000;
  /** A well-formed 1-RTT packet of the client with this payload; what the destination answers. */
  const say = (payload: string, at = world.now): string[] => {
    sent.length = 0;
    destination.handle(shortPacket(fromHex(serverCid), number++, fromHex(payload)), at);
    destination.step(at, (bytes) => sent.push(bytes));
    return sent
      .flatMap(readDatagram)
      .flatMap(({ frames }) => frames.map(({ name, code }) => `${name} ${code ?? ""}`));
  };
  return { world, source, destination, serverCid, clientCid, say };
}

const varint = (value: number): string => {
  const bytes = new Uint8Array(8);
  return Buffer.from(bytes.subarray(0, writeVarint(bytes, 0, value))).toString("hex");
};

const VIOLATIONS: Readonly<Record<string, readonly [string, number]>> = {
  "an ACK that is cut short": ["027f000000", QuicError.frameEncoding],
  "an ACK of a number not sent yet": [`02${varint(5000)}000000`, QuicError.protocolViolation],
  "an unknown frame": ["30010203", QuicError.frameEncoding],
  "a stream that only a server opens": ["0a01010000", QuicError.streamLimit],
  "a unidirectional stream": ["0a02010000", QuicError.streamLimit],
  "a stream beyond the limit": [`0a${varint(4 * 5000)}010000`, QuicError.streamLimit],
  "data beyond the stream's limit": [`0e00${varint(2 ** 30)}010000`, QuicError.flowControl],
  "an offset near 2^62": ["0e00fffffffffffffff0010000", QuicError.frameEncoding],
  "a reset beyond the limit": [`0400 00 ${varint(2 ** 40)}`.replaceAll(" ", ""), QuicError.flowControl],
  "a reset below what has come": ["04000000", QuicError.finalSize],
  "HANDSHAKE_DONE of a client": ["1e000000", QuicError.protocolViolation],
  "NEW_TOKEN of a client": ["0702aabb", QuicError.protocolViolation],
  "a connection ID retired that is in use": ["19000000", QuicError.protocolViolation],
  "a frame cut short": ["0400", QuicError.frameEncoding],
  "a PATH_RESPONSE nobody asked for": [`1b${"00".repeat(8)}`, QuicError.protocolViolation],
};

for (const [name, [payload, code]] of Object.entries(VIOLATIONS)) {
  test(`${name} closes the connection with its error, once, and nothing is left`, (t) => {
    const { world, destination, say } = opened();
    const answer = say(payload);
    t.deepEqual(
      answer.filter((frame) => frame.startsWith("connectionClose")),
      [`connectionClose ${code}`],
    );
    t.is(destination.endpoint.counters.protocolErrors, 1);
    t.is(destination.talkers[0]!.closeReason, "reset");
    world.run(world.now + 5_000);
    t.is(destination.endpoint.quicConnectionCount, 0);
    t.is(destination.leakedSlots, 0);
  });
}

test("what is legal and means nothing here is acknowledged and changes nothing", (t) => {
  const { destination, say } = opened();
  const harmless = [
    "01000000",
    "06000101",
    `10${varint(1)}0000`,
    `12${varint(1)}0000`,
    `13${varint(5)}0000`,
    `14${varint(5)}0000`,
    `1500${varint(5)}00`,
    `16${varint(5)}0000`,
    `17${varint(5)}0000`,
    `18010008${"ab".repeat(24)}`,
    // Twice the same bytes of the stream, and its flow-control limit below what it is.
    "0a000100000000",
    "110000000000",
  ];
  for (const payload of harmless) say(payload);
  t.is(destination.endpoint.counters.protocolErrors, 0);
  t.is(destination.talkers[0]!.closeReason, undefined);
});

test("PATH_CHALLENGE is answered, the key phase follows the peer, and a straggler does not turn it back", (t) => {
  const { world, destination, serverCid, say } = opened();
  t.true(say(`1a${"0102030405060708"}`).includes("pathResponse "));
  const sent: Uint8Array[] = [];
  const put = (number: number, keyPhase: boolean): boolean => {
    sent.length = 0;
    destination.handle(shortPacket(fromHex(serverCid), number, fromHex("01000000"), { keyPhase }), world.now);
    destination.step(world.now + 30, (bytes) => sent.push(bytes));
    return readDatagram(sent[sent.length - 1]!)[0]!.keyPhase;
  };
  t.false(put(2_000, false));
  t.true(put(2_010, true));
  t.true(put(2_005, false), "sent before the change");
  t.true(put(2_011, true));
  t.false(put(2_020, false), "the next change");
});

test("random changes to the packets of both ends never throw, leave nothing behind, and change no byte of a stream", (t) => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const world = new World();
      const source = new Side("source", 1, 2, { seed });
      const destination = new Side("destination", 2, 1, { seed: seed + 1 });
      destination.plan = () => ({ send: 30_000, end: "after-peer" });
      // A broken packet follows the whole one, with a checksum that fits: only what it says can give it away.
      for (const [side, other] of [
        [source, destination],
        [destination, source],
      ] as const) {
        side.filter = (bytes) => {
          if (random() % 4 === 0) {
            const broken = reseal(bytes, ChecksumForm.wide, (copy, header) => {
              for (let i = random() % 3; i >= 0 && header.payloadBytes > 0; i--) {
                copy[header.payloadAt + (random() % Math.min(header.payloadBytes, 24))] = random() & 0xff;
              }
            });
            // Stream data is left alone: the checksum is all that protects it.
            const isData = readDatagram(broken).some(({ frames }) =>
              frames.some(({ name }) => name === "stream"),
            );
            if (!isData) other.handle(broken, world.now);
          }
          return true;
        };
      }
      world.connect(source, destination, { delayMs: 2 }, { delayMs: 2 }, seed);
      source.connect(5000, { send: 30_000, end: "after-sending" }, 0);
      world.run(120_000);
      t.is(source.endpoint.connectionCount, 0);
      t.is(destination.endpoint.connectionCount, 0);
      t.is(source.leakedSlots, 0);
      t.is(destination.leakedSlots, 0);
    }),
    { numRuns: 25 },
  );
});

test("random datagrams are dropped and counted", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_300 }), fc.boolean(), (bytes, isSource) => {
      const side = new Side(isSource ? "source" : "destination", 1, 2);
      const before = side.pool.freeSlots;
      t.false(side.handleFrom(2, bytes, 0));
      t.is(side.pool.freeSlots, before);
      t.is(side.endpoint.quicConnectionCount, 0);
      const { droppedMalformed, droppedUnknown, droppedChecksum } = side.endpoint.counters;
      t.is(droppedMalformed + droppedUnknown + droppedChecksum, 1);
    }),
  );
});

test("handshakes beyond the bounds are dropped: the table does not grow, and others are served", (t) => {
  const side = new Side("destination", 2, 1, { limits: { maxConnections: 6, maxConnectionsPerPeer: 4 } });
  const client = (seed: number): Uint8Array => {
    const other = new Side("source", 1, 2, { seed });
    other.connect(5000, {}, 0);
    let first = new Uint8Array(0);
    other.step(0, (bytes) => {
      first = Uint8Array.from(bytes);
    });
    return first;
  };
  for (let i = 0; i < 20; i++) side.handleFrom(1, client(100 + i), 0);
  t.is(side.endpoint.quicConnectionCount, 4);
  for (let i = 0; i < 20; i++) side.handleFrom(3, client(200 + i), 0);
  t.is(side.endpoint.quicConnectionCount, 6);
  t.is(side.endpoint.counters.refusedBusy, 34);
});
