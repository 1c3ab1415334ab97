import type { Host, HostFailure } from "../host/host.ts";
import type { Streams } from "../host/streams.ts";
import type { Timers } from "../host/timers.ts";

/** What an engine gives the daemon's process: `node-run.ts` and `quickjs-run.ts` have one each. */
export interface Engine {
  /** Name and version, `node 20.20.2`. */
  readonly name: string;
  readonly streams: Streams;
  readonly timers: Timers;
  /** The host with a pool of so many slots, or a sentence with the remedy. */
  createHost(slotCount: number): Host | HostFailure;
  /** What lies at a path; a symbolic link is not followed. Else the system's name of the failure (`ENOENT`). */
  fileKind(path: string): FileKind | { readonly code: string };
  /** Removes a file; the system's name of the failure, or empty. */
  removeFile(path: string): string;
  /** Text of a small file, of /proc and /sys too; undefined when it cannot be read. */
  readFile(path: string): string | undefined;
  /** Resolves a host name to addresses (text); never rejects, an empty list = it could not. */
  resolve(name: string): Promise<readonly string[]>;
  /** IPv4 addresses of this machine's interfaces, the loopback left out. */
  interfaceAddresses(): readonly InterfaceAddress[];
  /** Resident memory of the process, or null. */
  residentBytes(): number | null;
}

export type FileKind = "socket" | "other";

export interface InterfaceAddress {
  readonly name: string;
  readonly address: number;
  readonly prefixLength: number;
}

/** Largest file that `readFile` reads. */
export const MAX_SMALL_FILE_BYTES = 64 * 1024;
