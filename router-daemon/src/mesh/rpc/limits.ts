/** What one RPC endpoint may hold. Everything a peer can make grow has its line here. */

/** Largest encoded RpcRequest or RpcResponse, sent or received. A full table of a thousand nodes fits. */
export const MAX_MESSAGE_BYTES = 512 * 1024;
/** Pieces of one message that we take. Ours are never smaller than about 1100 bytes. */
export const MAX_PIECES = 1024;
/** Requests of which some pieces are missing. */
export const MAX_PARTIAL_REQUESTS = 64;
/** … of one peer. */
export const MAX_PARTIAL_REQUESTS_PER_PEER = 8;
/** Pieces waiting for their message to be complete, requests and responses together. */
export const MAX_PARTIAL_BYTES = 2 * 1024 * 1024;
/** What a piece counts besides its bytes: empty ones take memory too. */
export const PIECE_OVERHEAD_BYTES = 128;
/** Our calls that wait for a response. */
export const MAX_CALLS = 256;
/** … of one peer. */
export const MAX_CALLS_PER_PEER = 32;
/** Requests whose handler has not answered yet. */
export const MAX_SERVING = 128;
/** … of one peer. */
export const MAX_SERVING_PER_PEER = 32;
/** A request may ask for more time than this; it does not get it. */
export const MAX_SERVING_MS = 60_000;
/** A set of pieces is dropped when no new one came for so long (routes-rpc.md 1.5). */
export const PARTIAL_TIMEOUT_MS = 10_000;
