/** `new URL("../x", import.meta.url)`: files beside a test. Of other URLs only the form is looked at. */
export class StandInUrl {
  readonly href: string;
  constructor(path: string, base?: string) {
    if (base === undefined) {
      if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/]+/.test(path)) throw new TypeError(`Invalid URL: ${path}`);
      this.href = path;
      return;
    }
    const parts = base
      .replace(/^file:\/\//, "")
      .split("/")
      .slice(0, -1);
    for (const part of path.split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    this.href = `file://${parts.join("/")}`;
  }
  get pathname(): string {
    return this.href.replace(/^file:\/\//, "");
  }
  toString(): string {
    return this.href;
  }
}

export function fileURLToPath(url: { readonly pathname: string } | string): string {
  return String(url).replace(/^file:\/\//, "");
}

/** Names and values to the text of a query. */
export class StandInQuery {
  readonly #pairs: readonly (readonly [string, string])[];
  constructor(pairs: Iterable<readonly [string, string]>) {
    this.#pairs = [...pairs];
  }
  toString(): string {
    return this.#pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  }
}
