import type { Host } from "../host/host.ts";

const REGION_BYTES = 256;

/** The host's strong randomness in the forms that protocol code asks for. */
export class HostRandom {
  readonly #host: Host;
  readonly #region: number;

  constructor(host: Host) {
    this.#host = host;
    this.#region = host.memory.reserve(REGION_BYTES);
  }

  /** 32 random bits, unsigned. */
  word(): number {
    this.#host.random(this.#region, 4);
    return this.#host.memory.words[this.#region / 4]! >>> 0;
  }

  fill(bytes: Uint8Array): void {
    const { memory } = this.#host;
    for (let at = 0; at < bytes.length; at += REGION_BYTES) {
      const part = Math.min(REGION_BYTES, bytes.length - at);
      this.#host.random(this.#region, part);
      bytes.set(memory.bytes.subarray(this.#region, this.#region + part), at);
    }
  }
}
