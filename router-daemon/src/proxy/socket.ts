/**
 * What the destination side needs of the host: real TCP sockets. `Host` (`host/host.ts`) has all of it; tests hand in
 * sockets of their own. Results follow the conventions written there: negative = `-errno`, 0 = nothing now.
 */
export interface TcpSockets {
  tcpConnect(ipv4: number, port: number): number;
  /** 0 = connected, else why not. */
  tcpError(handle: number): number;
  tcpRead(handle: number, iov: number, count: number): number;
  tcpWrite(handle: number, iov: number, count: number): number;
  tcpShutdown(handle: number): number;
  tcpAbort(handle: number): void;
  close(handle: number): void;
}

/** The host's `END_OF_STREAM`. */
export const END_OF_STREAM = -0x7fff;
/** The host's `PollEvent`. */
export const SocketEvent = { readable: 1, writable: 2, hangup: 4, error: 8 } as const;
/** Linux error numbers that say something about the target. */
export const ECONNREFUSED = 111;
export const EINPROGRESS = 115;
export const ETIMEDOUT = 110;
