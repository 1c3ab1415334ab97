import type { ConnectionRow } from "../../../router-daemon/src/api/rows.ts";

const COLUMNS = [
  "id",
  "role",
  "src",
  "dst",
  "peerId",
  "peerName",
  "transport",
  "reason",
  "state",
  "startTime",
  "ageMs",
  "upBytes",
  "downBytes",
  "upRate",
  "downRate",
  "rttMs",
  "retransmittedShare",
] as const satisfies readonly (keyof ConnectionRow)[];

/** RFC 4180, with a first line of names as the API spells them. */
export function csv(rows: readonly ConnectionRow[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(","));
  return `${[COLUMNS.join(","), ...lines].join("\r\n")}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  const text = String(value);
  // A spreadsheet takes a text that begins so for a formula; names come from strangers.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}
