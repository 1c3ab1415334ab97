import { HttpFault, type HttpResponse } from "./message.ts";
import { declaredFraming, MessageParser, type MessageShape } from "./message-parser.ts";

export const MAX_RESPONSE_HEAD_BYTES = 16 * 1024;
export const MAX_RESPONSE_HEADERS = 64;

/** Responses to requests other than HEAD out of a server's bytes. Interim responses (1xx) are skipped. */
export class ResponseParser {
  readonly #parser: MessageParser<number>;

  constructor(maxBodyBytes: number) {
    this.#parser = new MessageParser(RESPONSE, {
      maxHeadBytes: MAX_RESPONSE_HEAD_BYTES,
      maxHeaders: MAX_RESPONSE_HEADERS,
      maxBodyBytes,
    });
  }

  get fault(): HttpFault | undefined {
    return this.#parser.fault;
  }
  handleBytes(bytes: Uint8Array): void {
    this.#parser.handleBytes(bytes);
  }
  handleEnd(): void {
    this.#parser.handleEnd();
  }

  take(): HttpResponse | undefined {
    for (;;) {
      const message = this.#parser.take();
      if (message === undefined) return undefined;
      const { start: status, headers, body } = message;
      if (status >= 200) return { status, headers, body };
    }
  }
}

const RESPONSE: MessageShape<number> = {
  start(line) {
    const status = /^HTTP\/1\.\d ([1-9]\d\d)(?: .*)?$/.exec(line)?.[1];
    if (status === undefined) throw new HttpFault(502, "The answer is not HTTP/1.1.");
    return Number(status);
  },

  framing(status, headers) {
    if (status < 200 || status === 204 || status === 304) return 0;
    return declaredFraming(headers) ?? "until end";
  },
};
