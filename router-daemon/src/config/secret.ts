const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** What is shown in place of a secret. */
export const MASK = "***";

/**
 * A secret that cannot be printed by accident: string conversion, JSON, template literals and Node's inspector all give
 * `***`. The one way to the text is `reveal()`, which is easy to search for in a review.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for deriving keys, never for showing. */
  reveal(): string {
    return this.#text;
  }

  get isEmpty(): boolean {
    return this.#text === "";
  }

  equals(other: Secret): boolean {
    return this.#text === other.#text;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [INSPECT](): string {
    return MASK;
  }
}
