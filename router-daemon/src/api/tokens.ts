/** Who may do what over TCP: one line of a file each. */
export type Role = "read" | "write";

export const MIN_TOKEN_LENGTH = 16;
export const MAX_TOKEN_LENGTH = 256;
export const MAX_TOKENS = 16;

const LINE = /^(read|write)\s+([A-Za-z0-9._~+/=-]+)$/;

/** The bearer tokens that the API takes on TCP. They are never shown. */
export class Tokens {
  readonly #all: readonly { readonly role: Role; readonly token: string }[];

  private constructor(all: readonly { readonly role: Role; readonly token: string }[]) {
    this.#all = all;
  }

  /** `write TOKEN` and `read TOKEN` lines; empty ones and those that begin with `#` are passed over. Else a sentence. */
  static parse(text: string): Tokens | string {
    const found: { role: Role; token: string }[] = [];
    for (const [at, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === "" || line.startsWith("#")) continue;
      const [, role, token = ""] = LINE.exec(line.trim()) ?? [];
      if (role === undefined) {
        return `Line ${at + 1} is none of: "write TOKEN", "read TOKEN", a comment with #.`;
      }
      if (token.length < MIN_TOKEN_LENGTH || token.length > MAX_TOKEN_LENGTH) {
        return `The token in line ${at + 1} has ${token.length} characters; allowed are ${MIN_TOKEN_LENGTH} to ${MAX_TOKEN_LENGTH}.`;
      }
      found.push({ role: role as Role, token });
    }
    if (found.length === 0) return 'There is no token in it. Write a line "write TOKEN".';
    if (found.length > MAX_TOKENS) return `It holds ${found.length} tokens; at most ${MAX_TOKENS} are taken.`;
    return new Tokens(found);
  }

  /** What the value of an `Authorization` header allows. The time it takes tells nothing about the tokens. */
  roleOf(authorization: string | undefined): Role | undefined {
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
    let role: Role | undefined;
    for (const known of this.#all) {
      if (isSame(known.token, given) && role !== "write") role = known.role;
    }
    return role;
  }
}

/** Looks at every character of the secret, whatever is given. */
function isSame(secret: string, given: string): boolean {
  let difference = secret.length ^ given.length;
  for (let at = 0; at < secret.length; at++) difference |= secret.charCodeAt(at) ^ given.charCodeAt(at);
  return difference === 0;
}
