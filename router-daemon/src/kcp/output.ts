/**
 * The way out: turns control packets and KCP datagrams into packets of the sink, for one `poll` of the endpoint.
 *
 * Control packets are written into slots of their own, one behind the other; what is written stays until the next `poll`, as the
 * sink was promised. KCP datagrams get their header written into the headroom in front of them.
 */
import type { DatagramSink, Kcp, SlotPool } from "kcp-ts";
import type { ControlSink } from "./controls.ts";
import { CONTROL_SLOTS } from "./limits.ts";
import { ACK_DATA, KCP_HEADER_BYTES, writeKcpHeader } from "./packet.ts";
import type { KcpPacketSink } from "./types.ts";

export class PacketOutput implements ControlSink, DatagramSink {
  readonly #pool: SlotPool;
  readonly #isSource: boolean;
  readonly #localPeerId: number;
  /** Slots of control packets, taken at the start: an exhausted pool must not silence the endpoint. */
  readonly #slots: number[] = [];
  #slotsUsed = 0;
  /** Next free byte and end of the control slot in use. */
  #at = 0;
  #end = 0;
  #sink: KcpPacketSink | undefined = undefined;
  #quantum = 0;
  // Of the connection whose KCP is being polled.
  #peerId = 0;
  #conv = 0;
  /** Where its first header was written, which is that of all its datagrams; -1 = not yet. */
  #headerAt = -1;
  /** The sink takes no more in this `poll`. */
  isStopped = false;
  /** Something was refused: the connection being polled has more. */
  isCut = false;

  /** Throws a RangeError when the pool has no slots for control packets. */
  constructor(pool: SlotPool, isSource: boolean, localPeerId: number) {
    this.#pool = pool;
    this.#isSource = isSource;
    this.#localPeerId = localPeerId;
    if (pool.freeSlots < CONTROL_SLOTS) {
      throw new RangeError(`A KCP endpoint needs ${CONTROL_SLOTS} free slots of its own; use a larger pool.`);
    }
    for (let i = 0; i < CONTROL_SLOTS; i++) this.#slots.push(pool.alloc());
  }

  begin(sink: KcpPacketSink): void {
    this.#sink = sink;
    this.isStopped = false;
    this.#slotsUsed = 0;
    this.#at = 0;
    this.#end = 0;
  }

  end(): void {
    this.#sink = undefined;
  }

  control(
    peerId: number,
    conv: number,
    flags: number,
    body: Uint8Array | undefined,
    bodyBytes: number,
  ): boolean {
    const length = KCP_HEADER_BYTES + bodyBytes;
    if (this.isStopped || !this.#makeRoom(length)) {
      this.isCut = true;
      return false;
    }
    const { bytes } = this.#pool;
    const at = this.#at;
    this.#at += length;
    this.#writeHeader(bytes, at, peerId, conv, flags);
    for (let i = 0; i < bodyBytes; i++) bytes[at + KCP_HEADER_BYTES + i] = body![i]!;
    if (!this.#sink!.packet(peerId, at, length)) this.isStopped = true;
    return true;
  }

  /** Sends what `kcp` has, at most `quantum` datagrams. */
  data(peerId: number, conv: number, kcp: Kcp, now: number, quantum: number): void {
    this.#peerId = peerId;
    this.#conv = conv;
    this.#quantum = quantum;
    this.#headerAt = -1;
    kcp.poll(now, this);
  }

  /** One datagram of the KCP being polled (`DatagramSink`). */
  datagram(offset: number, length: number): boolean {
    if (this.isStopped || this.#quantum === 0) {
      this.isCut = true;
      return false;
    }
    this.#quantum--;
    const at = offset - KCP_HEADER_BYTES;
    const { bytes } = this.#pool;
    if (this.#headerAt < 0) {
      this.#writeHeader(bytes, at, this.#peerId, this.#conv, ACK_DATA);
      this.#headerAt = at;
    } else {
      bytes.copyWithin(at, this.#headerAt, this.#headerAt + KCP_HEADER_BYTES);
    }
    if (!this.#sink!.packet(this.#peerId, at, length + KCP_HEADER_BYTES)) this.isStopped = true;
    return true;
  }

  /** Gives the control slots back to the pool. */
  dispose(): void {
    for (const slot of this.#slots) this.#pool.free(slot);
    this.#slots.length = 0;
  }

  #writeHeader(bytes: Uint8Array, at: number, peerId: number, conv: number, flags: number): void {
    if (this.#isSource) writeKcpHeader(bytes, at, conv, this.#localPeerId, peerId, flags);
    else writeKcpHeader(bytes, at, conv, peerId, this.#localPeerId, flags);
  }

  #makeRoom(length: number): boolean {
    if (this.#at + length <= this.#end) return true;
    if (this.#slotsUsed === this.#slots.length) return false;
    this.#at = this.#slots[this.#slotsUsed++]! * this.#pool.slotBytes;
    this.#end = this.#at + this.#pool.slotBytes;
    return true;
  }
}
