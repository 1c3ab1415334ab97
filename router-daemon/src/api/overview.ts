import { integerArgument, switchArgument } from "./argument.ts";
import type { ArgumentsOf } from "./method.ts";
import { CONNECTION_ARGUMENTS, MAX_PAGE_ROWS, PAGE_ARGUMENTS, pageOf, queryConnections } from "./page.ts";
import type { Overview } from "./reports.ts";
import type { EventRow } from "./rows.ts";
import type { DaemonView } from "./view.ts";

/** Peers and routes in one overview: the first page of each. */
const FIRST_PAGE = { offset: 0, limit: 200 };

export const EVENT_ARGUMENTS = {
  after: integerArgument(0, Number.MAX_SAFE_INTEGER, 0, "Only events with a higher sequence number."),
  limit: PAGE_ARGUMENTS.limit,
};

export const OVERVIEW_ARGUMENTS = {
  ...CONNECTION_ARGUMENTS,
  limit: integerArgument(0, MAX_PAGE_ROWS, 0, "Most connections to show; 0 = only their number."),
  peers: switchArgument("Show the first 200 peers too."),
  routes: switchArgument("Show the first 200 routes too."),
  after: EVENT_ARGUMENTS.after,
};

/** Everything that a page needs to show the daemon once: one call per tick, answered from memory. */
export function overview(view: DaemonView, args: ArgumentsOf<typeof OVERVIEW_ARGUMENTS>): Overview {
  const rows = view.connections();
  const transports = { tcp: 0, kcp: 0, quic: 0 };
  for (const row of rows) if (row.state !== "Closed") transports[row.transport]++;
  return {
    ...view.clock(),
    status: view.status(),
    node: view.node(),
    transports,
    connections: queryConnections(rows, args),
    peers: args.peers ? pageOf(view.peers(), FIRST_PAGE) : null,
    routes: args.routes ? pageOf(view.routes(), FIRST_PAGE) : null,
    events: { rows: recentEvents(view, { after: args.after, limit: FIRST_PAGE.limit }) },
  };
}

/** The newest ones are kept when there are more than asked for. */
export function recentEvents(view: DaemonView, args: { after: number; limit: number }): EventRow[] {
  return view
    .events()
    .filter((event) => event.sequence > args.after)
    .slice(-args.limit);
}
