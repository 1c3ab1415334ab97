import { type DatagramSink, FixedSlotPool, Kcp, type KcpOptions } from "../src/index.ts";
import type { End } from "./world.ts";

/** The stream that every test sends: byte `i` is known from `i` alone. */
export function streamByte(i: number): number {
  return (i * 31 + (i >>> 8) * 7 + (i >>> 16)) & 0xff;
}

/** Where a received datagram lies in its slot in the daemon: the segment header is aligned. */
const RECEIVE_AT = 32;

/** How the application at an end behaves. */
export interface Application {
  /** Bytes to send in all; `Infinity` = always more. */
  sendBytes?: number;
  /** Bytes per millisecond that it reads; default: everything at once. */
  readBytesPerMs?: number;
  /** Called after input, before output, at every step. */
  onStep?: (end: KcpEnd, nowMs: number) => void;
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
    this.#read(nowMs);
    this.app.onStep?.(this, nowMs);
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
        // Only the ends of each piece are checked at the other side, so only they need to be right.
        const at = words[2 * p]!;
        for (let i = 0; i < end; i++) bytes[at + i] = streamByte(this.sentBytes + count + i);
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
        for (let i = 0; i < length; i += i < 32 || i >= length - 33 ? 1 : 97) {
          if (bytes[at + i] !== streamByte(this.receivedBytes + total + i)) {
            throw new Error(`Byte ${this.receivedBytes + total + i} of the stream is wrong.`);
          }
        }
        total += length;
      }
      this.kcp.consume(total);
      this.receivedBytes += total;
      allowed -= total;
      this.#readCredit -= total;
    }
  }
}
