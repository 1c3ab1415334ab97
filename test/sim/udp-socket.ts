import type { Datagram } from "./network.ts";

/** Bytes that wait in a socket's buffer; what comes beyond is lost. */
export const SOCKET_BUFFER_BYTES = 4 << 20;

/** A bound UDP socket. */
export class UdpSocket {
  /** Address text, `0.0.0.0` or `::` for all. */
  readonly address: string;
  port = 0;
  /** Lost because the buffer was full. */
  overflowed = 0;
  onReady: () => void = () => undefined;
  readonly #queue: Datagram[] = [];
  #bytes = 0;

  constructor(address: string) {
    this.address = address;
  }

  get isAny(): boolean {
    return this.address === "0.0.0.0" || this.isDual;
  }

  /** Speaks IPv6, and IPv4 too. */
  get isDual(): boolean {
    return this.address === "::";
  }

  get isV6(): boolean {
    return this.address.includes(":");
  }

  get waiting(): number {
    return this.#queue.length;
  }

  enqueue(datagram: Datagram): void {
    // What a small datagram costs a kernel's buffer beside its bytes.
    const cost = datagram.bytes.length + 256;
    if (this.#bytes + cost > SOCKET_BUFFER_BYTES) {
      this.overflowed++;
      return;
    }
    this.#queue.push(datagram);
    this.#bytes += cost;
    this.onReady();
  }

  peek(): Datagram | undefined {
    return this.#queue[0];
  }

  shift(): void {
    const datagram = this.#queue.shift();
    if (datagram !== undefined) this.#bytes -= datagram.bytes.length + 256;
  }
}
