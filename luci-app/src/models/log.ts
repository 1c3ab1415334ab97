import { computed, signal } from "@preact/signals";
import type { Overview } from "../../../router-daemon/src/api/reports.ts";

export type LogRow = Overview["events"]["rows"][number];

/** Lines kept; the oldest give way. */
export const MAX_LOG_ROWS = 500;

const RANKS: Readonly<Record<LogRow["level"], number>> = { info: 0, warning: 1, error: 2 };

/** The daemon's recent events, as they come in. */
export class Log {
  readonly rows = signal<readonly LogRow[]>([]);
  readonly level = signal<LogRow["level"]>("info");
  readonly text = signal("");
  readonly shown = computed(() => {
    const text = this.text.value.toLowerCase();
    return this.rows.value.filter(
      ({ level, message }) =>
        RANKS[level] >= RANKS[this.level.value] && (text === "" || message.toLowerCase().includes(text)),
    );
  });

  /** Only later events are asked for. */
  get after(): number {
    return this.rows.value.at(-1)?.sequence ?? 0;
  }

  take({ events }: Overview): void {
    const after = this.after;
    const fresh = events.rows.filter(({ sequence }) => sequence > after);
    if (fresh.length > 0) this.rows.value = [...this.rows.value, ...fresh].slice(-MAX_LOG_ROWS);
  }

  /** After a restart numbers begin anew. */
  clear(): void {
    this.rows.value = [];
  }

  asText(): string {
    return this.shown.value
      .map(({ time, level, message }) => `${new Date(time * 1000).toISOString()} ${level}: ${message}\n`)
      .join("");
  }
}
