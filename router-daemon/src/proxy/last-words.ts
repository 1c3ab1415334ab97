/**
 * A service that answers and then resets its connection has said something: like a kernel, the proxy delivers what came before
 * the reset, then resets the client. Destination and source each wait as long as that gets on, but not longer than this without
 * a step, milliseconds: a client that does not read is not kept from learning of the reset.
 */
export const LAST_WORDS_STALL_MS = 1000;
