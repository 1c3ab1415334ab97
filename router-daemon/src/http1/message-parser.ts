/**
 * One HTTP/1.1 message after the other out of a byte stream, whatever pieces it comes in. Strict where leniency has been used to
 * smuggle requests (RFC 9112 11.2): lines end in CR LF, no folded or spaced-out header, one length, no unknown transfer coding.
 *
 * ```
 *  start line ─▶ headers ─┬─▶ body of a known length ──────────────▶ complete ─ take() ─▶ start line …
 *                         ├─▶ until the end of the stream ─────────────▲
 *                         └─▶ chunk size ─▶ chunk ─▶ its CR LF ─┐      │
 *                               ▲   └─ 0 ─▶ trailers ───────────┼──────┘
 *                               └────────────────────────────────┘
 * ```
 */
import { ByteBuffer } from "./byte-buffer.ts";
import { type Header, HttpFault } from "./message.ts";

export interface MessageLimits {
  /** Start line and headers together; trailers and chunk extensions as well. */
  readonly maxHeadBytes: number;
  readonly maxHeaders: number;
  readonly maxBodyBytes: number;
}

/** What differs between requests and responses. Both throw an {@link HttpFault} for what is not allowed. */
export interface MessageShape<Start> {
  /** Reads the start line. */
  start(line: string): Start;
  /** How the end of the body is found. */
  framing(start: Start, headers: readonly Header[]): Framing;
}
export type Framing = number | "chunked" | "until end";

export interface Message<Start> {
  readonly start: Start;
  readonly headers: readonly Header[];
  readonly body: Uint8Array;
}

type State = "start" | "headers" | "body" | "until end" | "chunk size" | "chunk" | "chunk end" | "trailers";

const LF = 10;
const CR = 13;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are not allowed
const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]/;
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/;

export class MessageParser<Start> {
  readonly #shape: MessageShape<Start>;
  readonly #limits: MessageLimits;
  readonly #input = new ByteBuffer();
  readonly #body = new ByteBuffer();
  #state: State = "start";
  #start: Start | undefined;
  #headers: Header[] = [];
  /** Of the head, or of chunk lines and trailers. */
  #lineBytes = 0;
  /** Bytes at the front of the input that hold no line end. */
  #searched = 0;
  /** Bytes that are missing of the body or the chunk. */
  #missing = 0;
  #complete = false;
  #fault: HttpFault | undefined;

  constructor(shape: MessageShape<Start>, limits: MessageLimits) {
    this.#shape = shape;
    this.#limits = limits;
  }

  /** Set when the other end is wrong; nothing is read from then on. */
  get fault(): HttpFault | undefined {
    return this.#fault;
  }

  /** A message has begun and is not complete. */
  get inMessage(): boolean {
    return !this.#complete && (this.#state !== "start" || this.#input.length > 0);
  }

  /** Start line and headers of the message whose body is being waited for. */
  get head(): { readonly start: Start; readonly headers: readonly Header[] } | undefined {
    const inBody = this.#state !== "start" && this.#state !== "headers" && !this.#complete;
    return inBody && this.#start !== undefined ? { start: this.#start, headers: this.#headers } : undefined;
  }

  /** What comes after a complete message waits until that is taken: whoever does not take stops handing in. */
  handleBytes(bytes: Uint8Array): void {
    if (this.#fault !== undefined) return;
    this.#input.append(bytes);
    this.#run();
  }

  /** The other end sends no more. */
  handleEnd(): void {
    if (this.#complete || this.#fault !== undefined) return;
    if (this.#state === "until end") this.#complete = true;
    else if (this.inMessage) this.#fault = new HttpFault(400, "The message ends in the middle.");
  }

  /** The next complete message, once. */
  take(): Message<Start> | undefined {
    if (!this.#complete || this.#start === undefined) return undefined;
    const message = { start: this.#start, headers: this.#headers, body: this.#body.takeAll() };
    this.#state = "start";
    this.#start = undefined;
    this.#headers = [];
    this.#lineBytes = 0;
    this.#complete = false;
    this.#run();
    return message;
  }

  #run(): void {
    try {
      while (!this.#complete && this.#step());
    } catch (error) {
      if (!(error instanceof HttpFault)) throw error;
      this.#fault = error;
      this.#input.takeAll();
      this.#body.takeAll();
    }
  }

  /** One step; false = more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "body":
      case "chunk":
      case "until end":
        return this.#stepBody();
      default: {
        const line = this.#takeLine();
        if (line !== undefined) this.#handleLine(line);
        return line !== undefined;
      }
    }
  }

  #handleLine(line: string): void {
    switch (this.#state) {
      case "start":
        // An empty line before a request is what old clients send behind a body (RFC 9112 2.2).
        if (line === "") return;
        this.#start = this.#shape.start(line);
        this.#state = "headers";
        return;
      case "headers":
        if (line === "") this.#beginBody();
        else this.#headers.push(this.#readHeader(line, this.#headers.length));
        return;
      case "chunk size":
        this.#beginChunk(line);
        return;
      case "chunk end":
        if (line !== "") throw new HttpFault(400, "A chunk is longer than its size says.");
        this.#state = "chunk size";
        return;
      default:
        // Trailers are read as strictly as headers, and dropped.
        if (line === "") this.#complete = true;
        else this.#readHeader(line, 0);
    }
  }

  #beginBody(): void {
    const framing = this.#shape.framing(this.#start as Start, this.#headers);
    this.#lineBytes = 0;
    if (framing === "chunked") {
      this.#state = "chunk size";
    } else if (framing === "until end") {
      this.#state = "until end";
    } else {
      this.#checkBody(framing);
      this.#state = "body";
      this.#missing = framing;
      this.#complete = framing === 0;
    }
  }

  #beginChunk(line: string): void {
    const digits = CHUNK_SIZE.exec(line)?.[1];
    if (digits === undefined) throw new HttpFault(400, "The size of a chunk is not a hexadecimal number.");
    const size = Number.parseInt(digits, 16);
    this.#checkBody(this.#body.length + size);
    this.#missing = size;
    this.#state = size === 0 ? "trailers" : "chunk";
  }

  #stepBody(): boolean {
    if (this.#input.length === 0) return false;
    if (this.#state === "until end") {
      this.#checkBody(this.#body.length + this.#input.length);
      this.#body.append(this.#input.take(this.#input.length));
      return false;
    }
    const part = this.#input.take(this.#missing);
    this.#body.append(part);
    this.#missing -= part.length;
    if (this.#missing > 0) return false;
    if (this.#state === "chunk") this.#state = "chunk end";
    else this.#complete = true;
    return true;
  }

  #checkBody(bytes: number): void {
    if (bytes > this.#limits.maxBodyBytes) {
      throw new HttpFault(413, `The body is larger than ${this.#limits.maxBodyBytes} bytes. Send less.`);
    }
  }

  /** The next line without its end, one character for each byte; undefined = it is not complete. */
  #takeLine(): string | undefined {
    const end = this.#input.indexOf(LF, this.#searched);
    this.#searched = end < 0 ? this.#input.length : 0;
    const length = end < 0 ? this.#input.length : end + 1;
    if (this.#lineBytes + length > this.#limits.maxHeadBytes) {
      throw new HttpFault(
        431,
        `Start line and headers are larger than ${this.#limits.maxHeadBytes} bytes. Send less.`,
      );
    }
    if (end < 0) return undefined;
    this.#lineBytes += length;
    const line = this.#input.take(length);
    if (line[length - 2] !== CR) throw new HttpFault(400, "A line does not end in CR LF.");
    const text = latin1(line, length - 2);
    if (FORBIDDEN.test(text)) throw new HttpFault(400, "A line has control characters in it.");
    return text;
  }

  #readHeader(line: string, count: number): Header {
    if (count >= this.#limits.maxHeaders) {
      throw new HttpFault(431, `There are more than ${this.#limits.maxHeaders} headers. Send fewer.`);
    }
    const match = HEADER.exec(line);
    if (match === null) throw new HttpFault(400, "A header is not of the form name: value.");
    return [(match[1] ?? "").toLowerCase(), withoutMargins(match[2] ?? "")];
  }
}

/** Without spaces and tabs at both ends. A regular expression would take quadratic time over white space in the middle. */
function withoutMargins(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function latin1(bytes: Uint8Array, length: number): string {
  let text = "";
  for (let at = 0; at < length; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

/** Body length by `Content-Length` or `Transfer-Encoding`; undefined = neither is given (RFC 9112 6.3). */
export function declaredFraming(headers: readonly Header[]): Framing | undefined {
  let length: number | undefined;
  let chunked = false;
  for (const [name, value] of headers) {
    if (name === "transfer-encoding") {
      if (chunked || value.toLowerCase() !== "chunked") {
        throw new HttpFault(501, "Of the transfer codings only chunked is understood.");
      }
      chunked = true;
    } else if (name === "content-length") {
      if (length !== undefined || !/^\d{1,15}$/.test(value)) {
        throw new HttpFault(400, "Content-Length must be there once, as a whole number.");
      }
      length = Number(value);
    }
  }
  if (chunked && length !== undefined) {
    throw new HttpFault(400, "Content-Length and Transfer-Encoding exclude each other.");
  }
  return chunked ? "chunked" : length;
}
