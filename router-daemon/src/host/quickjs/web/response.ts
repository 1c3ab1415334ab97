import { type BodyInit, WebBody } from "./body.ts";
import { type HeadersInit, WebHeaders } from "./headers.ts";

export interface ResponseInit {
  readonly status?: number;
  readonly statusText?: string;
  readonly headers?: HeadersInit;
}

/** Statuses whose responses have no body. */
const BODILESS: readonly number[] = [101, 204, 205, 304];

/** `Response` of the Fetch standard, as far as Hono uses it. */
export class WebResponse extends WebBody {
  readonly status: number;
  readonly statusText: string;
  readonly headers: WebHeaders;

  constructor(body: BodyInit = null, init: ResponseInit = {}) {
    super(body);
    const { status = 200, statusText = "" } = init;
    if (!(status >= 200 && status <= 599)) throw new RangeError(`${status} is not the status of a response.`);
    if (this.body !== null && BODILESS.includes(status)) {
      throw new TypeError(`A response with status ${status} has no body.`);
    }
    this.status = status;
    this.statusText = statusText;
    this.headers = new WebHeaders(init.headers);
    if (typeof body === "string" && !this.headers.has("content-type")) {
      this.headers.set("content-type", "text/plain;charset=UTF-8");
    }
  }

  get ok(): boolean {
    return this.status <= 299;
  }
}
