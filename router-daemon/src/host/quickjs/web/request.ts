import { type BodyInit, WebBody } from "./body.ts";
import { type HeadersInit, WebHeaders } from "./headers.ts";

export interface RequestInit {
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit;
}

/** `Request` of the Fetch standard, as far as Hono uses it. The URL is kept as it was given: an absolute one. */
export class WebRequest extends WebBody {
  readonly url: string;
  readonly method: string;
  readonly headers: WebHeaders;

  constructor(input: string | WebRequest, init: RequestInit = {}) {
    const from = input instanceof WebRequest ? input : undefined;
    super(init.body ?? from?.body ?? null);
    this.url = from?.url ?? String(input);
    this.method = (init.method ?? from?.method ?? "GET").toUpperCase();
    this.headers = new WebHeaders(init.headers ?? from?.headers);
    if (this.body !== null && (this.method === "GET" || this.method === "HEAD")) {
      throw new TypeError(`A ${this.method} request has no body.`);
    }
    if (typeof init.body === "string" && !this.headers.has("content-type")) {
      this.headers.set("content-type", "text/plain;charset=UTF-8");
    }
  }
}
