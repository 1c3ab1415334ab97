import type { NativeAddon } from "../native-core.ts";

/**
 * What the executable with QuickJS inside gives its JavaScript (`native/quickjs`): the I/O core, and in small pieces what the engine lacks.
 * It is imported from `"kcp-router:native"`; whoever needs it takes it as an argument, so that tests may hand in another one.
 *
 * ## Conventions
 * - A result >= 0 is success, < 0 is `-errno` with Linux's usual numbers on every architecture (`errorName(-111)` is `ECONNREFUSED`).
 *   Nothing throws for what the outside world did.
 * - Arguments of another type than said throw a TypeError with a sentence; ranges outside their array a RangeError; a closed socket is
 *   `-EBADF`.
 * - Nothing blocks, files and standard output excepted.
 * - Callbacks come from the loop, one after another, with the promises they have settled run in between. An exception that leaves one, or a
 *   rejection nobody handles, prints one line and ends the process with status 1. The loop ends the process with status 0 when nothing is
 *   left that could call back: no timer, no watched socket, no pending name, no core with `onReady`, no signal handler.
 */
export interface QuickJsNative
  extends NativeAddon,
    NativeArena,
    NativeProcess,
    NativeTimers,
    NativeSockets,
    NativeFiles,
    NativeNetwork,
    NativeText {}

export interface NativeArena {
  /**
   * Memory for `create`: zero, and not taken from the machine before it is written to (the engine's own buffers are filled at once). A core
   * whose arena was detached throws a TypeError. Throws a RangeError when there is not so much.
   */
  makeArena(bytes: number): ArrayBuffer;
}

export interface NativeProcess {
  /** `argv[0]` is how the program was called. */
  readonly argv: readonly string[];
  readonly pid: number;
  /** `x86_64`, `aarch64`, `arm`, `mipsel`, `mips`, or what else it was compiled for. */
  readonly architecture: string;
  /** The engine's name and version: `quickjs 2026-06-04`. */
  readonly engine: string;
  environment(name: string): string | undefined;
  /** Ends the process now. */
  exit(status: number): never;
  /** Calls with 15 (TERM), 2 (INT) or 1 (HUP); from then on these no longer end the process. A second call replaces the first. */
  onSignal(run: (signal: number) => void): void;
  /** Writes all of it to descriptor 1 or 2, waiting for a slow reader. 0, or why it failed (`-EPIPE`). */
  write(descriptor: number, bytes: Uint8Array): number;
  isTerminal(descriptor: number): boolean;
  /** One line to syslog as `kcp-router`; levels are those of RFC 5424: 3 error, 4 warning, 6 information, 7 debug. */
  syslog(level: number, text: string): void;
  /** Resident size of the process. */
  residentBytes(): number;
  /** The machine's memory; 0 = unknown. */
  totalMemoryBytes(): number;
  engineMemory(): EngineMemory;
  /** Bytes the engine's heap may take (the arena is part of it); beyond it allocations throw. */
  setEngineMemoryLimit(bytes: number): void;
}

export interface EngineMemory {
  readonly usedBytes: number;
  /** Runs of the collector of cycles; it runs when the loop is about to wait, or, when memory grows too fast for that, at once. */
  readonly collections: number;
  readonly longestPauseMs: number;
  readonly totalPauseMs: number;
}

export interface NativeTimers {
  /** Monotonic milliseconds with fractions; the clock of `NativeCore.now`. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  wallClockMs(): number;
  /** Calls once after `delayMs`; returns the timer's number (> 0). */
  startTimer(run: () => void, delayMs: number): number;
  /** Nothing happens when it has fired or never was. */
  stopTimer(timer: number): void;
}

/** Sockets of the control side: stream sockets, unix and TCP, non-blocking. Numbers are never used twice. */
export interface NativeSockets {
  /** Returns a socket that is connecting: `writable` tells the end, `socketError` the outcome. */
  socketConnectUnix(path: string): number;
  socketConnectTcp(ipv4: number, port: number): number;
  /** The file is made with mode 0600; `-EADDRINUSE` when there is one. Removing it is the caller's. */
  socketListenUnix(path: string): number;
  /** Port 0 = any. */
  socketListenTcp(ipv4: number, port: number): number;
  /** The port a TCP socket is bound to. */
  socketPort(socket: number): number;
  /** The next client, or 0 = none waits. */
  socketAccept(listener: number): number;
  /** 0 = connected, `-EINPROGRESS`, or why it failed. */
  socketError(socket: number): number;
  /** Reads into `bytes[offset, offset+length)`: bytes read, 0 = nothing now, `END_OF_STREAM`, or why it failed. */
  socketRead(socket: number, bytes: Uint8Array, offset: number, length: number): number;
  /** Bytes taken, 0 = full. */
  socketWrite(socket: number, bytes: Uint8Array, offset: number, length: number): number;
  /** No more will be written. */
  socketShutdown(socket: number): number;
  socketClose(socket: number): number;
  /**
   * What to report of this socket from now on, bits of `PollEvent`: readable, writable; 0 = nothing (as after opening). It is reported as long
   * as it holds, the end of a stream too; errors and hang-ups are reported as what is watched.
   */
  socketWatch(socket: number, events: number): number;
  /** Who is told. A second call replaces the first. */
  onSocket(run: (socket: number, events: number) => void): void;
}

export interface NativeFiles {
  /** The whole file and its mode. `-EFBIG` when it is larger than `maxBytes`, `-EISDIR` for a folder. Files of /proc and /sys, too. */
  readFile(path: string, maxBytes: number): FileContents | number;
  /** All or nothing: a file beside it is written, synced and renamed. */
  writeFile(path: string, bytes: Uint8Array, mode: number): number;
  removeFile(path: string): number;
  makeFolder(path: string, mode: number): number;
  /** Names in no particular order. */
  listFolder(path: string): string[] | number;
  /** Does not follow a symbolic link. */
  fileStatus(path: string): FileStatus | number;
}
export interface FileContents {
  readonly bytes: Uint8Array;
  /** `st_mode`: permissions in the low twelve bits. */
  readonly mode: number;
}
export interface FileStatus {
  readonly kind: "file" | "folder" | "link" | "socket" | "other";
  readonly mode: number;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

export interface NativeNetwork {
  hostname(): string;
  /** IPv4 addresses of the interfaces that are up. */
  interfaceAddresses(): InterfaceAddress[];
  /**
   * Asks for a name's addresses without holding up the loop; they come as text, none = there is no such name. `-EAGAIN` when
   * eight are under way.
   */
  resolve(name: string, done: (addresses: string[]) => void): number;
}
export interface InterfaceAddress {
  readonly name: string;
  readonly address: number;
  readonly prefixLength: number;
  readonly loopback: boolean;
}

export interface NativeText {
  /** Lone surrogates become U+FFFD, as with TextEncoder. */
  encodeUtf8(text: string): Uint8Array;
  /** Bytes [offset, offset+length). Malformed bytes become U+FFFD as with TextDecoder, or undefined is returned when `fatal`. A byte order mark is kept. */
  decodeUtf8(bytes: Uint8Array, offset: number, length: number, fatal: boolean): string | undefined;
  /** `ECONNREFUSED` for -111; `E999` for what has no name. */
  errorName(code: number): string;
  /** Fills all of it with cryptographically strong randomness. */
  randomBytes(bytes: Uint8Array): void;
}
