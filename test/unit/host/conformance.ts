/**
 * What every `Host` must do, whatever implements it. Tests are registered by calling `conformance` with a world; the
 * TUN's tests need a kernel and are in `tun.test.ts`.
 */
import { argumentConformance } from "./conformance-arguments.ts";
import { eventConformance } from "./conformance-events.ts";
import { followersConformance } from "./conformance-followers.ts";
import { hashConformance } from "./conformance-hash.ts";
import { linkConformance } from "./conformance-links.ts";
import { sealingConformance } from "./conformance-sealing.ts";
import { splitConformance } from "./conformance-split.ts";
import { tcpConformance } from "./conformance-tcp.ts";
import { vectorConformance } from "./conformance-vectors.ts";
import { Suite } from "./suite.ts";
import type { World } from "./world.ts";

export function conformance(world: World): void {
  const suite = new Suite(world);
  eventConformance(suite);
  linkConformance(suite);
  sealingConformance(suite);
  vectorConformance(suite);
  tcpConformance(suite);
  splitConformance(suite);
  followersConformance(suite);
  hashConformance(suite);
  argumentConformance(suite);
}
