/** What route sync may hold, and its times. Everything a peer can make grow has its line here. */

/** Nodes known, reachable or not, ourselves included. */
export const MAX_PEERS = 1024;
/** Largest encoded announcement of one node that we take. */
export const MAX_ANNOUNCEMENT_BYTES = 16 * 1024;
/** All announcements together. */
export const MAX_ANNOUNCEMENTS_BYTES = 2 * 1024 * 1024;
/** Characters of a host name and of a version text that are kept. */
export const MAX_HOSTNAME_LENGTH = 128;
export const MAX_VERSION_LENGTH = 64;
/** Exported subnets of one node that are used. */
export const MAX_EXPORTS_PER_PEER = 256;
/** Exported subnets of all nodes together that are used. */
export const MAX_EXPORTS = 8192;
/** Links of one node. */
export const MAX_ROW_ENTRIES = 1024;
/** Links of all nodes together. */
export const MAX_ROWS_ENTRIES = 128 * 1024;
/** Other networks hosted by nodes of ours, which are only passed on. */
export const MAX_FOREIGN_ENTRIES = 256;
/** Encoded size of one such entry. */
export const MAX_FOREIGN_ENTRY_BYTES = 8 * 1024;
/** Events nobody has fetched; the oldest go first. */
export const MAX_ROUTE_EVENTS = 256;

/** About what one sync request carries; a larger difference goes in several, so that a lost datagram costs little. */
export const TARGET_REQUEST_BYTES = 16 * 1024;

/**
 * How long the answer to a request is waited for. A lost packet is a lost request (routes-rpc.md 1.3), so a path that loses many
 * wants a short wait: the first is the least, a failure doubles it up to what the reference always waits, and an answer sets it to
 * a multiple of the time that it took.
 */
export const LEAST_SYNC_TIMEOUT_MS = 500;
export const MOST_SYNC_TIMEOUT_MS = 3_000;
export const SYNC_TIMEOUT_ROUND_TRIPS = 4;
export const KEEP_ALIVE_MS = 10_000;
/** Pause after a request: doubles from the least to the most, shrinks again while there is nothing to say. */
export const LEAST_PAUSE_MS = 50;
export const MOST_PAUSE_MS = 5_000;
/** Our own announcement is renewed at least so often … */
export const RENEW_MS = 3_600_000;
/** … because others forget it after this time. So do we. */
export const ANNOUNCEMENT_LIFE_MS = 3_660_000;
/** A node that cannot be reached is forgotten after this time. */
export const UNREACHABLE_LIFE_MS = 90_000;
export const SWEEP_MS = 60_000;
/** Route tables are computed again at most so often in a small network; large ones wait longer (`rebuildPauseMs`). */
export const LEAST_REBUILD_PAUSE_MS = 20;
export const MOST_REBUILD_PAUSE_MS = 5_000;

/** Latency that a link counts for which nobody has measured (routes-rpc.md 3.14). */
export const UNKNOWN_LATENCY_MS = 500;

/**
 * Pause between two computations of the route tables: their cost grows with the number of links (about 10 us each with the
 * small engine on a PC, ten times that on a small router).
 */
export function rebuildPauseMs(links: number): number {
  return Math.min(MOST_REBUILD_PAUSE_MS, Math.max(LEAST_REBUILD_PAUSE_MS, links / 10));
}
