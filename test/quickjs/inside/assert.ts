/** `node:assert/strict`, as far as tests use it. */
import { deepEqual as equalDeeply } from "./equality.ts";
import { show } from "./show.ts";

export function ok(value: unknown, message = "it is falsy"): void {
  if (!value) throw new Error(message);
}
export function equal(actual: unknown, expected: unknown): void {
  ok(Object.is(actual, expected), `${show(actual)} is not ${show(expected)}`);
}
export function deepEqual(actual: unknown, expected: unknown): void {
  ok(equalDeeply(actual, expected), `${show(actual)} is not like ${show(expected)}`);
}
export function match(text: string, pattern: RegExp): void {
  ok(pattern.test(text), `${show(text)} does not match ${pattern}`);
}

// biome-ignore lint/style/noDefaultExport: Node has one
export default { ok, equal, match, strictEqual: equal, deepEqual, deepStrictEqual: deepEqual };
