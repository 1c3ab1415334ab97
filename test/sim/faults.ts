import type { Random } from "./random.ts";

/** Host calls that can fail for reasons outside the daemon. */
export type FaultyCall =
  | "send"
  | "sendOnLink"
  | "sendDatagram"
  | "udpOpen"
  | "tunOpen"
  | "tunConfigure"
  | "tunRoute"
  | "tunWrite"
  | "tcpConnect";

/**
 * Which host calls fail. `always` and `share` are for stories ("the socket's buffer is full for two seconds"), `nth` for
 * torture: the n-th fallible call of a run fails, whichever it is.
 */
export class Faults {
  readonly always = new Set<FaultyCall>();
  /** Share of calls that fail. */
  readonly share = new Map<FaultyCall, number>();
  nth = -1;
  /** Fallible calls so far. */
  calls = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Asked once per call. */
  hits(call: FaultyCall): boolean {
    const isNth = this.calls++ === this.nth;
    return isNth || this.always.has(call) || this.#random.chance(this.share.get(call) ?? 0);
  }
}
