import type { Prefix } from "../../router-daemon/src/proxy/rule.ts";
import type { Path } from "./path.ts";
import type { Station } from "./station.ts";

/** One machine's place in a LAN: the paths to and from the router. */
export interface Seat {
  readonly station: Station;
  readonly up: Path;
  readonly down: Path;
}

/** A network behind a router. */
export interface Lan {
  readonly prefix: Prefix;
  /** The router's own address in it. */
  readonly gateway: number;
  readonly seats: Map<number, Seat>;
}
