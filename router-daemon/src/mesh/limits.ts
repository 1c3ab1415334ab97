/**
 * Bounds and timers of the link side. Values of the wire protocol say which paragraph they come from; the others are ours.
 */

// ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Links at the same time, dialled and accepted. Also the host's link numbers: 0 to MAX_LINKS - 1. */
export const MAX_LINKS = 256;
/** Of these, links that others may open: dialling out never fails because strangers came in. */
export const MAX_ACCEPTED_LINKS = 192;
/** Links kept to one peer. The one that has been silent longest makes room for the next. */
export const MAX_LINKS_PER_PEER = 8;
/** Sessions that sent a SYN and no handshake yet (links.md 2.2 has no cookie, so anybody can make them). */
export const MAX_HALF_OPEN = 64;
/** Of these, sessions of one address. */
export const MAX_HALF_OPEN_PER_ADDRESS = 8;
/** A full table gives up its oldest session for a new one once it is this old: a flood cannot lock others out. */
export const HALF_OPEN_EVICTABLE_MS = 1000;
/** Route numbers registered with the host, the scratch route of RPC included. */
export const MAX_ROUTES = 1024;
/** Events waiting to be polled; beyond that the oldest are dropped and counted. */
export const MAX_EVENTS = 256;
/** Configured peer URLs, and configured listeners. */
export const MAX_PEER_URLS = 64;
export const MAX_LISTENERS = 16;
/** Addresses kept of one resolved name. */
export const MAX_ADDRESSES_PER_NAME = 16;
/** Addresses whose refusals are remembered, so that they are told once a minute and not once a packet. */
export const MAX_REMEMBERED_REFUSALS = 64;

// ── dialling and accepting ──────────────────────────────────────────────────────────────────────────────────────────

/** links.md 2.2. */
export const SYN_RESEND_MS = 200;
/** From the first SYN to the handshake's answer. */
export const DIAL_BUDGET_MS = 3000;
/** Pause between SACK and the first DATA: stock 2.6.4 listeners lose what comes at once (links.md 2.2). */
export const SACK_PAUSE_MS = 20;
/** The handshake is repeated while no answer has come. */
export const HANDSHAKE_REPEAT_MS = 300;
/** A session must show its handshake within this time (links.md 8.2). */
export const HALF_OPEN_TIMEOUT_MS = 5000;
/** A URL that is not connected is dialled this often (links.md 8.1). */
export const REDIAL_MS = 1000;
/** A node that refused us for good reason (wrong secret, wrong network, ourselves) is asked again more slowly. */
export const REDIAL_REFUSED_MS = 10_000;
/** Waiting time for an answer to a `resolve` event. */
export const RESOLVE_TIMEOUT_MS = 10_000;
/** Back-off of name resolution alone: doubles from the first to the second. */
export const RESOLVE_RETRY_MIN_MS = 1000;
export const RESOLVE_RETRY_MAX_MS = 30_000;
/** The same refusal of the same address is told again after this time. */
export const REFUSAL_REPEAT_MS = 60_000;

// ── keeping links (links.md 6, 7) ───────────────────────────────────────────────────────────────────────────────────

export const PING_TICK_MS = 1000;
/** Pings are 2^index seconds apart. */
export const MAX_PING_INDEX = 5;
export const PING_TIMEOUT_MS = 2000;
/** The tick of a link in doubt: on a path that loses a third each way, half of the pings stay unanswered. */
export const PING_DOUBT_TICK_MS = 200;
/** Pings in a row, sent into silence, that end a link: six seconds of it. */
export const PING_LOSSES_TO_CLOSE = 16;
/** The same for a link that something speaks against (a restarted peer, a new session from the same port): three seconds. */
export const PING_LOSSES_TO_CLOSE_SUSPECT = 5;
export const LATENCY_WINDOW = 15;
export const LOSS_WINDOW = 100;
/** With several links to a peer the one to send on is chosen anew this often. */
export const RESELECT_MS = 5000;
