/** A closed window is asked about after this long, then half as long again each time, up to a limit (proxies.md 4.6). */
const FIRST_PROBE_MS = 100;
const PROBE_BACKOFF = 1.5;
const MAX_PROBE_MS = 2_000;

/**
 * A window that has reopened is told this often in all, unless data comes: a plain peer asks only after seven seconds. The
 * first repeat comes after this pause, each further one after twice the pause.
 */
const TELLS = 6;
const TELL_INTERVAL_MS = 40;

/** Questions and answers about windows, in both directions. */
export class PeerWindow {
  /** A question or an answer is to leave with the next `poll`. */
  ask = false;
  tell = false;
  /** Largest window that the peer ever told, 0 before the first. */
  largest = 0;
  /** Answers received. */
  answers = 0;

  /** Our window as the peer last heard it. */
  #advertised: number;
  /** Answers still to repeat, and when the next one is due. */
  #repeats = 0;
  #repeatAtMs = Infinity;
  #probeAtMs = Infinity;
  #probeWaitMs = FIRST_PROBE_MS;

  constructor(receiveWindow: number) {
    this.#advertised = receiveWindow;
  }

  get pending(): boolean {
    return this.ask || this.tell;
  }

  handleAsk(): void {
    this.tell = true;
  }

  handleAnswer(): void {
    this.answers++;
  }

  /** The peer says that it has room for `segments`. */
  handleWindow(segments: number): void {
    if (segments > this.largest) this.largest = segments;
  }

  /** New data: the peer knows that our window is open. */
  handleData(): void {
    this.#repeats = 0;
    this.#repeatAtMs = Infinity;
  }

  /** We have read, and have room for `free` of `window` segments: worth telling when the peer believes in little. */
  handleRead(free: number, window: number): void {
    if (this.#advertised <= window >>> 3 && free >= this.#advertised + (window >>> 2)) {
      this.#advertised = free;
      this.tell = true;
      this.#repeats = TELLS;
    }
  }

  /** Segments with our window have left. */
  handleAdvertised(free: number): void {
    this.#advertised = free;
  }

  /** Before output: what time has made due. */
  settle(nowMs: number, blockedByPeer: boolean, timeoutMs: number): void {
    if (nowMs >= this.#repeatAtMs) this.tell = true;
    if (!blockedByPeer) {
      this.#probeAtMs = Infinity;
      this.#probeWaitMs = FIRST_PROBE_MS;
    } else if (this.#probeAtMs === Infinity) {
      this.#probeWaitMs = Math.max(FIRST_PROBE_MS, timeoutMs);
      this.#probeAtMs = nowMs + this.#probeWaitMs;
    } else if (nowMs >= this.#probeAtMs) {
      this.ask = true;
      this.#probeWaitMs = Math.min(MAX_PROBE_MS, this.#probeWaitMs * PROBE_BACKOFF);
      this.#probeAtMs = nowMs + this.#probeWaitMs;
    }
  }

  handleSent(asked: boolean, told: boolean, nowMs: number): void {
    if (asked) this.ask = false;
    if (!told) return;
    this.tell = false;
    if (this.#repeats > 0) this.#repeats--;
    this.#repeatAtMs =
      this.#repeats > 0 ? nowMs + TELL_INTERVAL_MS * 2 ** (TELLS - 1 - this.#repeats) : Infinity;
  }

  nextTimeout(blockedByPeer: boolean): number {
    const probeAtMs = blockedByPeer ? this.#probeAtMs : Infinity;
    return Math.min(this.#repeatAtMs, probeAtMs);
  }
}
