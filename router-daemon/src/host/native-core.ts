import type { HostFailure, TunInfo, UdpInfo } from "./host.ts";

/**
 * The functions of one native core, the same in both bindings (`native/node/addon.c`, `native/quickjs/core.c`): integers in, an
 * integer out; wrong types throw a TypeError. What each does is said at `Host`.
 */
export interface NativeCore {
  now(): number;
  unixTime(): number;
  random(offset: number, length: number): number;
  describeError(code: number): string;
  poll(out: number, max: number): number;
  onReady(wake: () => void): number;
  setTimer(atMs: number): number;
  close(handle: number): number;
  tunOpen(name: string): TunInfo | HostFailure;
  tunConfigure(handle: number, ipv4: number, prefixLength: number, mtu: number): number;
  tunRoute(handle: number, add: number, network: number, prefixLength: number): number;
  tunRead(handle: number, out: number, max: number): number;
  tunWrite(handle: number, iov: number, count: number): number;
  tunSplit(
    offset: number,
    length: number,
    mtu: number,
    slots: number,
    lengths: number,
    max: number,
    headroom: number,
  ): number;
  seahash(front: number, frontBytes: number, rest: number, restBytes: number, out: number): number;
  udpOpen(endpointOffset: number): UdpInfo | HostFailure;
  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number;
  linkClear(link: number): number;
  identitySet(peerId: number, keyOffset: number): number;
  routeSet(route: number, link: number, headerOffset: number): number;
  routeClear(route: number): number;
  udpReceive(socket: number, slots: number, max: number, out: number): number;
  send(list: number, count: number): number;
  sendOnLink(link: number, offset: number, length: number): number;
  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number;
  tcpConnect(ipv4: number, port: number): number;
  tcpError(handle: number): number;
  tcpRead(handle: number, iov: number, count: number): number;
  tcpWrite(handle: number, iov: number, count: number): number;
  tcpShutdown(handle: number): number;
  tcpAbort(handle: number): number;
  counters(): Record<string, number>;
  dispose(): number;
}

/** What makes cores. */
export interface NativeAddon {
  /**
   * Attaches a core to an arena, which must stay as it is. Slots lie at offset 0, `tunRead` uses the ring; `without` is the mask of
   * `HostFeature`s to do without. Negative sizes throw a RangeError.
   */
  create(
    arena: ArrayBuffer,
    slotCount: number,
    slotBytes: number,
    ringOffset: number,
    ringBytes: number,
    without: number,
  ): NativeCore | HostFailure;
}
