/** Sections of the uci file as the form holds them. */
import type { UciDocument } from "../../../router-daemon/src/config/uci/document.ts";

export type Values = Readonly<Record<string, string>>;

export interface Section {
  /** rpcd's name of it; one of our own while it is not saved. */
  readonly id: string;
  readonly type: string;
  /** Written without a name: `config peer`. */
  readonly anonymous: boolean;
  /** It is not in the file yet. */
  readonly fresh: boolean;
  readonly values: Values;
}

/** What rpcd's plugin answers. A list is as good as its items in one text: `ports` is the only one. */
export interface StoredSection {
  readonly name: string;
  readonly type: string;
  readonly anonymous: boolean;
  readonly values: Readonly<Record<string, string | readonly string[]>>;
}

export function sectionOf({ name, type, anonymous, values }: StoredSection): Section {
  const texts = Object.entries(values).map(
    ([option, value]) => [option, typeof value === "string" ? value : value.join(" ")] as const,
  );
  return { id: name, type, anonymous, fresh: false, values: Object.fromEntries(texts) };
}

/** As the file would be read. `extra` goes into the section of its type: the secret, which the form does not hold. */
export function documentOf(
  sections: readonly Section[],
  extra: Readonly<Record<string, Values>>,
): UciDocument {
  return {
    sections: sections.map(({ id, type, anonymous, values }) => ({
      type,
      name: anonymous ? "" : id,
      line: 0,
      options: Object.entries({ ...values, ...extra[type] })
        .filter(([, value]) => value !== "")
        .map(([name, value]) => ({ name, value, lines: [] })),
    })),
  };
}

/** One step that makes the stored sections what the form holds, as arguments of rpcd's `uci` object. */
export type Step =
  | { readonly method: "add"; readonly args: object; readonly id: string }
  | { readonly method: "set" | "delete"; readonly args: object };

export function stepsBetween(before: readonly Section[], after: readonly Section[], config: string): Step[] {
  const steps: Step[] = [];
  for (const { id } of before) {
    if (!after.some((section) => section.id === id))
      steps.push({ method: "delete", args: { config, section: id } });
  }
  for (const section of after) {
    const stored = before.find(({ id }) => id === section.id);
    if (stored === undefined) {
      const name = section.anonymous ? {} : { name: section.id };
      const args = { config, type: section.type, ...name, values: written(section.values) };
      steps.push({ method: "add", args, id: section.id });
      continue;
    }
    const changed = Object.entries(section.values).filter(
      ([option, value]) => value !== "" && stored.values[option] !== value,
    );
    if (changed.length > 0) {
      steps.push({
        method: "set",
        args: { config, section: section.id, values: Object.fromEntries(changed) },
      });
    }
    for (const option of Object.keys(stored.values)) {
      if ((section.values[option] ?? "") === "")
        steps.push({ method: "delete", args: { config, section: section.id, option } });
    }
  }
  return steps;
}

function written(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
}
