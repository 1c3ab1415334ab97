/**
 * What one carried connection costs the LAN's router: microseconds of the loop per KCP segment, or per small request and its answer,
 * without kernel and encryption.
 *
 *   npx tsx test/bench/data-path.ts [rounds]
 *
 * The loop, both proxies, the TCP stack and KCP are the daemon's. The mesh hands packets straight on, the host only copies, and the
 * far side with its service and the client run between the measured turns.
 */
import { DEFAULT_SLOT_BYTES, FixedSlotPool } from "kcp-ts";
import { DataPath } from "../../router-daemon/src/data-path.ts";
import type { Host } from "../../router-daemon/src/host/host.ts";
import { ArenaMemory } from "../../router-daemon/src/host/memory.ts";
import { KcpEndpoint } from "../../router-daemon/src/kcp/endpoint.ts";
import { findFollowers } from "../../router-daemon/src/kcp/followers.ts";
import { type KcpConnection, Ready } from "../../router-daemon/src/kcp/types.ts";
import { EntryTable } from "../../router-daemon/src/proxy/entry.ts";
import { MemoryBudget } from "../../router-daemon/src/proxy/memory-budget.ts";
import { SourceProxy } from "../../router-daemon/src/proxy/source.ts";
import { TCP_REGION_BYTES } from "../../router-daemon/src/tcp/limits.ts";
import { TcpStack } from "../../router-daemon/src/tcp/stack.ts";
import { PEER_HEADER_BYTES, readU32 } from "../../router-daemon/src/wire/peer-header.ts";
import { decodeFrame, encodeFrame, type NaiveSegment } from "../unit/tcp/naive.ts";

const LOCAL = 1;
const FAR = 2;
const SLOTS = 16_384;
const LINK_HEADERS = 18;
const MTU = 1406;
const MSS = 1448;
const FRAME_BYTES = 40 * MSS;
const TICK_MS = 0.5;
const SEGMENTS = 20_000;
/** Small requests in a round, one after the other, and bytes each way. */
const REQUESTS = 2000;
const REQUEST_BYTES = 64;
/** Packets that come in together. */
const BATCH = 64;
const CLIENT = 0xc0a80102;
const TARGET = 0x0a7e7e02;
const rounds = Number(process.argv[2] ?? 5);

/** Packets under way in one direction. */
class Packets {
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  push(offset: number, length: number): void {
    this.offsets.push(offset);
    this.lengths.push(length);
  }
  clear(): void {
    this.offsets.length = 0;
    this.lengths.length = 0;
  }
}

function measure(direction: "down" | "up" | "request"): void {
  let now = 1;
  const memory = new ArenaMemory(SLOTS, DEFAULT_SLOT_BYTES, 8 << 20);
  const { bytes, words } = memory;
  const pool = new FixedSlotPool(SLOTS, { arena: memory.arena });
  const frameAt = memory.reserve(128 << 10);
  const farPool = new FixedSlotPool(SLOTS);
  const toLan = new Packets();
  const toFar = new Packets();
  /** Time spent in here is not the loop's. */
  let hostMs = 0;
  let frames: number[] = [];
  let delivered = 0;
  let firstFrame: NaiveSegment | undefined;
  const inHost = (work: () => number): number => {
    const started = performance.now();
    const result = work();
    hostMs += performance.now() - started;
    return result;
  };
  let received = 0;
  let inBatch = 0;
  const host = {
    memory,
    now: () => now,
    setTimer: () => undefined,
    poll: () => 0,
    udpOpen: () => ({ handle: 7, port: 1, segmentation: true, coalescing: true }),
    udpReceive: (_socket: number, slots: number, max: number, out: number) =>
      inHost(() => {
        const count = Math.min(max, BATCH - inBatch, toLan.offsets.length - received);
        inBatch += count;
        for (let i = 0; i < count; i++) {
          const from = toLan.offsets[received]!;
          const length = toLan.lengths[received]!;
          const at = words[slots + i]! * DEFAULT_SLOT_BYTES + LINK_HEADERS;
          const packet = at - PEER_HEADER_BYTES;
          bytes.fill(0, packet, at);
          bytes.set(farPool.bytes.subarray(from, from + length), at);
          words.set([packet, length + PEER_HEADER_BYTES, 0, 1], out + 4 * i);
          received++;
        }
        return count;
      }),
    udpFollowers: (out: number, slots: number, count: number, run: number) =>
      inHost(() => findFollowers(bytes, words, DEFAULT_SLOT_BYTES, out, slots, count, run)),
    send: (list: number, count: number) =>
      inHost(() => {
        for (let i = 0; i < count; i++) {
          const offset = words[list + 4 * i]!;
          const length = words[list + 4 * i + 1]!;
          const slot = farPool.alloc();
          farPool.bytes.set(
            bytes.subarray(offset, offset + length),
            slot * DEFAULT_SLOT_BYTES + LINK_HEADERS,
          );
          toFar.push(slot, length);
        }
        return count;
      }),
    tunRead: (_tun: number, out: number, max: number) =>
      inHost(() => {
        const count = Math.min(max, frames.length / 2);
        for (let i = 0; i < 2 * count; i++) words[out + i] = frames[i]!;
        frames = frames.slice(2 * count);
        return count;
      }),
    tunWrite: (_tun: number, iov: number, pairs: number) =>
      inHost(() => {
        const header = bytes.slice(words[iov]!, words[iov]! + words[iov + 1]!);
        if (firstFrame === undefined) firstFrame = decodeFrame(header);
        acknowledged = readBig(header, ACK_AT);
        window = ((header[ACK_AT + 6]! << 8) | header[ACK_AT + 7]!) << 8;
        for (let pair = 1; pair < pairs; pair++) delivered += words[iov + 2 * pair + 1]!;
        return 1;
      }),
  } as unknown as Host;
  let acknowledged = 0;
  let window = 0;

  const entries = new EntryTable();
  const budget = new MemoryBudget(pool);
  const source = new SourceProxy({
    policy: {
      decide: () => ({ transport: "kcp", peerId: FAR, reason: "kcp_allowed" }),
      noteSuccess: () => undefined,
      noteFailure: () => undefined,
    } as never,
    entries,
    plainFlows: {} as never,
    pool,
    budget,
    sendPlain: () => undefined,
    rttMs: () => 1,
  });
  const stack = new TcpStack({
    pool,
    quota: budget.everyone,
    words,
    regionOffset: memory.reserve(TCP_REGION_BYTES),
    random: () => 12345,
    mtu: 1500,
    events: source,
  });
  const random = (into: Uint8Array) => void into.fill(7);
  const limits = { extendedMtu: MTU };
  const quotaOf = (peerId: number) => budget.quotaOf(peerId);
  const sourceEndpoint = new KcpEndpoint({
    role: "source",
    localPeerId: LOCAL,
    pool,
    random,
    limits,
    quotaOf,
  });
  const none = { pollReady: () => undefined, poll: () => undefined, nextTimeout: Infinity };
  const idle = { nextTimeout: Infinity, handleTimeout: () => undefined, handleReady: () => undefined };
  source.attach(stack, { kcp: sourceEndpoint, quic: none as never });
  const path = new DataPath(host, pool);
  path.attach({
    mesh: {
      ...idle,
      route: () => 0,
      handleReceived: (slot: number, offset: number, length: number) =>
        path.kcp("source", FAR, slot, offset + PEER_HEADER_BYTES, length - PEER_HEADER_BYTES, now),
      noteFollowers: () => undefined,
    } as never,
    stack,
    source,
    destination: idle as never,
    sourceEndpoint,
    destinationEndpoint: none as never,
    quicSource: none as never,
    quicDestination: none as never,
    plain: {} as never,
    timed: [],
    kcpInput: () => true,
    quicInput: () => true,
  });
  path.udp.open(0);

  const far = new KcpEndpoint({ role: "destination", localPeerId: FAR, pool: farPool, random, limits });
  let conn: KcpConnection | undefined;
  const farSink = {
    packet: (_peerId: number, offset: number, length: number) => {
      toLan.push(offset, length);
      return true;
    },
  };
  const pairs = new Int32Array(512);

  function farTurn(): void {
    for (let i = 0; i < toFar.offsets.length; i++) {
      const slot = toFar.offsets[i]!;
      const at = slot * DEFAULT_SLOT_BYTES + LINK_HEADERS;
      if (!far.handlePacket(LOCAL, slot, at, toFar.lengths[i]!, now)) farPool.free(slot);
    }
    toFar.clear();
    for (let ready = far.pollReady(); ready !== undefined; ready = far.pollReady()) {
      conn = ready;
      if ((ready.takeReady() & Ready.incoming) !== 0) ready.accept(now);
    }
    let arrived = 0;
    if (conn !== undefined && conn.readableBytes > 0) {
      arrived = conn.readableBytes;
      conn.consume(arrived);
    }
    if (direction === "request" && conn !== undefined && arrived > 0) {
      conn.reserve(pairs, 0, 1);
      conn.commit(REQUEST_BYTES);
    }
    if (direction === "down" && conn !== undefined) {
      for (let count = conn.reserve(pairs, 0, 128); count > 0; count = conn.reserve(pairs, 0, 128)) {
        let room = 0;
        for (let i = 0; i < count; i++) room += pairs[2 * i + 1]!;
        conn.commit(room);
      }
    }
    if (received < toLan.offsets.length) return;
    toLan.clear();
    received = 0;
    far.poll(now, farSink);
  }

  function put(at: number, segment: Partial<NaiveSegment> & { flags: Set<string> }): number {
    const base = {
      source: CLIENT,
      destination: TARGET,
      sourcePort: 5000,
      destinationPort: 80,
      sequence: 1000,
      acknowledgement: 0,
      window: 0xffff,
      payload: new Uint8Array(0),
    };
    const frame = encodeFrame({ ...base, timestamps: { value: 1, echo: 0 }, ...segment }, "partial");
    bytes.set(frame, at);
    return frame.length;
  }

  function turn(): number {
    const before = hostMs;
    const started = performance.now();
    inBatch = 0;
    path.udp.open(0);
    path.setTun(3);
    path.run();
    const spent = performance.now() - started - (hostMs - before);
    now += TICK_MS;
    farTurn();
    return spent;
  }

  frames.push(
    frameAt,
    put(frameAt, { flags: new Set(["syn"]), sequence: 999, mss: 1460, windowShift: 8, sackPermitted: true }),
  );
  while (firstFrame === undefined) turn();
  const start = firstFrame.sequence + 1;
  const echo = firstFrame.timestamps!.value;
  const timestamps = { value: 1, echo };
  frames.push(frameAt, put(frameAt, { flags: new Set(["ack"]), acknowledgement: start, timestamps }));
  turn();

  let sent = 0;
  const dataAt = frameAt + 1024;
  const payload = new Uint8Array(FRAME_BYTES);
  const dataBytes = put(dataAt, {
    flags: new Set(["ack"]),
    acknowledgement: start,
    payload,
    gsoSize: MSS,
    timestamps,
  });
  const requestAt = frameAt + (96 << 10);
  const requestBytes = put(requestAt, {
    flags: new Set(["ack", "psh"]),
    acknowledgement: start,
    payload: new Uint8Array(REQUEST_BYTES),
    timestamps,
  });
  const ackBytes = put(frameAt, { flags: new Set(["ack"]), acknowledgement: start, timestamps });
  const moved = (): number => (direction === "down" ? delivered : (acknowledged - 1000) | 0);
  const report = (each: number[], what: string, more: string): void => {
    each.sort((a, b) => a - b);
    const figures = `${each[each.length >> 1]!.toFixed(3)} us a ${what} [from ${each[0]!.toFixed(3)}]`;
    console.log(`${direction.padEnd(7)} ${figures}, ${more}`);
  };
  if (direction === "request") {
    const perRequest: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      let ms = 0;
      let turns = 0;
      for (let request = 0; request < REQUESTS; request++) {
        writeBig(bytes, requestAt + SEQUENCE_AT, 1000 + sent);
        writeBig(bytes, requestAt + ACK_AT, start + delivered);
        frames.push(requestAt, requestBytes);
        sent += REQUEST_BYTES;
        for (const before = delivered; delivered === before; turns++) ms += turn();
      }
      if (round > 0) perRequest.push((ms * 1000) / REQUESTS);
      if (round === rounds) report(perRequest, "request", `${(turns / REQUESTS).toFixed(1)} turns`);
    }
    return;
  }
  const perSegment: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const until = moved() + SEGMENTS * (MTU - 24);
    let ms = 0;
    const begun = moved();
    let turns = 0;
    for (let begin = moved(); begin < until; begin = moved()) {
      if (direction === "down") {
        writeBig(bytes, frameAt + ACK_AT, start + delivered);
        frames.push(frameAt, ackBytes);
      } else if (moved() + window - sent >= FRAME_BYTES) {
        // One frame a turn, in place: the next is another part of the stream.
        writeBig(bytes, dataAt + SEQUENCE_AT, 1000 + sent);
        frames.push(dataAt, dataBytes);
        sent += FRAME_BYTES;
      }
      ms += turn();
      turns++;
    }
    const segments = (moved() - begun) / (MTU - 24);
    if (round > 0) perSegment.push((ms * 1000) / segments);
    if (round === rounds) report(perSegment, "segment", `${(segments / turns).toFixed(1)} segments a turn`);
  }
}

const SEQUENCE_AT = 10 + 20 + 4;
const ACK_AT = 10 + 20 + 8;

function readBig(from: Uint8Array, at: number): number {
  const value = readU32(from, at);
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function writeBig(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

for (const direction of ["down", "up", "request"] as const) measure(direction);
