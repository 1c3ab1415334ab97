/** Datagrams from the kernel to the mesh, batch by batch: sockets that have some, slots kept ready for them, and runs of KCP. */
import { RUN_WORDS, RunEntry, RunHead, type SlotPool } from "kcp-ts";
import { type Host, type HostFailure, RX_WORDS, type UdpInfo } from "./host/host.ts";
import type { MeshNode } from "./mesh/node.ts";
import { RxFlag } from "./mesh/underlay.ts";

/** Datagrams taken from the kernel per call, and slots kept ready for them. */
export const RX_BATCH = 256;
/** Calls per turn: a second one mostly learns, without asking the kernel, that there is no more. */
const RX_BATCHES = 2;
/** Slots that are never lent to anything but reception: without them no acknowledgement could come in to free others. */
export const RX_RESERVE_SLOTS = 2 * RX_BATCH;
/**
 * With fewer free slots than this only small packets are let through: plain packets and acknowledgements go on. It is less
 * than what a KCP connection leaves alone when it keeps segments out of order, or the missing one could not come in.
 */
const LAST_SLOTS = 64;

/** Takes packets that follow each other as one run (`Host.udpFollowers`). */
export interface FollowersTaker {
  handleFollowers(words: Int32Array, at: number, count: number, now: number): boolean;
}
export type PacketTaker = Pick<MeshNode, "handleReceived" | "noteFollowers">;

export class UdpInput {
  readonly #host: Host;
  readonly #pool: SlotPool;
  readonly #words: Int32Array;
  readonly #slots: number;
  readonly #out: number;
  readonly #run: number;
  readonly #sockets = new Set<number>();
  /** Usually none or one, and written twice per packet: a set would grow and shrink each time. */
  readonly #readable: number[] = [];
  #ready = 0;
  /** Of the slots kept ready, those that were taken in this batch: the pool will have to replace them. */
  #owed = 0;
  /** Set by who hands the last packet on, if it was one of KCP: who has got it. */
  taker: FollowersTaker | undefined;
  /** The first packet of the batch that may have followers. */
  #aloneUntil = 0;

  constructor(host: Host, pool: SlotPool) {
    this.#host = host;
    this.#pool = pool;
    this.#words = host.memory.words;
    this.#slots = host.memory.reserve(RX_BATCH * 4) / 4;
    this.#out = host.memory.reserve(RX_BATCH * RX_WORDS * 4) / 4;
    this.#run = host.memory.reserve(RX_BATCH * RUN_WORDS * 4) / 4;
  }

  /** Opens a socket and reads it from now on. */
  open(endpointOffset: number): UdpInfo | HostFailure {
    const socket = this.#host.udpOpen(endpointOffset);
    if ("handle" in socket) {
      this.#sockets.add(socket.handle);
      this.noteReadable(socket.handle);
    }
    return socket;
  }

  close(handle: number): void {
    this.#sockets.delete(handle);
    this.#noteDrained(handle);
    this.#host.close(handle);
  }

  has(handle: number): boolean {
    return this.#sockets.has(handle);
  }

  /** The socket may have something to read. */
  noteReadable(socket: number): void {
    if (!this.#readable.includes(socket)) this.#readable.push(socket);
  }

  #noteDrained(socket: number): void {
    const at = this.#readable.indexOf(socket);
    if (at < 0) return;
    const last = this.#readable.pop()!;
    if (last !== socket) this.#readable[at] = last;
  }

  /** Once `more` slots are taken, so few are left that a packet with payload has to be sent again. */
  isScarce(more: number): boolean {
    return this.#pool.freeSlots - this.#owed - more < LAST_SLOTS;
  }

  /** Takes what there is, at most a few batches of each socket. True when there may be more. */
  receive(mesh: PacketTaker, now: number): boolean {
    let more = false;
    // Backwards: a socket that is drained leaves its place to the last one.
    for (let i = this.#readable.length - 1; i >= 0; i--) {
      const socket = this.#readable[i];
      if (socket !== undefined) more = this.#receiveFrom(socket, mesh, now) || more;
    }
    return more;
  }

  /** True when the socket may have more. */
  #receiveFrom(socket: number, mesh: PacketTaker, now: number): boolean {
    for (let batches = 0; batches < RX_BATCHES; batches++) {
      if (!this.#receiveBatch(socket, mesh, now)) return false;
    }
    return true;
  }

  #receiveBatch(socket: number, mesh: PacketTaker, now: number): boolean {
    while (this.#ready < RX_BATCH) {
      const slot = this.#pool.alloc();
      if (slot < 0) break;
      this.#words[this.#slots + this.#ready++] = slot;
    }
    // Without a slot nothing can be received, and the socket would not be reported again: it stays on the list.
    if (this.#ready === 0) return false;
    const count = this.#host.udpReceive(socket, this.#slots, this.#ready, this.#out);
    if (count <= 0) {
      this.#noteDrained(socket);
      return false;
    }
    let kept = 0;
    this.#owed = 0;
    this.#aloneUntil = 0;
    for (let i = 0; i < count; i++) {
      const at = this.#out + i * RX_WORDS;
      const slot = this.#words[this.#slots + i]!;
      this.taker = undefined;
      const taken = mesh.handleReceived(
        slot,
        this.#words[at]!,
        this.#words[at + 1]!,
        this.#words[at + 2]!,
        this.#words[at + 3]!,
        now,
        socket,
      );
      if (!taken) {
        this.#words[this.#slots + kept++] = slot;
        continue;
      }
      this.#owed++;
      if (i + 1 < count && i >= this.#aloneUntil) i += this.#takeFollowers(i, count, mesh, now);
    }
    // Slots from the far end fill the places of those that were taken.
    while (kept < count && count < this.#ready) {
      this.#words[this.#slots + kept++] = this.#words[this.#slots + --this.#ready]!;
    }
    if (kept < count) this.#ready = kept;
    return true;
  }

  /** Packets behind `i` that continue its stream go the same way, all at once. Returns how many were taken. */
  #takeFollowers(i: number, count: number, mesh: PacketTaker, now: number): number {
    const entry = this.#out + i * RX_WORDS;
    const flags = this.#words[entry + 3]!;
    if (this.taker === undefined || (flags & RxFlag.datagram) !== 0) return 0;
    const run = this.#run;
    const found = this.#host.udpFollowers(entry, this.#slots + i, count - i, run);
    if (found <= 0) return 0;
    if (this.isScarce(found) || !this.taker.handleFollowers(this.#words, run, found, now)) {
      this.#aloneUntil = i + found + 1;
      return 0;
    }
    this.#owed += found;
    const headerBytes = this.#words[run + RUN_WORDS + RunEntry.offset]! - this.#words[entry + RX_WORDS]!;
    const bytes = this.#words[run + RunHead.bytes]! + found * headerBytes;
    mesh.noteFollowers(this.#words[entry + 2]!, flags, found, bytes);
    return found;
  }

  /** Gives the slots back: nothing more is received. */
  dispose(): void {
    while (this.#ready > 0) this.#pool.free(this.#words[this.#slots + --this.#ready]!);
  }
}
