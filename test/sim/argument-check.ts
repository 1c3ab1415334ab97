import type { Host } from "../../router-daemon/src/host/host.ts";

type Kind = "number" | "boolean" | "string" | "function";

const n = "number";

/** What each call takes. */
const SIGNATURES = {
  random: [n, n],
  describeError: [n],
  poll: [n, n],
  onReady: ["function"],
  setTimer: [n],
  close: [n],
  tunOpen: ["string"],
  tunConfigure: [n, n, n, n],
  tunRoute: [n, "boolean", n, n],
  tunRead: [n, n, n],
  tunWrite: [n, n, n],
  tunSplit: [n, n, n, n, n, n, n],
  seahash: [n, n, n, n, n],
  udpOpen: [n],
  linkSet: [n, n, n, n],
  linkClear: [n],
  identitySet: [n, n],
  routeSet: [n, n, n],
  routeClear: [n],
  udpReceive: [n, n, n, n],
  udpFollowers: [n, n, n, n],
  send: [n, n],
  sendOnLink: [n, n, n],
  sendDatagram: [n, n, n, n],
  tcpConnect: [n, n],
  tcpError: [n],
  tcpRead: [n, n, n],
  tcpWrite: [n, n, n],
  tcpShutdown: [n],
  tcpAbort: [n],
} as const satisfies Partial<Record<keyof Host, readonly Kind[]>>;

/**
 * Makes the calls of a host throw a TypeError for arguments of another type, as the native core does: what TypeScript cannot
 * see (a table read beyond its end) is found at the call.
 */
export function checkArguments(host: Host): void {
  for (const [name, kinds] of Object.entries(SIGNATURES)) {
    const call = Reflect.get(host, name) as (...args: unknown[]) => unknown;
    Reflect.set(host, name, (...args: unknown[]): unknown => {
      for (let i = 0; i < kinds.length; i++) {
        if (typeof args[i] !== kinds[i]) {
          throw new TypeError(`${name}: argument ${i + 1} must be a ${kinds[i]}, not ${typeof args[i]}.`);
        }
      }
      return call.apply(host, args);
    });
  }
}
