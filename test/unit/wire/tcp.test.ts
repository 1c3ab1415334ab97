import test from "ava";
import fc from "fast-check";
import {
  checkTcp,
  clampMss,
  clampMssInFrame,
  isWholeTcpPacket,
  TcpOptions,
  tcpAcknowledgement,
  tcpChecksumIsRight,
  tcpDestinationPort,
  tcpFlags,
  tcpPacketChecksumIsRight,
  tcpSequence,
  tcpSourcePort,
  tcpWindow,
  writeMss,
  writeSackBlocks,
  writeSackPermitted,
  writeTcpChecksum,
  writeTcpHeader,
  writeTimestamps,
  writeWindowShift,
} from "../../../router-daemon/src/wire/tcp.ts";
import {
  GsoType,
  VnetFlag,
  vnetChecksumUnverified,
  vnetFlags,
  vnetGsoSize,
  vnetGsoType,
  writePlainVnetHeader,
  writeVnetHeader,
} from "../../../router-daemon/src/wire/vnet.ts";
import { decodeFrame, encodeFrame, type NaiveSegment, naiveSum } from "../tcp/naive.ts";

const uint32 = fc.nat(0xffff_ffff);
const segment: fc.Arbitrary<NaiveSegment> = fc
  .record(
    {
      source: uint32,
      destination: uint32,
      sourcePort: fc.nat(0xffff),
      destinationPort: fc.nat(0xffff),
      sequence: uint32,
      acknowledgement: uint32,
      flags: fc
        .subarray(["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"])
        .map((names): Set<string> => new Set(names)),
      window: fc.nat(0xffff),
      payload: fc.uint8Array({ maxLength: 50 }),
      mss: fc.nat(0xffff),
      windowShift: fc.nat(14),
      sackPermitted: fc.constant(true),
      timestamps: fc.record({ value: uint32, echo: uint32 }),
      sack: fc.array(fc.tuple(uint32, uint32), { minLength: 1, maxLength: 2 }),
    },
    {
      requiredKeys: [
        "source",
        "destination",
        "sourcePort",
        "destinationPort",
        "sequence",
        "acknowledgement",
        "flags",
        "window",
        "payload",
      ],
    },
  )
  .map((one) => one as NaiveSegment);

test("a segment of the naive twin reads the same", (t) => {
  const options = new TcpOptions();
  fc.assert(
    fc.property(segment, (one) => {
      const frame = encodeFrame(one);
      const at = 30;
      const length = frame.length - at;
      const header = checkTcp(frame, at, length);
      t.is(header, length - one.payload.length);
      t.true(isWholeTcpPacket(frame, 10, frame.length - 10));
      t.is(tcpSourcePort(frame, at), one.sourcePort);
      t.is(tcpDestinationPort(frame, at), one.destinationPort);
      t.is(tcpSequence(frame, at) >>> 0, one.sequence);
      t.is(tcpAcknowledgement(frame, at) >>> 0, one.acknowledgement);
      t.is(tcpWindow(frame, at), one.window);
      const names = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];
      t.deepEqual(new Set(names.filter((_, bit) => (tcpFlags(frame, at) >> bit) & 1)), one.flags);
      t.true(tcpChecksumIsRight(frame, at, length, one.source, one.destination));
      t.true(tcpPacketChecksumIsRight(frame, 10));
      t.true(options.parse(frame, at, header));
      t.is(options.mss, one.mss ?? 0);
      t.is(options.windowShift, one.windowShift ?? -1);
      t.is(options.sackPermitted, one.sackPermitted ?? false);
      t.is(options.hasTimestamps, one.timestamps !== undefined);
      if (one.timestamps !== undefined) {
        t.is(options.timestampValue >>> 0, one.timestamps.value);
        t.is(options.timestampEcho >>> 0, one.timestamps.echo);
      }
      const blocks: [number, number][] = [];
      for (let block = 0; block < options.sackBlocks; block++) {
        blocks.push([options.sackEdges[2 * block]! >>> 0, options.sackEdges[2 * block + 1]! >>> 0]);
      }
      t.deepEqual(blocks, one.sack ?? []);
    }),
    { numRuns: 100 },
  );
});

test("a written segment is what the naive twin reads", (t) => {
  const bytes = new Uint8Array(10 + 20 + 60);
  const frame = encodeFrame({
    source: 0xc0a80102,
    destination: 0x0a000001,
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgement: 0,
    flags: new Set(),
    window: 0,
    payload: new Uint8Array(60 - 20),
  });
  bytes.set(frame);
  writeTcpHeader(bytes, 30, 443, 50_000, -2, -3, 60, 0x12, 0xfedc);
  let end = writeMss(bytes, 50, 1460);
  end = writeSackPermitted(bytes, end);
  end = writeWindowShift(bytes, end, 8);
  end = writeTimestamps(bytes, end, -1, 0x80000000);
  end = writeSackBlocks(bytes, end, Int32Array.from([1, -1]), 1);
  t.is(end, 50 + 36);
  bytes.fill(1, end);
  const pseudo = 0xc0a8 + 0x0102 + 0x0a00 + 0x0001 + 6 + 60;
  const sum = naiveSum(bytes.subarray(30)) + pseudo;
  writeTcpChecksum(bytes, 30, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
  const read = decodeFrame(bytes);
  t.like(read, {
    sourcePort: 443,
    destinationPort: 50_000,
    sequence: 0xfffffffe,
    acknowledgement: 0xfffffffd,
    window: 0xfedc,
    mss: 1460,
    sackPermitted: true,
    windowShift: 8,
    timestamps: { value: 0xffffffff, echo: 0x80000000 },
    sack: [[1, 0xffffffff]],
  });
  t.deepEqual(read.flags, new Set(["syn", "ack"]));
});

test("headers that do not fit are refused", (t) => {
  const bytes = new Uint8Array(60);
  bytes[12] = 0x50;
  t.is(checkTcp(bytes, 0, 20), 20);
  t.is(checkTcp(bytes, 0, 19), 0);
  bytes[12] = 0x40;
  t.is(checkTcp(bytes, 0, 60), 0, "less than the fixed part");
  bytes[12] = 0xf0;
  t.is(checkTcp(bytes, 0, 60), 60);
  t.is(checkTcp(bytes, 0, 59), 0, "longer than the segment");
});

test("malformed options end the reading, what came before counts", (t) => {
  const options = new TcpOptions();
  const parse = (list: number[]) => {
    const bytes = new Uint8Array(60).fill(1);
    bytes.set(list, 20);
    return options.parse(bytes, 0, 20 + 4 * Math.ceil(list.length / 4));
  };
  t.false(parse([2, 4, 5, 0xb4, 3, 0, 7, 1]), "a length of zero");
  t.is(options.mss, 1460);
  t.is(options.windowShift, -1);
  t.false(parse([8, 10, 0, 0]), "longer than the header");
  t.false(options.hasTimestamps);
  t.false(parse([1, 1, 1, 2]), "a kind without a length");
  t.true(parse([0, 2, 4, 5]), "nothing counts behind the end");
  t.is(options.mss, 0);
  t.true(parse([254, 4, 1, 2, 2, 4, 2, 0]), "unknown kinds are skipped");
  t.is(options.mss, 512);
  t.true(parse([3, 3, 200, 1]), "an excessive shift counts as the largest");
  t.is(options.windowShift, 14);
  t.true(parse([5, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]), "a SACK block of odd size is none");
  t.is(options.sackBlocks, 0);
});

test("arbitrary option bytes never throw and never yield more than fits", (t) => {
  const options = new TcpOptions();
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 60, maxLength: 60 }),
      fc.integer({ min: 5, max: 15 }),
      (bytes, words) => {
        options.parse(bytes, 0, 4 * words);
        return options.sackBlocks <= 4 && options.windowShift <= 14;
      },
    ),
  );
  t.pass();
});

test("the MSS of a SYN is lowered with a right checksum, wherever the option lies", (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 537, max: 0xffff }), fc.nat(3), fc.boolean(), (mss, nops, partial) => {
      const frame = encodeFrame(
        {
          source: 1,
          destination: 2,
          sourcePort: 3,
          destinationPort: 4,
          sequence: 5,
          acknowledgement: 0,
          flags: new Set(["syn"]),
          window: 6,
          payload: new Uint8Array(0),
          mss,
          sack: [[0, 0]],
        },
        "full",
      );
      // Move the option behind some no-operations, so that its value lies across checksum words.
      const options = frame.subarray(50, 50 + 16);
      options.fill(1);
      options.set([2, 4, mss >> 8, mss & 255], nops);
      frame[46] = 0;
      frame[47] = 0;
      const pseudo = 1 + 2 + 6 + (frame.length - 30);
      const raw = partial ? pseudo : 0xffff - foldPair(naiveSum(frame.subarray(30)) + pseudo);
      frame[46] = raw >> 8;
      frame[47] = raw;
      frame[0] = partial ? 1 : 0;
      if (partial) frame.set([20, 0, 16, 0], 6);
      t.true(clampMssInFrame(frame, 0, frame.length, 536));
      t.is(decodeFrame(frame).mss, 536);
      t.false(clampMssInFrame(frame, 0, frame.length, 536), "low enough already");
    }),
    { numRuns: 60 },
  );
});

function foldPair(sum: number): number {
  return (sum & 0xffff) + (sum >> 16);
}

test("only the MSS of a SYN is touched", (t) => {
  const make = (flags: string[]) =>
    encodeFrame({
      source: 1,
      destination: 2,
      sourcePort: 3,
      destinationPort: 4,
      sequence: 5,
      acknowledgement: 0,
      flags: new Set(flags),
      window: 6,
      payload: new Uint8Array(0),
      mss: 1460,
    });
  const plain = make(["ack"]);
  t.false(clampMss(plain.subarray(10), 0, plain.length - 10, 536));
  const answer = make(["syn", "ack"]).slice(10);
  t.true(clampMss(answer, 0, answer.length, 536));
  const fragment = make(["syn"]).slice(10);
  fragment[7] = 1;
  t.false(clampMss(fragment, 0, fragment.length, 536));
  const cut = make(["syn"]).slice(10);
  t.false(clampMss(cut, 0, cut.length - 1, 536));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => {
      if (bytes.length > 9) {
        bytes[0] = 0x45;
        bytes[2] = 0;
        bytes[3] = bytes.length;
        bytes[9] = 6;
      }
      clampMss(bytes, 0, bytes.length, 1000);
      clampMssInFrame(bytes, 0, bytes.length, 1000);
      return true;
    }),
  );
});

test("the vnet header tells what is left to do, in little-endian fields", (t) => {
  const bytes = new Uint8Array(12).fill(9);
  writeVnetHeader(bytes, 1, GsoType.tcp4, 52, 1448, 20, 16);
  t.deepEqual([...bytes], [9, 1, 1, 52, 0, 1448 & 255, 1448 >> 8, 20, 0, 16, 0, 9]);
  t.is(vnetFlags(bytes, 1), VnetFlag.needsChecksum);
  t.is(vnetGsoType(bytes, 1), GsoType.tcp4);
  t.is(vnetGsoSize(bytes, 1), 1448);
  t.false(vnetChecksumUnverified(bytes, 1));
  bytes[2] = GsoType.tcp4 | 0x80;
  t.is(vnetGsoType(bytes, 1), GsoType.tcp4, "the ECN bit is no kind");
  writePlainVnetHeader(bytes, 1);
  t.deepEqual([...bytes], [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
  t.true(vnetChecksumUnverified(bytes, 1));
  bytes[1] = VnetFlag.dataValid;
  t.false(vnetChecksumUnverified(bytes, 1));
});
