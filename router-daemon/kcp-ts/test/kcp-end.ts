import { type DatagramSink, FixedSlotPool, Kcp, type KcpOptions } from "../src/index.ts";
import { Random } from "./random.ts";
import type { End } from "./world.ts";

/** The stream that every test sends repeats after this many bytes: no whole number of segments of any size in use. */
const PERIOD = 65_521;
const STREAM = (() => {
  const random = new Random(1);
  const bytes = new Uint8Array(2 * PERIOD);
  for (let i = 0; i < PERIOD; i++) bytes[i] = bytes[i + PERIOD] = random.below(256);
  return bytes;
})();

/** Bytes of the stream from `at` on, less than a period. */
export function streamBytes(at: number, length: number): Uint8Array {
  return STREAM.subarray(at % PERIOD, (at % PERIOD) + length);
}

/** Throws unless `bytes` are the stream from `at` on; both ends and some bytes between are looked at. */
export function checkStream(bytes: Uint8Array, at: number): void {
  const expected = streamBytes(at, bytes.length);
  const last = bytes.length - 16;
  for (let i = 0; i < bytes.length; i += i < 16 || i >= last ? 1 : 61) {
    if (bytes[i] !== expected[i]) throw new Error(`Byte ${at + i} of the stream is wrong.`);
  }
}

/** Where a received datagram lies in its slot in the daemon: the segment header is aligned. */
const RECEIVE_AT = 32;

/** How the application at an end behaves. */
export interface Application {
  /** Bytes to send in all; `Infinity` = always more. */
  sendBytes?: number;
  /** Bytes per millisecond that it reads; default: everything at once. */
  readBytesPerMs?: number;
}

/** `Kcp` in the virtual world: a pool, an application that sends and checks the known stream. */
export class KcpEnd implements End {
  readonly kcp: Kcp;
  readonly pool: FixedSlotPool;
  readonly app: Application;
  sentBytes = 0;
  receivedBytes = 0;
  /** Most slots that were ever taken. */
  peakSlots = 0;
  datagrams = 0;
  /** An application of its own, instead of the reader of the known stream. */
  read: ((kcp: Kcp, nowMs: number) => void) | undefined;
  #readAtMs = 0;
  #readCredit = 0;
  readonly #words = new Int32Array(512);
  readonly #sink: DatagramSink;
  #send: (bytes: Uint8Array) => void = () => {};

  constructor(options: Omit<KcpOptions, "pool"> & { slots?: number }, app: Application = {}) {
    this.pool = new FixedSlotPool(options.slots ?? 16384);
    const { slots: _, ...rest } = options;
    this.kcp = new Kcp({ pool: this.pool, headroom: 14, ...rest });
    this.app = app;
    this.#sink = {
      datagram: (offset, length) => {
        this.datagrams++;
        this.#send(this.pool.bytes.slice(offset, offset + length));
        return true;
      },
    };
  }

  handle(bytes: Uint8Array, nowMs: number): void {
    const slot = this.pool.alloc();
    if (slot < 0) return;
    const offset = slot * this.pool.slotBytes + RECEIVE_AT;
    this.pool.bytes.set(bytes, offset);
    if (!this.kcp.handleDatagram(slot, offset, bytes.length, nowMs)) this.pool.free(slot);
  }

  step(nowMs: number, send: (bytes: Uint8Array) => void): void {
    this.#write();
    if (this.read) this.read(this.kcp, nowMs);
    else this.#read(nowMs);
    this.#send = send;
    this.kcp.poll(nowMs, this.#sink);
    this.peakSlots = Math.max(this.peakSlots, this.pool.slotCount - this.pool.freeSlots);
  }

  get nextTimeout(): number {
    const rate = this.app.readBytesPerMs;
    const waiting = rate !== undefined && rate > 0 && this.kcp.readableBytes > 0;
    return Math.min(this.kcp.nextTimeout, waiting ? this.#readAtMs + 1 : Infinity);
  }

  #write(): void {
    const words = this.#words;
    const { bytes } = this.pool;
    while (this.sentBytes < (this.app.sendBytes ?? 0)) {
      const pairs = this.kcp.reserve(words, 0, 64);
      if (pairs === 0) return;
      let count = 0;
      for (let p = 0; p < pairs; p++) {
        const end = Math.min(words[2 * p + 1]!, this.app.sendBytes! - this.sentBytes - count);
        bytes.set(streamBytes(this.sentBytes + count, end), words[2 * p]!);
        count += end;
      }
      this.kcp.commit(count);
      this.sentBytes += count;
    }
  }

  #read(nowMs: number): void {
    let allowed = Infinity;
    const rate = this.app.readBytesPerMs;
    if (rate !== undefined) {
      this.#readCredit = Math.min(rate * 10, this.#readCredit + (nowMs - this.#readAtMs) * rate);
      this.#readAtMs = nowMs;
      allowed = Math.floor(this.#readCredit);
    }
    const words = this.#words;
    const { bytes } = this.pool;
    while (allowed > 0) {
      const pairs = this.kcp.view(words, 0, 256);
      if (pairs === 0) return;
      let total = 0;
      for (let p = 0; p < pairs && total < allowed; p++) {
        const at = words[2 * p]!;
        const length = Math.min(words[2 * p + 1]!, allowed - total);
        checkStream(bytes.subarray(at, at + length), this.receivedBytes + total);
        total += length;
      }
      this.kcp.consume(total);
      this.receivedBytes += total;
      allowed -= total;
      this.#readCredit -= total;
    }
  }
}
