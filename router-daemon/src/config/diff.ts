import type { Config, OptionKey } from "./config.ts";
import { OPTIONS } from "./options.ts";
import { Secret } from "./secret.ts";

export interface ConfigDiff {
  /** Changed options that take effect on reload. */
  readonly live: readonly OptionKey[];
  /** Changed options that wait for a restart. */
  readonly needsRestart: readonly OptionKey[];
}

/** Which options differ, and whether the running daemon can take the new value. */
export function diffConfig(before: Config, after: Config): ConfigDiff {
  const changed = (Object.keys(OPTIONS) as OptionKey[]).filter((key) => !same(before[key], after[key]));
  return {
    live: changed.filter((key) => OPTIONS[key].live),
    needsRestart: changed.filter((key) => !OPTIONS[key].live),
  };
}

/** The configuration in force after a reload: new values where they are live, the old ones where a restart is needed. */
export function applyLive(before: Config, after: Config): Config {
  const kept = (Object.keys(OPTIONS) as OptionKey[])
    .filter((key) => !OPTIONS[key].live)
    .map((key) => [key, before[key]]);
  return Object.freeze({ ...after, ...(Object.fromEntries(kept) as Partial<Config>) });
}

/** True when two values of an option mean the same. */
export function same(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.equals(b);
  return JSON.stringify(a) === JSON.stringify(b);
}
