import type { OptionKey } from "./config.ts";
import type { ValueForm } from "./kind.ts";
import type { Origin } from "./problem.ts";

/** One value as written, with the place where it was written. */
export interface RawItem {
  readonly value: unknown;
  readonly form: ValueForm;
  readonly origin: Origin;
  /** Where the parts of a value with parts stand: `ports` of a rule. */
  readonly parts?: ReadonlyMap<string, Origin>;
}

/** What was written for one option: one item, or for a list any number (none = an explicitly empty list). */
export interface RawOption {
  readonly origin: Origin;
  readonly items: readonly RawItem[];
}

/** Everything that a source says; not verified yet. */
export type RawConfig = ReadonlyMap<OptionKey, RawOption>;

/** Later sources win, option by option: the command line replaces what the file says, lists included. */
export function mergeRaw(sources: readonly RawConfig[]): RawConfig {
  return new Map(sources.flatMap((source) => [...source]));
}
