/** The daemon's problems in the reader's language. A code that this page does not know is shown as the daemon says it. */
import type { Problem } from "../../../router-daemon/src/api/reports.ts";

export function problemText({ code, message }: Problem): string {
  switch (code) {
    case "no_peer_configured":
      return _("No peer is reachable, and none is configured to be dialled.");
    case "no_peer_reachable":
      return _("None of the configured peers is reachable.");
    case "no_offload":
      return _("The kernel gives the TUN device no offloads, so throughput is lower.");
    case "memory_low":
      return _("The memory for connections is nearly used up: new connections use plain TCP.");
    default:
      return message;
  }
}

export function remedyText({ code, remedy }: Problem): string {
  switch (code) {
    case "no_peer_configured":
      return _("Name a peer, or let another node dial this one.");
    case "no_peer_reachable":
      return _("The log says why. Check the peers' addresses, the network secret, and that UDP passes.");
    case "no_offload":
      return _("Use a kernel with TUN offloads.");
    case "memory_low":
      return _("Raise memory_limit_mib if the router has memory to spare.");
    default:
      return remedy;
  }
}
