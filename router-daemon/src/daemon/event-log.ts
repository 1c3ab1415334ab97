import type { EventRow } from "../api/rows.ts";

/** Events kept for those who ask later. */
export const MAX_EVENTS = 256;
/** Lines printed per `LOG_PERIOD_MS` at most; what comes beyond is counted and told once, so that nothing floods a log. */
export const MAX_LINES_PER_PERIOD = 60;
export const LOG_PERIOD_MS = 60_000;

export type EventLevel = EventRow["level"];

const RANK = { off: 0, error: 1, warn: 2, info: 3 } as const;
export type LogLevel = keyof typeof RANK;
const EVENT_RANK: Readonly<Record<EventLevel, number>> = { error: 1, warning: 2, info: 3 };

/** What the daemon did and saw: a ring for the API, and lines for the log. */
export class EventLog {
  readonly #print: (line: string, level: EventLevel) => void;
  readonly #unixTime: () => number;
  readonly #observe: (row: EventRow) => void;
  readonly #rows: EventRow[] = [];
  #level: LogLevel;
  #sequence = 0;
  #periodStart = 0;
  #printed = 0;
  #suppressed = 0;

  /** `observe` is told of every event, printed or not. */
  constructor(
    print: (line: string, level: EventLevel) => void,
    unixTime: () => number,
    level: LogLevel,
    observe: (row: EventRow) => void = () => {},
  ) {
    this.#print = print;
    this.#unixTime = unixTime;
    this.#level = level;
    this.#observe = observe;
  }

  set level(level: LogLevel) {
    this.#level = level;
  }

  get rows(): readonly EventRow[] {
    return this.#rows;
  }

  /** Adds an event; `now` is the monotonic clock in milliseconds. */
  add(level: EventLevel, code: string, message: string, now: number): void {
    const row = { sequence: ++this.#sequence, time: this.#unixTime(), level, code, message };
    this.#rows.push(row);
    if (this.#rows.length > MAX_EVENTS) this.#rows.shift();
    this.#observe(row);
    if (EVENT_RANK[level] <= RANK[this.#level]) this.#printLine(level, message, now);
  }

  #printLine(level: EventLevel, message: string, now: number): void {
    if (now - this.#periodStart >= LOG_PERIOD_MS) {
      this.#periodStart = now;
      this.#printed = 0;
      if (this.#suppressed > 0)
        this.#print(`warning: ${this.#suppressed} lines were left out of the log.`, "warning");
      this.#suppressed = 0;
    }
    if (this.#printed >= MAX_LINES_PER_PERIOD) {
      this.#suppressed++;
      return;
    }
    this.#printed++;
    this.#print(`${level}: ${message}`, level);
  }
}
