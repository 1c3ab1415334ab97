/**
 * Problems of a configuration, as sentences for people and as parts for a form.
 *
 * Every sentence answers four questions: where, what was found, what is allowed, what to do.
 */

/** Longest excerpt of a value that is shown. */
export const MAX_SHOWN_VALUE = 60;
/** Most problems reported at once: a file of nonsense must not become a flood. */
export const MAX_PROBLEMS = 50;

/** Where a value was written. */
export interface Origin {
  /** `kcp-router.toml` or `command line`. */
  readonly source: string;
  /** How the place is named there: `[flags] enable_kcp_proxy`, `--enable-kcp-proxy` or `proxy.enable_kcp_proxy, line 7`. */
  readonly place: string;
  /** Of a uci file, for forms: the section as uci addresses it (`network`, `@peer[1]`), its option, and the line. */
  readonly section?: string;
  readonly option?: string;
  readonly line?: number;
}

export interface Problem extends Origin {
  /** `error`: the configuration is refused. `warning`: it is used, but the user should know. */
  readonly severity: "error" | "warning";
  /** The option concerned (`enable_kcp_proxy`), empty when it is none. */
  readonly key: string;
  /** What is wrong, without the place: one or more full sentences. */
  readonly text: string;
}

/** The whole sentence: `kcp-router.toml, [flags] mtu: 12 was found; …`. */
export function problemSentence(problem: Problem): string {
  const where = [problem.source, problem.place].filter((part) => part !== "").join(", ");
  return where === "" ? problem.text : `${where}: ${problem.text}`;
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}

/** A value as it may be shown in a sentence: quoted, control characters escaped, shortened. */
export function shownValue(value: unknown): string {
  const text = typeof value === "string" ? escapeText(value) : describeValue(value);
  return text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE)}…` : text;
}

function escapeText(value: string): string {
  // Cut first: the value may be megabytes. JSON escapes C0; the rest of what moves a terminal is escaped here.
  const quoted = JSON.stringify(value.slice(0, MAX_SHOWN_VALUE + 1));
  return quoted.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (value instanceof Date) return "a date";
  if (typeof value === "object" && value !== null) return "a table";
  if (typeof value === "function" || typeof value === "symbol") return "something that is no value";
  return String(value);
}

/** Collects problems up to the limit; the last one then says that there are more. */
export class ProblemList {
  readonly #problems: Problem[] = [];
  #dropped = 0;

  add(severity: Problem["severity"], origin: Origin, key: string, text: string): void {
    if (this.#problems.length >= MAX_PROBLEMS - 1) {
      this.#dropped++;
      return;
    }
    this.#problems.push({ severity, ...origin, key, text });
  }

  error(origin: Origin, key: string, text: string): void {
    this.add("error", origin, key, text);
  }

  warning(origin: Origin, key: string, text: string): void {
    this.add("warning", origin, key, text);
  }

  get all(): readonly Problem[] {
    if (this.#dropped === 0) return this.#problems;
    const more: Problem = {
      severity: "error",
      source: "",
      place: "",
      key: "",
      text: `${this.#dropped} more problems are not shown. Mend these first.`,
    };
    return [...this.#problems, more];
  }
}
