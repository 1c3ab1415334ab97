/** The state in words: the summary, and what is wrong with its remedy; and in numbers. */
import type { SlotPool } from "kcp-ts";
import type { Problem } from "../api/reports.ts";
import type { Config } from "../config/config.ts";
import { formatInterfaceAddress } from "../config/ipv4.ts";
import type { DataPath } from "../data-path.ts";
import type { Host } from "../host/host.ts";
import type { EntryTable } from "../proxy/entry.ts";
import type { MemoryLevel } from "../proxy/memory-budget.ts";
import type { Session } from "./session.ts";

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

/** Counters of all parts, by part and name. */
export function counters(
  host: Host,
  path: DataPath,
  pool: SlotPool,
  entries: EntryTable,
  session: Session | undefined,
): Record<string, number> {
  const all: Record<string, number> = {
    ...path.counters,
    packetsSent: path.batch.sent,
    packetsDropped: path.batch.dropped,
    unlistedConnections: entries.unlisted,
    freeSlots: pool.freeSlots,
  };
  const add = (prefix: string, values: object) => {
    for (const [name, value] of Object.entries(values)) all[`${prefix}_${name}`] = value as number;
  };
  add("host", host.counters());
  if (session !== undefined) {
    add("mesh", session.mesh.counters());
    add("plain", session.plain.counters);
    add("tcp", session.stack.counters);
    add("kcp_source", session.sourceEndpoint.counters);
    add("kcp_destination", session.destinationEndpoint.counters);
    add("quic_source", session.quicSource.counters);
    add("quic_destination", session.quicDestination.counters);
  }
  return all;
}
