import { native } from "kcp-router:native";
import { quickJsEngine } from "../daemon/quickjs-run.ts";
import { runDaemon } from "../daemon/run.ts";
import { createQuickJsStreams } from "../host/quickjs/streams.ts";
import { installWebPlatform } from "../host/quickjs/web/install.ts";
import { httpCall } from "../http1/client.ts";
import { main } from "./main.ts";
import { quickJsIo, quickJsSignals } from "./quickjs-io.ts";

/** Entry of the executable with QuickJS. What fails by a fault of its own is printed by the executable, which ends with status 1. */
installWebPlatform(native);
const streams = createQuickJsStreams(native);
const engine = quickJsEngine(native, streams);
native.exit(
  await main(native.argv.slice(1), {
    io: quickJsIo(native, (unix, request, limits) => httpCall(streams, native, { unix }, request, limits)),
    signals: quickJsSignals(native),
    runDaemon: (config, io) => runDaemon(engine, config, io),
    nowUnixSeconds: () => native.wallClockMs() / 1000,
  }),
);
