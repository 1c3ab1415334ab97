import type { Ipv4Prefix } from "../../router-daemon/src/wire/ipv4-prefix.ts";
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
  readonly prefix: Ipv4Prefix;
  /** The router's own address in it. */
  readonly gateway: number;
  readonly seats: Map<number, Seat>;
}
