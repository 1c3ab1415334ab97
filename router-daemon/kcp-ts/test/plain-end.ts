import { checkStream, streamBytes } from "./kcp-end.ts";
import { PlainKcp, type PlainKcpOptions } from "./reference/plain-kcp.ts";
import type { End } from "./world.ts";

/** Most bytes in one write, and segments queued before a writer waits: EasyTier's (proxies.md 3.6). */
const WRITE_BYTES = 8 * 1024;

/** The reference in the virtual world, driven as EasyTier drives it: flush on send, `check` for the next update. */
export class PlainEnd implements End {
  readonly kcp: PlainKcp;
  readonly #sendBytes: number;
  readonly #queueLimit: number;
  sentBytes = 0;
  receivedBytes = 0;
  #out: Uint8Array[] = [];
  #nowMs = 0;
  #woken = true;
  /** Reads nothing while set. */
  paused = false;

  constructor(options: Omit<PlainKcpOptions, "output">, sendBytes = 0) {
    this.kcp = new PlainKcp({ ...options, output: (datagram) => this.#out.push(datagram) });
    this.#sendBytes = sendBytes;
    this.#queueLimit = 2 * (options.sendWindow ?? 1024);
    this.kcp.update(0);
  }

  handle(bytes: Uint8Array): void {
    this.kcp.input(bytes);
  }

  step(nowMs: number, send: (bytes: Uint8Array) => void): void {
    this.#nowMs = nowMs;
    if (!this.paused) this.#read();
    while (this.sentBytes < this.#sendBytes && this.kcp.waiting <= this.#queueLimit) {
      const count = Math.min(WRITE_BYTES, this.#sendBytes - this.sentBytes);
      this.kcp.send(streamBytes(this.sentBytes, count));
      this.sentBytes += count;
      this.#woken = true;
    }
    if (this.#woken) this.kcp.flush();
    this.#woken = false;
    this.kcp.update(Math.floor(nowMs));
    for (const datagram of this.#out) send(datagram);
    this.#out = [];
  }

  get nextTimeout(): number {
    return Math.max(this.kcp.check(Math.floor(this.#nowMs)), Math.floor(this.#nowMs) + 1);
  }

  #read(): void {
    for (;;) {
      const data = this.kcp.receive();
      if (data === undefined) return;
      checkStream(data, this.receivedBytes);
      this.receivedBytes += data.length;
    }
  }
}
