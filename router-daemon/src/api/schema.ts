import * as v from "valibot";

/**
 * How answers are described: valibot schemas with a sentence on every field. TypeScript's types, the OpenAPI document and the
 * tests' check of every answer come from them; while the daemon runs they are not applied.
 *
 * Units are in the names; `…Time` is in whole seconds since 1970, `…Ms` in milliseconds, `…Share` from 0 to 1, a rate in bytes
 * per second over about the last second. `null` = not known (yet).
 */

/** Where a value is not what its schema says; undefined = it is. */
export function mismatch(schema: v.GenericSchema, value: unknown): string | undefined {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return undefined;
  const [issue] = parsed.issues;
  return `${issue.path?.map(({ key }) => String(key)).join(".") ?? ""}: ${issue.message}`;
}

/** Sentences stand with the fields they describe. */
export const text = (doc: string) => v.pipe(v.string(), v.description(doc));
export const flag = (doc: string) => v.pipe(v.boolean(), v.description(doc));
export const number = (doc: string) => v.pipe(v.number(), v.finite(), v.description(doc));
/** A whole number from 0 on. */
export const count = (doc: string) => v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.description(doc));
export const share = (doc: string) => v.pipe(v.number(), v.minValue(0), v.maxValue(1), v.description(doc));

export const choice = <const T extends readonly string[]>(choices: T, doc: string) =>
  v.pipe(v.picklist(choices), v.description(doc));

export const orNull = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);

export const list = <S extends v.GenericSchema>(item: S, doc: string) =>
  v.pipe(v.array(item), v.readonly(), v.description(doc));

export const row = <E extends v.ObjectEntries>(entries: E, doc = "") =>
  v.pipe(v.strictObject(entries), v.readonly(), v.description(doc));

/** Numbers by name. */
export const numbers = (doc: string) =>
  v.pipe(v.record(v.string(), v.number()), v.readonly(), v.description(doc));

/** One page of a table. */
export const pageSchema = <S extends v.GenericSchema>(item: S) =>
  row({
    rows: list(item, "The rows of this page."),
    total: count("Rows that match, on all pages together."),
    offset: count("Number of the first row shown."),
  });
