/** The state in words: the summary, and what is wrong with its remedy. */
import type { Problem } from "../api/reports.ts";
import type { Config } from "../config/config.ts";
import { formatInterfaceAddress } from "../config/ipv4.ts";
import type { MemoryLevel } from "../proxy/memory-budget.ts";

/** What the words depend on. */
export interface Condition {
  readonly config: Config;
  readonly reachablePeers: number;
  /** The TUN device works without offloads. */
  readonly lacksOffload: boolean;
  readonly memoryLevel: MemoryLevel;
}

export function summary({ config, reachablePeers }: Condition): string {
  const address = formatInterfaceAddress(config.ipv4);
  if (reachablePeers === 0) {
    return `Running as ${address} in network ${config.network_name}, but no peer is reachable.`;
  }
  const peers = reachablePeers === 1 ? "1 peer is reachable" : `${reachablePeers} peers are reachable`;
  return `Joined network ${config.network_name} as ${address}; ${peers}.`;
}

export function problems({ config, reachablePeers, lacksOffload, memoryLevel }: Condition): Problem[] {
  const found: Problem[] = [];
  if (reachablePeers === 0) {
    found.push(
      config.peers.length === 0
        ? {
            code: "no_peer_configured",
            message: "No peer is reachable, and none is configured to be dialled.",
            remedy: "Name a peer, or let another node dial this one.",
          }
        : {
            code: "no_peer_reachable",
            message: `None of the ${config.peers.length} configured peers is reachable.`,
            remedy:
              "The events say why. Check the peers' addresses, the network secret, and that UDP passes.",
          },
    );
  }
  if (lacksOffload) {
    found.push({
      code: "no_offload",
      message: "The kernel gives the TUN device no offloads, so throughput is lower.",
      remedy: "Use a kernel with TUN offloads (any since 2.6.27 with virtio support).",
    });
  }
  if (memoryLevel !== "normal") {
    found.push({
      code: "memory_low",
      message: "The memory for connections is nearly used up: new connections use plain TCP.",
      remedy: "Raise memory_limit_mib if the router has memory to spare.",
    });
  }
  return found;
}
