/** What tests take for granted in Node and QuickJS lacks; comes before every file. */
import { native } from "kcp-router:native";
import { installWebPlatform } from "../../../router-daemon/src/host/quickjs/web/install.ts";
import { StandInBuffer } from "./buffer.ts";
import { StandInQuery, StandInUrl } from "./url.ts";

installWebPlatform(native);

const environment = new Proxy({}, { get: (_, name) => native.environment(String(name)) });

Object.assign(globalThis, {
  Buffer: StandInBuffer,
  URL: StandInUrl,
  URLSearchParams: StandInQuery,
  process: { env: environment, pid: native.pid, argv: native.argv, exit: native.exit, platform: "linux" },
  console: {
    log: (...items: unknown[]) => void native.write(2, native.encodeUtf8(`${items.map(String).join(" ")}\n`)),
    error: (...items: unknown[]) =>
      void native.write(2, native.encodeUtf8(`${items.map(String).join(" ")}\n`)),
  },
  performance: { now: () => native.monotonicMs() },
  setTimeout: (run: () => void, delayMs = 0) => native.startTimer(run, delayMs),
  clearTimeout: (timer: number) => native.stopTimer(timer ?? 0),
  setImmediate: (run: () => void) => native.startTimer(run, 0),
  queueMicrotask: (run: () => void) => void Promise.resolve().then(run),
});
