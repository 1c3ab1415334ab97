import { batch, computed, signal } from "@preact/signals";
import type { Overview } from "../../../router-daemon/src/api/reports.ts";
import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";
import { daemon } from "../luci/call.ts";
import { csv } from "../text/csv.ts";
import type { Question } from "./daemon-state.ts";

export type SortKey =
  | "startTime"
  | "src"
  | "dst"
  | "peerName"
  | "transport"
  | "upRate"
  | "downRate"
  | "upBytes"
  | "downBytes"
  | "rttMs"
  | "retransmittedShare"
  | "ageMs";

/** What the table is asked for. The router filters and sorts: a slow line carries only what is seen. */
export interface Query {
  readonly text: string;
  readonly transport: "" | ConnectionRow["transport"];
  /** Only those of this LAN device, by address. */
  readonly device: string;
  readonly live: boolean;
  readonly sort: SortKey;
  readonly descending: boolean;
  /** Rows under one heading per device. */
  readonly grouped: boolean;
}

const FIRST_QUERY: Query = {
  text: "",
  transport: "",
  device: "",
  live: false,
  sort: "startTime",
  descending: true,
  grouped: false,
};

/** Rows asked for around what is seen. */
export const WINDOW_ROWS = 100;
/** Rows of one answer while all are collected for a file. */
const EXPORT_PAGE_ROWS = 500;
/** A file has no more rows than this. */
export const MAX_EXPORT_ROWS = 20_000;

/** The live table: a window over rows that the router sorts. */
export class Connections {
  readonly query = signal<Query>(FIRST_QUERY);
  /** Rows [offset, offset + rows.length) of `total`. */
  readonly offset = signal(0);
  readonly rows = signal<readonly ConnectionRow[]>([]);
  readonly total = signal(0);
  /** False until the first answer. */
  readonly known = signal(false);
  /** The row whose details are open. */
  readonly openId = signal<number | undefined>(undefined);
  readonly open = computed(() => this.rows.value.find(({ id }) => id === this.openId.value));
  #askedFor = 0;

  /** What the next tick has to ask for. */
  ask(): Question {
    this.#askedFor = this.offset.value;
    return { ...this.#arguments(), offset: this.offset.value, limit: WINDOW_ROWS };
  }

  take(page: Overview["connections"]): void {
    // The user has gone on meanwhile: the answer to his next question is on its way.
    if (this.known.value && this.offset.value !== this.#askedFor) return;
    this.rows.value = page.rows;
    this.total.value = page.total;
    this.known.value = true;
    if (page.offset >= page.total) this.offset.value = 0;
  }

  #arguments() {
    const { text, device, transport, live, sort, descending, grouped } = this.query.value;
    return {
      text: device === "" ? text : device,
      transport,
      live,
      sort: grouped ? ("src" as const) : sort,
      descending: grouped ? false : descending,
    };
  }

  change(change: Partial<Query>): void {
    batch(() => {
      this.query.value = { ...this.query.value, ...change };
      this.offset.value = 0;
    });
  }

  /** A click on a column's head: sorts by it, or the other way round. Numbers begin with the largest. */
  sortBy(sort: SortKey): void {
    const query = this.query.value;
    const isText = sort === "src" || sort === "dst" || sort === "peerName" || sort === "transport";
    this.change({ sort, descending: query.sort === sort ? !query.descending : !isText });
  }

  /** What is seen has moved: rows [first, last). True when others have to be asked for. */
  moveTo(first: number, last: number): boolean {
    const from = this.offset.value;
    if (first >= from && last <= from + WINDOW_ROWS) return false;
    this.offset.value = Math.max(0, Math.floor((first + last) / 2) - WINDOW_ROWS / 2);
    return true;
  }

  async close(id: number): Promise<void> {
    await daemon("close_connection", { id });
    this.openId.value = undefined;
  }

  /** All rows that match, as a table for other programs. */
  async export(): Promise<string> {
    const rows: ConnectionRow[] = [];
    while (rows.length < MAX_EXPORT_ROWS) {
      const page = await daemon("connections", {
        ...this.#arguments(),
        offset: rows.length,
        limit: EXPORT_PAGE_ROWS,
      });
      rows.push(...page.rows);
      if (page.rows.length === 0 || rows.length >= page.total) break;
    }
    return csv(rows);
  }
}
