import { signal } from "@preact/signals";
import type { Overview } from "../../../router-daemon/src/api/reports.ts";
import type { PeerRow, RouteRow } from "../../../router-daemon/src/api/rows.ts";

/** The other nodes, and where addresses lead. The overview holds the first ones; more are counted. */
export class Peers {
  readonly rows = signal<readonly PeerRow[]>([]);
  readonly total = signal(0);
  readonly routes = signal<readonly RouteRow[]>([]);
  readonly routesTotal = signal(0);
  readonly known = signal(false);

  take({ peers, routes }: Overview): void {
    if (peers !== null) {
      this.rows.value = peers.rows;
      this.total.value = peers.total;
      this.known.value = true;
    }
    if (routes !== null) {
      this.routes.value = routes.rows;
      this.routesTotal.value = routes.total;
    }
  }
}
