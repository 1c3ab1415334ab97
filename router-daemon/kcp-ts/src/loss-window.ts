/** A segment is lost when one sent this many transmissions later has arrived… */
const LOSS_THRESHOLD = 3;
/** …or when a later one has arrived and it is overdue by this share of the round trip, and at least this much. */
const LOSS_DELAY_SHARE = 1 / 8;
const MIN_LOSS_DELAY_US = 1_000;
/** What was seen of reordering halves this often. */
const REORDER_MEMORY_MS = 4_000;

/**
 * How long a segment is waited for after later ones have arrived. Nothing at first: three later transmissions are proof.
 * A path that reorders shows it by segments that arrive after they were given up; the wait then grows to what would have
 * been enough, and at most to a round trip (the idea of RACK, RFC 8985).
 */
export class LossWindow {
  #reorderUs = 0;
  #reorderAtMs = 0;

  /** Time beyond a round trip that a segment gets when `behind` later transmissions are known to have arrived. */
  graceUs(behind: number, rttUs: number): number {
    if (behind >= LOSS_THRESHOLD) return this.#reorderUs;
    return Math.max(this.#reorderUs, rttUs * LOSS_DELAY_SHARE, MIN_LOSS_DELAY_US);
  }

  /** A segment that had been given up arrived `ageUs` after it was sent. */
  handleLate(ageUs: number, rttUs: number, nowMs: number): void {
    const late = (ageUs - rttUs) * 1.25;
    this.#reorderUs = Math.min(Math.max(this.#reorderUs, late, MIN_LOSS_DELAY_US), rttUs + MIN_LOSS_DELAY_US);
    this.#reorderAtMs = nowMs;
  }

  settle(nowMs: number): void {
    if (this.#reorderUs === 0 || nowMs - this.#reorderAtMs <= REORDER_MEMORY_MS) return;
    this.#reorderAtMs = nowMs;
    this.#reorderUs = this.#reorderUs > MIN_LOSS_DELAY_US ? this.#reorderUs / 2 : 0;
  }
}
