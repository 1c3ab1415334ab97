import type { StreamAddress, StreamHandlers, Streams } from "../host/streams.ts";
import type { Timers } from "../host/timers.ts";
import type { HttpRequest, HttpResponse } from "./message.ts";
import { writeRequest } from "./message-writer.ts";
import { ResponseParser } from "./response-parser.ts";

export interface CallLimits {
  readonly maxBodyBytes: number;
  readonly timeoutMs: number;
}

export type CallResult =
  | { readonly ok: true; readonly response: HttpResponse }
  /**
   * `not http`: what answers speaks something else, or more than `maxBodyBytes`. Else the system's name of the failure; `ETIMEDOUT`: no
   * complete answer in time; empty: the connection was closed before the answer was complete.
   */
  | { readonly ok: false; readonly code: string };

/** One request over a connection of its own. Never rejects. */
export function httpCall(
  streams: Streams,
  timers: Timers,
  address: StreamAddress,
  request: HttpRequest,
  limits: CallLimits,
): Promise<CallResult> {
  return new Promise((resolve) => {
    const parser = new ResponseParser(limits.maxBodyBytes);
    const settle = (result: CallResult): void => {
      timers.stopTimer(timer);
      resolve(result);
      stream.destroy();
    };
    const look = (): void => {
      const response = parser.take();
      if (response !== undefined) settle({ ok: true, response });
      else if (parser.fault !== undefined) settle({ ok: false, code: "not http" });
    };
    const handlers: StreamHandlers = {
      data(bytes) {
        parser.handleBytes(bytes);
        look();
      },
      ended() {
        const complete = parser.fault === undefined;
        parser.handleEnd();
        if (complete && parser.fault !== undefined) settle({ ok: false, code: "" });
        else look();
        stream.end();
      },
      drained() {},
      closed: (code) => settle({ ok: false, code }),
    };
    const timer = timers.startTimer(() => settle({ ok: false, code: "ETIMEDOUT" }), limits.timeoutMs);
    const stream = streams.connect(address, handlers);
    stream.write(writeRequest(request));
  });
}
