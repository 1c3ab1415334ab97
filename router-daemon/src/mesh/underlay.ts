/**
 * What the mesh needs of the host: sockets, links, routes, sealed sends. `Host` (`host/host.ts`) has all of it; tests
 * hand in a small network in memory. Offsets, results and errors follow the conventions written there.
 */
export interface Underlay {
  udpOpen(endpointOffset: number): UdpSocket | UnderlayFailure;
  close(handle: number): void;
  linkSet(link: number, socket: number, endpointOffset: number, connId: number): number;
  linkClear(link: number): void;
  identitySet(peerId: number, keyOffset: number): void;
  routeSet(route: number, link: number, headerOffset: number): number;
  routeClear(route: number): void;
  /** `list` is a word index of `count` entries [payload offset, payload length, route, 0]. */
  send(list: number, count: number): number;
  /** 1 = on its way; 0 or a negative error = not. */
  sendOnLink(link: number, offset: number, length: number): number;
  /** 1 = on its way, 0 = the socket is full now; a negative error = it cannot be sent. */
  sendDatagram(socket: number, endpointOffset: number, offset: number, length: number): number;
  describeError(code: number): string;
}

export interface UdpSocket {
  readonly handle: number;
  readonly port: number;
}

export type UnderlayFailure = { readonly error: number; readonly message: string };

/** 16 address bytes (IPv4 as ::ffff:a.b.c.d) and the port in network order: the host's `ENDPOINT_BYTES`. */
export const ENDPOINT_BYTES = 18;

/** The host's `RxFlag`: how a received entry is to be read. */
export const RxFlag = { opened: 1, untouched: 2, datagram: 4 } as const;

/** Words of one entry of `send`. */
export const TX_WORDS = 4;
