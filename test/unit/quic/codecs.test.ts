import test from "ava";
import fc from "fast-check";
import { Checksum, ChecksumForm } from "../../../router-daemon/src/quic/checksum.ts";
import { FrameReader, Frames, FrameType, FrameWriter } from "../../../router-daemon/src/quic/frames.ts";
import {
  expandNumber,
  numberBytesFor,
  PacketHeader,
  PacketKind,
  writeLongHeader,
  writeShortHeader,
} from "../../../router-daemon/src/quic/packet.ts";
import { MAX_ACK_RANGES, PacketRanges } from "../../../router-daemon/src/quic/packet-ranges.ts";
import {
  DEFAULT_PARAMETERS,
  decodeParameters,
  encodeParameters,
} from "../../../router-daemon/src/quic/transport-parameters.ts";
import { Cursor, varintBytes, writeVarint } from "../../../router-daemon/src/quic/varint.ts";
import { fromHex, toHex, VECTORS } from "./vectors.ts";

const FLOW = VECTORS.quic.flow;

// ── variable-length integers ──────────────────────────────────────────────────────────────────────────────────────────

function naiveVarint(value: number): number[] {
  const digits = BigInt(value);
  for (const [prefix, length] of [
    [0n, 1],
    [1n, 2],
    [2n, 4],
    [3n, 8],
  ] as const) {
    const bits = BigInt(8 * length);
    if (digits >= 1n << (bits - 2n)) continue;
    const word = (prefix << (bits - 2n)) | digits;
    return Array.from({ length }, (_, i) => Number((word >> (bits - 8n * BigInt(i + 1))) & 255n));
  }
  throw new RangeError(`${value}`);
}

test("variable-length integers are written as the definition says and read back", (t) => {
  const values = fc.oneof(fc.nat(70), fc.nat(20_000), fc.nat(), fc.maxSafeNat());
  fc.assert(
    fc.property(values, (value) => {
      const bytes = new Uint8Array(8);
      const end = writeVarint(bytes, 0, value);
      t.is(end, varintBytes(value));
      t.deepEqual([...bytes.subarray(0, end)], naiveVarint(value));
      const cursor = new Cursor(bytes);
      cursor.reset(bytes, 0, end);
      t.is(cursor.varint(), value);
      t.false(cursor.failed);
      cursor.reset(bytes, 0, end - 1);
      cursor.varint();
      t.true(cursor.failed);
    }),
  );
});

// ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("every packet of the hand-built conversation is read as it was built, and its checksum verifies", (t) => {
  const checksum = new Checksum();
  const header = new PacketHeader();
  for (const { what, packets } of FLOW) {
    const datagram = fromHex(packets.map(({ hex }) => hex).join(""));
    let at = 0;
    for (const packet of packets) {
      t.true(header.read(datagram, at, datagram.length), what);
      t.is(toHex(datagram, at, header.headerBytes), packet.header, what);
      t.is(toHex(datagram, header.payloadAt, header.payloadBytes), packet.payload, what);
      t.true(checksum.verify(datagram, at, header.headerBytes, header.payloadBytes, ChecksumForm.wide), what);
      t.is(header.reservedBits, 0);
      at = header.end;
    }
    t.is(at, datagram.length);
  }
});

test("headers are written byte for byte as in the hand-built conversation", (t) => {
  const dcid = fromHex(VECTORS.quic.original_dcid);
  const client = fromHex(VECTORS.quic.client_scid);
  const server = fromHex(VECTORS.quic.server_scid);
  const bytes = new Uint8Array(2000);
  const [initial] = FLOW[0]!.packets;
  const payloadBytes = initial!.payload.length / 2;
  const end = writeLongHeader(bytes, 0, PacketKind.initial, dcid, client, 0, 1, payloadBytes);
  t.is(toHex(bytes, 0, end), initial!.header);
  bytes.set(fromHex(initial!.payload), end);
  const checksum = new Checksum();
  checksum.write(bytes, 0, end, payloadBytes, ChecksumForm.narrow);
  t.is(
    toHex(bytes, end + payloadBytes, 8),
    VECTORS.quic.client_initial_tag_if_sender_is_32bit_v2_6_0_to_2_6_4,
  );
  const handshake = FLOW[1]!.packets[1]!;
  const at = writeLongHeader(
    bytes,
    0,
    PacketKind.handshake,
    client,
    server,
    0,
    1,
    handshake.payload.length / 2,
  );
  t.is(toHex(bytes, 0, at), handshake.header);
  t.is(toHex(bytes, 0, writeShortHeader(bytes, 0, server, true, 3, 1)), "44d1d2d3d4d5d6d7d803");
});

test("a packet number survives being cut to the bytes it is sent in", (t) => {
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.nat(10_000), (largestAcked, ahead) => {
      const number = largestAcked + 1 + ahead;
      const length = numberBytesFor(number, largestAcked);
      // Anything between what the sender knows to have arrived and the number itself may be the receiver's largest.
      for (const largest of [largestAcked, number - 1, Math.floor((largestAcked + number) / 2)]) {
        t.is(expandNumber(number % 256 ** length, length, largest), number);
      }
    }),
  );
});

test("what is cut short, of another version or of another kind is no packet", (t) => {
  const header = new PacketHeader();
  const initial = fromHex(FLOW[0]!.packets[0]!.hex);
  for (let length = 0; length < initial.length; length++) t.false(header.read(initial, 0, length));
  const other = initial.slice();
  other[4] = 2;
  t.false(header.read(other, 0, other.length), "version");
  for (const kind of [PacketKind.zeroRtt, PacketKind.retry]) {
    const packet = initial.slice();
    packet[0] = 0xc0 | (kind << 4);
    t.false(header.read(packet, 0, packet.length));
  }
});

// ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function reader(payload: Uint8Array): FrameReader {
  const frames = new FrameReader();
  frames.reset(payload, 0, payload.length);
  return frames;
}

test("acknowledged ranges are read as they were written", (t) => {
  const gaps = fc.array(fc.tuple(fc.nat(300), fc.nat(300)), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(gaps, fc.nat(100_000), fc.nat(60_000), (spans, base, delay) => {
      const ranges: [number, number][] = [];
      let low = base + spans.reduce((sum, [length, gap]) => sum + length + gap + 2, 0);
      for (const [length, gap] of spans) {
        ranges.push([low - length, low]);
        low -= length + gap + 2;
      }
      const bytes = new Uint8Array(500);
      const writer = new FrameWriter();
      writer.begin(bytes, 0, bytes.length);
      writer.put(FrameType.ack, ranges[0]![1], delay, ranges.length - 1);
      let at = writeVarint(bytes, writer.at, ranges[0]![1] - ranges[0]![0]);
      for (let i = 1; i < ranges.length; i++) {
        at = writeVarint(bytes, at, ranges[i - 1]![0] - ranges[i]![1] - 2);
        at = writeVarint(bytes, at, ranges[i]![1] - ranges[i]![0]);
      }
      const frames = reader(bytes.subarray(0, at));
      t.is(frames.next(), FrameType.ack);
      t.is(frames.ackDelay, delay);
      const read: [number, number][] = [];
      while (frames.nextRange()) read.push([frames.rangeLow, frames.rangeHigh]);
      t.deepEqual(read, ranges);
      t.is(frames.next(), Frames.end);
    }),
  );
});

test("acknowledgements of numbers below zero are malformed", (t) => {
  for (const payload of [
    "0205000006",
    "020500010102",
    "02050001000500",
    "0200003f00",
    "02ffffffffffffffff00010000",
  ]) {
    t.is(reader(fromHex(payload)).next(), Frames.malformed, payload);
  }
});

test("frames that must not be are malformed", (t) => {
  const cases: Record<string, string> = {
    "type not in the fewest bytes": "4001",
    "stream beyond 2^62": "0e00ffffffffffffffff020102",
    "stream cut short": "0a00050102",
    "empty new token": "0700",
    "stream count beyond 2^60": `12d000000000001000`,
    "connection ID without a byte": `18010000${"00".repeat(16)}`,
    "connection ID of 21 bytes": `18010015${"00".repeat(37)}`,
    "retires what is not there yet": `18010201aa${"00".repeat(16)}`,
  };
  for (const [name, payload] of Object.entries(cases))
    t.is(reader(fromHex(payload)).next(), Frames.malformed, name);
  t.is(reader(fromHex("3000")).next(), Frames.unknown, "DATAGRAM");
  t.is(reader(fromHex("1f")).next(), Frames.unknown, "IMMEDIATE_ACK");
});

test("any bytes are read without a throw, and within their bounds", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (payload) => {
      const frames = reader(payload);
      for (let steps = 0; ; steps++) {
        const type = frames.next();
        if (type < 0) break;
        t.true(steps < payload.length);
        if (type === FrameType.stream || type === FrameType.crypto) {
          t.true(frames.dataAt + frames.dataBytes <= payload.length);
        }
        if (type !== FrameType.ack) continue;
        let ranges = 0;
        while (frames.nextRange()) {
          t.true(frames.rangeLow >= 0 && frames.rangeLow <= frames.rangeHigh);
          t.true(++ranges <= payload.length);
        }
      }
    }),
    { numRuns: 3000 },
  );
});

// ── received packet numbers ───────────────────────────────────────────────────────────────────────────────────────────

test("ranges hold the same numbers as a set does, for as many ranges as are kept", (t) => {
  const steps = fc.array(fc.nat(150), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (numbers) => {
      const ranges = new PacketRanges();
      const naive = new Set<number>();
      for (const number of numbers) {
        const isNew = ranges.add(number);
        // A number below what is remembered counts as seen, whether it was or not.
        if (naive.has(number)) t.false(isNew);
        else if (number > ranges.floor) t.true(isNew);
        naive.add(number);
        t.true(ranges.has(number));
        t.true(ranges.count <= MAX_ACK_RANGES);
      }
      const held = [];
      for (let i = 0; i < ranges.count; i++) {
        t.true(ranges.low(i) <= ranges.high(i));
        if (i > 0) t.true(ranges.high(i) < ranges.low(i - 1) - 1, "ranges neither touch nor cross");
        for (let n = ranges.high(i); n >= ranges.low(i); n--) held.push(n);
      }
      const expected = [...naive].filter((n) => n > ranges.floor).sort((a, b) => b - a);
      t.deepEqual(held, expected);
    }),
  );
});

test("beyond the bound the lowest range is forgotten and counts as arrived", (t) => {
  const ranges = new PacketRanges();
  for (let i = 0; i < 2 * MAX_ACK_RANGES; i++) t.true(ranges.add(2 * i));
  t.is(ranges.count, MAX_ACK_RANGES);
  t.is(ranges.largest, 2 * (2 * MAX_ACK_RANGES - 1));
  t.is(ranges.low(MAX_ACK_RANGES - 1), 2 * MAX_ACK_RANGES);
  t.false(ranges.add(1), "below what is remembered");
  ranges.forgetUpTo(ranges.largest - 1);
  t.is(ranges.count, 1);
  t.true(ranges.has(5));
});

// ── transport parameters ──────────────────────────────────────────────────────────────────────────────────────────────

test("the parameter blocks of the vectors are read, with what is unknown skipped", (t) => {
  const { transport_parameters: blocks } = VECTORS.quic;
  for (const [name, hex] of Object.entries(blocks)) {
    const bytes = fromHex(hex);
    const fromServer = name.startsWith("server");
    const read = decodeParameters(bytes, 0, bytes.length, fromServer);
    if (typeof read === "number") return void t.fail(`${name}: ${read}`);
    t.is(read.maxIdleTimeoutMs, 30_000);
    t.is(read.maxDatagramBytes, 1200);
    t.true(read.maxData >= 2 ** 62 - 1);
    t.is(read.maxStreamDataLocal, 1_250_000);
    t.is(read.maxStreamDataRemote, 1_250_000);
    t.is(read.maxStreams, 255);
    t.is(read.extendedDatagramBytes, 0);
    t.is(
      toHex(read.sourceCid ?? new Uint8Array(0)),
      fromServer ? VECTORS.quic.server_scid : VECTORS.quic.client_scid,
    );
    if (fromServer) t.is(toHex(read.originalDestinationCid!), VECTORS.quic.original_dcid);
    if (!fromServer) continue;
    t.is(
      typeof decodeParameters(bytes, 0, bytes.length, false),
      "number",
      "a client says nothing of the server's",
    );
  }
});

test("a block that is written is read back", (t) => {
  const parameters = {
    ...DEFAULT_PARAMETERS,
    maxIdleTimeoutMs: 30_000,
    maxDatagramBytes: 1200,
    maxData: 5_000_000,
    maxStreamDataRemote: 262_144,
    maxStreams: 255,
    sourceCid: fromHex("0102030405060708"),
    originalDestinationCid: fromHex(VECTORS.quic.original_dcid),
    extendedDatagramBytes: 1360,
  };
  const block = encodeParameters(parameters);
  t.deepEqual(decodeParameters(block, 0, block.length, true), parameters);
});

test("illegal blocks are refused with the error they are closed with", (t) => {
  const cases: Record<string, string> = {
    "cut short": "0104",
    "twice the same": "0a01030a0103",
    "acknowledgement delay exponent above 20": "0a0115",
    "acknowledgement delay of 2^14": "0b0480004000",
    "datagrams below 1200": "030244af",
    "integer longer than its length says": "01028000",
    "integer with a byte too many": "0a020300",
    "connection ID of 21 bytes": `0f15${"00".repeat(21)}`,
    "one connection ID at most": "0e0101",
    "streams beyond 2^60": "0808d000000000001000",
  };
  for (const [name, hex] of Object.entries(cases)) {
    const bytes = fromHex(hex);
    t.is(typeof decodeParameters(bytes, 0, bytes.length, true), "number", name);
  }
});
