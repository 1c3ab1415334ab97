import type { NativeText } from "../native.ts";
import { WebHeaders } from "./headers.ts";
import { WebRequest } from "./request.ts";
import { WebResponse } from "./response.ts";
import { textCoding } from "./text-coding.ts";

/** What Hono and our own code use of the web platform and QuickJS lacks, as globals. Nothing else: see docs/architecture.md. */
export function installWebPlatform(native: Pick<NativeText, "encodeUtf8" | "decodeUtf8">): void {
  Object.assign(globalThis, {
    Headers: WebHeaders,
    Request: WebRequest,
    Response: WebResponse,
    ...textCoding(native),
  });
}
