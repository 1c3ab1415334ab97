/** Kernel TCP straight from client to service, the routers only forward. */
import { SERVICE_BY_KERNEL } from "../../netns/topology.ts";
import type { Contender } from "./contender.ts";

export function kernelTcp(congestion: "bbr" | "cubic"): Contender {
  return {
    name: `tcp-${congestion}`,
    start: async () => ({
      target: () => ({ address: SERVICE_BY_KERNEL }),
      congestion,
      description: `kernel TCP ${congestion} end to end, forwarded by both routers`,
      stop: async () => {},
    }),
  };
}
