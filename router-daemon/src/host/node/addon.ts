import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { HostFailure, TunInfo, UdpInfo } from "../host.ts";

/** The functions of one core (`native/node/addon.c`): integers in, an integer out; wrong types throw a TypeError. */
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

/** What the addon exports. */
export interface NativeAddon {
  create(
    arena: ArrayBuffer,
    slotCount: number,
    slotBytes: number,
    ringOffset: number,
    ringBytes: number,
    without: number,
  ): NativeCore | HostFailure;
}

/** Names a file that replaces the search. */
export const ADDON_ENV = "KCP_ROUTER_NATIVE";

/**
 * Where the addon may lie, best first: beside the bundle, then `out/native` of this folder and of those above it (a
 * checkout). Installed packages put it beside the bundle.
 */
export function addonCandidates(from: string, arch: string): string[] {
  const file = `kcp-router-${arch}.node`;
  const candidates = [join(from, file), join(from, "native", file)];
  for (let folder = from; ; folder = dirname(folder)) {
    candidates.push(join(folder, "out", "native", file));
    if (dirname(folder) === folder) return candidates;
  }
}

/** Loads the addon from `path`, or else from where it is found. The failure's sentence names the remedy. */
export function loadAddon(path?: string): NativeAddon | HostFailure {
  const wanted = path ?? process.env[ADDON_ENV];
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = wanted === undefined ? addonCandidates(here, process.arch) : [wanted];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) {
    return {
      error: -constants.errno.ENOENT,
      message: `The native I/O core for ${process.arch} is missing (${candidates[0]}). Build it with \`make native\`.`,
    };
  }
  const module = { exports: {} };
  try {
    // Not `require`: the path is absolute, and a bundler must not follow it.
    process.dlopen(module, found);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    return {
      error: -constants.errno.ENOEXEC,
      message: `The native I/O core ${found} cannot be loaded (${why}). Build it with \`make native\` on this machine.`,
    };
  }
  return module.exports as NativeAddon;
}
