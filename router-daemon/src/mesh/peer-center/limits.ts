/** What the peer centre may hold, and its times (routes-rpc.md 8). */

/** Nodes whose reports a centre keeps, and nodes in the map a centre gives us. */
export const MAX_REPORTERS = 1024;
/** Links in one report. */
export const MAX_REPORTED_LINKS = 1024;
/** Links of all reports together. */
export const MAX_LINKS = 32 * 1024;

/** Looks whether there is something to report. */
export const REPORT_MS = 5_000;
/** Reports even when nothing changed. */
export const REPORT_ANYWAY_MS = 60_000;
export const FETCH_MS = 15_000;
export const FETCH_AFTER_ERROR_MS = 10_000;
/** Both wait so long while no peer is reachable. */
export const IDLE_MS = 1_000;
/** After this time without a new map the whole is asked for, not the difference. */
export const MAP_STALE_MS = 120_000;
/** A centre forgets a report after this time. */
export const REPORT_LIFE_MS = 180_000;
export const CALL_TIMEOUT_MS = 5_000;
