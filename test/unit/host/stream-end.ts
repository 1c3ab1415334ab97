import type { ByteStream, StreamHandlers } from "../../../router-daemon/src/host/streams.ts";

/** One end of a stream that notes what happened, and lets a test wait for it. */
export class StreamEnd implements StreamHandlers {
  /** What was called, in order; successive `data` calls are one entry. */
  readonly calls: string[] = [];
  /** How often `closed` came. */
  closings = 0;
  /** Set by a test while it is inside a call: handlers must not be called then. */
  insideCall = false;
  stream: ByteStream | undefined;
  /** Answers of an echo, or whatever a test does with bytes that came. */
  onData: (bytes: Uint8Array) => void = () => {};
  #chunks: Uint8Array[] = [];
  #length = 0;
  #code: string | undefined;
  readonly #waiting: { readonly is: () => boolean; readonly go: () => void }[] = [];

  get length(): number {
    return this.#length;
  }
  get code(): string | undefined {
    return this.#code;
  }
  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
  get text(): string {
    return String.fromCharCode(...this.bytes);
  }

  data(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.#length += bytes.length;
    this.onData(bytes);
    this.#note("data");
  }
  ended(): void {
    this.#note("ended");
  }
  drained(): void {
    this.#note("drained");
  }
  closed(code: string): void {
    this.closings++;
    this.#code = code;
    this.#note("closed");
  }

  /** Resolves when `is` holds; it is asked after every call. */
  until(is: () => boolean): Promise<void> {
    if (is()) return Promise.resolve();
    return new Promise((go) => this.#waiting.push({ is, go }));
  }
  untilLength(bytes: number): Promise<void> {
    return this.until(() => this.#length >= bytes);
  }
  untilCalled(name: string): Promise<void> {
    return this.until(() => this.calls.includes(name));
  }
  /** Resolves with the code of `closed`. */
  async untilClosed(): Promise<string> {
    await this.until(() => this.#code !== undefined);
    return this.#code ?? "";
  }

  #note(name: string): void {
    if (this.insideCall) this.calls.push(`${name} from inside a call`);
    else if (name !== "data" || this.calls.at(-1) !== "data") this.calls.push(name);
    for (const waiter of this.#waiting.splice(0)) {
      if (waiter.is()) waiter.go();
      else this.#waiting.push(waiter);
    }
  }
}
