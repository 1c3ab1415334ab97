const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FORBIDDEN_IN_VALUE = /[\0\r\n]|[^\0-\xff]/;

export type HeadersInit = WebHeaders | Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/** `Headers` of the Fetch standard, as far as Hono uses it: names in any case, several values of a name joined by commas. */
export class WebHeaders {
  /** By name in lower case; cookies, which cannot be joined, one by one. */
  readonly #values = new Map<string, string[]>();

  constructor(init: HeadersInit = {}) {
    const pairs = Symbol.iterator in init ? init : Object.entries(init as Record<string, string>);
    for (const [name, value] of pairs as Iterable<readonly [string, string]>) this.append(name, value);
  }

  append(name: string, value: string): void {
    const key = keyOf(name);
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [checkedValue(value)]);
    else values.push(checkedValue(value));
  }
  set(name: string, value: string): void {
    this.#values.set(keyOf(name), [checkedValue(value)]);
  }
  delete(name: string): void {
    this.#values.delete(keyOf(name));
  }
  has(name: string): boolean {
    return this.#values.has(keyOf(name));
  }
  get(name: string): string | null {
    return this.#values.get(keyOf(name))?.join(", ") ?? null;
  }
  getSetCookie(): string[] {
    return [...(this.#values.get("set-cookie") ?? [])];
  }

  forEach(call: (value: string, name: string, all: WebHeaders) => void): void {
    for (const [name, value] of this) call(value, name, this);
  }
  /** In the order of their names. */
  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const name of [...this.#values.keys()].sort()) {
      const values = this.#values.get(name) ?? [];
      if (name === "set-cookie") for (const value of values) yield [name, value];
      else yield [name, values.join(", ")];
    }
  }
  entries(): IterableIterator<[string, string]> {
    return this[Symbol.iterator]();
  }
  *keys(): IterableIterator<string> {
    for (const [name] of this) yield name;
  }
  *values(): IterableIterator<string> {
    for (const [, value] of this) yield value;
  }
}

function keyOf(name: string): string {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError(`"${text}" is not the name of a header.`);
  return text.toLowerCase();
}

function checkedValue(value: string): string {
  const text = String(value)
    .replace(/^[\t\n\r ]+/, "")
    .replace(/[\t\n\r ]+$/, "");
  if (FORBIDDEN_IN_VALUE.test(text))
    throw new TypeError("The value of a header has characters that it must not have.");
  return text;
}
