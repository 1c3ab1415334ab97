import * as v from "valibot";
import { shownValue } from "../config/problem.ts";
import { argumentInfo } from "./argument.ts";
import { type Answer, refusal } from "./error.ts";
import type { AnyMethod } from "./method.ts";
import { findMethod, METHOD_NAMES } from "./methods.ts";
import type { DaemonView } from "./view.ts";

/**
 * The one way in for every transport: checks the arguments and calls. Never throws; what went wrong inside is an `internal`
 * error without details (they are for the log of the caller of `onFailure`).
 */
export async function invoke(
  view: DaemonView,
  name: string,
  input: unknown,
  onFailure: (error: unknown) => void = () => {},
): Promise<Answer<unknown>> {
  const found = findMethod(name);
  if (found === undefined)
    return refusal("not_found", `There is no method of this name. There are: ${METHOD_NAMES.join(", ")}.`);
  const given = input ?? {};
  if (typeof given !== "object" || Array.isArray(given)) {
    return refusal("invalid_argument", `${name}: the arguments are one object of names and values.`);
  }
  const parsed = v.safeParse(v.strictObject(found.args), given, { abortEarly: true });
  if (!parsed.success) return refusal("invalid_argument", argumentSentence(name, found, parsed.issues[0]));
  try {
    return await found.handle(view, parsed.output);
  } catch (error) {
    onFailure(error);
    return refusal("internal", `${name} failed inside the daemon. Its log says more; please report it.`);
  }
}

/** The verifier's sentence: which argument, what was found, what is allowed. */
function argumentSentence(name: string, found: AnyMethod, issue: v.BaseIssue<unknown>): string {
  const key = String(issue.path?.[0]?.key ?? "");
  const schema = Object.hasOwn(found.args, key) ? found.args[key] : undefined;
  const names = Object.keys(found.args);
  if (schema === undefined) {
    const there = names.length === 0 ? "It takes none." : `It takes ${names.join(", ")}.`;
    return `${name}: ${shownValue(key)} is not an argument of this method. ${there}`;
  }
  const { allowed } = argumentInfo(schema);
  const value = issue.path?.[0]?.value;
  if (value === undefined) return `${name}: ${key} is missing; allowed is ${allowed}.`;
  return `${name}: ${key} is ${shownValue(value)}; allowed is ${allowed}.`;
}
