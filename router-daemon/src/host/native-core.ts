import type { Host, HostFailure } from "./host.ts";

/** What a binding passes on unchanged. */
type Passed =
  | "now"
  | "unixTime"
  | "describeError"
  | "poll"
  | "tunOpen"
  | "tunConfigure"
  | "tunRead"
  | "tunWrite"
  | "tunSplit"
  | "seahash"
  | "udpOpen"
  | "linkSet"
  | "identitySet"
  | "routeSet"
  | "udpReceive"
  | "udpFollowers"
  | "send"
  | "sendOnLink"
  | "sendDatagram"
  | "tcpConnect"
  | "tcpError"
  | "tcpRead"
  | "tcpWrite"
  | "tcpShutdown";

/**
 * The functions of one native core, the same in both bindings (`native/node/addon.c`, `native/quickjs/core.c`): integers in, an
 * integer out; wrong types throw a TypeError. What each does is said at `Host`.
 */
export interface NativeCore extends Pick<Host, Passed> {
  random(offset: number, length: number): number;
  onReady(wake: () => void): number;
  setTimer(atMs: number): number;
  close(handle: number): number;
  tunRoute(handle: number, add: number, network: number, prefixLength: number): number;
  linkClear(link: number): number;
  routeClear(route: number): number;
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
