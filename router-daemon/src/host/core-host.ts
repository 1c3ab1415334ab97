import { DEFAULT_SLOT_BYTES } from "../../kcp-ts/src/pool.ts";

import { featureMask, featuresOf, type HostFeature } from "./features.ts";
import type { Host, HostFailure, TcpHandle, TunInfo, UdpInfo } from "./host.ts";
import { ArenaMemory } from "./memory.ts";
import type { NativeAddon, NativeCore } from "./native-core.ts";

/** Room for `tunRead`: this many frames of 64 KiB, or many more small ones. */
export const TUN_RING_FRAMES = 8;
const TUN_FRAME_BYTES = 65_536 + 64;

export const DEFAULT_SCRATCH_BYTES = 4 << 20;

/** Without the feature "clock" the wall clock is right and at 1970 in turns, each for so long; first at 1970. */
const LOST_CLOCK_MS = 1000;

export interface CoreHostOptions {
  /** Slots of the pool: the memory budget. */
  readonly slotCount: number;
  readonly slotBytes?: number;
  /** Bytes for `memory.reserve`. */
  readonly scratchBytes?: number;
  /** Features to do without; else those of the environment's list. */
  readonly without?: readonly HostFeature[];
}

/** The arena with the core attached to it. */
export interface AttachedCore<Core extends NativeCore> {
  readonly memory: ArenaMemory;
  readonly core: Core;
  /** The feature "clock" is done without. */
  readonly losesClock: boolean;
}

/**
 * Makes the arena and attaches a core to it. `withoutList` is the text of the environment's WITHOUT_ENV.
 * Errors: a HostFailure whose sentence names the remedy; wrong sizes throw a RangeError.
 */
export function attachCore<Core extends NativeCore>(
  addon: { create(...args: Parameters<NativeAddon["create"]>): Core | HostFailure },
  options: CoreHostOptions,
  withoutList: string,
  makeArena?: (bytes: number) => ArrayBuffer,
): AttachedCore<Core> | HostFailure {
  const ringBytes = TUN_RING_FRAMES * TUN_FRAME_BYTES;
  const scratchBytes = options.scratchBytes ?? DEFAULT_SCRATCH_BYTES;
  if (!Number.isInteger(scratchBytes) || scratchBytes < 0) {
    throw new RangeError(`scratchBytes must be a whole number, not ${scratchBytes}.`);
  }
  const without = options.without ?? featuresOf(withoutList);
  if ("error" in without) return without;
  const memory = new ArenaMemory(
    options.slotCount,
    options.slotBytes ?? DEFAULT_SLOT_BYTES,
    ringBytes + scratchBytes,
    makeArena,
  );
  const core = addon.create(
    memory.arena,
    memory.slotCount,
    memory.slotBytes,
    memory.reserve(ringBytes),
    ringBytes,
    featureMask(without),
  );
  return "error" in core ? core : { memory, core, losesClock: without.includes("clock") };
}

/** Passes integers on. What each method does is said at `Host`. */
export class CoreHost implements Host {
  readonly memory: ArenaMemory;
  readonly #core: NativeCore;
  readonly #losesClock: boolean;
  readonly #startedAt: number;

  constructor({ memory, core, losesClock }: AttachedCore<NativeCore>) {
    this.memory = memory;
    this.#core = core;
    this.#losesClock = losesClock;
    this.#startedAt = core.now();
  }

  now(): number {
    return this.#core.now();
  }
  unixTime(): number {
    const runsMs = this.#core.now() - this.#startedAt;
    const isLost = this.#losesClock && Math.floor(runsMs / LOST_CLOCK_MS) % 2 === 0;
    return isLost ? Math.floor(runsMs / 1000) : this.#core.unixTime();
  }
  random(offset: number, length: number): void {
    const result = this.#core.random(offset, length);
    // Nobody may go on with bytes that are not random.
    if (result < 0) throw new RangeError(`random(${offset}, ${length}): ${this.describeError(result)}`);
  }
  describeError(code: number): string {
    return this.#core.describeError(code);
  }

  poll(out: number, max: number): number {
    return this.#core.poll(out, max);
  }
  onReady(wake: () => unknown): void {
    const result = this.#core.onReady(wake);
    if (result < 0) throw new Error(`onReady: ${this.describeError(result)}`);
  }
  setTimer(atMs: number): void {
    this.#core.setTimer(atMs);
  }
  close(handle: number): void {
    this.#core.close(handle);
  }
  dispose(): void {
    this.#core.dispose();
  }

  tunOpen(name: string): TunInfo | HostFailure {
    return this.#core.tunOpen(name);
  }
  tunConfigure(handle: number, ipv4: number, prefixLength: number, mtu: number): number {
    return this.#core.tunConfigure(handle, ipv4, prefixLength, mtu);
  }
  tunRoute(handle: number, add: boolean, network: number, prefixLength: number): number {
    return this.#core.tunRoute(handle, add ? 1 : 0, network, prefixLength);
  }
  tunRead(handle: number, out: number, max: number): number {
    return this.#core.tunRead(handle, out, max);
  }
  tunWrite(handle: number, iov: number, count: number): number {
    return this.#core.tunWrite(handle, iov, count);
  }
  tunSplit(
    offset: number,
    length: number,
    mtu: number,
    slots: number,
    lengths: number,
    max: number,
    headroom: number,
  ): number {
    return this.#core.tunSplit(offset, length, mtu, slots, lengths, max, headroom);
  }

  seahash(front: number, frontBytes: number, rest: number, restBytes: number, out: number): number {
    return this.#core.seahash(front, frontBytes, rest, restBytes, out);
  }

  udpOpen(endpointOffset: number): UdpInfo | HostFailure {
    return this.#core.udpOpen(endpointOffset);
  }
  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number {
    return this.#core.linkSet(link, socket, endpointOffset, connId);
  }
  linkClear(link: number): void {
    this.#core.linkClear(link);
  }
  identitySet(peerId: number, keyOffset: number): number {
    return this.#core.identitySet(peerId, keyOffset);
  }
  routeSet(route: number, link: number, headerOffset: number): number {
    return this.#core.routeSet(route, link, headerOffset);
  }
  routeClear(route: number): void {
    this.#core.routeClear(route);
  }
  udpReceive(socket: number, slots: number, max: number, out: number): number {
    return this.#core.udpReceive(socket, slots, max, out);
  }
  udpFollowers(out: number, slots: number, count: number, run: number): number {
    return this.#core.udpFollowers(out, slots, count, run);
  }
  send(list: number, count: number): number {
    return this.#core.send(list, count);
  }
  sendOnLink(link: number, offset: number, length: number): number {
    return this.#core.sendOnLink(link, offset, length);
  }
  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number {
    return this.#core.sendDatagram(socket, endpointOffset, offset, length);
  }

  tcpConnect(ipv4: number, port: number): number {
    return this.#core.tcpConnect(ipv4, port);
  }
  tcpError(handle: TcpHandle): number {
    return this.#core.tcpError(handle);
  }
  tcpRead(handle: TcpHandle, iov: number, count: number): number {
    return this.#core.tcpRead(handle, iov, count);
  }
  tcpWrite(handle: TcpHandle, iov: number, count: number): number {
    return this.#core.tcpWrite(handle, iov, count);
  }
  tcpShutdown(handle: TcpHandle): number {
    return this.#core.tcpShutdown(handle);
  }
  tcpAbort(handle: TcpHandle): void {
    this.#core.tcpAbort(handle);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#core.counters();
  }
}
