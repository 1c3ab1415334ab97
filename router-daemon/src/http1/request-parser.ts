import { connectionHas, type Header, HttpFault, type HttpRequest, headerValues } from "./message.ts";
import { declaredFraming, type MessageLimits, MessageParser, type MessageShape } from "./message-parser.ts";

/** Start line and headers of one request. */
export const MAX_REQUEST_HEAD_BYTES = 16 * 1024;
export const MAX_REQUEST_HEADERS = 64;

/** Others are answered with 501. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

interface RequestLine {
  readonly method: string;
  readonly target: string;
  readonly minor: number;
}

export interface ParsedRequest extends HttpRequest {
  /** The client lets the connection be used for another request. */
  readonly keepAlive: boolean;
}

/** Requests out of a client's bytes. */
export class RequestParser {
  readonly #parser: MessageParser<RequestLine>;
  #continued = false;

  constructor(maxBodyBytes: number) {
    const limits: MessageLimits = {
      maxHeadBytes: MAX_REQUEST_HEAD_BYTES,
      maxHeaders: MAX_REQUEST_HEADERS,
      maxBodyBytes,
    };
    this.#parser = new MessageParser(REQUEST, limits);
  }

  get fault(): HttpFault | undefined {
    return this.#parser.fault;
  }
  /** A request has begun and is not complete. */
  get inRequest(): boolean {
    return this.#parser.inMessage;
  }

  handleBytes(bytes: Uint8Array): void {
    this.#parser.handleBytes(bytes);
  }
  handleEnd(): void {
    this.#parser.handleEnd();
  }

  /** True once for each request whose client waits for `100 Continue` before it sends the body. */
  takeExpectation(): boolean {
    const { head } = this.#parser;
    if (this.#continued || head === undefined || headerValues(head.headers, "expect").length === 0)
      return false;
    this.#continued = true;
    return true;
  }

  take(): ParsedRequest | undefined {
    const message = this.#parser.take();
    if (message === undefined) return undefined;
    this.#continued = false;
    const { start, headers, body } = message;
    const keepAlive = start.minor === 1 && !connectionHas(headers, "close");
    return { method: start.method, target: start.target, headers, body, keepAlive };
  }
}

const REQUEST: MessageShape<RequestLine> = {
  start(line) {
    const [, method = "", target = "", major = "", minor = ""] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/(\d)\.(\d)$/.exec(line) ?? [];
    if (method === "") throw new HttpFault(400, "The first line is not of the form METHOD /path HTTP/1.1.");
    if (major !== "1" || Number(minor) > 1) {
      throw new HttpFault(505, `HTTP/${major}.${minor} is not spoken here; HTTP/1.1 is.`);
    }
    if (!METHODS.includes(method)) throw new HttpFault(501, "This method is not known here.");
    return { method, target: originForm(target), minor: Number(minor) };
  },

  framing({ minor }, headers) {
    checkHost(minor, headers);
    if (headerValues(headers, "expect").some((value) => value.toLowerCase() !== "100-continue")) {
      throw new HttpFault(417, "Nothing but 100-continue can be expected here.");
    }
    const framing = declaredFraming(headers) ?? 0;
    if (framing === "chunked" && minor === 0) {
      throw new HttpFault(400, "HTTP/1.0 has no transfer codings. Send Content-Length.");
    }
    return framing;
  },
};

/** Path and query; a client that takes us for a proxy sends the whole URL (RFC 9112 3.2.2). */
function originForm(target: string): string {
  const path = /^http:\/\/[^/?#]*(\/.*)$/i.exec(target)?.[1] ?? target;
  if (!/^\/(?:[!"$&-~]|%[0-9A-Fa-f]{2})*$/.test(path)) {
    throw new HttpFault(
      400,
      "The path must begin with / and be printable ASCII, anything else written as %XX.",
    );
  }
  return path;
}

function checkHost(minor: number, headers: readonly Header[]): void {
  const count = headerValues(headers, "host").length;
  if (count > 1 || (count === 0 && minor === 1)) throw new HttpFault(400, "There must be one Host header.");
}
