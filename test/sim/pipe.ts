/**
 * A TCP connection between a socket of the host and a service, as both see it through their kernels: bytes, ends, resets,
 * buffers that fill up. The segments in between are left out; the LAN is taken as reliable.
 *
 * ```
 *  writer ─write─▶ │ under way for delayMs │ arrived, unread │ ─read─▶ reader
 *                  └──────── together at most `capacity` ────┘
 * ```
 */
import type { Clock } from "./clock.ts";
import { Errno } from "./errno.ts";

/** Bytes that both kernels' buffers hold together, one way. */
export const PIPE_CAPACITY_BYTES = 256 * 1024;

/** One end. The other end is `far`. */
export class PipeEnd {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #capacity: number;
  far!: PipeEnd;
  /** Called when something has changed for this end's owner. */
  onChange: () => void = () => undefined;
  /** The connection was set up. */
  isConnected = false;
  /** Negative error number that ended the connection. */
  error = 0;
  /** A write was told of it: reading finds an end afterwards, no error. */
  isErrorTold = false;
  /** The far end's FIN has arrived, behind everything it wrote. */
  finArrived = false;
  finSent = false;
  /** No more reading here: what arrives is answered with a reset. */
  isClosed = false;
  readonly #arrived: Uint8Array[] = [];
  #arrivedBytes = 0;
  #underWay = 0;
  /** The owner wrote less than it wanted: it is told when there is room. */
  #wantsRoom = false;

  constructor(clock: Clock, delayMs: number, capacity = PIPE_CAPACITY_BYTES) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#capacity = capacity;
  }

  static pair(clock: Clock, delayMs: number, capacity?: number): [PipeEnd, PipeEnd] {
    const near = new PipeEnd(clock, delayMs, capacity);
    const far = new PipeEnd(clock, delayMs, capacity);
    near.far = far;
    far.far = near;
    return [near, far];
  }

  get readableBytes(): number {
    return this.#arrivedBytes;
  }

  /** Bytes that may be written now. */
  get room(): number {
    if (!this.isConnected) return 0;
    return Math.max(0, this.#capacity - this.far.#arrivedBytes - this.far.#underWay);
  }

  /** As the kernel sees it: a third of the buffer is free. */
  get isWritable(): boolean {
    return this.isConnected && this.room * 3 >= this.#capacity;
  }

  connect(): void {
    this.isConnected = true;
    this.onChange();
  }

  /** Ends this side with an error, at once. */
  fail(error: number): void {
    if (this.error !== 0 || this.isClosed) return;
    this.error = error;
    this.onChange();
  }

  /** Bytes taken, 0 = full, or a negative error. */
  write(bytes: Uint8Array): number {
    if (this.error !== 0) {
      this.isErrorTold = true;
      return this.error;
    }
    if (this.finSent || this.isClosed) return Errno.brokenPipe;
    const taken = Math.min(bytes.length, this.room);
    if (taken < bytes.length) this.#wantsRoom = true;
    if (taken === 0) return 0;
    const chunk = bytes.slice(0, taken);
    this.far.#underWay += taken;
    this.#later(() => this.far.#arrive(chunk));
    return taken;
  }

  #arrive(chunk: Uint8Array): void {
    this.#underWay -= chunk.length;
    if (this.error !== 0) return;
    if (this.isClosed) {
      // Nobody will ever read it.
      this.far.fail(Errno.connectionReset);
      return;
    }
    this.#arrived.push(chunk);
    this.#arrivedBytes += chunk.length;
    this.onChange();
  }

  /** Fills `into`; bytes read, 0 = nothing there. The owner looks at `finArrived` and `error` for the end. */
  read(into: Uint8Array): number {
    let at = 0;
    while (at < into.length) {
      const first = this.#arrived[0];
      if (first === undefined) break;
      const part = first.subarray(0, into.length - at);
      into.set(part, at);
      at += part.length;
      if (part.length === first.length) this.#arrived.shift();
      else this.#arrived[0] = first.subarray(part.length);
    }
    this.#arrivedBytes -= at;
    if (at > 0) this.#tellRoom();
    return at;
  }

  #tellRoom(): void {
    const { far } = this;
    if (!far.#wantsRoom || !far.isWritable) return;
    far.#wantsRoom = false;
    this.#later(() => far.onChange());
  }

  /** FIN after everything written. */
  shutdown(): void {
    if (this.finSent || this.error !== 0) return;
    this.finSent = true;
    this.#later(() => {
      if (this.far.error !== 0) return;
      this.far.finArrived = true;
      this.far.onChange();
    });
  }

  /** RST: both directions end at once, what is unread at the far end stays readable there. */
  reset(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#later(() => this.far.fail(Errno.connectionReset));
  }

  /** As `close()`: FIN, or RST when something is unread; what still arrives is answered with RST. */
  close(): void {
    if (this.#arrivedBytes > 0) {
      this.reset();
      return;
    }
    this.shutdown();
    this.isClosed = true;
  }

  #later(run: () => void): void {
    if (this.#delayMs === 0) run();
    else this.#clock.after(this.#delayMs, run);
  }
}
