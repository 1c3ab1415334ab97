import type { Answer } from "../api/error.ts";
import type { FileAccess } from "../config/load.ts";

/** What the CLI needs of the engine it runs on. */
export interface CliIo {
  /** Writes to standard output; lines end in `\n`. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Writes to standard output what nobody need read: its closed end does not end the program. */
  note(text: string): void;
  /** Calls a method of the daemon behind a socket. */
  request(socket: string, method: string, args: object): Promise<Answer<unknown> | Unreachable>;
  readonly files: FileAccess;
  /** Puts a whole text file in place of another, at once, readable by its owner only. A sentence when that failed. */
  replaceFile(path: string, text: string): string | undefined;
  readonly systemHostname: string;
  /** What executes this, `node 20.20.2`. */
  readonly engine: string;
}

/** Nobody answered, in one sentence with the remedy. */
export interface Unreachable {
  readonly ok: false;
  readonly unreachable: string;
}

/** Exit statuses. */
export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
