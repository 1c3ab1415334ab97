/**
 * What the user-space TCP stack costs: CPU microseconds per super-segment, in and out, beside the bare copy.
 *
 *   npx tsx test/bench/tcp-stack.ts [seconds per measurement]
 */

import { FixedSlotPool } from "kcp-ts";
import { TCP_REGION_BYTES } from "../../router-daemon/src/tcp/limits.ts";
import { TcpStack } from "../../router-daemon/src/tcp/stack.ts";
import type { Flow, FlowReceiver, FrameSink } from "../../router-daemon/src/tcp/types.ts";
import { decodeFrame, encodeFrame, type NaiveSegment } from "../unit/tcp/naive.ts";

const SLOT_BYTES = 1536;
const SLOTS = 4096;
const SLOT_PAYLOAD = 1376;
const MSS = 1448;
const SUPER_BYTES = 44 * MSS;
const CLIENT = 0xc0a80102;
const TARGET = 0x0a7e7e02;

const region = SLOTS * SLOT_BYTES;
const frameAt = region + TCP_REGION_BYTES;
const arena = new ArrayBuffer(frameAt + 8 * 66_048);
const pool = new FixedSlotPool(SLOTS, { arena, slotBytes: SLOT_BYTES });
const words = new Int32Array(arena);
const bytes = pool.bytes;

/** Copies into slots as a KCP send ring would, and frees each when it has moved on. */
class Copying implements FlowReceiver {
  space = 4 * 1024 * 1024;
  readonly #ring = new Int32Array(256).fill(-1);
  #at = 0;
  #filled = SLOT_PAYLOAD;
  #slot = -1;
  copies = true;

  receive(offset: number, length: number): number {
    if (!this.copies) return length;
    let done = 0;
    while (done < length) {
      if (this.#filled === SLOT_PAYLOAD) {
        const old = this.#ring[this.#at]!;
        if (old >= 0) pool.free(old);
        this.#slot = pool.alloc();
        this.#ring[this.#at] = this.#slot;
        this.#at = (this.#at + 1) & 255;
        this.#filled = 0;
      }
      const piece = Math.min(SLOT_PAYLOAD - this.#filled, length - done);
      const to = this.#slot * SLOT_BYTES + 100 + this.#filled;
      bytes.copyWithin(to, offset + done, offset + done + piece);
      this.#filled += piece;
      done += piece;
    }
    return length;
  }
}

class Counting implements FrameSink {
  frames = 0;
  payloadBytes = 0;
  last: NaiveSegment | undefined;
  keep = false;

  frame(iov: number, pairs: number): boolean {
    this.frames++;
    for (let pair = 1; pair < pairs; pair++) this.payloadBytes += words[iov + 2 * pair + 1]!;
    if (this.keep) {
      const parts: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        const offset = words[iov + 2 * pair]!;
        parts.push(...bytes.subarray(offset, offset + words[iov + 2 * pair + 1]!));
      }
      this.last = decodeFrame(Uint8Array.from(parts));
    }
    return true;
  }
}

const receiver = new Copying();
const sink = new Counting();
let seed = 1;
let now = 1;

function makeStack(): { stack: TcpStack; flow: () => Flow } {
  let flow: Flow | undefined;
  const stack = new TcpStack({
    pool,
    words,
    regionOffset: region,
    random: () => (seed = Math.imul(seed, 1664525) + 1013904223),
    mtu: 1500,
    events: {
      syn: () => "hold",
      held: (held) => {
        flow = held;
        stack.accept(held, receiver, now);
      },
      evicting: () => undefined,
      established: () => undefined,
      writable: () => undefined,
      finished: () => undefined,
      closed: () => undefined,
    },
  });
  return { stack, flow: () => flow! };
}

const { stack, flow: theFlow } = makeStack();

function put(at: number, segment: Partial<NaiveSegment> & { flags: Set<string> }, partial = true): number {
  const frame = encodeFrame(
    {
      source: CLIENT,
      destination: TARGET,
      sourcePort: 5000,
      destinationPort: 80,
      sequence: 0,
      acknowledgement: 0,
      window: 0xffff,
      payload: new Uint8Array(0),
      ...segment,
    },
    partial ? "partial" : "full",
  );
  bytes.set(frame, at);
  return frame.length;
}

// Handshake.
sink.keep = true;
const synBytes = put(frameAt, {
  flags: new Set(["syn"]),
  sequence: 999,
  mss: 1460,
  windowShift: 8,
  sackPermitted: true,
  timestamps: { value: 1, echo: 0 },
});
stack.handleFrame(frameAt, synBytes, now);
stack.poll(now, sink);
const serverIsn = sink.last!.sequence;
const echo = sink.last!.timestamps!.value;
sink.keep = false;
const ackBytes = put(frameAt, {
  flags: new Set(["ack"]),
  sequence: 1000,
  acknowledgement: (serverIsn + 1) >>> 0,
  timestamps: { value: 1, echo },
});
stack.handleFrame(frameAt, ackBytes, now);
if (theFlow().state !== "established") throw new Error("The handshake failed.");

function store32(at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

const SEQUENCE_AT = 10 + 20 + 4;
const ACK_AT = 10 + 20 + 8;
const seconds = Number(process.argv[2] ?? 1);

function measure(name: string, per: number, turn: () => void): number {
  const results: number[] = [];
  for (let round = 0; round < 5; round++) {
    const end = performance.now() + (1000 * seconds) / 5;
    // CPU time, not time on the wall: other processes must not count.
    const start = process.cpuUsage();
    let turns = 0;
    while (performance.now() < end) {
      for (let index = 0; index < 64; index++) turn();
      turns += 64;
    }
    const used = process.cpuUsage(start);
    results.push((used.user + used.system) / (turns * per));
  }
  results.sort((a, b) => a - b);
  const median = results[2]!;
  console.log(
    `${name.padEnd(66)} ${median.toFixed(3)} us [${results[0]!.toFixed(3)}..${results[4]!.toFixed(3)}]`,
  );
  return median;
}

// In: super-segments in order, one acknowledgement for each batch of four.
const dataBytes = put(frameAt, {
  flags: new Set(["ack"]),
  sequence: 1000,
  acknowledgement: (serverIsn + 1) >>> 0,
  payload: new Uint8Array(SUPER_BYTES),
  gsoSize: MSS,
  timestamps: { value: 1, echo },
});
let sequence = 1000;
const receiveBatch = () => {
  for (let index = 0; index < 4; index++) {
    store32(frameAt + SEQUENCE_AT, sequence);
    stack.handleFrame(frameAt, dataBytes, now);
    sequence = (sequence + SUPER_BYTES) | 0;
  }
  now += 0.1;
  stack.poll(now, sink);
};
measure(`in: ${SUPER_BYTES}-byte super-segment, copied into slots`, 4, receiveBatch);
receiver.copies = false;
measure("in: the same, receiver copies nothing (what the stack itself costs)", 4, receiveBatch);
receiver.copies = true;
measure("    the bare copy into slots", 1, () => receiver.receive(frameAt + 62, SUPER_BYTES));

// In, reordered: each pair arrives swapped.
const swapped = () => {
  for (let pair = 0; pair < 2; pair++) {
    store32(frameAt + SEQUENCE_AT, (sequence + SUPER_BYTES) | 0);
    stack.handleFrame(frameAt, dataBytes, now);
    store32(frameAt + SEQUENCE_AT, sequence);
    stack.handleFrame(frameAt, dataBytes, now);
    sequence = (sequence + 2 * SUPER_BYTES) | 0;
  }
  now += 0.1;
  stack.poll(now, sink);
};
measure("in: every second super-segment overtaken by the next", 4, swapped);

// Small segments, not coalesced.
const smallBytes = put(frameAt, {
  flags: new Set(["ack"]),
  payload: new Uint8Array(MSS),
  acknowledgement: (serverIsn + 1) >>> 0,
  timestamps: { value: 1, echo },
});
measure(`in: ${MSS}-byte segment, 32 per batch`, 32, () => {
  for (let index = 0; index < 32; index++) {
    store32(frameAt + SEQUENCE_AT, sequence);
    stack.handleFrame(frameAt, smallBytes, now);
    sequence = (sequence + MSS) | 0;
  }
  now += 0.1;
  stack.poll(now, sink);
});

// Out: slots in, super-segments out, acknowledged by the client once per super-segment.
const flow = theFlow();
const ackFrame = put(frameAt, { flags: new Set(["ack"]), timestamps: { value: 1, echo } });
store32(frameAt + SEQUENCE_AT, sequence);
let acknowledged = 0;
const before = sink.payloadBytes;
const send = () => {
  while (flow.sendSpace >= SLOT_PAYLOAD) {
    const slot = pool.alloc();
    if (!flow.send(slot, slot * SLOT_BYTES + 100, SLOT_PAYLOAD)) throw new Error("not taken");
  }
  stack.poll(now, sink);
  acknowledged += Math.min(SUPER_BYTES, sink.payloadBytes - before - acknowledged);
  store32(frameAt + ACK_AT, (serverIsn + 1 + acknowledged) | 0);
  now += 0.5;
  stack.handleFrame(frameAt, ackFrame, now);
};
for (let index = 0; index < 2000; index++) send();
const framesBefore = sink.frames;
const payloadBefore = sink.payloadBytes;
measure("out: 46 slots queued, sent and acknowledged per super-segment", 1, send);
measure("    the bare pool: 46 slots taken and freed", 1, () => {
  for (let index = 0; index < 46; index++) pool.free(pool.alloc());
});
console.log(
  `    mean output frame ${((sink.payloadBytes - payloadBefore) / (sink.frames - framesBefore)).toFixed(0)} bytes`,
);
stack.dispose();
