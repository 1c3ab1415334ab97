import { coalesce, encodeFrame } from "../unit/tcp/naive.ts";
import { Errno } from "./errno.ts";
import { type IpPacket, tcpPacket, wireBytes } from "./ip-packet.ts";
import type { Random } from "./random.ts";
import { cutFrame } from "./segmentation.ts";

/** Frames that wait for the daemon, as the kernel's transmit queue: beyond it packets are lost. */
export const TUN_QUEUE_FRAMES = 4096;

/** The kernel's side of a TUN device: what the kernel routes into it waits until the daemon reads. */
export class TunDevice {
  readonly name: string;
  address = 0;
  prefixLength = 0;
  mtu = 1500;
  isUp = false;
  /** Packets lost because the queue was full, or too large for the device. */
  dropped = 0;
  /** The daemon cannot write: the kernel is behind with what it was given. */
  isFull = false;
  /** Told when something is there to be read, or can be written again. */
  onReady: () => void = () => undefined;
  readonly #random: Random;
  readonly #queue: IpPacket[] = [];

  constructor(name: string, random: Random) {
    this.name = name;
    this.#random = random;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** The kernel routes a packet into the device. Neighbours of one stream become a super-segment, as GRO makes them. */
  enqueue(packet: IpPacket): void {
    if (!this.isUp || this.#queue.length >= TUN_QUEUE_FRAMES) {
      this.dropped++;
      return;
    }
    if (wireBytes(packet) > this.mtu) {
      this.#fragment(packet);
      return;
    }
    const last = this.#queue.at(-1);
    if (last !== undefined && "segment" in last && "segment" in packet) {
      const merged = coalesce(last.segment, packet.segment);
      if (merged !== null) {
        this.#queue[this.#queue.length - 1] = tcpPacket(merged);
        return;
      }
    }
    this.#queue.push(packet);
    this.onReady();
  }

  /** What does not fit goes in fragments, unless its sender forbids it: TCP does. */
  #fragment(packet: IpPacket): void {
    const pieces = "bytes" in packet ? cutFrame(frameOf(packet.bytes), this.mtu) : Errno.messageSize;
    if (typeof pieces === "number") {
      this.dropped++;
      return;
    }
    for (const bytes of pieces) this.#queue.push({ ...packet, bytes });
    this.onReady();
  }

  /** The next frame with vnet header, as the daemon reads it. */
  dequeue(): Uint8Array | undefined {
    const packet = this.#queue.shift();
    if (packet === undefined) return undefined;
    if ("bytes" in packet) return frameOf(packet.bytes);
    // Super-segments and what a local program sends have no complete checksum; what came over a wire has one.
    const isPartial = packet.segment.gsoSize !== undefined || this.#random.chance(0.5);
    return encodeFrame(packet.segment, isPartial ? "partial" : "full");
  }

  setFull(isFull: boolean): void {
    this.isFull = isFull;
    if (!isFull) this.onReady();
  }
}

/** A vnet header that says nothing, and the packet. */
function frameOf(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(10 + packet.length);
  frame.set(packet, 10);
  return frame;
}
