/** What the executable with QuickJS gives the daemon's process. */
import { createQuickJsHost } from "../host/quickjs/host.ts";
import type { QuickJsNative } from "../host/quickjs/native.ts";
import type { Streams } from "../host/streams.ts";
import { type Engine, MAX_SMALL_FILE_BYTES } from "./engine.ts";

export function quickJsEngine(native: QuickJsNative, streams: Streams): Engine {
  return {
    name: native.engine,
    streams,
    timers: native,
    createHost: (slotCount) => createQuickJsHost(native, { slotCount }),

    fileKind(path) {
      const status = native.fileStatus(path);
      if (typeof status === "number") return { code: native.errorName(status) };
      return status.kind === "socket" ? "socket" : "other";
    },
    removeFile(path) {
      const result = native.removeFile(path);
      return result < 0 ? native.errorName(result) : "";
    },
    readFile(path) {
      const file = native.readFile(path, MAX_SMALL_FILE_BYTES);
      return typeof file === "number"
        ? undefined
        : native.decodeUtf8(file.bytes, 0, file.bytes.length, false);
    },

    resolve: (name) =>
      new Promise((resolve) => {
        if (native.resolve(name, resolve) < 0) resolve([]);
      }),
    interfaceAddresses: () => native.interfaceAddresses().filter(({ loopback }) => !loopback),
    residentBytes: () => native.residentBytes(),
  };
}
