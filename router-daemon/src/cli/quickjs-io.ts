import type { FileAccess } from "../config/load.ts";
import type { QuickJsNative } from "../host/quickjs/native.ts";
import { callApi, type HttpCall } from "./api-call.ts";
import { fileSentence, tooLargeSentence } from "./file-sentence.ts";
import type { CliIo } from "./io.ts";
import type { ProcessSignals } from "./run.ts";

/** What the CLI needs of the executable. */
export type CliNative = Pick<
  QuickJsNative,
  | "write"
  | "exit"
  | "readFile"
  | "writeFile"
  | "hostname"
  | "engine"
  | "errorName"
  | "encodeUtf8"
  | "decodeUtf8"
  | "onSignal"
>;

const STDOUT = 1;
const STDERR = 2;
const SIGHUP = 1;
/** Readable and writable by its owner only: the file may hold a secret. */
const OWNER_ONLY = 0o600;

/** The CLI's world on QuickJS. */
export function quickJsIo(native: CliNative, http: HttpCall): CliIo {
  return {
    out: (text) => {
      // A reader that goes away ends the program quietly.
      if (native.write(STDOUT, native.encodeUtf8(text)) < 0) native.exit(0);
    },
    err: (text) => void native.write(STDERR, native.encodeUtf8(text)),
    note: (text) => void native.write(STDOUT, native.encodeUtf8(text)),
    request: (socket, method, args) => callApi(http, socket, method, args),
    files: quickJsFiles(native),
    replaceFile: (path, text) => {
      const result = native.writeFile(path, native.encodeUtf8(text), OWNER_ONLY);
      return result < 0 ? fileSentence(native.errorName(result)) : undefined;
    },
    systemHostname: native.hostname(),
    engine: native.engine,
  };
}

export function quickJsFiles(native: Pick<CliNative, "readFile" | "decodeUtf8" | "errorName">): FileAccess {
  return {
    read(path, maxBytes) {
      const file = native.readFile(path, maxBytes);
      if (typeof file !== "number") {
        const text = native.decodeUtf8(file.bytes, 0, file.bytes.length, false) ?? "";
        return { ok: true, text, mode: file.mode };
      }
      const code = native.errorName(file);
      const reason = code === "EFBIG" ? tooLargeSentence(maxBytes) : fileSentence(code);
      return { ok: false, reason, missing: code === "ENOENT" || code === "ENOTDIR" };
    },
  };
}

/** SIGTERM and SIGINT stop, a second one stops at once; SIGHUP reloads. Taken from the moment somebody asks for them. */
export function quickJsSignals(native: Pick<CliNative, "onSignal" | "exit">): ProcessSignals {
  let stop = (): void => {};
  let reload = (): void => {};
  let asked = false;
  const take = (): void =>
    native.onSignal((signal) => {
      if (signal === SIGHUP) {
        reload();
        return;
      }
      if (asked) native.exit(1);
      asked = true;
      stop();
    });
  return {
    onStop(callback) {
      stop = callback;
      take();
    },
    onReload(callback) {
      reload = callback;
      take();
    },
  };
}
