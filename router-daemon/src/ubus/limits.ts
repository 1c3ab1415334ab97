/** Bounds of the ubus side. */

/** Header in front of every message, and what has to be read to know a message's length. */
export const HEADER_BYTES = 8;
/** Longest outer attribute: ubusd ends the connection over a longer one (ubus-wire.md 2). */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Longest answer of ours. LuCI keeps a page's answers far below; ubusd queues no more than one message of the full length per client. */
export const MAX_ANSWER_BYTES = 512 * 1024;
/** Tables in tables. Nobody's arguments need more, and a decoder that recurses must end. */
export const MAX_DEPTH = 16;
/** Fields of one decoded message, on all levels: 1 MiB of the smallest ones would be 130,000. */
export const MAX_FIELDS = 65_536;
/** Our own requests that wait for an answer. */
export const MAX_REQUESTS = 64;
/** Answers and events that ubusd has not taken yet; what is asked for beyond is refused. As much as ubusd keeps for a client. */
export const MAX_UNSENT_BYTES = 1024 * 1024;
/** Calls of others that are being answered. */
export const MAX_CALLS = 64;

/** How long a request waits for its answer. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** Pause before the connection is tried again; doubles from the first to the second (ubus-wire.md 7). */
export const RECONNECT_MIN_MS = 1000;
export const RECONNECT_MAX_MS = 30_000;
