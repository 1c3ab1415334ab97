import type { HostFailure } from "./host.ts";

/** Kernel features that can be switched off: for tests, and where a kernel or driver only pretends to have them. */
const FEATURES = {
  /** IFF_VNET_HDR: frames are cut and summed by the core. */
  vnet: 1,
  /** TUNSETOFFLOAD: the kernel hands over MTU-sized frames with complete checksums. */
  "tun-offload": 2,
  /** UDP_SEGMENT. */
  "udp-segment": 4,
  /** UDP_GRO. */
  "udp-gro": 8,
  /** UDP_SEGMENT seems to be there, and sending a train fails with EIO, as with some drivers. */
  "udp-segment-send": 16,
  /** The TUN's send buffer: it is full after a few packets. */
  "tun-queue": 32,
  /** The processor's AES instructions: AES-128-GCM is then OpenSSL's. */
  "own-cipher": 64,
  /** VAES. */
  "wide-cipher": 128,
  /** The wall clock: it is 1970, then it is set, then it is lost again … (`core-host.ts`). */
  clock: 256,
} as const;
export type HostFeature = keyof typeof FEATURES;

/** Comma-separated `HostFeature`s to do without. */
export const WITHOUT_ENV = "KCP_ROUTER_WITHOUT";

/** The mask that a core takes. */
export function featureMask(without: readonly HostFeature[]): number {
  return without.reduce((mask, feature) => mask | FEATURES[feature], 0);
}

/** Reads the environment's list. */
export function featuresOf(list: string): HostFeature[] | HostFailure {
  const names = list.split(",").filter((name) => name !== "");
  const unknown = names.find((name) => !Object.hasOwn(FEATURES, name));
  if (unknown !== undefined) {
    return {
      error: -22,
      message: `${WITHOUT_ENV} names an unknown feature "${unknown}"; known are ${Object.keys(FEATURES).join(", ")}.`,
    };
  }
  return names as HostFeature[];
}
