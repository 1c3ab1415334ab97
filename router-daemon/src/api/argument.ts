import * as v from "valibot";

/**
 * Arguments of the API's methods: valibot schemas that carry what transports need to know about them (the plain type, what is
 * allowed, help), so that HTTP's query texts, ubus' typed fields, the CLI's flags and the page's forms come from one place.
 */
export interface ArgumentInfo {
  readonly type: "integer" | "boolean" | "string";
  /** What is allowed, in words. */
  readonly allowed: string;
  readonly help: string;
}

/** The schemas of one method, by argument name. */
export type ArgumentSchemas = Readonly<Record<string, v.GenericSchema<unknown, unknown>>>;

const infos = new WeakMap<object, ArgumentInfo>();

function tell<S extends v.GenericSchema<unknown, unknown>>(schema: S, info: ArgumentInfo): S {
  infos.set(schema, info);
  return schema;
}

export function argumentInfo(schema: object): ArgumentInfo {
  return infos.get(schema) ?? { type: "string", allowed: "a text", help: "" };
}

export function integerArgument(min: number, max: number, fallback: number, help: string) {
  const schema = v.optional(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), fallback);
  return tell(schema, { type: "integer", allowed: `a whole number from ${min} to ${max}`, help });
}

export function requiredInteger(min: number, max: number, help: string) {
  const schema = v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
  return tell(schema, { type: "integer", allowed: `a whole number from ${min} to ${max}`, help });
}

export function requiredChoice<const T extends readonly string[]>(choices: T, help: string) {
  return tell(v.picklist(choices), { type: "string", allowed: `one of ${choices.join(", ")}`, help });
}

export function switchArgument(help: string) {
  return tell(v.optional(v.boolean(), false), { type: "boolean", allowed: "true or false", help });
}

export function textArgument(maxLength: number, help: string) {
  const schema = v.optional(v.pipe(v.string(), v.maxLength(maxLength)), "");
  return tell(schema, { type: "string", allowed: `a text of at most ${maxLength} characters`, help });
}

export function requiredText(maxLength: number, help: string) {
  const schema = v.pipe(v.string(), v.maxLength(maxLength));
  return tell(schema, { type: "string", allowed: `a text of at most ${maxLength} characters`, help });
}

export function choiceArgument<const T extends readonly string[]>(
  choices: T,
  fallback: T[number],
  help: string,
) {
  const schema = v.optional(v.picklist(choices), fallback as T[number]);
  return tell(schema, {
    type: "string",
    allowed: `one of ${choices.filter((choice) => choice !== "").join(", ")}`,
    help,
  });
}
