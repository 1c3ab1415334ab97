import { ByteLog } from "../byte-log.ts";
import type { PipeEnd } from "./pipe.ts";
import type { Stream } from "./stream.ts";

/** The service's end of a connection that the daemon's host has made. */
export class PipeStream implements Stream {
  onChange: () => void = () => undefined;
  readonly #end: PipeEnd;
  readonly #received = new ByteLog();
  readonly #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  #isPaused = false;
  #endWaits = false;
  #wasReset = false;
  readonly #scratch = new Uint8Array(65_536);

  constructor(end: PipeEnd) {
    this.#end = end;
    end.onChange = () => this.#handleChange();
  }

  received(): Uint8Array {
    return this.#received.bytes;
  }
  get receivedBytes(): number {
    return this.#received.length;
  }
  get hasEnded(): boolean {
    return this.#end.finArrived && this.#end.readableBytes === 0;
  }
  get wasReset(): boolean {
    return this.#wasReset || this.#end.error !== 0;
  }
  get isOpen(): boolean {
    return this.#end.isConnected;
  }
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    this.#push();
  }

  end(): void {
    this.#endWaits = true;
    this.#push();
  }

  reset(): void {
    this.#wasReset = true;
    this.#end.reset();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#handleChange();
  }

  #handleChange(): void {
    while (!this.#isPaused && this.#end.readableBytes > 0) {
      const count = this.#end.read(this.#scratch);
      this.#received.push(this.#scratch.subarray(0, count));
    }
    this.#push();
    this.onChange();
  }

  #push(): void {
    while (this.#unsent.length > 0) {
      const first = this.#unsent[0]!;
      const taken = this.#end.write(first);
      if (taken <= 0) return;
      this.#unsentBytes -= taken;
      if (taken === first.length) this.#unsent.shift();
      else this.#unsent[0] = first.subarray(taken);
    }
    if (this.#endWaits) this.#end.shutdown();
  }
}
