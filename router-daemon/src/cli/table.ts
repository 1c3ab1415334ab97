import { safeText, textWidth } from "./safe-text.ts";

export interface Column<Row> {
  readonly title: string;
  readonly align?: "right";
  text(row: Row): string;
}

/**
 * A table in box-drawing lines, as EasyTier's CLI has them:
 *
 * ```
 * ┌──────┬──────┐
 * │ name │ size │
 * ├──────┼──────┤
 * │ a    │   12 │
 * └──────┴──────┘
 * ```
 */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => safeText(column.text(row))));
  const widths = columns.map((column, at) =>
    Math.max(textWidth(column.title), ...cells.map((line) => textWidth(line[at] ?? ""))),
  );
  const rule = (left: string, middle: string, right: string) =>
    left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right;
  const line = (texts: readonly string[], aligned: boolean) => {
    const padded = texts.map((text, at) => {
      const space = " ".repeat((widths[at] ?? 0) - textWidth(text));
      return aligned && columns[at]?.align === "right" ? space + text : text + space;
    });
    return `│ ${padded.join(" │ ")} │`;
  };
  return [
    rule("┌", "┬", "┐"),
    line(
      columns.map((column) => column.title),
      false,
    ),
    rule("├", "┼", "┤"),
    ...cells.map((texts) => line(texts, true)),
    rule("└", "┴", "┘"),
  ].join("\n");
}

/** Names and values, one pair a row, in the same lines. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const lines = renderTable<readonly [string, string]>(
    [
      { title: "", text: ([name]) => name },
      { title: "", text: ([, value]) => value },
    ],
    pairs,
  ).split("\n");
  // Without titles: the first line, then the rows.
  return [lines[0], ...lines.slice(3)].join("\n");
}
