import { deepEqual, isLike } from "./equality.ts";
import { show } from "./show.ts";

/** What `t.throws` may expect. */
interface ThrowsExpectation {
  readonly instanceOf?: new (...args: never[]) => unknown;
  readonly message?: string | RegExp | ((message: string) => boolean);
  readonly name?: string;
  readonly code?: string | number;
}

/**
 * AVA's assertions. As there, a failed one throws, and is remembered, so that nobody who catches it hides it; they give back
 * whether they held.
 */
export class Assertions {
  #failure: Error | undefined;
  readonly #teardowns: (() => unknown)[] = [];
  readonly title: string;

  constructor(title: string) {
    this.title = title;
  }

  /** What went wrong, when something did. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  async runTeardowns(): Promise<void> {
    for (const teardown of this.#teardowns.reverse()) await teardown();
  }

  is(actual: unknown, expected: unknown, message?: string): boolean {
    return this.#check(
      Object.is(actual, expected),
      message,
      () => `${show(actual)} is not ${show(expected)}`,
    );
  }
  not(actual: unknown, unexpected: unknown, message?: string): boolean {
    return this.#check(!Object.is(actual, unexpected), message, () => `it is ${show(unexpected)}`);
  }
  deepEqual(actual: unknown, expected: unknown, message?: string): boolean {
    return this.#check(
      deepEqual(actual, expected),
      message,
      () => `${show(actual)} is not like ${show(expected)}`,
    );
  }
  notDeepEqual(actual: unknown, unexpected: unknown, message?: string): boolean {
    return this.#check(!deepEqual(actual, unexpected), message, () => `it is like ${show(unexpected)}`);
  }
  like(actual: unknown, selector: unknown, message?: string): boolean {
    return this.#check(isLike(actual, selector), message, () => `${show(actual)} has not ${show(selector)}`);
  }
  true(actual: unknown, message?: string): boolean {
    return this.#check(actual === true, message, () => `${show(actual)} is not true`);
  }
  false(actual: unknown, message?: string): boolean {
    return this.#check(actual === false, message, () => `${show(actual)} is not false`);
  }
  truthy(actual: unknown, message?: string): boolean {
    return this.#check(Boolean(actual), message, () => `${show(actual)} is not truthy`);
  }
  falsy(actual: unknown, message?: string): boolean {
    return this.#check(!actual, message, () => `${show(actual)} is not falsy`);
  }
  assert(actual: unknown, message?: string): boolean {
    return this.truthy(actual, message);
  }
  regex(text: string, pattern: RegExp, message?: string): boolean {
    return this.#check(pattern.test(text), message, () => `${show(text)} does not match ${pattern}`);
  }
  notRegex(text: string, pattern: RegExp, message?: string): boolean {
    return this.#check(!pattern.test(text), message, () => `${show(text)} matches ${pattern}`);
  }
  pass(): boolean {
    return this.#check(true, undefined, () => "");
  }
  fail(message?: string): boolean {
    return this.#check(false, message, () => "t.fail() was called");
  }

  throws(run: () => unknown, expected: ThrowsExpectation = {}, message?: string): unknown {
    try {
      run();
    } catch (error) {
      return this.#checkError(error, expected, message);
    }
    this.#check(false, message, () => "nothing was thrown");
    return undefined;
  }
  async throwsAsync(
    run: Promise<unknown> | (() => Promise<unknown>),
    expected: ThrowsExpectation = {},
    message?: string,
  ): Promise<unknown> {
    try {
      await (typeof run === "function" ? run() : run);
    } catch (error) {
      return this.#checkError(error, expected, message);
    }
    this.#check(false, message, () => "nothing was thrown");
    return undefined;
  }
  notThrows(run: () => unknown, message?: string): boolean {
    try {
      run();
      return this.pass();
    } catch (error) {
      return this.#check(false, message, () => `thrown was ${show(error)}`);
    }
  }
  async notThrowsAsync(run: Promise<unknown> | (() => Promise<unknown>), message?: string): Promise<boolean> {
    try {
      await (typeof run === "function" ? run() : run);
      return this.pass();
    } catch (error) {
      return this.#check(false, message, () => `thrown was ${show(error)}`);
    }
  }

  teardown(run: () => unknown): void {
    this.#teardowns.push(run);
  }
  log(): void {}
  timeout(): void {}

  #checkError(error: unknown, expected: ThrowsExpectation, message?: string): unknown {
    const { instanceOf, message: text, name, code } = expected;
    const given = error as Error & { readonly code?: unknown };
    const held =
      (instanceOf === undefined || error instanceof instanceOf) &&
      (name === undefined || given.name === name) &&
      (code === undefined || given.code === code) &&
      (text === undefined ||
        (typeof text === "string"
          ? given.message === text
          : typeof text === "function"
            ? text(given.message)
            : text.test(given.message)));
    this.#check(held, message, () => `thrown was ${show(error)}, expected ${show(expected)}`);
    return error;
  }

  #check(held: boolean, message: string | undefined, describe: () => string): boolean {
    if (held) return true;
    const error = new Error([message, describe()].filter(Boolean).join(": "));
    this.#failure ??= error;
    throw error;
  }
}
