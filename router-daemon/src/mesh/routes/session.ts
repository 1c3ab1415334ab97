/** What is shared with one direct peer, and when it is to be asked or told again (routes-rpc.md 3.5, 3.6). */
import {
  KEEP_ALIVE_MS,
  LEAST_PAUSE_MS,
  LEAST_SYNC_TIMEOUT_MS,
  MOST_PAUSE_MS,
  MOST_SYNC_TIMEOUT_MS,
  SYNC_TIMEOUT_ROUND_TRIPS,
} from "./limits.ts";

export class Session {
  readonly peerId: number;
  /** Its number for this session; 0 = not heard yet. */
  remoteSessionId = 0n;
  /** Versions the peer is known to have. */
  readonly savedInfos = new Map<number, number>();
  readonly savedRows = new Map<number, number>();
  readonly savedForeign = new Map<string, number>();
  /** A request is on its way. */
  isCalling = false;
  /** Call even when there is nothing new: the last call failed, or there was none. */
  needsCall = true;
  /** Something may be new. */
  mayHaveNews = true;
  /** How long the answer to the next request is waited for. */
  timeoutMs = LEAST_SYNC_TIMEOUT_MS;
  #pauseMs = LEAST_PAUSE_MS;
  #pauseEndsAt: number;
  #calledAt: number;

  constructor(peerId: number, now: number) {
    this.peerId = peerId;
    this.#pauseEndsAt = now;
    this.#calledAt = now;
  }

  /** When `RouteSync` must look at this session. */
  get nextTimeout(): number {
    if (this.isCalling) return Number.POSITIVE_INFINITY;
    if (this.needsCall || this.mayHaveNews) return this.#pauseEndsAt;
    return Math.max(this.#pauseEndsAt, this.#calledAt + KEEP_ALIVE_MS);
  }

  isKeepAliveDue(now: number): boolean {
    return now >= this.#calledAt + KEEP_ALIVE_MS;
  }

  /** The peer's process, or its memory of us, is another one: it must be told everything again. */
  handleSessionId(sessionId: bigint): void {
    if (sessionId === this.remoteSessionId) return;
    this.remoteSessionId = sessionId;
    this.savedInfos.clear();
    this.savedRows.clear();
    this.savedForeign.clear();
    this.mayHaveNews = true;
  }

  handleCall(now: number): void {
    this.isCalling = true;
    this.needsCall = false;
    // The pause has shrunk for every second after its end in which there was nothing to say.
    const quietSeconds = Math.floor(Math.max(0, now - this.#pauseEndsAt) / 1000);
    this.#pauseMs = Math.max(LEAST_PAUSE_MS, this.#pauseMs / 2 ** Math.min(quietSeconds, 16));
    this.#calledAt = now;
  }

  /** `more` = there was more to say than one request holds: the next follows at once. */
  handleAnswer(succeeded: boolean, more: boolean, now: number): void {
    this.isCalling = false;
    this.mayHaveNews = true;
    if (!succeeded) this.needsCall = true;
    const wanted = succeeded ? SYNC_TIMEOUT_ROUND_TRIPS * (now - this.#calledAt) : 2 * this.timeoutMs;
    this.timeoutMs = Math.min(MOST_SYNC_TIMEOUT_MS, Math.max(LEAST_SYNC_TIMEOUT_MS, wanted));
    if (succeeded && more) return;
    this.#pauseEndsAt = now + this.#pauseMs;
    this.#pauseMs = Math.min(MOST_PAUSE_MS, this.#pauseMs * 2);
  }

  forgetPeer(peerId: number): void {
    this.savedInfos.delete(peerId);
    this.savedRows.delete(peerId);
  }
}
