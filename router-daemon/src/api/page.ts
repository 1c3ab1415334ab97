import { choiceArgument, integerArgument, switchArgument, textArgument } from "./argument.ts";
import { type ConnectionRow, ENTRY_STATES, ROLES, TRANSPORTS } from "./rows.ts";

/** Most rows in one answer. */
export const MAX_PAGE_ROWS = 1000;
/** Rows in one answer unless asked otherwise. */
export const DEFAULT_PAGE_ROWS = 200;
/** Furthest row that can be asked for. */
export const MAX_OFFSET = 1_000_000;
/** Longest text to filter by. */
export const MAX_FILTER_LENGTH = 100;

/** One page of a table. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that match, on all pages together. */
  readonly total: number;
  readonly offset: number;
}

export const PAGE_ARGUMENTS = {
  offset: integerArgument(0, MAX_OFFSET, 0, "First row to show."),
  limit: integerArgument(1, MAX_PAGE_ROWS, DEFAULT_PAGE_ROWS, "Most rows to show."),
};

export function pageOf<Row>(rows: readonly Row[], window: { offset: number; limit: number }): Page<Row> {
  return {
    rows: rows.slice(window.offset, window.offset + window.limit),
    total: rows.length,
    offset: window.offset,
  };
}

/** Columns by which connections can be sorted. */
export const SORT_KEYS = [
  "startTime",
  "id",
  "src",
  "dst",
  "peerName",
  "transport",
  "state",
  "upBytes",
  "downBytes",
  "upRate",
  "downRate",
  "rttMs",
  "retransmittedShare",
  "ageMs",
] as const satisfies readonly (keyof ConnectionRow)[];

export const CONNECTION_ARGUMENTS = {
  ...PAGE_ARGUMENTS,
  text: textArgument(
    MAX_FILTER_LENGTH,
    "Only rows that hold this text in an address, the peer's name or the reason.",
  ),
  transport: choiceArgument(["", ...TRANSPORTS], "", "Only this transport."),
  role: choiceArgument(["", ...ROLES], "", "Only this role."),
  state: choiceArgument(["", ...ENTRY_STATES], "", "Only this state."),
  peer: integerArgument(0, 0xffff_ffff, 0, "Only connections with this peer, by its id; 0 = all."),
  source: textArgument(
    MAX_FILTER_LENGTH,
    "Only connections of the client with this address, without a port.",
  ),
  live: switchArgument("Only connections that are not closed yet."),
  sort: choiceArgument(SORT_KEYS, "startTime", "Column to sort by."),
  descending: switchArgument("Largest (or latest) first."),
};

export interface ConnectionQuery {
  readonly offset: number;
  readonly limit: number;
  readonly text: string;
  readonly transport: "" | ConnectionRow["transport"];
  readonly role: "" | ConnectionRow["role"];
  readonly state: "" | ConnectionRow["state"];
  readonly peer: number;
  readonly source: string;
  readonly live: boolean;
  readonly sort: (typeof SORT_KEYS)[number];
  readonly descending: boolean;
}

/** Filters, sorts and cuts the proxy table. Rows that are equal by the column keep the order of their ids. */
export function queryConnections(
  rows: readonly ConnectionRow[],
  query: ConnectionQuery,
): Page<ConnectionRow> {
  const text = query.text.toLowerCase();
  const matching = rows.filter(
    (row) =>
      (query.transport === "" || row.transport === query.transport) &&
      (query.role === "" || row.role === query.role) &&
      (query.state === "" || row.state === query.state) &&
      (query.peer === 0 || row.peerId === query.peer) &&
      (query.source === "" || row.src.startsWith(`${query.source}:`)) &&
      (!query.live || row.state !== "Closed") &&
      (text === "" || searchText(row).includes(text)),
  );
  const direction = query.descending ? -1 : 1;
  matching.sort((a, b) => direction * compare(a[query.sort], b[query.sort]) || a.id - b.id);
  return pageOf(matching, query);
}

function searchText(row: ConnectionRow): string {
  return `${row.src} ${row.dst} ${row.peerName} ${row.reason} ${row.state}`.toLowerCase();
}

/** Unknown values come first in ascending order. */
function compare(a: string | number | null, b: string | number | null): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  if (typeof a === "string" && typeof b === "string") return naturalCompare(a, b);
  return a < b ? -1 : 1;
}

/** `10.0.0.9:80` before `10.0.0.10:80`: runs of digits count as numbers. */
function naturalCompare(a: string, b: string): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  while (at > 0 && isDigit(a.charCodeAt(at - 1))) at--;
  const digitsA = digitsAt(a, at);
  const digitsB = digitsAt(b, at);
  if (digitsA > 0 && digitsB > 0) {
    const difference = Number(a.slice(at, at + digitsA)) - Number(b.slice(at, at + digitsB));
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return a < b ? -1 : 1;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function digitsAt(text: string, start: number): number {
  let end = start;
  while (end < text.length && isDigit(text.charCodeAt(end))) end++;
  return end - start;
}
