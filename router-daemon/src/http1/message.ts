/** HTTP/1.1 messages as values (RFC 9110, 9112). */

/** A name in lower case, and its value without the white space around it. */
export type Header = readonly [name: string, value: string];

export interface HttpRequest {
  readonly method: string;
  /** Path and query as they were sent: printable ASCII, begins with `/`, every `%` is followed by two hexadecimal digits. */
  readonly target: string;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

/** Why a message is refused: the status that says so, and a sentence. */
export class HttpFault extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Values of all headers of this name (in lower case), in order. */
export function headerValues(headers: readonly Header[], name: string): string[] {
  return headers.filter(([given]) => given === name).map(([, value]) => value);
}

/** `Connection: close`, or another word of that header. */
export function connectionHas(headers: readonly Header[], word: string): boolean {
  return headerValues(headers, "connection").some((value) =>
    value.split(",").some((option) => option.trim().toLowerCase() === word),
  );
}
